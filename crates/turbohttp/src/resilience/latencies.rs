//! How long the answers of one origin take, of late.

use std::time::Duration;

/// log2 of the buckets of one doubling.
const FINE_BITS: u32 = 2;
/// From 1 µs to about an hour.
const BUCKETS: usize = 128;

/// Beyond this many, all counts are halved: what is older weighs less.
const COUNT_MAX: u32 = 1_000;

/// Counts of durations on a logarithmic scale: a percentile is at most a quarter too high.
#[derive(Debug)]
pub(super) struct Latencies {
    counts: Box<[u32; BUCKETS]>,
    count: u32,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies {
            counts: Box::new([0; BUCKETS]),
            count: 0,
        }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, latency: Duration) {
        // Rare and linear: once in some 500 answers, over 128 counts.
        if self.count >= COUNT_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.count = self.counts.iter().sum();
        }
        self.counts[bucket(latency)] += 1;
        self.count += 1;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The time within which this share of the answers came, from 0 to 1.
    pub(super) fn percentile(&self, share: f64) -> Duration {
        let rank = (f64::from(self.count) * share).ceil().max(1.0) as u32;
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        upper_end(found.unwrap_or(BUCKETS - 1))
    }
}

fn bucket(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let fine = 1 << FINE_BITS;
    if micros < fine {
        return micros as usize;
    }
    let shift = micros.ilog2() - FINE_BITS;
    ((shift as usize) * fine as usize + (micros >> shift) as usize).min(BUCKETS - 1)
}

fn upper_end(bucket: usize) -> Duration {
    let fine = 1_usize << FINE_BITS;
    if bucket < 2 * fine {
        return Duration::from_micros(bucket as u64 + 1);
    }
    let shift = bucket / fine - 1;
    Duration::from_micros(((fine + bucket % fine + 1) as u64) << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_at_most_a_quarter_too_high() {
        for micros in [1_u64, 3, 17, 1_000, 123_456, 60_000_000] {
            let mut latencies = Latencies::default();
            let latency = Duration::from_micros(micros);
            latencies.add(latency);
            let found = latencies.percentile(0.95);
            assert!(
                found > latency && found <= latency * 5 / 4 + Duration::from_micros(1),
                "{micros}: {found:?}"
            );
        }
        let mut latencies = Latencies::default();
        (1..=100).for_each(|ms| latencies.add(Duration::from_millis(ms)));
        let found = latencies.percentile(0.95).as_millis();
        assert!((95..=119).contains(&found), "{found}");
    }

    #[test]
    fn what_is_new_weighs_more_and_nothing_grows() {
        let mut latencies = Latencies::default();
        (0..10_000).for_each(|_| latencies.add(Duration::from_millis(10)));
        (0..2_000).for_each(|_| latencies.add(Duration::from_secs(1)));
        assert!(latencies.count() <= COUNT_MAX);
        assert!(latencies.percentile(0.5) > Duration::from_millis(900));
        latencies.add(Duration::MAX);
        latencies.add(Duration::ZERO);
    }
}
