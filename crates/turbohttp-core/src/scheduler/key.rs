//! The keys of lanes.

use super::heap::NONE;
use crate::origin::{Origin, hash_of};

/// The key of a lane: any text, with its hash. Clients use the text of an [`Origin`].
#[derive(Clone, Copy, Debug)]
pub struct LaneKey<'a> {
    pub(super) text: &'a str,
    pub(super) hash: u64,
    /// The slot of the lane if it is pinned, which spares looking the text up; [`NONE`] otherwise.
    pub(super) slot: u32,
}

impl<'a> LaneKey<'a> {
    /// The lane of this text, compared byte by byte.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            hash: hash_of(text),
            slot: NONE,
        }
    }

    /// The text.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl<'a> From<&'a Origin> for LaneKey<'a> {
    /// The lane of an origin. Computes no hash: the origin has it.
    fn from(origin: &'a Origin) -> Self {
        Self {
            text: origin.as_str(),
            hash: origin.precomputed_hash(),
            slot: NONE,
        }
    }
}
