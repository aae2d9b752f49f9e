//! Latencies in a fixed number of buckets.
//!
//! # Implementation
//!
//! Each doubling is cut into 32 equal buckets, so that a quantile is at most 1/32 (3 %) too high,
//! whatever the scale, and any number of values takes the same 15 KiB.

use std::time::Duration;

/// log2 of the buckets of one doubling.
const FINE_BITS: u32 = 5;
const FINE: usize = 1 << FINE_BITS;
const BUCKETS: usize = (u64::BITS - FINE_BITS + 1) as usize * FINE;

/// Counts of durations, in nanoseconds on a logarithmic scale.
pub(crate) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            max_ns: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub(crate) fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The upper end of the bucket that holds the value at this share of all, from 0 to 1.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_end(index).min(self.max_ns));
            }
        }
        self.max()
    }
}

fn bucket(ns: u64) -> usize {
    if ns < FINE as u64 {
        return ns as usize;
    }
    let shift = ns.ilog2() - FINE_BITS;
    (shift as usize) * FINE + (ns >> shift) as usize
}

fn upper_end(bucket: usize) -> u64 {
    if bucket < 2 * FINE {
        return bucket as u64;
    }
    let shift = bucket / FINE - 1;
    let first = ((FINE + bucket % FINE) as u64) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BUCKETS, Histogram, bucket, upper_end};

    #[test]
    fn every_value_lies_within_its_bucket() {
        for bits in 0..64 {
            for ns in [(1u64 << bits) - 1, 1 << bits, (1 << bits) + (1 << bits) / 3] {
                let index = bucket(ns);
                assert!(index < BUCKETS, "{ns}");
                assert!(upper_end(index) >= ns, "{ns}");
                assert!(index == 0 || upper_end(index - 1) < ns, "{ns}");
                assert!(upper_end(index) - ns <= ns / 32, "{ns}");
            }
        }
        assert_eq!(upper_end(bucket(u64::MAX)), u64::MAX);
    }

    #[test]
    fn quantiles_are_close_and_never_above_the_maximum() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), Duration::ZERO);
        for us in 1..=1000 {
            histogram.add(Duration::from_micros(us));
        }
        let p50 = histogram.quantile(0.5).as_micros();
        assert!((500..=516).contains(&p50), "{p50}");
        assert_eq!(histogram.quantile(1.0), Duration::from_micros(1000));
        assert_eq!(histogram.max(), Duration::from_micros(1000));
    }
}
