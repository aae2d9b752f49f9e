//! What the bytes of a file must add up to: said by the caller, or by the server (RFC 9530).

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest as _;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::download::WRITE_BYTES;
use crate::response::Response;

/// What the bytes of a downloaded file must hash to.
///
/// Its text is the algorithm, a colon and hexadecimal digits: `sha-256:e3b0…`.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::Checksum;
///
/// let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// assert_eq!(Checksum::sha256(empty)?, format!("sha-256:{empty}").parse()?);
/// assert!(Checksum::sha256("abc").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    value: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha256,
    Sha512,
    Md5,
    Blake3,
}

impl Algorithm {
    const ALL: &[Algorithm] = &[
        Algorithm::Sha256,
        Algorithm::Sha512,
        Algorithm::Md5,
        Algorithm::Blake3,
    ];

    /// By its name in RFC 9530 or RFC 3230, in any case; `sha256` is what checksum files say.
    fn by_name(name: &str) -> Option<Algorithm> {
        let is_named = |known: &str| name.eq_ignore_ascii_case(known);
        Algorithm::ALL.iter().copied().find(|algorithm| {
            let known = algorithm.name();
            is_named(known) || (known.starts_with("sha-") && is_named(&known.replace('-', "")))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha-256",
            Algorithm::Sha512 => "sha-512",
            Algorithm::Md5 => "md5",
            Algorithm::Blake3 => "blake3",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Algorithm::Sha512 => 64,
            Algorithm::Md5 => 16,
            _ => 32,
        }
    }
}

impl Checksum {
    /// The SHA-256 of a file, in 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for anything else; so for the others.
    pub fn sha256(hex: &str) -> Result<Checksum> {
        Checksum::new(Algorithm::Sha256, hex)
    }

    /// The SHA-512 of a file, in 128 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// As [`sha256`](Checksum::sha256).
    pub fn sha512(hex: &str) -> Result<Checksum> {
        Checksum::new(Algorithm::Sha512, hex)
    }

    /// The MD5 of a file, in 32 hexadecimal digits: it finds damage, and no attack (RFC 6151).
    ///
    /// # Errors
    ///
    /// As [`sha256`](Checksum::sha256).
    pub fn md5(hex: &str) -> Result<Checksum> {
        Checksum::new(Algorithm::Md5, hex)
    }

    /// The BLAKE3 of a file, in 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// As [`sha256`](Checksum::sha256).
    pub fn blake3(hex: &str) -> Result<Checksum> {
        Checksum::new(Algorithm::Blake3, hex)
    }

    fn new(algorithm: Algorithm, hex: &str) -> Result<Checksum> {
        let digits = algorithm.bytes() * 2;
        let value = from_hex(hex).filter(|value| value.len() == algorithm.bytes());
        let name = algorithm.name();
        let value = value.ok_or_else(|| {
            let message = format!("a checksum by {name} is {digits} hexadecimal digits");
            Error::new(ErrorKind::Config, message)
        })?;
        Ok(Checksum { algorithm, value })
    }

    /// What the server says of the whole file, by `Repr-Digest` (RFC 9530 section 3) or by the older `Digest`
    /// (RFC 3230); of algorithms and forms that are not known, nothing.
    pub(super) fn of_server(response: &Response) -> Vec<Checksum> {
        let mut found: Vec<Checksum> = Vec::new();
        for name in ["repr-digest", "digest"] {
            for value in response.header_values(name) {
                let value = str::from_utf8(value).unwrap_or_default();
                found.extend(value.split(',').filter_map(server_entry));
            }
        }
        // A server may repeat itself; one of each is enough work.
        found.truncate(Algorithm::ALL.len());
        found
    }
}

impl FromStr for Checksum {
    type Err = Error;

