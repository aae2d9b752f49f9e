//! Lines that were read and have not started.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::line::{Job, Priority};

/// The most lines that wait: enough to choose among by priority, and a bound of what they hold.
/// Beyond it, no further line is read.
pub(crate) const WAITING_LINES_MAX: usize = 512;

/// A job and the line it came from.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) line: u64,
    pub(crate) weight: u64,
    pub(crate) job: Job,
}

/// Gives out the highest priority first, and the order of lines within one.
#[derive(Default)]
pub(crate) struct Waiting(BinaryHeap<Entry>);

impl Waiting {
    /// Whether another line may be read.
    pub(crate) fn has_room(&self) -> bool {
        self.0.len() < WAITING_LINES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn push(&mut self, waiter: Waiter) {
        debug_assert!(self.has_room(), "the engine asks before it reads a line");
        self.0.push(Entry(waiter));
    }

    pub(crate) fn pop(&mut self) -> Option<Waiter> {
        self.0.pop().map(|entry| entry.0)
    }
}

struct Entry(Waiter);

impl Entry {
    fn rank(&self) -> (Priority, Reverse<u64>) {
        (self.0.job.priority, Reverse(self.0.line))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::super::line::{Rules, parse};
    use super::{Waiter, Waiting};

    #[test]
    fn higher_priorities_come_first_and_lines_in_order() {
        let mut waiting = Waiting::default();
        let priorities = ["low", "normal", "critical", "normal", "high", "critical"];
        for (line, priority) in (1..).zip(priorities) {
            let text = format!(r#"{{"url":"http://h/","priority":"{priority}"}}"#);
            let job = parse(line, text.as_bytes(), &Rules::default())
                .unwrap()
                .unwrap();
            waiting.push(Waiter {
                line,
                weight: 0,
                job,
            });
        }
        let order: Vec<u64> = std::iter::from_fn(|| waiting.pop())
            .map(|w| w.line)
            .collect();
        assert_eq!(order, [3, 6, 5, 2, 4, 1]);
    }
}
