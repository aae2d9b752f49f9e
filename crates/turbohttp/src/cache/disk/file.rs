//! One entry as a file: a whole one, or none.
//!
//! # Implementation
//!
//! A file is the mark of its format, the lengths of head and body, a SHA-256 over all that follows it and the
//! lengths, the head, the body, and nothing behind that. The head is a row of numbers and of pieces that say
//! their length first. Numbers are big-endian. What does not fit its lengths or its hash is no entry.

use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::super::entry::{Entry, Fields, Head};
use super::super::limits::{CACHE_FILE_BODY_BYTES_MAX, CACHE_HEAD_BYTES_MAX};

const MARK: &[u8; 16] = b"turbohttp-cache1";
const PREFIX_BYTES: usize = MARK.len() + 8 + 8 + 32;

/// Bytes of the file of `entry`.
pub(super) fn length(entry: &Entry) -> u64 {
    (PREFIX_BYTES + encode(&entry.head).len() + entry.body.len()) as u64
}

/// Writes `entry` whole.
///
/// # Errors
///
/// Those of `to`.
pub(super) fn write(entry: &Entry, to: &mut impl Write) -> io::Result<()> {
    let head = encode(&entry.head);
    let lengths = [head.len() as u64, entry.body.len() as u64].map(u64::to_be_bytes);
    to.write_all(MARK)?;
    to.write_all(lengths.as_flattened())?;
    to.write_all(&hash(lengths.as_flattened(), &head, &entry.body))?;
    to.write_all(&head)?;
    to.write_all(&entry.body)?;
    to.flush()
}

/// An entry whose head was read, and that is checked when its body is.
pub(super) struct Opened<R> {
    pub(super) head: Head,
    lengths: [u8; 16],
    hash: [u8; 32],
    encoded: Vec<u8>,
    rest: R,
}

/// Reads the head of an entry; `None` of what is none.
///
/// # Errors
///
/// Those of `from` that do not speak of its end.
pub(super) fn open<R: Read>(mut from: R) -> io::Result<Option<Opened<R>>> {
    let Some(mark) = array::<16>(&mut from)? else {
        return Ok(None);
    };
    let (Some(lengths), Some(hash)) = (array::<16>(&mut from)?, array::<32>(&mut from)?) else {
        return Ok(None);
    };
    let head_length = lengths_of(&lengths).0;
    if mark != *MARK || head_length > CACHE_HEAD_BYTES_MAX as u64 {
        return Ok(None);
    }
    let mut encoded = Vec::new();
    // Grows with what is there, as the length of a foreign file may be any.
    (&mut from).take(head_length).read_to_end(&mut encoded)?;
    if encoded.len() as u64 != head_length {
        return Ok(None);
    }
    Ok(decode(&encoded).map(|head| Opened {
        head,
        lengths,
        hash,
        encoded,
        rest: from,
    }))
}

impl<R: Read> Opened<R> {
    /// Reads the body; `None` if the entry is not as it was written.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub(super) fn read(self) -> io::Result<Option<Entry>> {
        let length = lengths_of(&self.lengths).1;
        if length > CACHE_FILE_BODY_BYTES_MAX {
            return Ok(None);
        }
        let mut body = Vec::new();
        // One byte more than there should be is seen, and is one too many.
        self.rest.take(length + 1).read_to_end(&mut body)?;
        let is_whole =
            body.len() as u64 == length && hash(&self.lengths, &self.encoded, &body) == self.hash;
        Ok(is_whole.then(|| Entry {
            head: self.head,
            body: Bytes::from(body),
        }))
    }
}

fn hash(lengths: &[u8], head: &[u8], body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new().chain_update(lengths).chain_update(head);
    hash.chain_update(body).finalize().into()
}

fn lengths_of(lengths: &[u8; 16]) -> (u64, u64) {
    let (mut head, mut body) = ([0; 8], [0; 8]);
    head.copy_from_slice(&lengths[..8]);
    body.copy_from_slice(&lengths[8..]);
    (u64::from_be_bytes(head), u64::from_be_bytes(body))
}

