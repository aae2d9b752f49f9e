//! Cookies that no field has set, and arbitrary fields.

use proptest::prelude::*;

use super::*;
use super::{NOW, is_public_suffix, set, target};

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
