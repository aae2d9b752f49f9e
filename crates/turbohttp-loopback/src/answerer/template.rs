//! The one answer, ready to be copied.

use crate::pattern::piece;
use crate::script::frames;

/// What a table of fields has room for unless SETTINGS say otherwise (RFC 9113 §6.5.2).
pub(super) const TABLE_BYTES: u32 = 4096;

/// The first index of the dynamic table, which is the newest field (RFC 7541 §2.3.3).
const FIRST_DYNAMIC: u8 = 62;

/// The fields of every answer beside `:status` and `content-length`.
const FIELDS: [(&str, &str); 5] = [
    ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("server", "turbohttp-loopback"),
    ("content-type", "text/plain"),
    ("cache-control", "no-store"),
    ("x-request-id", "00000000-0000-0000-0000-000000000000"),
];

/// The field behind the content.
const TRAILER: (&[u8], &[u8]) = (b"x-checksum", b"0123456789abcdef");

/// `:status: 200` in the static table.
const STATUS_200: u8 = 0x88;

/// A literal field that goes into the dynamic table, with its name as text (RFC 7541 §6.2.1).
const WITH_INDEXING: u8 = 0x40;

/// An indexed field (RFC 7541 §6.1).
const INDEXED: u8 = 0x80;

/// The field blocks and the content of the answer.
pub(super) struct Template {
    /// Every field as a literal.
    pub(super) literal: Vec<u8>,
    /// The same, and each is put into the client's table; `None` if that is not wanted.
    pub(super) first: Option<Vec<u8>>,
    /// Every field by its place in that table.
    pub(super) indexed: Vec<u8>,
    /// The length of the content.
    pub(super) content_bytes: usize,
    /// What follows the content, if something does.
    pub(super) trailers: Option<Vec<u8>>,
}

const GREETING: &[u8] = b"Hello, world!";

impl Template {
    pub(super) fn new(content_bytes: usize, is_indexed: bool, has_trailers: bool) -> Template {
        let length = content_bytes.to_string();
        let mut fields = FIELDS.to_vec();
        fields.insert(3, ("content-length", &length));
        let mut literal = vec![STATUS_200];
        let mut first = vec![STATUS_200];
        for (name, value) in &fields {
            let field = frames::field(name.as_bytes(), value.as_bytes());
            literal.extend_from_slice(&field);
            first.push(WITH_INDEXING);
            first.extend_from_slice(&field[1..]);
        }
        // The field that was sent first is the oldest and has the highest index.
        let newest_first = FIRST_DYNAMIC..FIRST_DYNAMIC + fields.len() as u8;
        let indexed = newest_first.rev().map(|index| INDEXED | index);
        Template {
            literal,
            first: is_indexed.then_some(first),
            indexed: std::iter::once(STATUS_200).chain(indexed).collect(),
            content_bytes,
            trailers: has_trailers.then(|| frames::field(TRAILER.0, TRAILER.1)),
        }
    }

    /// Appends `length` bytes of the content from `at` on, all of which there are.
    pub(super) fn append_content(&self, mut at: usize, length: usize, out: &mut Vec<u8>) {
        if self.content_bytes == GREETING.len() {
            out.extend_from_slice(&GREETING[at..at + length]);
            return;
        }
        let end = at + length;
        while at < end {
            let piece = piece(at as u64, (end - at) as u64);
            out.extend_from_slice(piece);
            at += piece.len();
        }
    }
}
