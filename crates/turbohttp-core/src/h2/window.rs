//! Flow-control windows (RFC 9113 section 5.2): how much may be sent, and how much may still arrive.

use super::frame::MAX_31_BITS;

/// What the peer lets this side send: of a stream or of the connection.
///
/// SETTINGS can make it negative (RFC 9113 section 6.9.2): nothing is sent then until updates have made it
/// positive again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendWindow(i64);

impl SendWindow {
    pub(crate) fn new(bytes: u32) -> SendWindow {
        SendWindow(bytes.into())
    }

    /// Bytes that may be sent now.
    #[inline]
    pub(crate) fn available(self) -> usize {
        self.0.max(0) as usize
    }

    #[inline]
    pub(crate) fn take(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.available(), "no more than the window");
        // May not pass zero by this side's doing, only by SETTINGS.
        self.0 -= bytes as i64;
    }

    /// Whether more may be sent than `bytes`.
    pub(crate) fn exceeds(self, bytes: u32) -> bool {
        self.0 > bytes.into()
    }

    /// Adds an increment; `false` if the window would pass 2^31 - 1.
    #[must_use]
    pub(crate) fn add(&mut self, bytes: i64) -> bool {
        self.0 += bytes;
        self.0 <= i64::from(MAX_31_BITS)
    }
}

/// What this side lets the peer send.
///
/// Invariant: `open + taken` is what was granted, and never passes 2^31 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceiveWindow {
    /// Bytes that may still arrive.
    open: u32,
    /// Bytes that have been taken since the last update.
    taken: u32,
    /// What an update brings the window back to.
    size: u32,
}

impl ReceiveWindow {
    pub(crate) fn new(size: u32) -> ReceiveWindow {
        ReceiveWindow {
            open: size,
            taken: 0,
            size,
        }
    }

    pub(crate) fn size(&self) -> u32 {
        self.size
    }

    /// Notes bytes that have arrived; `false` if there are more than the window.
    #[must_use]
    #[inline]
    pub(crate) fn arrived(&mut self, bytes: u32) -> bool {
        match self.open.checked_sub(bytes) {
            Some(open) => {
                self.open = open;
                true
            }
            None => false,
        }
    }

    /// Notes bytes that were taken out of the way; says by how much the window is to be updated, which it
    /// is once half of it has been taken.
    #[inline]
    pub(crate) fn taken(&mut self, bytes: u32) -> Option<u32> {
        self.taken += bytes;
        // Half: an update for each read would be a frame for each read, and one at the end would stop the server.
        if self.taken * 2 < self.size {
            return None;
        }
        self.open += self.taken;
        Some(std::mem::take(&mut self.taken))
    }

    /// What was granted and has not been taken to be read.
    #[cfg(test)]
    pub(crate) fn granted(&self) -> u32 {
        self.open + self.taken
    }

    /// Makes the window larger by so many bytes, which an update is to say.
    pub(crate) fn grow(&mut self, bytes: u32) {
        self.size += bytes;
        self.open += bytes;
    }
}
