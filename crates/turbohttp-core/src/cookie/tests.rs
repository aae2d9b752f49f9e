//! Tables of what is set and what is sent, bounds, and arbitrary fields.

use proptest::prelude::*;

use super::*;

/// 2026-11-30 00:00:00 UTC.
const NOW: u64 = 1_795_996_800;

const SUFFIXES: [&str; 6] = ["com", "test", "co.uk", "uk", "github.io", "io"];

fn is_public_suffix(domain: &str) -> bool {
    SUFFIXES.contains(&domain)
}

/// The parts of `scheme://host/path`.
fn target(url: &str) -> Target<'_> {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    Target::new(scheme == "https", host, path)
}

fn set(jar: &mut CookieJar, url: &str, field: &str) -> Result<(), Refused> {
    jar.store(target(url), field.as_bytes(), NOW, &is_public_suffix)
}

fn sent(jar: &mut CookieJar, url: &str) -> String {
    sent_at(jar, url, NOW)
}

fn sent_at(jar: &mut CookieJar, url: &str, now: u64) -> String {
    String::from_utf8(jar.field(target(url), now).unwrap_or_default()).unwrap()
}

/// What is sent to `to` after `fields` were set by `from`.
fn exchange(from: &str, fields: &[&str], to: &str) -> String {
    let mut jar = CookieJar::default();
    for field in fields {
        // What is refused shows in what is sent.
        let _ = set(&mut jar, from, field);
    }
    sent(&mut jar, to)
}

#[test]
fn names_and_values() {
    for (field, expected) in [
        ("a=b", "a=b"),
        ("a=b;", "a=b"),
        (" a = b ; path=/", "a=b"),
        ("\ta\t=\tb\t", "a=b"),
        ("a=b=c", "a=b=c"),
        ("a==", "a=="),
        ("a=", "a="),
        ("a", "a"),
        ("=b", "b"),
        (" = b", "b"),
        ("=b=c", "b=c"),
        ("", ""),
        ("=", ""),
        (";", ""),
        ("; a=b", ""),
        ("a=\"b; c\"", "a=\"b"),
        ("a=\"b, c\"", "a=\"b, c\""),
        ("a=b, c=d", "a=b, c=d"),
        ("a b=c d", "a b=c d"),
        ("a=b\tc", "a=b\tc"),
        ("A=b; A=c", "A=b"),
        ("a=b; unknown; x=y; =; ;;", "a=b"),
        ("a=\u{e4}", "a=\u{e4}"),
        ("a=b\0", ""),
        ("a=b\n", ""),
        ("a=b\r\nc=d", ""),
        ("a=b\x7f", ""),
        ("a=b; x=\x01", ""),
    ] {
        assert_eq!(
            exchange("http://a.test/", &[field], "http://a.test/"),
            expected,
            "{field:?}"
        );
    }
}

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

#[test]
fn a_cookie_lasts_as_long_as_it_says() {
    let last = NOW + COOKIE_LIFETIME_SECONDS_MAX;
    for (field, expires) in [
        ("n=v", None),
        ("n=v; max-age=10", Some(NOW + 10)),
        ("n=v; Max-Age=10; max-age=20", Some(NOW + 20)),
        ("n=v; max-age=10; max-age=x", Some(NOW + 10)),
        ("n=v; max-age=99999999999999999999999999", Some(last)),
        ("n=v; max-age=+10", None),
        ("n=v; max-age=1.5", None),
        ("n=v; max-age=", None),
        ("n=v; max-age=-", None),
        (
            "n=v; expires=Wed, 02 Dec 2026 00:00:00 GMT",
            Some(NOW + 2 * 86_400),
        ),
        (
            "n=v; expires=Wed, 02 Dec 2026 00:00:00 GMT; max-age=5",
            Some(NOW + 5),
        ),
        (
            "n=v; max-age=5; expires=Wed, 02 Dec 2026 00:00:00 GMT",
            Some(NOW + 5),
        ),
        ("n=v; expires=Fri, 31 Dec 9999 23:59:59 GMT", Some(last)),
        ("n=v; expires=tomorrow", None),
        ("n=v; expires=0", None),
    ] {
        let mut jar = CookieJar::default();
        set(&mut jar, "http://a.test/", field).unwrap();
        assert_eq!(jar.iter().next().unwrap().expires(), expires, "{field}");
        let until = expires.unwrap_or(u64::MAX);
        assert_eq!(
            sent_at(&mut jar, "http://a.test/", until - 1),
            "n=v",
            "{field}"
        );
        if expires.is_some() {
            assert_eq!(sent_at(&mut jar, "http://a.test/", until), "", "{field}");
        }
    }
    for field in [
        "n=v; max-age=0",
        "n=v; max-age=-5",
        "n=; expires=Thu, 01 Jan 1970 00:00:00 GMT",
    ] {
        assert_eq!(
            exchange("http://a.test/", &["n=v", field], "http://a.test/"),
            "",
            "{field}"
        );
        assert_eq!(
            exchange("http://a.test/", &["m=v", field], "http://a.test/"),
            "m=v"
        );
    }
}

