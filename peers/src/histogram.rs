//! Latencies, in buckets of about three per cent.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Steps within one power of two, as a power of two.
const STEP_BITS: u32 = 5;
const STEPS: u64 = 1 << STEP_BITS;

/// Reaches to 2^40 ns, some 18 minutes; longer ones count as that.
const BUCKETS: usize = (41 - STEP_BITS as usize) * STEPS as usize;

/// One for all callers: a histogram each would crowd the caches that are being measured.
pub(crate) struct Histogram {
    buckets: Vec<AtomicU32>,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram {
            buckets: (0..BUCKETS).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    pub(crate) fn record(&self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(ns)].fetch_add(1, Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.buckets
            .iter()
            .for_each(|bucket| bucket.store(0, Relaxed));
    }

    /// The latency that `share` of the requests did not exceed, in nanoseconds.
    pub(crate) fn quantile_ns(&self, share: f64) -> f64 {
        let counts = || {
            self.buckets
                .iter()
                .map(|bucket| u64::from(bucket.load(Relaxed)))
        };
        let rank = (counts().sum::<u64>() as f64 * share).ceil();
        let mut seen = 0;
        let reached = |count| {
            seen += count;
            seen as f64 >= rank
        };
        counts()
            .position(reached)
            .map_or(0.0, |bucket| upper_bound(bucket) as f64)
    }
}

/// Below `STEPS` each nanosecond has its bucket; above, each power of two has `STEPS` of them.
fn bucket(ns: u64) -> usize {
    let shift = (ns | STEPS).ilog2() - STEP_BITS;
    let index = u64::from(shift) * STEPS + (ns >> shift);
    (index as usize).min(BUCKETS - 1)
}

fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / STEPS).saturating_sub(1);
    let mantissa = bucket - shift * STEPS;
    ((mantissa + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        for ns in (0..10_000).chain([1 << 20, (1 << 40) - 1]) {
            let bound = upper_bound(bucket(ns));
            assert!(
                ns <= bound && bound as f64 <= ns as f64 * 1.04 + 1.0,
                "{ns}: {bound}"
            );
        }
    }

    #[test]
    fn quantiles_are_found() {
        let histogram = Histogram::new();
        (1..=100).for_each(|us| histogram.record(Duration::from_micros(us)));
        let us = |share| histogram.quantile_ns(share) / 1000.0;
        assert!((us(0.5) - 50.0).abs() < 2.0 && (us(0.99) - 99.0).abs() < 4.0);
    }
}
