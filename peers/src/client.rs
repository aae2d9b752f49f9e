//! One client process: warms up, measures, and prints its [`Sample`] as a line of JSON.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::alloc;
use crate::args::ClientArgs;
use crate::histogram::Histogram;
use crate::load::Until;
use crate::machine;
use crate::peers::{Setup, Work, wrk};
use crate::sample::Sample;

/// Runs what the arguments say.
pub(crate) fn run(args: &ClientArgs) -> Result<()> {
    machine::end_with_parent();
    machine::raise_priority();
    if let Some(core) = args.core {
        machine::pin(core);
    }
    println!("{}", serde_json::to_string(&measure(args)?)?);
    Ok(())
}

fn measure(args: &ClientArgs) -> Result<Sample> {
    let work = Work::new(&args.url, args.scenario, args.root_pem.as_deref())?;
    let callers = args.callers.max(1);
    if args.peer.is_external() {
        ensure!(args.requests.is_none(), "wrk runs for a time");
        return wrk::measure(&work, callers, args.seconds);
    }
    let setup = Setup {
        work: Arc::new(work),
        callers,
        multi_thread: args.multi_thread,
    };
    let histogram = Arc::new(Histogram::new());
    let mut load = args.peer.load(&setup)?;
    let rss_idle = machine::memory("VmRSS");
    let (warm_up, until) = times(args);
    if let Some(warm_up) = warm_up {
        load.drive(warm_up, &histogram)?;
    }
    histogram.clear();
    if args.count_allocations {
        alloc::start_counting();
    }
    let start = Counters::read();
    let requests = load.drive(until, &histogram)?;
    let mut sample = Counters::read().since(&start);
    sample.requests = requests;
    sample.p50_ns = histogram.quantile_ns(0.50);
    sample.p99_ns = histogram.quantile_ns(0.99);
    sample.rss_peak_bytes = machine::memory("VmHWM");
    sample.rss_growth_bytes = sample.rss_peak_bytes.saturating_sub(rss_idle);
    Ok(sample)
}

/// How long to warm up, and how long to measure.
fn times(args: &ClientArgs) -> (Option<Until>, Until) {
    match args.requests {
        None => {
            let time = Duration::from_secs_f64(args.seconds);
            (Some(Until::Passed(time / 4)), Until::Passed(time))
        }
        // Exactly these, unless allocations are to be those of the steady state.
        Some(requests) => {
            let warm_up = args.count_allocations.then_some(Until::Made(requests));
            (warm_up, Until::Made(requests))
        }
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