#[test]
fn dates_are_read_in_every_form_that_is_one() {
    let day = |seconds: u64| Some(seconds);
    for (date, expected) in [
        ("Wed, 02 Dec 2026 10:20:30 GMT", day(1_796_206_830)),
        ("Wednesday, 02-Dec-26 10:20:30 GMT", day(1_796_206_830)),
        ("Wed Dec  2 10:20:30 2026", day(1_796_206_830)),
        ("2 December 2026 10:20:30", day(1_796_206_830)),
        ("10:20:30 2026 DECEMBERish 2nd", day(1_796_206_830)),
        ("02-dec-2026T10:20:30", None),
        ("2026 02 dec 10:20:30.5", day(1_796_206_830)),
        ("Wed, 2 Dec 2026 1:2:3 +0900", day(1_796_173_323)),
        ("01 Jan 70 00:00:00", day(0)),
        ("01 Jan 69 00:00:00", day(3_124_224_000)),
        ("01 Jan 1601 00:00:00", day(0)),
        ("31 Dec 1969 23:59:59", day(0)),
        ("29 Feb 2000 12:00:00", day(951_825_600)),
        ("01 Mar 2100 00:00:00", day(4_107_542_400)),
        ("29 Feb 2100 00:00:00", None),
        ("29 Feb 2026 00:00:00", None),
        ("31 Apr 2026 00:00:00", None),
        ("00 Apr 2026 00:00:00", None),
        ("01 Jan 1600 00:00:00", None),
        ("01 Jan 2026 24:00:00", None),
        ("01 Jan 2026 00:60:00", None),
        ("01 Jan 2026 00:00:60", None),
        ("01 Jan 2026 00:00", None),
        ("01 Jan 2026 00:000:00", None),
        ("01 Jan 2026 ::", None),
        ("001 Jan 2026 00:00:00", None),
        ("01 Jan 20266 00:00:00", None),
        ("01 Foo 2026 00:00:00", None),
        ("01 Ja 2026 00:00:00", None),
        ("01 2026 00:00:00", None),
        ("", None),
    ] {
        assert_eq!(date::parse(date.as_bytes()), expected, "{date}");
    }
}

#[test]
fn cookies_are_sent_in_order() {
    let fields = [
        "a=1; path=/",
        "b=2; path=/x/y",
        "c=3; path=/x",
        "d=4; path=/x",
        "e=5; path=/x/",
    ];
    assert_eq!(
        exchange("http://a.test/", &fields, "http://a.test/x/y"),
        "b=2; e=5; c=3; d=4; a=1"
    );
    // Those of the host and those of a domain above it are one list.
    let fields = ["a=1; domain=a.test", "a=2", "b=3; domain=a.test"];
    assert_eq!(
        exchange("http://w.a.test/", &fields, "http://w.a.test/"),
        "a=1; a=2; b=3"
    );
    // A new value does not change the order, and expiring does.
    let fields = ["a=1", "b=2", "a=3"];
    assert_eq!(
        exchange("http://a.test/", &fields, "http://a.test/"),
        "a=3; b=2"
    );
    let fields = ["a=1", "b=2", "a=; max-age=0", "a=3"];
    assert_eq!(
        exchange("http://a.test/", &fields, "http://a.test/"),
        "b=2; a=3"
    );
}

