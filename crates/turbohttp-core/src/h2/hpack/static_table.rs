//! The static table (RFC 7541 appendix A).
//!
//! # Implementation
//!
//! Names are found by a hash of the length and two bytes, which gives every name of the table a slot of its
//! own; one comparison says whether it is that name. Entries of one name follow each other.

use super::compare::is_equal;

/// The last index of the static table.
pub(super) const LAST: usize = 61;

/// The fields; the first has index 1.
#[rustfmt::skip]
static FIELDS: [(&str, &str); LAST] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""),
    ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""),
    ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""),
    ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""),
    ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""),
    ("retry-after", ""), ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""),
    ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

/// The indices of one name; 0 where there is none.
#[derive(Clone, Copy)]
struct Indices {
    first: u8,
    last: u8,
}

/// By [`slot`] of the name.
static NAMES: [Indices; 256] = names();

/// What of a field is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The field, at this index.
    Field(usize),
    /// The name alone, at this index.
    Name(usize),
    /// Nothing.
    Nothing,
}

/// The field of an index from 1 to [`LAST`].
#[inline]
pub(super) fn get(index: usize) -> Option<(&'static [u8], &'static [u8])> {
    let (name, value) = FIELDS.get(index.wrapping_sub(1))?;
    Some((name.as_bytes(), value.as_bytes()))
}

/// Finds a field, or its name.
#[inline]
pub(super) fn find(name: &[u8], value: &[u8]) -> Found {
    let indices = NAMES[slot(name)];
    let first = usize::from(indices.first);
    if get(first).is_none_or(|(known, _)| !is_equal(known, name)) {
        return Found::Nothing;
    }
    for index in first..=usize::from(indices.last) {
        if get(index).is_some_and(|(_, known)| is_equal(known, value)) {
            return Found::Field(index);
        }
    }
    Found::Name(first)
}

/// A hash of a name, below 256, that differs for all names of the table.
#[inline]
const fn slot(name: &[u8]) -> usize {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return 0;
    };
    (name.len() + 10 * *first as usize + 4 * *last as usize) % 256
}

const fn names() -> [Indices; 256] {
    let mut names = [Indices { first: 0, last: 0 }; 256];
    let mut index = 1;
    while index <= LAST {
        let name = FIELDS[index - 1].0.as_bytes();
        let indices = &mut names[slot(name)];
        if indices.first == 0 {
            indices.first = index as u8;
        } else {
            // Entries of one name: the hash of another differs.
            assert!(indices.last as usize == index - 1);
        }
        indices.last = index as u8;
        index += 1;
    }
    names
}
