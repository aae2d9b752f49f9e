use proptest::prelude::*;

use super::host::is_plain_ipv4;
use super::*;

fn parse(input: &str) -> Result<RequestUrl> {
    let mut url = RequestUrl::default();
    url.set(input, None).map(|()| url)
}

fn check(input: &str, text: &str, host: &str, port: u16, target: &str) {
    let url = parse(input).unwrap();
    let origin = url.origin().unwrap();
    assert_eq!(
        (url.as_str(), origin.host(), origin.port(), url.target()),
        (text, host, port, target)
    );
}

#[test]
fn spellings_of_one_url_have_one_normal_form() {
    check(
        "http://example.com",
        "http://example.com/",
        "example.com",
        80,
        "/",
    );
    check(
        "HTTP://Example.COM:80/",
        "http://example.com/",
        "example.com",
        80,
        "/",
    );
    check(
        "http://example.com./a",
        "http://example.com/a",
        "example.com",
        80,
        "/a",
    );
    check("https://a:8443?q#f", "https://a:8443/?q", "a", 8443, "/?q");
    check("http://a/b/../c/./d", "http://a/c/d", "a", 80, "/c/d");
    check("http://a/%2e%2E/x", "http://a/x", "a", 80, "/x");
    check("http://0x7f.1/", "http://127.0.0.1/", "127.0.0.1", 80, "/");
    check("http://[::1]:81/x", "http://[::1]:81/x", "[::1]", 81, "/x");
    check(
        "http://bücher.example/",
        "http://xn--bcher-kva.example/",
        "xn--bcher-kva.example",
        80,
        "/",
    );
    check(
        "http://a/ü b",
        "http://a/%C3%BC%20b",
        "a",
        80,
        "/%C3%BC%20b",
    );
}

#[test]
fn userinfo_becomes_credentials_and_leaves_the_text() {
    let url = parse("http://user:p%40ss@host/x").unwrap();
    assert_eq!(url.as_str(), "http://host/x");
    assert_eq!(url.credentials().unwrap(), "Basic dXNlcjpwQHNz");
}

#[test]
fn a_refused_url_changes_nothing() {
    let mut url = parse("http://host/x").unwrap();
    url.set("http://", None).unwrap_err();
    assert_eq!((url.as_str(), url.target()), ("http://host/x", "/x"));
}

#[test]
fn bad_urls_are_refused_with_the_reason() {
    for (input, reason) in [
        ("", "relative URL"),
        ("example.com/x", "relative URL"),
        ("ftp://example.com/", "scheme \"ftp\""),
        ("file:///etc/passwd", "scheme \"file\""),
        ("http://", "empty host"),
        ("http://..", "empty label"),
        ("http://70..", "empty label"),
        ("http://a..b/", "empty label"),
        ("http://a:99999/", "invalid port"),
        ("http://a b/", "invalid international domain name"),
        (
            "http://user:secret@a b/",
            "invalid international domain name",
        ),
    ] {
        let error = parse(input).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Url, "{input}");
        assert!(error.to_string().contains(reason), "{input}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    /// The short way to read an IPv4 address takes what the standard library takes.
    #[test]
    fn plain_addresses_are_addresses(host in "[0-9.]{1,16}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
        let is_address = host.parse::<std::net::Ipv4Addr>().is_ok();
        prop_assert_eq!(is_plain_ipv4(host.as_bytes()), is_address, "{}", host);
    }

    /// Whatever the plain path takes, the standard reads the same way.
    #[test]
    fn plain_urls_are_read_as_the_standard_reads_them(
        input in "https?://[a-z0-9._:-]{1,12}([/?#][a-zA-Z0-9/.%?#&=~!$'()*+,;:@^|-]{0,16})?",
    ) {
        let origins = Origins::default();
        let mut plain = RequestUrl::default();
        if plain.set_plain(&input, Some(&origins)).is_some() {
            let mut any = RequestUrl::default();
            any.set_any(&input, None).unwrap();
            prop_assert_eq!(plain.as_str(), any.as_str());
            prop_assert_eq!(plain.origin(), any.origin());
            prop_assert_eq!(plain.target(), any.target());
            // Found by its text the second time and as the last one the third, it is read the same way.
            for _ in 0..2 {
                let mut again = RequestUrl::default();
                again.set(&input, Some(&origins)).unwrap();
                prop_assert_eq!(again.as_str(), plain.as_str());
                prop_assert_eq!(again.origin(), plain.origin());
            }
        }
    }
}