#[test]
fn a_cookie_is_told_by_name_domain_and_path() {
    let mut jar = CookieJar::default();
    for field in [
        "n=1",
        "n=2; path=/x",
        "n=3; domain=a.test",
        "N=4",
        "n=5; secure",
        "=n",
    ] {
        set(&mut jar, "https://a.test/", field).unwrap();
    }
    assert_eq!(jar.len(), 5);
    assert_eq!(sent(&mut jar, "https://a.test/x"), "n=2; n=5; n=3; N=4; n");
}

#[test]
fn attributes_are_kept() {
    let mut jar = CookieJar::default();
    for (field, same_site) in [
        ("a=1; httponly; samesite=strict", SameSite::Strict),
        ("b=1; HttpOnly=x; SameSite = LAX", SameSite::Lax),
        ("c=1; httponly; samesite=None", SameSite::None),
        ("d=1; httponly; samesite=lax; samesite=x", SameSite::Default),
    ] {
        set(&mut jar, "http://a.test/", field).unwrap();
        let cookie = jar.iter().last().unwrap();
        assert_eq!(
            (cookie.same_site(), cookie.is_http_only()),
            (same_site, true),
            "{field}"
        );
    }
}

#[test]
fn sizes_are_bounded() {
    let mut jar = CookieJar::default();
    let value = |length| "v".repeat(length);
    set(
        &mut jar,
        "http://a.test/",
        &format!("n={}", value(COOKIE_BYTES_MAX - 1)),
    )
    .unwrap();
    let larger = set(
        &mut jar,
        "http://a.test/",
        &format!("n={}", value(COOKIE_BYTES_MAX)),
    );
    assert_eq!(larger, Err(Refused::TooLarge));
    // A longer attribute is as if it were not there.
    let path = |length| format!("m=1; path=/x; path=/{}", value(length));
    set(
        &mut jar,
        "http://a.test/",
        &path(COOKIE_ATTRIBUTE_BYTES_MAX),
    )
    .unwrap();
    assert_eq!(
        sent(&mut jar, "http://a.test/x").split_once(';').unwrap().0,
        "m=1"
    );
    set(
        &mut jar,
        "http://a.test/",
        &path(COOKIE_ATTRIBUTE_BYTES_MAX - 1),
    )
    .unwrap();
    assert_eq!(jar.len(), 3);
    // The URL of the response is no attribute.
    let url = |length| format!("http://a.test/{}/", value(length));
    set(&mut jar, &url(COOKIE_ATTRIBUTE_BYTES_MAX - 1), "n=v").unwrap();
    let longer = set(&mut jar, &url(COOKIE_ATTRIBUTE_BYTES_MAX), "n=v");
    assert_eq!(longer, Err(Refused::TargetTooLong));
    let host = format!("http://{}/", value(COOKIE_HOST_BYTES_MAX + 1));
    assert_eq!(set(&mut jar, &host, "n=v"), Err(Refused::TargetTooLong));
    assert_eq!(sent(&mut jar, &host), "");
}

#[test]
fn the_field_is_bounded() {
    let mut jar = CookieJar::default();
    for at in 0..5 {
        set(
            &mut jar,
            "http://a.test/",
            &format!("{at}={}", "v".repeat(COOKIE_BYTES_MAX - 1)),
        )
        .unwrap();
    }
    set(&mut jar, "http://a.test/", "small=1").unwrap();
    let field = sent(&mut jar, "http://a.test/");
    assert!(
        field.len() <= COOKIE_FIELD_BYTES_MAX && field.ends_with("; small=1"),
        "{}",
        field.len()
    );
    assert_eq!(field.split("; ").count(), 4);
}

#[test]
fn one_too_many_takes_one_out_of_those_that_were_sent_together() {
    let mut jar = CookieJar::default();
    for at in 0..100 {
        set(&mut jar, "http://victim.test/", &format!("{at}=1")).unwrap();
    }
    assert_eq!(
        sent(&mut jar, "http://victim.test/").split("; ").count(),
        100
    );
    for at in 100..=COOKIES_MAX {
        set(&mut jar, &format!("http://{at}.test/"), "a=1").unwrap();
    }
    assert_eq!(jar.len(), COOKIES_MAX);
    assert_eq!(
        sent(&mut jar, "http://victim.test/").split("; ").count(),
        99
    );
}

