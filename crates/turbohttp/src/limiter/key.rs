//! The keys of a limiter: any text, or origins.

use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::LaneKey;

use crate::error::Result;
use crate::url::origin_of;

/// What the keys of a limiter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Any text, as it is.
    Texts,
    /// Origins, by their normal form.
    Origins,
}

/// A key as it was read: a text, or an origin in its normal form.
#[derive(Debug)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Origin(Origin),
}

impl Key<'_> {
    #[inline]
    pub(super) fn lane(&self) -> LaneKey<'_> {
        match self {
            Key::Text(text) => LaneKey::new(text),
            Key::Origin(origin) => LaneKey::from(origin),
        }
    }
}

impl Keys {
    #[inline]
    pub(super) fn read(self, text: &str) -> Result<Key<'_>> {
        match self {
            Keys::Texts => Ok(Key::Text(text)),
            // In the normal form that requests have, so that every spelling is the key of their lane.
            Keys::Origins => origin_of(text).map(Key::Origin),
        }
    }
}
