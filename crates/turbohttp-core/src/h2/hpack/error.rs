//! What can be wrong with a field block.

use std::fmt;

/// Why a field block cannot be decoded. The decoder and its peer disagree about the dynamic table from
/// then on, so the connection ends: with COMPRESSION_ERROR (RFC 9113 section 4.3), or with
/// ENHANCE_YOUR_CALM after [`HpackError::TooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HpackError {
    /// The block ends inside a field or a size update.
    Truncated,
    /// An integer has more bytes than this decoder reads (RFC 7541 section 5.1).
    Integer,
    /// An index is 0, or beyond the last entry of the two tables (section 2.3.3).
    Index {
        /// The index.
        index: usize,
        /// The highest index there is.
        last: usize,
    },
    /// A size update stands behind a field (section 4.2).
    SizeUpdatePlace,
    /// A size update asks for more than the decoder has announced (section 6.3), in bytes.
    SizeUpdate {
        /// What was asked for.
        bytes: usize,
        /// What was announced.
        max: usize,
    },
    /// The bits behind the last symbol of a Huffman-coded string are more than 7, or not all ones
    /// (section 5.2).
    HuffmanPadding,
    /// A Huffman-coded string has the symbol EOS (section 5.2).
    HuffmanEos,
    /// Names and values of the block are longer than the caller permits, in bytes.
    TooLarge {
        /// The limit that was passed.
        max: usize,
    },
}

impl fmt::Display for HpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            HpackError::Truncated => f.write_str("field block ends inside a field"),
            HpackError::Integer => f.write_str("integer in a field block is too long"),
            HpackError::Index { index, last } => {
                write!(f, "field block names entry {index} of a table of {last}")
            }
            HpackError::SizeUpdatePlace => {
                f.write_str("field block has a table size update behind a field")
            }
            HpackError::SizeUpdate { bytes, max } => write!(
                f,
                "field block sets the table size to {bytes} bytes, at most {max} are permitted"
            ),
            HpackError::HuffmanPadding => {
                f.write_str("padding of a Huffman-coded string is too long or has a zero bit")
            }
            HpackError::HuffmanEos => f.write_str("Huffman-coded string has the symbol EOS"),
            HpackError::TooLarge { max } => write!(f, "fields of a block exceed {max} bytes"),
        }
    }
}

impl std::error::Error for HpackError {}
