//! Keep-alive: PING to a server that is silent while streams are open (RFC 9113 section 6.7), for clients that
//! ask for it.
//!
//! The task of a connection looks when it has nothing to do, and says what has been heard until then. A PING is
//! sent once in a silence; the silence that goes on after it ends the connection.

use std::time::{Duration, Instant};

use super::limits::PROBE_WAIT_MS;

/// What has been heard of a server: batches of frames, and bytes of a frame that is not whole.
pub(crate) type Heard = (u64, usize);

#[derive(Debug, Default)]
pub(crate) struct KeepAlive {
    /// What had been heard when the silence began.
    heard: Heard,
    /// When the silence began; `None` without streams.
    since: Option<Instant>,
    asked_at: Option<Instant>,
}

/// What is to be done about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The next look is due then; never, if that is beyond what the clock can say.
    Waits(Option<Instant>),
    /// PING is to be sent, and the next look is due then.
    Asks(Option<Instant>),
    /// The PING was not answered.
    Dead,
}

impl KeepAlive {
    /// Looks at a connection with streams, which may be silent for `interval` before it is asked.
    pub(crate) fn look(&mut self, interval: Duration, heard: Heard, now: Instant) -> Silence {
        if self.since.is_none() || self.heard != heard {
            *self = KeepAlive {
                heard,
                since: Some(now),
                asked_at: None,
            };
        }
        let wait = Duration::from_millis(PROBE_WAIT_MS);
        let passed = |since: Instant, limit| now.saturating_duration_since(since) >= limit;
        match (self.asked_at, self.since) {
            (Some(asked), _) if passed(asked, wait) => Silence::Dead,
            (Some(asked), _) => Silence::Waits(asked.checked_add(wait)),
            (None, Some(since)) if !passed(since, interval) => {
                Silence::Waits(since.checked_add(interval))
            }
            (None, _) => {
                self.asked_at = Some(now);
                Silence::Asks(now.checked_add(wait))
            }
        }
    }

    /// Whether the answer to a PING is awaited, if so many batches have been heard.
    pub(crate) fn is_awaited(&self, batches: u64) -> bool {
        self.asked_at.is_some() && self.heard.0 == batches
    }

    /// There is no stream any more.
    pub(crate) fn rest(&mut self) {
        *self = KeepAlive::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
    #[test]
    fn a_silence_is_asked_once_and_ends_by_any_byte() {
        let interval = Duration::from_secs(10);
        let wait = Duration::from_millis(PROBE_WAIT_MS);
        let begin = Instant::now();
        let at = |seconds: u64| begin + Duration::from_secs(seconds);
        let mut alive = KeepAlive::default();
        let mut look = |heard, now| alive.look(interval, heard, now);
        assert_eq!(look((0, 0), begin), Silence::Waits(Some(at(10))));
        assert_eq!(look((0, 0), at(9)), Silence::Waits(Some(at(10))));
        assert_eq!(look((0, 0), at(10)), Silence::Asks(Some(at(10) + wait)));
        assert_eq!(look((0, 0), at(10)), Silence::Waits(Some(at(10) + wait)));
        // The answer.
        assert_eq!(look((1, 0), at(11)), Silence::Waits(Some(at(21))));
        // A part of a frame.
        assert_eq!(look((1, 7), at(20)), Silence::Waits(Some(at(30))));
        assert_eq!(look((1, 7), at(31)), Silence::Asks(Some(at(31) + wait)));
        assert!(alive.is_awaited(1) && !alive.is_awaited(2));
        assert_eq!(alive.look(interval, (1, 7), at(32)), Silence::Dead);
        // A rest is no silence.
        alive.rest();
        assert!(!alive.is_awaited(1));
        let waits = Silence::Waits(Some(at(60)));
        assert_eq!(alive.look(interval, (1, 7), at(50)), waits);
        let far = alive.look(Duration::MAX, (1, 7), at(51));
        assert_eq!(far, Silence::Waits(None));
    }
}
