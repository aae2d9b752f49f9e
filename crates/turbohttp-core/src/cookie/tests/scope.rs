//! Who sets what, and who is sent it: domains, paths, HTTPS, prefixes.

use super::*;
use super::{exchange, set};

/// Who sets what, who is asked then, and what is sent.
const DOMAINS: &str = "
    # Without the attribute: the host alone.
    www.a.test | n=v | www.a.test | n=v
    www.a.test | n=v | a.test |
    a.test | n=v | www.a.test |
    a.test | n=v; domain | www.a.test |
    a.test | n=v; domain= | a.test | n=v
    a.test | n=v; domain=. | a.test | n=v
    # With it: the domain and what is below.
    a.test | n=v; domain=a.test | www.a.test | n=v
    a.test | n=v; DOMAIN = .A.Test ; x | x.y.a.test | n=v
    www.a.test | n=v; domain=a.test | a.test | n=v
    www.a.test | n=v; domain=a.test | ba.test |
    www.a.test | n=v; domain=a.test | a.test.b.test |
    # The last one counts.
    www.a.test | n=v; domain=b.test; domain=a.test | a.test | n=v
    www.a.test | n=v; domain=a.test; domain=b.test | www.a.test |
    www.a.test | n=v; domain=a.test; domain= | a.test |
    # Foreign ones.
    a.test | n=v; domain=www.a.test | www.a.test |
    a.test | n=v; domain=b.test | b.test |
    ba.test | n=v; domain=a.test | a.test |
    a.test | n=v; domain=..a.test | a.test |
    a.test | n=v; domain=a.test. | a.test |
    a.test | n=v; domain=\u{e4}.test | a.test |
    # Public suffixes.
    www.a.com | n=v; domain=com | b.com |
    a.co.uk | n=v; domain=co.uk | b.co.uk |
    a.co.uk | n=v; domain=.CO.uk | a.co.uk |
    a.github.io | n=v; domain=github.io | github.io |
    github.io | n=v; domain=github.io | github.io | n=v
    github.io | n=v; domain=github.io | a.github.io |
    # Addresses are in no domain.
    127.0.0.1 | n=v | 127.0.0.1 | n=v
    127.0.0.1 | n=v; domain=127.0.0.1 | 127.0.0.1 | n=v
    127.0.0.1 | n=v; domain=0.0.1 | 127.0.0.1 |
    127.0.0.1 | n=v; domain=.0.1 | 127.0.0.1 |
    [::1] | n=v | [::1] | n=v
";

#[test]
fn domains() {
    let rows = DOMAINS.lines().map(str::trim);
    let mut count = 0;
    for row in rows.filter(|row| !row.is_empty() && !row.starts_with('#')) {
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        let [from, field, to, expected] = columns[..] else {
            panic!("{row}");
        };
        let (from, to) = (format!("http://{from}/"), format!("http://{to}/"));
        assert_eq!(exchange(&from, &[field], &to), expected, "{row}");
        count += 1;
    }
    assert_eq!(count, 31);
}

#[test]
fn paths() {
    for (from, field, to, expected) in [
        // The default: the folder of the URL.
        ("/", "n=v", "/any/thing", "n=v"),
        ("", "n=v", "", "n=v"),
        ("", "n=v", "/", "n=v"),
        ("/a", "n=v", "/b", "n=v"),
        ("/a/b", "n=v", "/a", "n=v"),
        ("/a/b", "n=v", "/a/", "n=v"),
        ("/a/b", "n=v", "/a/c/d", "n=v"),
        ("/a/b", "n=v", "/ab", ""),
        ("/a/b", "n=v", "/", ""),
        ("/a/b/", "n=v", "/a/b", "n=v"),
        ("/a/b/", "n=v", "/a/c", ""),
        // The attribute.
        ("/a/b", "n=v; path=/", "/c", "n=v"),
        ("/a", "n=v; Path = /x/y ", "/x/y/z", "n=v"),
        ("/a", "n=v; path=/x/", "/x", ""),
        ("/a", "n=v; path=/x/", "/x/", "n=v"),
        ("/a", "n=v; path=/x", "/xy", ""),
        ("/a", "n=v; path=/X", "/x", ""),
        ("/a/b", "n=v; path=x", "/a/c", "n=v"),
        ("/a/b", "n=v; path=", "/a/c", "n=v"),
        ("/a/b", "n=v; path=/x; path=/y", "/y", "n=v"),
        ("/a/b", "n=v; path=/x; path", "/a/c", "n=v"),
        ("/a", "n=v; path=\"/x\"", "/a", "n=v"),
    ] {
        let (from, to) = (format!("http://a.test{from}"), format!("http://a.test{to}"));
        assert_eq!(
            exchange(&from, &[field], &to),
            expected,
            "{from} {field} {to}"
        );
    }
}