    fn from_str(text: &str) -> Result<Checksum> {
        let (name, hex) = text.split_once([':', '=']).unwrap_or((text, ""));
        let algorithm = Algorithm::by_name(name.trim()).ok_or_else(|| {
            let known: Vec<_> = Algorithm::ALL.iter().map(|known| known.name()).collect();
            let message = format!(
                "a checksum is written ALGORITHM:HEX, by one of {}",
                known.join(", ")
            );
            Error::new(ErrorKind::Config, message)
        })?;
        Checksum::new(algorithm, hex.trim())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm.name())?;
        self.value
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `name=:base64:` of RFC 9530, or `name=base64` of RFC 3230.
fn server_entry(entry: &str) -> Option<Checksum> {
    let entry = entry.split(';').next().unwrap_or_default().trim();
    let (name, value) = entry.split_once('=')?;
    let algorithm = Algorithm::by_name(name.trim())?;
    let value = STANDARD.decode(value.trim().trim_matches(':')).ok()?;
    (value.len() == algorithm.bytes()).then_some(Checksum { algorithm, value })
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hex.as_bytes().chunks(2).map(|pair| match *pair {
        [high, low] => Some((digit(high)? * 16 + digit(low)?) as u8),
        _ => None,
    });
    pairs.collect()
}

enum Hasher {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Md5(md5::Md5),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Hasher::Sha512(sha2::Sha512::new()),
            Algorithm::Md5 => Hasher::Md5(md5::Md5::new()),
            Algorithm::Blake3 => Hasher::Blake3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
            Hasher::Md5(hasher) => hasher.update(bytes),
            Hasher::Blake3(hasher) => _ = hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha512(hasher) => hasher.finalize().to_vec(),
            Hasher::Md5(hasher) => hasher.finalize().to_vec(),
            Hasher::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}

/// Reads the file once for all that is expected: the first one that it does not add up to, and what it does.
/// `go_on` is asked before each read.
pub(super) fn mismatch(
    mut file: &File,
    expected: &[Checksum],
    go_on: impl Fn() -> bool,
) -> io::Result<Option<(Checksum, Checksum)>> {
    let mut hashers: Vec<_> = expected
        .iter()
        .map(|checksum| Hasher::new(checksum.algorithm))
        .collect();
    let mut buffer = vec![0; WRITE_BYTES];
    file.rewind()?;
    loop {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        for hasher in &mut hashers {
            hasher.update(&buffer[..read]);
        }
    }
    for (expected, hasher) in expected.iter().zip(hashers) {
        let found = Checksum {
            algorithm: expected.algorithm,
            value: hasher.finish(),
        };
        if found != *expected {
            return Ok(Some((expected.clone(), found)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const ABC: [(&str, &str); 3] = [
        (
            "sha-256",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "sha-512",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
    ];

    #[test]
    fn files_are_compared_by_every_algorithm() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let right: Vec<Checksum> = ABC
            .iter()
            .map(|(name, hex)| format!("{name}:{hex}").parse().unwrap())
            .collect();
        assert_eq!(mismatch(&file, &right, || true).unwrap(), None);
        for wrong in &right {
            let mut all = right.clone();
            let mut bad = wrong.clone();
            bad.value[0] ^= 1;
            all.push(bad.clone());
            let found = mismatch(&file, &all, || true).unwrap();
            assert_eq!(found, Some((bad, wrong.clone())));
        }
        assert!(mismatch(&file, &right, || false).is_err());
    }
    #[test]
    fn blake3_is_known() {
        let hex = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let right = [Checksum::blake3(hex).unwrap()];
        assert_eq!(mismatch(&file, &right, || true).unwrap(), None);
    }

    #[test]
    fn texts_are_read_and_written() {
        for (name, hex) in ABC {
            let text = format!("{name}:{hex}");
            assert_eq!(text.parse::<Checksum>().unwrap().to_string(), text);
            let other = format!("{}={}", name.replace('-', ""), hex.to_uppercase());
            assert_eq!(other.parse::<Checksum>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "abc",
            "sha-256",
            "sha-256:",
            "sha-256:zz",
            "crc32:00",
            "md5:900150983cd24fb0d6963f7d28e17f7",
        ] {
            assert!(wrong.parse::<Checksum>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn fields_of_servers_are_read() {
        let sha = "sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let coded = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        for entry in [
            format!("sha-256=:{coded}:"),
            format!(" sha-256=:{coded}:;x=1 "),
            format!("SHA-256={coded}"),
        ] {
            assert_eq!(server_entry(&entry).unwrap().to_string(), sha, "{entry}");
        }
        for entry in [
            "",
            "sha-256",
            "sha-256=",
            "sha-256=:YWJj:",
            "unixsum=30637",
            "crc32c=:AAAA:",
        ] {
            assert_eq!(server_entry(entry), None, "{entry}");
        }
    }
}
