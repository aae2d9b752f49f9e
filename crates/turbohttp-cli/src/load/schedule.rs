//! Which request is due when.

use std::time::{Duration, Instant};

/// How many requests are sent, for how long, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    pub(crate) requests: Option<u64>,
    pub(crate) duration: Option<Duration>,
    /// Requests a second; `None` where each caller sends when its last answer is there.
    pub(crate) rate: Option<f64>,
}

impl Schedule {
    /// When the request of this number, from 0, is due; `None` if it is not sent.
    pub(crate) fn due(&self, number: u64, began: Instant, now: Instant) -> Option<Instant> {
        if self.requests.is_some_and(|requests| number >= requests) {
            return None;
        }
        let due = match self.rate {
            // None within the time that the system can tell.
            Some(rate) => {
                let after = Duration::try_from_secs_f64(number as f64 / rate).ok()?;
                began.checked_add(after)?
            }
            None => now,
        };
        match self.end(began) {
            Some(end) if due.max(now) >= end => None,
            _ => Some(due),
        }
    }

    /// How many requests are due within this time from the beginning, where they are due at a rate.
    pub(crate) fn due_within(&self, time: Duration) -> Option<u64> {
        let time = self.duration.map_or(time, |duration| duration.min(time));
        // A number too large for its type is cut to it.
        let due = (time.as_secs_f64() * self.rate?).ceil() as u64;
        Some(self.requests.map_or(due, |requests| requests.min(due)))
    }

    /// When what is under way is dropped.
    pub(crate) fn end(&self, began: Instant) -> Option<Instant> {
        self.duration.map(|duration| began + duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn requests_are_due_at_their_rate_whatever_the_time_is() {
        let began = crate::clock::now();
        let schedule = Schedule {
            requests: Some(11),
            duration: Some(60 * MS),
            rate: Some(100.0),
        };
        let due = |number, now| schedule.due(number, began, now);
        assert_eq!(due(0, began), Some(began));
        assert_eq!(due(5, began), Some(began + 50 * MS));
        assert_eq!(
            due(2, began + 55 * MS),
            Some(began + 20 * MS),
            "late, and still sent"
        );
        assert_eq!(due(2, began + 60 * MS), None, "the time is over");
        assert_eq!(due(6, began), None, "due when it is over");
        assert_eq!(due(11, began), None);
        let within = |time| schedule.due_within(time);
        assert_eq!(
            (within(25 * MS), within(60 * MS), within(600 * MS)),
            (Some(3), Some(6), Some(6))
        );
    }

    #[test]
    fn what_is_due_beyond_all_time_is_not_sent() {
        let began = crate::clock::now();
        for rate in [1e-19, 1e-300, f64::MIN_POSITIVE] {
            let schedule = Schedule {
                requests: None,
                duration: None,
                rate: Some(rate),
            };
            assert_eq!(schedule.due(0, began, began), Some(began));
            assert_eq!(schedule.due(1, began, began), None, "{rate}");
        }
    }

    #[test]
    fn without_a_rate_a_request_is_due_at_once() {
        let began = crate::clock::now();
        let schedule = Schedule {
            requests: Some(2),
            duration: None,
            rate: None,
        };
        assert_eq!(schedule.due(1, began, began + MS), Some(began + MS));
        assert_eq!(schedule.due(2, began, began), None);
    }
}
