//! The value of a Set-Cookie field taken apart (RFC 6265bis section 5.6).

use super::{COOKIE_ATTRIBUTE_BYTES_MAX, COOKIE_LIFETIME_SECONDS_MAX, Refused, SameSite, date};

/// A field whose parts are those of the text; nothing has been looked up.
pub(super) struct Parsed<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) attributes: Attributes<'a>,
}

/// The attributes: the last one of a name counts.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) domain: Option<&'a [u8]>,
    /// Where it is one that counts: others leave the cookie to the path of its URL.
    pub(super) path: Option<&'a [u8]>,
    /// The attribute Path is there, whatever it says.
    pub(super) has_path: bool,
    pub(super) is_secure: bool,
    pub(super) is_http_only: bool,
    pub(super) same_site: SameSite,
    /// What Expires and Max-Age say, in seconds since 1970.
    date: Option<u64>,
    age: Option<u64>,
}

impl<'a> Parsed<'a> {
    pub(super) fn read(field: &'a [u8], now: u64) -> Result<Parsed<'a>, Refused> {
        // Servers and proxies disagree on where a control character ends a field.
        if field
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return Err(Refused::ControlCharacter);
        }
        let mut parts = field.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = match split(pair) {
            (name, Some(value)) => (name, value),
            // Without an equals sign all of it is the value, as browsers have it.
            (value, None) => (&[][..], value),
        };
        let mut attributes = Attributes::default();
        for part in parts {
            let (name, value) = split(part);
            attributes.add(name, value.unwrap_or_default(), now);
        }
        Ok(Parsed {
            name,
            value,
            attributes,
        })
    }
}

impl<'a> Attributes<'a> {
    fn add(&mut self, name: &[u8], value: &'a [u8], now: u64) {
        if value.len() > COOKIE_ATTRIBUTE_BYTES_MAX {
            return;
        }
        let latest = now.saturating_add(COOKIE_LIFETIME_SECONDS_MAX);
        if name.eq_ignore_ascii_case(b"expires") {
            let date = date::parse(value).map(|date| date.min(latest));
            self.date = date.or(self.date);
        } else if name.eq_ignore_ascii_case(b"max-age") {
            let expires = seconds(value).map(|seconds| match seconds {
                // In the past, so that the cookie is removed.
                0 => 0,
                seconds => now.saturating_add(seconds).min(latest),
            });
            self.age = expires.or(self.age);
        } else if name.eq_ignore_ascii_case(b"domain") {
            self.domain = Some(value);
        } else if name.eq_ignore_ascii_case(b"path") {
            self.has_path = true;
            self.path = Some(value).filter(|path| path.starts_with(b"/"));
        } else if name.eq_ignore_ascii_case(b"secure") {
            self.is_secure = true;
        } else if name.eq_ignore_ascii_case(b"httponly") {
            self.is_http_only = true;
        } else if name.eq_ignore_ascii_case(b"samesite") {
            self.same_site = same_site(value);
        }
    }

    /// When the cookie expires: Max-Age goes before Expires (section 5.7, step 7).
    pub(super) fn expires(&self) -> Option<u64> {
        self.age.or(self.date)
    }
}

/// What stands before and behind the first equals sign, without the white space around it.
fn split(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut sides = part.splitn(2, |byte| *byte == b'=');
    let (before, behind) = (sides.next().unwrap_or_default(), sides.next());
    (trim(before), behind.map(trim))
}

/// Without spaces and tabs at both ends.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The seconds of Max-Age: digits, of which any number is permitted; 0 for a number that is negative
/// (section 5.6.2).
fn seconds(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(0);
    }
    let add = |sum: u64, digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, add))
}

fn same_site(value: &[u8]) -> SameSite {
    let known = [
        (&b"none"[..], SameSite::None),
        (b"lax", SameSite::Lax),
        (b"strict", SameSite::Strict),
    ];
    let found = known
        .into_iter()
        .find(|(name, _)| value.eq_ignore_ascii_case(name));
    found.map_or(SameSite::Default, |(_, same_site)| same_site)
}
