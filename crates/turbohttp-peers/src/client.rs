//! One client process: warms up, measures, and prints its [`Sample`] as a line of JSON.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

use crate::alloc;
use crate::args::ClientArgs;
use crate::histogram::Histogram;
use crate::load::{Until, drive};
use crate::machine;
use crate::peers::{Peer, Work};
use crate::sample::Sample;

/// Workers of the multi-thread runtime.
const WORKERS: usize = 2;

/// Runs what the arguments say.
pub(crate) fn run(args: &ClientArgs) -> Result<()> {
    machine::end_with_parent();
    machine::raise_priority();
    if let Some(core) = args.core {
        machine::pin(core);
    }
    let measurement = Measurement::new(args)?;
    let sample = runtime(args)?.block_on(args.peer.measure(&measurement))?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

fn runtime(args: &ClientArgs) -> std::io::Result<Runtime> {
    if args.multi_thread {
        return Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build();
    }
    Builder::new_current_thread().enable_all().build()
}

/// What a peer is to be measured at.
pub(crate) struct Measurement {
    work: Arc<Work>,
    callers: usize,
    warm_up: Option<Until>,
    until: Until,
    counts_allocations: bool,
}

impl Measurement {
    fn new(args: &ClientArgs) -> Result<Measurement> {
        let (warm_up, until) = match args.requests {
            None => {
                let time = Duration::from_secs_f64(args.seconds);
                (Some(Until::Passed(time / 4)), Until::Passed(time))
            }
            // Exactly these, unless allocations are to be those of the steady state.
            Some(requests) => {
                let warm_up = args.count_allocations.then_some(Until::Made(requests));
                (warm_up, Until::Made(requests))
            }
        };
        Ok(Measurement {
            work: Arc::new(Work::new(&args.url, args.scenario)?),
            callers: args.callers.max(1),
            warm_up,
            until,
            counts_allocations: args.count_allocations,
        })
    }

    /// Measures one peer.
    pub(crate) async fn run<P: Peer>(&self) -> Result<Sample> {
        let histogram = Arc::new(Histogram::new());
        let mut callers = P::callers(self.work.clone(), self.callers).await?;
        let rss_before = machine::memory("VmRSS");
        if let Some(warm_up) = self.warm_up {
            (callers, _) = Box::pin(drive(callers, warm_up, &histogram)).await?;
        }
        histogram.clear();
        if self.counts_allocations {
            alloc::start_counting();
        }
        let start = Counters::read();
        let (callers, requests) = Box::pin(drive(callers, self.until, &histogram)).await?;
        let mut sample = Counters::read().since(&start);
        drop(callers);
        sample.requests = requests;
        sample.p50_ns = histogram.quantile_ns(0.50);
        sample.p99_ns = histogram.quantile_ns(0.99);
        sample.rss_peak_bytes = machine::memory("VmHWM");
        sample.rss_growth_bytes = sample.rss_peak_bytes.saturating_sub(rss_before);
        Ok(sample)
    }
}

/// What rises while a process runs.
struct Counters {
    instant: Instant,
    cpu: Duration,
    ticks: (u64, u64),
    allocated: (u64, u64),
}

impl Counters {
    fn read() -> Counters {
        Counters {
            ticks: machine::user_and_system_ticks(),
            allocated: alloc::counted(),
            cpu: machine::cpu_time(),
            instant: Instant::now(),
        }
    }

    fn since(&self, start: &Counters) -> Sample {
        let user = self.ticks.0 - start.ticks.0;
        let ticks = user + self.ticks.1 - start.ticks.1;
        Sample {
            elapsed_ns: (self.instant - start.instant).as_nanos() as u64,
            cpu_ns: (self.cpu - start.cpu).as_nanos() as u64,
            user_share: user as f64 / ticks.max(1) as f64,
            allocations: self.allocated.0 - start.allocated.0,
            allocated_bytes: self.allocated.1 - start.allocated.1,
            ..Sample::default()
        }
    }
}
