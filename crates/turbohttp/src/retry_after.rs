//! The field Retry-After (RFC 9110 section 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime};

/// How long a server asks to wait from `now` on: zero for a date that has passed, [`Duration::MAX`] cut to
/// whole seconds for a number that has no end. `None` if the value is neither seconds nor a date.
///
/// The caller bounds it: a server may ask for years.
pub(crate) fn parse(value: &[u8], now: SystemTime) -> Option<Duration> {
    let value = str::from_utf8(value).ok()?;
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits alone fail only by their number.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    // All three forms of RFC 9110 section 5.6.7.
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:07 GMT, half a minute before the dates below.
    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_747)
    }

    #[test]
    fn seconds_and_dates_are_read() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected) in [
            ("0", seconds(0)),
            ("120", seconds(120)),
            ("00120", seconds(120)),
            (" \t120 ", seconds(120)),
            ("1000000000000", seconds(1_000_000_000_000)),
            ("18446744073709551615", seconds(u64::MAX)),
            ("18446744073709551616", seconds(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", seconds(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", seconds(30)),
            ("Sun Nov  6 08:49:37 1994", seconds(30)),
            (" Sun, 06 Nov 1994 08:49:37 GMT\t", seconds(30)),
            ("Sun, 06 Nov 1994 08:49:06 GMT", seconds(0)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", seconds(0)),
            ("", None),
            (" ", None),
            ("-5", None),
            ("+5", None),
            ("120.5", None),
            ("1e3", None),
            ("120 s", None),
            ("120, 60", None),
            ("12\n0", None),
            ("\u{661}", None),
            ("soon", None),
            ("Sun, 31 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 +0100", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            assert_eq!(parse(value.as_bytes(), now()), expected, "{value:?}");
        }
        let value = format!("1{}", "0".repeat(400));
        assert_eq!(parse(value.as_bytes(), now()), seconds(u64::MAX));
        assert_eq!(parse(b"12\xff", now()), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            text in "[A-Z][a-z]{2,8},? [0-9 -]{1,3}[A-Za-z0-9 -]{3,9} ?[0-9:]{0,9} (GMT|[0-9]{1,9})",
            seconds in any::<u64>(),
        ) {
            parse(&bytes, now());
            parse(text.as_bytes(), now());
            prop_assert_eq!(parse(seconds.to_string().as_bytes(), now()), Some(Duration::from_secs(seconds)));
        }
    }
}
