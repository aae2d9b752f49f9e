//! When the parts of a request began and ended.
//!
//! A [`Timeline`] lives inside the pooled context of a request and never allocates. Code that may
//! still write when the request is over, such as a lookup of a name that goes on for others, writes
//! through a [`Recorder`].

mod phase;
mod record;
mod recorder;

pub use phase::{PHASES, Phase, PhaseRow};
pub use record::{EVENTS_MAX, Span, Timeline};
pub use recorder::{Finished, LATE_EVENTS_MAX, Mailbox, Recorder};