#[test]
fn a_domain_keeps_what_was_used_last_and_what_is_secure() {
    let mut jar = CookieJar::default();
    set(&mut jar, "https://a.test/", "s=1; secure; path=/s").unwrap();
    set(&mut jar, "https://a.test/", "used=1; path=/used").unwrap();
    for at in 2..COOKIES_PER_DOMAIN_MAX {
        set(&mut jar, "https://a.test/", &format!("n{at}=1; path=/n")).unwrap();
    }
    assert_eq!(jar.len(), COOKIES_PER_DOMAIN_MAX);
    sent(&mut jar, "https://a.test/used");
    for at in 0..10 {
        set(&mut jar, "https://a.test/", &format!("m{at}=1")).unwrap();
    }
    assert_eq!(jar.len(), COOKIES_PER_DOMAIN_MAX);
    let is_there = |name: &[u8]| jar.iter().any(|cookie| cookie.name() == name);
    assert!(is_there(b"s") && is_there(b"used") && !is_there(b"n2") && is_there(b"m9"));
    // Expired ones go before all others.
    set(&mut jar, "https://b.test/", "old=1; max-age=5").unwrap();
    for at in 0..COOKIES_PER_DOMAIN_MAX {
        let cookie = format!("n{at}=1");
        jar.store(
            target("https://b.test/"),
            cookie.as_bytes(),
            NOW + 9,
            &is_public_suffix,
        )
        .unwrap();
    }
    assert!(
        jar.iter()
            .any(|cookie| cookie.domain() == "b.test" && cookie.name() == b"n0")
    );
    assert!(jar.iter().all(|cookie| cookie.name() != b"old"));
}

#[test]
fn what_came_without_https_drives_out_nothing_secure() {
    let mut jar = CookieJar::default();
    for at in 0..COOKIES_PER_DOMAIN_MAX {
        set(&mut jar, "https://a.test/", &format!("s{at}=1; secure")).unwrap();
    }
    set(&mut jar, "http://a.test/", "n=1").unwrap();
    assert_eq!(jar.len(), COOKIES_PER_DOMAIN_MAX);
    assert!(jar.iter().all(Cookie::is_secure));
}

#[test]
fn a_jar_keeps_what_was_used_last() {
    let mut jar = CookieJar::default();
    set(&mut jar, "http://first.test/", "n=1").unwrap();
    set(&mut jar, "http://second.test/", "n=1").unwrap();
    for at in 2..COOKIES_MAX {
        set(&mut jar, &format!("http://h{at}.test/"), "n=1").unwrap();
    }
    assert_eq!(sent(&mut jar, "http://first.test/"), "n=1");
    set(&mut jar, "http://new.test/", "n=1").unwrap();
    assert_eq!(jar.len(), COOKIES_MAX);
    assert_eq!(sent(&mut jar, "http://first.test/"), "n=1");
    assert_eq!(sent(&mut jar, "http://second.test/"), "");
    jar.remove_expired(u64::MAX);
    assert_eq!(jar.len(), COOKIES_MAX);
    jar.clear();
    assert!(jar.is_empty() && jar.iter().next().is_none());
}

#[test]
fn expired_cookies_are_removed() {
    let mut jar = CookieJar::default();
    set(&mut jar, "http://a.test/", "a=1; max-age=5").unwrap();
    set(&mut jar, "http://a.test/", "b=1").unwrap();
    set(&mut jar, "http://b.test/", "c=1; max-age=5").unwrap();
    jar.remove_expired(NOW + 5);
    assert_eq!(jar.iter().map(Cookie::name).collect::<Vec<_>>(), [b"b"]);
    assert_eq!(jar.len(), 1);
}

const PARTS: CookieParts<'static> = CookieParts {
    name: b"n",
    value: b"v",
    domain: "a.test",
    path: b"/",
    is_host_only: false,
    is_secure: false,
    is_http_only: false,
    same_site: SameSite::Default,
    expires: None,
};

