//! placeholder
use std::time::{Duration, SystemTime};
pub(crate) fn parse(value: &[u8], _now: SystemTime) -> Option<Duration> {
    let text = str::from_utf8(value).ok()?.trim();
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}
