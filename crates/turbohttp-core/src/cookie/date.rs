//! Dates in cookies, which are written in more ways than any grammar has (RFC 6265bis section 5.1.1).

/// What has been found of a date.
#[derive(Default)]
struct Found {
    time: Option<[u64; 3]>,
    day: Option<u64>,
    month: Option<u64>,
    year: Option<u64>,
}

/// The seconds from the beginning of 1970 to `date`, 0 for a date before that; `None` if it is no date.
pub(super) fn parse(date: &[u8]) -> Option<u64> {
    let mut found = Found::default();
    for token in date.split(|byte| is_delimiter(*byte)) {
        found.add(token);
    }
    let [hour, minute, second] = found.time?;
    let (day, month, year) = (found.day?, found.month?, found.year?);
    let year = match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    let is_time = hour <= 23 && minute <= 59 && second <= 59;
    if !is_time || year < 1601 || !(1..=days_in(month, year)).contains(&day) {
        return None;
    }
    let days = days_from_1601(year, month, day).checked_sub(days_from_1601(1970, 1, 1));
    Some(days.map_or(0, |days| ((days * 24 + hour) * 60 + minute) * 60 + second))
}

impl Found {
    /// Each token is the first of the four that it can be and that has not been found.
    fn add(&mut self, token: &[u8]) {
        if self.time.is_none()
            && let Some(time) = time(token)
        {
            self.time = Some(time);
        } else if self.day.is_none()
            && let Some(day) = number(token, 1..=2)
        {
            self.day = Some(day);
        } else if self.month.is_none()
            && let Some(month) = month(token)
        {
            self.month = Some(month);
        } else if self.year.is_none() {
            self.year = number(token, 2..=4);
        }
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'/' | b';'..=b'@' | b'['..=b'`' | b'{'..=b'~')
}

/// The number that `token` begins with, if it has so many digits and no more.
fn number(token: &[u8], digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let length = token
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !digits.contains(&length) {
        return None;
    }
    let add = |sum, digit: &u8| sum * 10 + u64::from(digit - b'0');
    Some(token[..length].iter().fold(0, add))
}

/// Hour, minute and second, each of one or two digits.
fn time(token: &[u8]) -> Option<[u64; 3]> {
    let mut parts = token.splitn(3, |byte| *byte == b':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    // Only what stands behind the seconds may go on with something else.
    if hour.len() > 2 || minute.len() > 2 {
        return None;
    }
    let whole = |part: &[u8]| number(part, part.len()..=part.len()).filter(|_| !part.is_empty());
    Some([whole(hour)?, whole(minute)?, number(second, 1..=2)?])
}

fn month(token: &[u8]) -> Option<u64> {
    const MONTHS: &[u8; 36] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let name = token.get(..3)?;
    let found = MONTHS
        .chunks(3)
        .position(|month| month.eq_ignore_ascii_case(name))?;
    Some(found as u64 + 1)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_in(month: u64, year: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar from the first one of 1601, with which 400 years begin.
fn days_from_1601(year: u64, month: u64, day: u64) -> u64 {
    let years = year - 1601;
    let months: u64 = (1..month).map(|month| days_in(month, year)).sum();
    years * 365 + years / 4 - years / 100 + years / 400 + months + day - 1
}
