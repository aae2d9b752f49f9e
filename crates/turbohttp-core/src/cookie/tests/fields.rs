//! What a field says: name, value, attributes, dates, and the order in which cookies are sent.

use super::*;
use super::{NOW, exchange, sent, sent_at, set};

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
