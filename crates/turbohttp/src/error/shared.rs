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
