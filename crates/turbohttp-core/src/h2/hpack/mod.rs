//! HPACK, the compression of field sections (RFC 7541): a [`Decoder`] and an [`Encoder`] per connection.
//!
//! ```text
//!  Decoder (decode.rs)                     Encoder (encode.rs)
//!     │ prefix and length   integer.rs        │
//!     │ strings             huffman.rs        │ strings as they are
//!     v                                       v
//!  indices 1..=61   static_table.rs   names by a perfect hash
//!  indices 62..     table.rs          entries, newest first, in an arena
//! ```
//!
//! Both change their dynamic table with every block: blocks are given to the decoder in the order of
//! arrival, and those of the encoder are sent in the order in which they were written. Names and values
//! are bytes: what a field may contain is checked by the caller.

mod compare;
mod decode;
mod encode;
mod error;
mod huffman;
mod huffman_lengths;
mod integer;
mod recent;
mod static_table;
mod table;

pub use decode::Decoder;
pub use encode::{Encoder, Indexing};
pub use error::HpackError;

#[cfg(test)]
mod tests;
