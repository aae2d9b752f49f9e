//! A token bucket for frames that cost work and bring nothing.

use std::time::Instant;

use super::limits::{GLITCHES, GLITCHES_PER_SECOND};

/// So many glitches at once, and so many more in each second. Floods of PING, SETTINGS, empty DATA and the
/// like (CVE-2019-9512 to 9518) pass it; what an honest server sends of them does not.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u32,
    filled_at: Option<Instant>,
    /// All that were ever counted.
    total: u64,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget {
            left: GLITCHES,
            filled_at: None,
            total: 0,
        }
    }

    /// Counts one glitch at `now`; `false` if there were too many.
    #[must_use]
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        self.total += 1;
        let since = *self.filled_at.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_millis();
        let earned = passed.saturating_mul(GLITCHES_PER_SECOND.into()) / 1_000;
        if earned > 0 {
            // The rest of a millisecond is lost, in favour of this side.
            self.filled_at = Some(now);
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(earned).min(GLITCHES);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    /// A whole answer has come: a server that works may make some more.
    #[inline]
    pub(crate) fn earn(&mut self, glitches: u32) {
        self.left = self.left.saturating_add(glitches).min(GLITCHES);
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[allow(clippy::disallowed_methods, reason = "a mark to count from")]
    #[test]
    fn glitches_are_bounded_at_once_and_by_rate() {
        let start = Instant::now();
        let mut budget = Budget::new();
        assert!((0..GLITCHES).all(|_| budget.spend(start)));
        assert!(!budget.spend(start));
        let later = start + Duration::from_secs(1);
        assert!((0..GLITCHES_PER_SECOND).all(|_| budget.spend(later)));
        assert!(!budget.spend(later));
        // What is saved up never passes the first bound.
        let much_later = later + Duration::from_secs(3_600);
        assert!((0..GLITCHES).all(|_| budget.spend(much_later)));
        assert!(!budget.spend(much_later));
        assert_eq!(
            budget.total(),
            u64::from(2 * GLITCHES + GLITCHES_PER_SECOND + 3)
        );
    }
}