#[test]
fn a_cookie_from_elsewhere_is_what_a_field_could_have_set() {
    let refused = |parts| Cookie::new(parts).unwrap_err();
    assert_eq!(Cookie::new(PARTS).unwrap().domain(), "a.test");
    let (long, host) = (
        vec![b'v'; COOKIE_BYTES_MAX],
        "d".repeat(COOKIE_HOST_BYTES_MAX + 1),
    );
    assert_eq!(
        refused(CookieParts {
            value: b"a\r\nb",
            ..PARTS
        }),
        Refused::ControlCharacter
    );
    assert_eq!(
        refused(CookieParts {
            value: &long,
            ..PARTS
        }),
        Refused::TooLarge
    );
    assert_eq!(
        refused(CookieParts {
            name: b"",
            value: b"",
            ..PARTS
        }),
        Refused::Empty
    );
    assert_eq!(
        refused(CookieParts {
            name: b"__Host-n",
            ..PARTS
        }),
        Refused::Prefix
    );
    assert_eq!(
        refused(CookieParts {
            domain: &host,
            ..PARTS
        }),
        Refused::TargetTooLong
    );
}

#[test]
fn a_cookie_from_elsewhere_is_well_formed() {
    for parts in [
        CookieParts {
            name: b"a=b",
            ..PARTS
        },
        CookieParts {
            value: b"a; b",
            ..PARTS
        },
        CookieParts {
            domain: "",
            ..PARTS
        },
        CookieParts {
            domain: "A.test",
            ..PARTS
        },
        CookieParts {
            domain: "a b",
            ..PARTS
        },
        CookieParts { path: b"", ..PARTS },
        CookieParts {
            path: b"x",
            ..PARTS
        },
    ] {
        assert_eq!(Cookie::new(parts).unwrap_err(), Refused::Malformed);
    }
}

#[test]
fn debug_shows_no_value() {
    let mut jar = CookieJar::default();
    set(&mut jar, "http://a.test/", "n=secret").unwrap();
    let shown = format!("{jar:?} {:?}", jar.iter().collect::<Vec<_>>());
    assert!(
        !shown.contains("secret") && shown.contains("a.test"),
        "{shown}"
    );
}

/// Bytes that are likely to mean something.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "=",
            ";",
            " ",
            "a",
            "n",
            "domain=",
            "path=",
            "/",
            "a.test",
            ".",
            "test",
            "secure",
            "max-age=",
            "expires=",
            "0",
            "-",
            "99999999999",
            "02 Dec 2026 10:20:30",
            "__Host-",
            "__Secure-",
            "samesite=",
        ])
        .prop_map(|word: &str| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn arbitrary_fields_keep_the_rules(
        fields in prop::collection::vec((field(), 0..4_usize, any::<bool>(), 0..2_000_u64), 0..60),
    ) {
        const HOSTS: [&str; 4] = ["a.test", "www.a.test", "b.test", "127.0.0.1"];
        let mut jar = CookieJar::default();
        for (field, host, is_https, later) in &fields {
            let target = Target::new(*is_https, HOSTS[*host], "/a/b");
            let _ = jar.store(target, field, NOW + later, &is_public_suffix);
        }
        prop_assert!(jar.len() <= fields.len());
        prop_assert_eq!(jar.iter().count(), jar.len());
        for cookie in jar.iter() {
            prop_assert!(HOSTS.iter().any(|host| domain_matches(host, cookie.domain())));
            prop_assert!(cookie.is_host_only() || !is_public_suffix(cookie.domain()));
            let expires = cookie.expires().unwrap_or(0);
            prop_assert!(expires <= NOW + 2_000 + COOKIE_LIFETIME_SECONDS_MAX);
            prop_assert!(cookie.path().starts_with(b"/"));
        }
        prop_assert_eq!(jar.field(target("https://foreign.test/a/b"), NOW), None);
        prop_assert_eq!(jar.field(target("https://127.0.0.2/a/b"), NOW), None);
        if let Some(field) = jar.field(target("http://a.test/a/b"), NOW) {
            prop_assert!(!field.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t'));
        }
    }

    #[test]
    fn dates_never_panic(date in prop::collection::vec(prop_oneof![
        prop::sample::select(b"0123456789:: -JanFebDec".to_vec()), any::<u8>(),
    ], 0..40)) {
        if let Some(seconds) = date::parse(&date) {
            prop_assert!(seconds < 253_402_300_800);
        }
    }
}
