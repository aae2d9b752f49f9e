//! The queue: order, bounds, starts, stops, tickets, and what the client shares with it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Duration;

use tokio::sync::Semaphore;
use turbohttp::{
    ConcurrencyLimiter, Error, ErrorKind, Execute, Lane, Priority, QueueOptions, RequestQueue,
    Result, SubmitOptions, Ticket,
};

use crate::support::settle;

mod client;
mod order;
mod room;
mod runtime;
mod start;
mod stop;
mod storm;
mod tickets;

/// Panics on purpose say nothing; those of assertions do.
pub(crate) fn silence_expected_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let said = text.or_else(|| payload.downcast_ref::<&str>().copied());
            let said = said.unwrap_or_default();
            let words = ["at once", "later", "dropped", "a waker", "not ready"];
            if !words.iter().any(|word| said.starts_with(word)) {
                hook(info);
            }
        }));
    });
}

/// A waker that does something of its own.
pub(crate) struct Hooked<F: Fn() + Send + Sync + 'static>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> Wake for Hooked<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// What one job does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Done,
    Sleep(Duration),
    Never,
    /// Goes on when there is a permit.
    Gate(Arc<Semaphore>),
    Fail,
    PanicAtOnce,
    PanicLater,
    /// Waits for ever, and panics when it is dropped.
    PanicInDrop,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) act: Act,
    pub(crate) lane: Option<&'static str>,
    /// Counted by tests that look for leaks.
    pub(crate) _held: Arc<()>,
}

/// What the executor has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) log: Mutex<Vec<u64>>,
    pub(crate) entered: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) inside: AtomicUsize,
    pub(crate) peak: AtomicUsize,
    /// Calls of `ready`, and the one that fails, counted from 1.
    pub(crate) readied: AtomicUsize,
    pub(crate) unready: AtomicUsize,
    pub(crate) panics_when_unready: AtomicU64,
    pub(crate) held: Arc<()>,
}

pub(crate) struct Worker(pub(crate) Arc<Seen>);

struct Inside(Arc<Seen>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, SeqCst);
    }
}

struct PanicInDrop;

impl Drop for PanicInDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Execute for Worker {
    type Job = Job;
    type Output = u64;

    fn execute(&self, job: Job) -> impl Future<Output = Result<u64>> + Send {
        let seen = self.0.clone();
        seen.entered.fetch_add(1, SeqCst);
        seen.log.lock().unwrap().push(job.id);
        if matches!(job.act, Act::PanicAtOnce) {
            panic!("at once {}", job.id);
        }
        let now = seen.inside.fetch_add(1, SeqCst) + 1;
        seen.peak.fetch_max(now, SeqCst);
        let inside = Inside(seen.clone());
        async move {
            let (_inside, job) = (inside, job);
            match &job.act {
                Act::Done | Act::PanicAtOnce => {}
                Act::Sleep(time) => tokio::time::sleep(*time).await,
                Act::Never => pending().await,
                Act::Gate(gate) => gate.acquire().await.unwrap().forget(),
                Act::Fail => {
                    let source = std::io::Error::other(format!("source {}", job.id));
                    return Err(Error::new(ErrorKind::Transport, "failed").with_source(source));
                }
                Act::PanicLater => {
                    tokio::task::yield_now().await;
                    panic!("later {}", job.id);
                }
                Act::PanicInDrop => {
                    let _bomb = PanicInDrop;
                    pending().await
                }
            }
            seen.ended.fetch_add(1, SeqCst);
            Ok(job.id)
        }
    }

    fn lane(&self, job: &Job) -> Lane {
        job.lane.map_or(Lane::ALL, Lane::new)
    }

    fn ready(&self, _worker: usize) -> Result<()> {
        let call = self.0.readied.fetch_add(1, SeqCst) + 1;
        if call != self.0.unready.load(SeqCst) {
            return Ok(());
        }
        assert_eq!(
            self.0.panics_when_unready.load(SeqCst),
            0,
            "not ready at all"
        );
        Err(Error::new(ErrorKind::Transport, "not ready"))
    }
}

/// A queue under test, with what its executor has seen.
pub(crate) struct Bed {
    pub(crate) queue: RequestQueue<Worker>,
    pub(crate) seen: Arc<Seen>,
}

impl Bed {
    pub(crate) fn new(options: QueueOptions) -> Bed {
        let seen = Arc::new(Seen::default());
        let queue = RequestQueue::with_executor(Worker(seen.clone()), options).unwrap();
        Bed { queue, seen }
    }

    pub(crate) fn workers(workers: usize) -> Bed {
        Bed::new(QueueOptions::default().workers(workers))
    }

    pub(crate) fn job(&self, id: u64, act: Act) -> Job {
        Job {
            id,
            act,
            lane: None,
            _held: self.seen.held.clone(),
        }
    }

    #[track_caller]
    pub(crate) fn put(&self, id: u64, act: Act) -> Ticket<u64> {
        self.queue.try_submit(self.job(id, act)).unwrap()
    }

    #[track_caller]
    pub(crate) fn put_at(&self, priority: Priority, id: u64, act: Act) -> Ticket<u64> {
        let options = SubmitOptions::default().priority(priority);
        self.queue
            .try_submit_with(self.job(id, act), options)
            .unwrap()
    }

    pub(crate) fn entered(&self) -> usize {
        self.seen.entered.load(SeqCst)
    }

    pub(crate) fn log(&self) -> Vec<u64> {
        self.seen.log.lock().unwrap().clone()
    }

    /// Jobs that exist, wherever they are.
    pub(crate) fn jobs_alive(&self) -> usize {
        // One is that of `Seen` itself.
        Arc::strong_count(&self.seen.held) - 1
    }
}

/// Nothing is out: no permit, no call, no deadline.
#[track_caller]
pub(crate) fn assert_quiet(limiter: &ConcurrencyLimiter) {
    let audit = limiter.audit();
    assert!(audit.is_idle(), "{audit:?}");
}

pub(crate) async fn expect_quiet(limiter: &ConcurrencyLimiter) {
    settle().await;
    for _ in 0..10_000 {
        if limiter.audit().is_idle() {
            return;
        }
        // Another thread may be about to finish.
        tokio::task::yield_now().await;
    }
    assert_quiet(limiter);
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// How many tickets ended in which way; `None` stands for success.
pub(crate) fn tally(tickets: &mut [Ticket<u64>]) -> BTreeMap<Option<&'static str>, usize> {
    let mut tally = BTreeMap::new();
    for ticket in tickets {
        let result = ticket.try_result().expect("its outcome is not there");
        *tally
            .entry(result.err().map(|error| error.kind().name()))
            .or_default() += 1;
    }
    tally
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The tasks of the current runtime that are alive, this one not counted.
pub(crate) fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}
