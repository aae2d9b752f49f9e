//! Where the fields of the last blocks were found: the requests of a connection are much alike.

use super::static_table;

/// How many fields are remembered; of those with the same slot, the last. Of eight fields, two share a slot in
/// one of ten requests: the second is then searched for each time.
const SLOTS: usize = 256;

/// Indices by a hash of the field. They are guesses: whether the field is there is for the caller to look at.
pub(super) struct Recent {
    slots: [u8; SLOTS],
}

impl Recent {
    pub(super) fn new() -> Recent {
        Recent { slots: [0; SLOTS] }
    }

    /// The index at which a field of this hash was found last; 0, which no field has, if none was. Indices
    /// beyond 254 are not remembered: the tables of an encoder have fewer.
    #[inline]
    pub(super) fn index(&self, name: &[u8], value: &[u8]) -> usize {
        usize::from(self.slots[slot(name, value)])
    }

    pub(super) fn set(&mut self, name: &[u8], value: &[u8], index: usize) {
        self.slots[slot(name, value)] = u8::try_from(index).unwrap_or(0);
    }

    /// Follows an insertion, by which every entry of the dynamic table has the next index.
    pub(super) fn shift(&mut self) {
        for index in &mut self.slots {
            if usize::from(*index) > static_table::LAST {
                *index = index.saturating_add(1);
            }
        }
    }
}

/// A hash of the lengths and the last bytes: they tell most fields apart.
#[inline(always)]
fn slot(name: &[u8], value: &[u8]) -> usize {
    let last = |text: &[u8]| match text {
        [.., last] => usize::from(*last),
        [] => 0,
    };
    (name.len() + 2 * value.len() + 2 * last(name) + last(value)) % SLOTS
}