/// `None` at an end that comes too early.
fn array<const N: usize>(from: &mut impl Read) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    match from.read_exact(&mut bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn encode(head: &Head) -> Vec<u8> {
    let since = head.since.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = Vec::with_capacity(head.bytes() + 256);
    put(&mut out, head.url.as_bytes());
    out.extend(head.selection);
    out.extend(head.status.as_u16().to_be_bytes());
    out.extend(head.age.to_be_bytes());
    out.extend(since.as_secs().to_be_bytes());
    out.extend(since.subsec_nanos().to_be_bytes());
    for (name, value) in &head.fields.0 {
        put(&mut out, name.as_bytes());
        put(&mut out, value);
    }
    out
}

fn put(out: &mut Vec<u8>, piece: &[u8]) {
    out.extend((piece.len() as u64).to_be_bytes());
    out.extend(piece);
}

fn decode(mut encoded: &[u8]) -> Option<Head> {
    let from = &mut encoded;
    let url = text(from)?;
    let selection = number::<32>(from)?;
    let status = StatusCode::from_u16(u16::from_be_bytes(number(from)?)).ok()?;
    let age = u64::from_be_bytes(number(from)?);
    let seconds = u64::from_be_bytes(number(from)?);
    let nanoseconds = u32::from_be_bytes(number(from)?);
    // `Duration::new` panics where the two do not fit together.
    let since =
        Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanoseconds.into()))?;
    let mut fields = Vec::new();
    while !from.is_empty() {
        fields.push((text(from)?, piece(from)?.to_vec()));
    }
    Some(Head {
        url,
        selection,
        status,
        fields: Fields(fields),
        age,
        since: SystemTime::UNIX_EPOCH.checked_add(since)?,
    })
}

fn number<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (number, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*number)
}

fn piece<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u64::from_be_bytes(number(from)?)).ok()?;
    let (piece, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(piece)
}

fn text(from: &mut &[u8]) -> Option<String> {
    String::from_utf8(piece(from)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let field = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        Entry {
            head: Head {
                url: "http://a.test/?b".to_owned(),
                selection: [7; 32],
                status: StatusCode::NOT_FOUND,
                fields: Fields(vec![
                    field("ETag", b"\"1\""),
                    field("x", b"\xff"),
                    field("x", b""),
                ]),
                age: 3,
                since: UNIX_EPOCH + Duration::new(1_700_000_000, 5),
            },
            body: Bytes::from_static(b"some content"),
        }
    }

    fn written() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&entry(), &mut bytes).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Entry> {
        open(bytes)
            .unwrap()
            .and_then(|opened| opened.read().unwrap())
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let bytes = written();
        assert_eq!(bytes.len() as u64, length(&entry()));
        let back = read(&bytes).unwrap();
        assert_eq!((back.head, back.body), (entry().head, entry().body));
    }

    #[test]
    fn a_file_that_is_cut_at_any_byte_is_no_entry() {
        let bytes = written();
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn a_file_with_any_byte_changed_or_one_more_is_no_entry() {
        let mut bytes = written();
        for at in 0..bytes.len() {
            bytes[at] ^= 0x01;
            assert!(read(&bytes).is_none(), "{at}");
            bytes[at] ^= 0x81;
            assert!(read(&bytes).is_none(), "{at}");
            bytes[at] ^= 0x80;
        }
        assert!(read(&bytes).is_some());
        bytes.push(0);
        assert!(read(&bytes).is_none());
    }

    /// A disk with so many bytes left.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            match taken {
                0 if !bytes.is_empty() => Err(io::ErrorKind::StorageFull.into()),
                taken => Ok(taken),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_is_full_at_any_byte_is_an_error() {
        let whole = written().len();
        for left in 0..whole {
            let error = write(&entry(), &mut Full(left)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{left}");
        }
        assert!(write(&entry(), &mut Full(whole)).is_ok());
    }
}
