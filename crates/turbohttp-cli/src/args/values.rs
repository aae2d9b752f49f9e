//! Values of options.

use std::net::IpAddr;
use std::time::Duration;

/// The most requests at once: each needs a descriptor, and systems seldom grant more than this.
pub(super) const TOTAL_MAX: usize = 4_096;

pub(super) fn number<const MAX: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=MAX).contains(&number) => Ok(number),
        _ => Err(format!("write a number from 1 to {MAX}")),
    }
}

/// Reads a number and its unit, which is seconds if there is none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const HINT: &str = "write a number and its unit, as 10s, 500ms or 2m";
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit: {HINT}")),
    };
    let number: f64 = number.parse().map_err(|_| HINT.to_owned())?;
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if duration.is_zero() => Err("must be longer than zero".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) => Err("too long".to_owned()),
    }
}

/// The same, where 0 is a value.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text {
        "0" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

/// Reads a port, or the first and the last one.
pub(super) fn ports(text: &str) -> Result<(u16, u16), String> {
    const HINT: &str = "write a port from 1 to 65535, or two as 5000-5010";
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let read = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
    match (read(first), read(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(HINT.to_owned()),
    }
}

/// Where connections for one host and port go instead of asking for its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolve {
    /// In lower case, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Reads HOST:PORT:ADDRESS[,ADDRESS]... as curl does; addresses and hosts of IPv6 may be in brackets.
pub(super) fn resolve(text: &str) -> Result<Resolve, String> {
    const HINT: &str = "write HOST:PORT:ADDRESS, as h.test:443:127.0.0.1";
    let bare = |text: &str| {
        text.trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase()
    };
    // A plus sign asks curl to forget the entry after a minute, which a command seldom outlives.
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.starts_with(['*', '-']) {
        return Err("* for every host and - for none are not built yet".to_owned());
    }
    // The colons of a host in brackets are its own.
    let from = text
        .find(']')
        .filter(|_| text.starts_with('['))
        .unwrap_or(0);
    let (rest, host) = match text[from..].find(':') {
        Some(at) => (&text[from + at + 1..], bare(&text[..from + at])),
        None => return Err(HINT.to_owned()),
    };
    let (port, addresses) = rest.split_once(':').ok_or(HINT)?;
    let port = port.parse().map_err(|_| HINT.to_owned())?;
    let addresses: Result<Vec<IpAddr>, _> = addresses
        .split(',')
        .map(|address| bare(address).parse())
        .collect();
    let addresses = addresses.map_err(|_| HINT.to_owned())?;
    if host.is_empty() {
        return Err(HINT.to_owned());
    }
    Ok(Resolve {
        host,
        port,
        addresses,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, resolve};

    #[test]
    fn overrides_have_three_parts() {
        let read = resolve("H.test:80:127.0.0.1,[::1]").unwrap();
        assert_eq!(
            (&*read.host, read.port, read.addresses.len()),
            ("h.test", 80, 2)
        );
        assert_eq!(resolve("[::1]:80:127.0.0.1").unwrap().host, "::1");
        assert_eq!(resolve("+h:80:127.0.0.1").unwrap().host, "h");
        for wrong in [
            "",
            "*:80:127.0.0.1",
            "-h:80",
            "h",
            "h:80",
            "h:x:127.0.0.1",
            ":80:127.0.0.1",
            "h:80:",
            "h:80:h2",
        ] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        for wrong in [
            "0",
            "",
            "s",
            "10x",
            "-1s",
            "0s",
            "1..2s",
            "99999999999999999999h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
