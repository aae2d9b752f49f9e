//! What a jar keeps, and what makes room.

use super::*;
use super::{NOW, is_public_suffix, sent, set, target};

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
