//! Numbers of bytes, and rates.

use std::time::Duration;

use turbohttp::Rate;

/// Bytes a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRate(pub(crate) u64);

/// The least time between the beginnings of two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartRate(pub(crate) Duration);

/// Reads a number of bytes with an optional unit of 1,024 bytes or a power of it: k, M, G, T, P.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    const HINT: &str = "write a number of bytes, as 1000, 100k, 1M or 1G";
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let power = match unit {
        "" | "b" | "B" => 0,
        "k" | "K" => 1,
        "m" | "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        _ => return Err(HINT.to_owned()),
    };
    let unit = 1024_u64.pow(power);
    if let Ok(whole) = number.parse::<u64>() {
        return whole
            .checked_mul(unit)
            .ok_or_else(|| "too large".to_owned());
    }
    match number.parse::<f64>() {
        Ok(number) if power > 0 => Ok((number * unit as f64) as u64),
        _ => Err(HINT.to_owned()),
    }
}

/// Reads bytes a second.
pub(super) fn byte_rate(text: &str) -> Result<ByteRate, String> {
    match bytes(text)? {
        0 => Err("must be more than zero".to_owned()),
        bytes => Ok(ByteRate(bytes)),
    }
}

/// Reads N/UNIT, of which the unit is the hour where there is none.
pub(super) fn start_rate(text: &str) -> Result<StartRate, String> {
    const HINT: &str = "write a number and a unit, as 2/s, 10/m, 100/h or 1000/d";
    let (number, unit) = text.split_once('/').unwrap_or((text, "h"));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(HINT.to_owned()),
    };
    match number.parse::<u32>() {
        Ok(number) if number > 0 => Ok(StartRate(Duration::from_secs(unit) / number)),
        _ => Err(HINT.to_owned()),
    }
}

/// Reads the same as a rate of the client.
pub(super) fn host_rate(text: &str) -> Result<Rate, String> {
    let StartRate(interval) = start_rate(text)?;
    let rate = Rate::new(1, interval);
    rate.check().map_err(|error| error.to_string())?;
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ByteRate, StartRate, byte_rate, bytes, host_rate, start_rate};

    #[test]
    fn bytes_have_units_of_1024() {
        for (text, number) in [
            ("0", 0),
            ("10", 10),
            ("10B", 10),
            ("2k", 2_048),
            ("1M", 1 << 20),
            ("1.5k", 1_536),
        ] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        assert_eq!(byte_rate("1G"), Ok(ByteRate(1 << 30)));
        for wrong in [
            "",
            "k",
            "-1",
            "1kb",
            "1.5",
            "99999999999999999999",
            "99999999P",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert!(byte_rate("0").is_err());
    }

    #[test]
    fn starts_have_a_unit_of_time() {
        for (text, milliseconds) in [
            ("2/s", 500),
            ("10/m", 6_000),
            ("3600", 1_000),
            ("86400/d", 1_000),
        ] {
            let rate = StartRate(Duration::from_millis(milliseconds));
            assert_eq!(start_rate(text), Ok(rate), "{text}");
        }
        for wrong in ["", "0/s", "1/x", "-1/s", "3/5s", "1/"] {
            assert!(start_rate(wrong).is_err(), "{wrong}");
        }
        let spaced = host_rate("20/s").unwrap();
        assert_eq!(spaced.interval(), Duration::from_millis(50));
        assert!(host_rate("2000000/s").is_err(), "more than a client can");
    }
}
