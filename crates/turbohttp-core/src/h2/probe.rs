//! Whether a silent connection lives: asked by PING, and only if there is a reason to (RFC 9113 section 6.7).
//!
//! A request that was given up although nothing had arrived since it was written is such a reason. New
//! requests wait then for any frame of the server, for a moment; after that the connection takes none any
//! more. Servers punish clients that ask too often, so that there is no second PING before HEADERS or DATA
//! have come.

use std::time::{Duration, Instant};

use super::limits::PROBE_WAIT_MS;

/// The payload by which the answer is known.
pub(crate) const PROBE: [u8; 8] = *b"alive?\0\0";

#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// Batches of frames that have arrived.
    heard: u64,
    asked_at: Option<Instant>,
    /// A PING was sent and neither HEADERS nor DATA have come since.
    was_asked: bool,
}

impl Probe {
    /// What had been heard when a request was written.
    #[inline]
    pub(crate) fn heard(&self) -> u64 {
        self.heard
    }

    /// Frames have arrived; `answers` if HEADERS or DATA were among them. Says whether an answer was awaited.
    #[inline]
    pub(crate) fn hear(&mut self, answers: bool) -> bool {
        // Any frame is a sign of life; only an answer permits the next question.
        self.heard += 1;
        self.was_asked &= !answers;
        self.asked_at.take().is_some()
    }

    /// A request was given up that was written when `heard` was what it says: whether to send PING.
    pub(crate) fn given_up(&mut self, heard: u64, now: Instant) -> bool {
        // The server has spoken since that request was written, or was asked already.
        if heard != self.heard || self.was_asked {
            return false;
        }
        self.was_asked = true;
        self.asked_at = Some(now);
        true
    }

    /// Whether the answer to a PING is awaited.
    #[inline]
    pub(crate) fn is_awaited(&self) -> bool {
        self.asked_at.is_some()
    }

    /// When the connection is given up if nothing comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        Some(self.asked_at? + Duration::from_millis(PROBE_WAIT_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
    #[test]
    fn one_ping_per_silence() {
        let now = Instant::now();
        let mut probe = Probe::default();
        assert!(probe.given_up(0, now));
        assert!(!probe.given_up(0, now), "one in flight");
        assert!(probe.hear(false));
        assert!(
            !probe.given_up(probe.heard(), now),
            "neither HEADERS nor DATA since"
        );
        assert!(!probe.hear(true));
        assert!(
            !probe.given_up(probe.heard() - 1, now),
            "something was heard since"
        );
        assert!(probe.given_up(probe.heard(), now));
        assert_eq!(
            probe.due(),
            Some(now + Duration::from_millis(PROBE_WAIT_MS))
        );
    }
}