#[test]
fn secure_cookies() {
    for (from, field, to, expected) in [
        ("https://a.test/", "n=v; secure", "https://a.test/", "n=v"),
        ("https://a.test/", "n=v; SECURE=no", "http://a.test/", ""),
        ("http://a.test/", "n=v; secure", "https://a.test/", ""),
        ("https://a.test/", "n=v", "http://a.test/", "n=v"),
        ("http://a.test/", "n=v", "https://a.test/", "n=v"),
        ("https://a.test/", "n=v; secured", "http://a.test/", "n=v"),
        // What does not leave the machine.
        (
            "http://localhost/",
            "n=v; secure",
            "http://localhost/",
            "n=v",
        ),
        (
            "http://127.0.0.1/",
            "n=v; secure",
            "http://127.0.0.1/",
            "n=v",
        ),
        ("http://[::1]/", "n=v; secure", "http://[::1]/", "n=v"),
        ("http://127.0.0.2/", "n=v; secure", "http://127.0.0.2/", ""),
        (
            "http://localhost.a.test/",
            "n=v; secure",
            "http://localhost.a.test/",
            "",
        ),
    ] {
        assert_eq!(
            exchange(from, &[field], to),
            expected,
            "{from} {field} {to}"
        );
    }
}

#[test]
fn prefixes() {
    let (https, http) = ("https://www.a.test/", "http://www.a.test/");
    for (from, field, is_set) in [
        (https, "__Secure-n=v; secure", true),
        (https, "__Secure-n=v", false),
        (http, "__Secure-n=v", false),
        (https, "__sEcUrE-n=v", false),
        (https, "__Secure-n=v; secure; domain=a.test", true),
        (https, "__Host-n=v; secure; path=/", true),
        (https, "__Host-n=v; path=/", false),
        (https, "__Host-n=v; secure", false),
        (https, "__Host-n=v; secure; path=/x", false),
        (
            https,
            "__Host-n=v; secure; path=/; domain=www.a.test",
            false,
        ),
        (https, "__Host-n=v; secure; path=/; domain=", true),
        (https, "__HOST-n=v", false),
        (https, "__Hostess=v", true),
        (https, "=__Host-n=v; secure; path=/", false),
        (https, "__Secure-n; secure", false),
        (https, "__SECURE-", false),
    ] {
        let mut jar = CookieJar::default();
        let expected = if is_set { Ok(()) } else { Err(Refused::Prefix) };
        assert_eq!(set(&mut jar, from, field), expected, "{from} {field}");
        assert_eq!(jar.len(), usize::from(is_set));
    }
}

#[test]
fn what_came_without_https_hides_nothing_secure() {
    let secure = "n=secret; secure; path=/a; domain=a.test";
    for (from, field, is_set) in [
        ("http://a.test/a", "n=x; path=/a", false),
        ("http://a.test/a", "n=x; path=/a/b", false),
        ("http://www.a.test/a", "n=x; path=/a", false),
        ("http://www.a.test/a", "n=x; path=/a; domain=a.test", false),
        ("http://www.a.test/a", "n=x; path=/a; max-age=0", false),
        // It would be sent elsewhere, or is another one.
        ("http://a.test/a", "n=x; path=/", true),
        ("http://a.test/a", "n=x; path=/ab", true),
        ("http://a.test/a", "m=x; path=/a", true),
        ("http://ba.test/a", "n=x; path=/a", true),
        ("https://a.test/a", "n=x; path=/a", true),
    ] {
        let mut jar = CookieJar::default();
        set(&mut jar, "https://a.test/a", secure).unwrap();
        let expected = if is_set {
            Ok(())
        } else {
            Err(Refused::Overlay)
        };
        assert_eq!(set(&mut jar, from, field), expected, "{from} {field}");
    }
}
