//! Hosts of URLs: which are plain, their normal form, and zones of addresses.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use turbohttp_core::origin::Scheme;

/// Host and port if the standard would leave them as they are.
pub(super) fn plain_authority(authority: &str, scheme: Scheme) -> Option<(&str, u16)> {
    let length = authority
        .bytes()
        .position(|byte| !is_host_byte(byte))
        .unwrap_or(authority.len());
    let (host, after) = authority.split_at(length);
    let port = if after.is_empty() {
        scheme.default_port()
    } else {
        plain_port(after, scheme)?
    };
    is_plain_host(host).then_some((host, port))
}

/// Lower-case letters, digits, hyphen, underscore and dot: upper case is left to the `url` crate.
fn is_host_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')
}

/// A name that the standard would leave as it is: no IDNA label, no empty label, and a last label
/// that starts with a digit only where the whole is an IPv4 address in its usual form.
fn is_plain_host(host: &str) -> bool {
    const NAME_CHARS_MAX: usize = 253;
    let bytes = host.as_bytes();
    let last_dot = bytes.iter().rposition(|byte| *byte == b'.');
    match bytes.get(last_dot.map_or(0, |dot| dot + 1)) {
        Some(b'0'..=b'9') => is_plain_ipv4(bytes),
        Some(_) => {
            bytes.len() <= NAME_CHARS_MAX
                && bytes[0] != b'.'
                && !host.contains("xn--")
                && !host.contains("..")
        }
        None => false,
    }
}

/// Four decimal numbers below 256 without leading zeros.
pub(super) fn is_plain_ipv4(host: &[u8]) -> bool {
    let (mut parts, mut number, mut digits) = (1, 0u32, 0);
    for byte in host {
        match byte {
            b'0'..=b'9' if digits == 0 || (number > 0 && digits < 3) => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && number < 256 && parts < 4 => {
                (parts, number, digits) = (parts + 1, 0, 0)
            }
            _ => return false,
        }
    }
    parts == 4 && digits > 0 && number < 256
}

/// A colon and a port. The scheme's own port, none, and one with leading zeros are no normal form.
fn plain_port(text: &str, scheme: Scheme) -> Option<u16> {
    let digits = text.strip_prefix(':')?;
    // A sign or a space would pass `parse` in other languages; here only digits do, and no leading zero.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || digits.starts_with('0') {
        return None;
    }
    digits
        .parse()
        .ok()
        .filter(|port| *port != scheme.default_port())
}

/// The host of `text`, a name or an address as it stands in a URL, in the form that the origins of requests
/// have: IDNA, lower case, IPv6 in brackets, without a final dot.
///
/// # Errors
///
/// What is wrong with it: anything beside a host, such as a port or userinfo.
pub(crate) fn host_of(text: &str) -> Result<String, String> {
    let address = text
        .parse::<Ipv6Addr>()
        .map(|address| format!("[{address}]"));
    let text = address.as_deref().unwrap_or(text);
    if text.contains(|character: char| character.is_ascii_control()) {
        return Err("has a control character".to_owned());
    }
    let host = url::Host::parse(text).map_err(|error| error.to_string())?;
    normal_host(&host.to_string()).map(str::to_owned)
}

/// A host without its final dot, which is no part of the key of connections.
pub(super) fn normal_host(host: &str) -> Result<&str, String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.split('.').any(str::is_empty) {
        true => Err("host is empty or has an empty label".to_owned()),
        false => Ok(host),
    }
}

/// Takes the zone out of an IPv6 address in a URL, written `%25eth0` (RFC 6874) or `%eth0`. What is no zone
/// stays, for the standard to refuse.
pub(super) fn split_zone(input: &str) -> (Cow<'_, str>, Option<&str>) {
    let whole = (Cow::Borrowed(input), None);
    let Some(start) = input.find("://").map(|at| at + "://".len()) else {
        return whole;
    };
    let length = input[start..].find(['/', '?', '#', '\\']);
    let authority = &input[start..length.map_or(input.len(), |length| start + length)];
    // Brackets of userinfo are none of the host's.
    let host_start = start + authority.rfind('@').map_or(0, |at| at + 1);
    let host = &input[host_start..start + authority.len()];
    let Some((literal, port)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) else {
        return whole;
    };
    let Some((address, zone)) = literal.split_once('%') else {
        return whole;
    };
    let zone = zone.strip_prefix("25").unwrap_or(zone);
    let is_zone = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_whole_host = port.is_empty() || port.starts_with(':');
    if zone.is_empty() || !zone.bytes().all(is_zone) || !is_whole_host {
        return whole;
    }
    let rest = &input[host_start + host.len()..];
    let without = format!("{}[{address}]{port}{rest}", &input[..host_start]);
    (Cow::Owned(without), Some(zone))
}
