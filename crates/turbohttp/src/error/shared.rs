//! An error of one call as that of others, which share its outcome.

use super::Error;

impl Error {
    /// The same for the calls that share the outcome of this one: without its source, its timeline, and what it keeps.
    #[cold]
    pub(crate) fn shared(&self) -> Error {
        let mut shared = self.copy();
        shared.0.message =
            format!("the request that it shared has failed: {}", self.0.message).into();
        shared
    }

    /// The same for the calls that waited for one connection, which was not made.
    #[cold]
    pub(crate) fn copy_with_source(&self) -> Error {
        let mut copy = self.copy();
        copy.0.source = self.0.source.clone();
        copy
    }

    #[cold]
    pub(crate) fn copy(&self) -> Error {
        let mut copy = Error::new(self.0.kind, self.0.message.clone());
        copy.0.phase = self.0.phase;
        copy.0.origin = self.0.origin.clone();
        copy.0.repeat = self.0.repeat;
        copy.0.status = self.0.status;
        copy
    }
}
