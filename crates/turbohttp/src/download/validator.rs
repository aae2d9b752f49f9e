//! What tells one version of a file from another, and which bytes of it an answer brings.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::limits::download::VALIDATOR_BYTES_MAX;
use crate::response::Response;

/// A strong validator (RFC 9110 section 8.8.1): equal ones mean equal bytes, which `If-Range` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validator(String);

impl Validator {
    /// That of the answer: its ETag unless that is weak or a date in other words, else its Last-Modified if that is at least a second
    /// before its Date (RFC 9110 section 8.8.2).
    pub(super) fn of(response: &Response) -> Option<Validator> {
        let field = |name| response.header(name).map(str::trim);
        from_fields(field("etag"), field("last-modified"), field("date"))
    }

    /// As it stands in a journal.
    pub(super) fn read(text: &str) -> Option<Validator> {
        let is_one = is_strong_tag(text) || httpdate::parse_http_date(text).is_ok();
        is_one.then(|| Validator(text.to_owned()))
    }

    /// The value of If-Range.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the answer is of another version: it says so by a field of the kind that this one is of.
    pub(super) fn is_contradicted_by(&self, response: &Response) -> bool {
        let name = match self.0.starts_with('"') {
            true => "etag",
            false => "last-modified",
        };
        let other = response.header(name).map(str::trim);
        other.is_some_and(|other| other != self.0)
    }
}

fn from_fields(
    etag: Option<&str>,
    modified: Option<&str>,
    date: Option<&str>,
) -> Option<Validator> {
    let before = modified.and_then(|modified| httpdate::parse_http_date(modified).ok());
    let sent = date.and_then(|date| httpdate::parse_http_date(date).ok());
    // A file that changes twice within a second has one date for both versions.
    let is_settled = before.zip(sent).is_some_and(|(before, sent)| {
        let age = sent.duration_since(before).unwrap_or_default();
        age >= Duration::from_secs(1)
    });
    let is_strong = |tag: &&str| is_strong_tag(tag) && (is_settled || !is_of_date(tag, before));
    let validator = etag.filter(is_strong).or(modified.filter(|_| is_settled));
    validator.map(|validator| Validator(validator.to_owned()))
}

/// Whether the tag is that of nginx: the date in seconds and the length, which says no more than the date.
fn is_of_date(tag: &str, modified: Option<SystemTime>) -> bool {
    let seconds = tag.trim_matches('"').split('-').next().unwrap_or_default();
    let seconds = u64::from_str_radix(seconds, 16).ok();
    let since = modified.and_then(|modified| modified.duration_since(SystemTime::UNIX_EPOCH).ok());
    seconds.is_some() && seconds == since.map(|since| since.as_secs())
}

/// `"…"` of the characters of RFC 9110 section 8.8.3, and short enough for a line.
fn is_strong_tag(tag: &str) -> bool {
    let inner = tag
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| {
        let is_of_tag = |byte: u8| byte == b'!' || (0x23..=0x7e).contains(&byte) || byte >= 0x80;
        inner.bytes().all(is_of_tag) && tag.len() <= VALIDATOR_BYTES_MAX
    })
}

/// When the file was last modified, as the answer says.
pub(super) fn last_modified(response: &Response) -> Option<SystemTime> {
    httpdate::parse_http_date(response.header("last-modified")?.trim()).ok()
}

/// `Content-Range` of a 206 or a 416 (RFC 9110 section 14.4).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// `None` where the range was not satisfiable.
    pub(super) bytes: Option<Range<u64>>,
    /// The length of the whole file; `None` where the server does not know it.
    pub(super) length: Option<u64>,
}

impl ContentRange {
    pub(super) fn of(response: &Response) -> Option<ContentRange> {
        ContentRange::parse(response.header("content-range")?)
    }

    fn parse(value: &str) -> Option<ContentRange> {
        let (unit, rest) = value.trim().split_once(' ')?;
        let (range, length) = rest.trim().split_once('/')?;
        let length = match length {
            "*" => None,
            digits => Some(number(digits)?),
        };
        let bytes = match range {
            "*" => None,
            range => {
                let (first, last) = range.split_once('-')?;
                Some(number(first)?..number(last)?.checked_add(1)?)
            }
        };
        let is_sound = bytes.as_ref().is_none_or(|bytes| {
            bytes.start < bytes.end && length.is_none_or(|length| bytes.end <= length)
        });
        (unit.eq_ignore_ascii_case("bytes") && is_sound).then_some(ContentRange { bytes, length })
    }
}

/// Digits alone: `parse` would take a sign.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strong_validators_are_taken() {
        const OLD: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        const NEXT: Option<&str> = Some("Sun, 06 Nov 1994 08:49:38 GMT");
        let long = format!("\"{}\"", "x".repeat(VALIDATOR_BYTES_MAX));
        for (etag, modified, date, expected) in [
            (Some("\"a\""), OLD, NEXT, Some("\"a\"")),
            (Some("\"\""), None, None, Some("\"\"")),
            // That of nginx, for a file of this very second and for an older one.
            (Some("\"2ebc98a1-5\""), OLD, OLD, None),
            (Some("\"2ebc98a1-5\""), OLD, NEXT, Some("\"2ebc98a1-5\"")),
            (Some("\"2ebc98a2-5\""), OLD, OLD, Some("\"2ebc98a2-5\"")),
            (Some("W/\"a\""), OLD, NEXT, OLD),
            (Some("W/\"a\""), OLD, OLD, None),
            (Some("W/\"a\""), None, None, None),
            (Some("a"), None, None, None),
            (Some("\"a\"b\""), None, None, None),
            (Some("\"a b\""), None, None, None),
            (Some(&long), None, None, None),
            (None, OLD, NEXT, OLD),
            (None, OLD, None, None),
            (None, NEXT, OLD, None),
            (None, Some("yesterday"), NEXT, None),
        ] {
            let found = from_fields(etag, modified, date);
            assert_eq!(found.as_ref().map(Validator::as_str), expected, "{etag:?}");
            if let Some(found) = found {
                assert_eq!(Validator::read(found.as_str()), Some(found));
            }
        }
    }

    #[test]
    fn content_ranges_are_read() {
        let of = |bytes, length| Some(ContentRange { bytes, length });
        for (value, expected) in [
            ("bytes 0-0/1", of(Some(0..1), Some(1))),
            ("bytes 5-9/10", of(Some(5..10), Some(10))),
            ("Bytes  5-9/*", of(Some(5..10), None)),
            ("bytes */10", of(None, Some(10))),
            ("bytes 5-10/10", None),
            ("bytes 9-5/10", None),
            ("bytes 5-9", None),
            ("bytes=5-9/10", None),
            ("bytes +5-9/10", None),
            ("bytes 5-18446744073709551615/*", None),
            ("bytes 0-9/99999999999999999999", None),
            ("lines 0-9/10", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(value), expected, "{value}");
        }
    }
}
