//! What one client process tells of its round.

use serde::{Deserialize, Serialize};

/// The figures of one round, of all requests after the warm-up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) requests: u64,
    pub(crate) elapsed_ns: u64,
    pub(crate) cpu_ns: u64,
    /// The part of `cpu_ns` that was spent in user space, 0 to 1; coarse.
    pub(crate) user_share: f64,
    pub(crate) p50_ns: f64,
    pub(crate) p99_ns: f64,
    /// Counted in a process of its own, since counting costs time.
    pub(crate) allocations: u64,
    pub(crate) allocated_bytes: u64,
    /// The most memory the process held.
    pub(crate) rss_peak_bytes: u64,
    /// How much of it came after client and callers were made: what it takes to work, over idling.
    pub(crate) rss_growth_bytes: u64,
}

impl Sample {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 * 1e9 / self.elapsed_ns.max(1) as f64
    }

    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_ns as f64 / 1e3 / self.requests.max(1) as f64
    }
}

/// The middle value, or the mean of the two middle ones; 0 of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        length if length.is_multiple_of(2) => {
            f64::midpoint(values[length / 2 - 1], values[length / 2])
        }
        length => values[length / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }
}
