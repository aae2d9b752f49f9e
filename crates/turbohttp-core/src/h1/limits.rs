//! What a response head may take.

/// What a response may take at most.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of one head, status line to blank line; also of all interim heads together and of a
    /// trailer section. Default 65,536: what common servers send at most, with room to spare.
    pub bytes: usize,
    /// Fields of one head, and of a trailer section. Default 128, at most [`FIELDS_MAX`].
    pub fields: usize,
    /// Passes malformed field lines over instead of refusing the head. Default `false`.
    pub lenient: bool,
}

/// The most fields a head may be allowed: a search for one passes over all of them.
pub const FIELDS_MAX: usize = 10_000;

impl Default for HeadLimits {
    fn default() -> HeadLimits {
        HeadLimits {
            bytes: 64 * 1024,
            fields: 128,
            lenient: false,
        }
    }
}

impl HeadLimits {
    /// Limits of `bytes` and `fields`; fields beyond [`FIELDS_MAX`] count as that.
    pub fn new(bytes: usize, fields: usize) -> HeadLimits {
        HeadLimits {
            bytes,
            fields: fields.min(FIELDS_MAX),
            lenient: false,
        }
    }

    /// Passes malformed field lines over, as browsers do, and counts them
    /// ([`ResponseHead::skipped_fields`](crate::head::ResponseHead::skipped_fields)). A line that is about
    /// the framing is refused all the same, and the connection of a head with such lines is closed after
    /// its body.
    #[must_use]
    pub fn lenient(mut self, lenient: bool) -> HeadLimits {
        self.lenient = lenient;
        self
    }
}
