//! The scheduler alone, in front of anything.

use std::fmt;
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use turbohttp_core::origin::Origin;
use turbohttp_core::scheduler::{
    Ask, LaneKey, Outcome, PermitId, PinnedLane, Priority, Refusal, Scheduler, SchedulerAudit,
    SchedulerStats,
};

use crate::clock;
use crate::config::Limits;
use crate::error::{Error, Result};
use crate::scheduler::{CloseReport, Dispatcher, PermitGuard, PermitWait, Shutdown};
use crate::url::origin_of;

/// Limits how much async work runs at once: per key and in total, the urgent first.
///
/// The scheduler that a [`Client`](crate::Client) has inside, for whatever you call. A key is any text;
/// work of one key never holds up work of another. A clone is the same limiter.
///
/// The limiter of a client ([`Client::limiter`](crate::Client::limiter)) has origins for keys. Its
/// methods take an [`Origin`] or any URL of it, in any spelling, and refuse other text
/// with [`ErrorKind::Url`](crate::ErrorKind): no key is silently another one's.
///
/// ```
/// # async fn run() -> turbohttp::Result<()> {
/// use turbohttp::{ConcurrencyLimiter, Limits, Priority};
///
/// let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(2).total(8))?;
/// let answer = limiter.execute("db-1", async { 42 }).await?;
/// assert_eq!(answer, 42);
///
/// let permit = limiter.acquire("db-1").priority(Priority::High).await?;
/// drop(permit); // the next one may go on
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Clone)]
pub struct ConcurrencyLimiter {
    control: Arc<Dispatcher>,
    keys: Keys,
}

/// What the keys of a limiter are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// Any text, as it is.
    Texts,
    /// Origins, by their normal form.
    Origins,
}

/// A key as the scheduler knows it.
#[derive(Debug)]
enum Key<'a> {
    Text(&'a str),
    Origin(Origin),
}

impl Key<'_> {
    #[inline]
    fn lane(&self) -> LaneKey<'_> {
        match self {
            Key::Text(text) => LaneKey::new(text),
            Key::Origin(origin) => LaneKey::from(origin),
        }
    }
}

impl Keys {
    #[inline]
    fn read(self, text: &str) -> Result<Key<'_>> {
        match self {
            Keys::Texts => Ok(Key::Text(text)),
            Keys::Origins => origin_of(text).map(Key::Origin),
        }
    }
}

impl ConcurrencyLimiter {
    /// A limiter with these limits; of [`Limits`] it heeds `per_host`, `total`, `waiting`,
    /// `waiting_per_host`, `idle_hosts`, `ageing` and `reserve`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) naming the limit that is out of bounds.
    pub fn new(limits: &Limits) -> Result<ConcurrencyLimiter> {
        Ok(ConcurrencyLimiter {
            control: Dispatcher::new(limits.rules())?,
            keys: Keys::Texts,
        })
    }

    /// The limiter of an executor's queue, whose keys are any text.
    pub(crate) fn of_texts(control: Arc<Dispatcher>) -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            control,
            keys: Keys::Texts,
        }
    }

    /// The limiter of a client, whose keys are origins.
    pub(crate) fn of_origins(control: Arc<Dispatcher>) -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            control,
            keys: Keys::Origins,
        }
    }

    /// Waits for a permit of `key`. Nothing happens before the future is polled.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind), [`ErrorKind::Full`](crate::ErrorKind), and
    /// [`ErrorKind::Timeout`](crate::ErrorKind) with [`within`](Acquire::within).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place in line; a permit that had been granted to it already goes
    /// to the next. A future that is not polled when its turn comes loses the grant after a while and
    /// keeps its place: nobody behind it is held up.
    pub fn acquire<'a>(&'a self, key: &'a (impl AsRef<str> + ?Sized)) -> Acquire<'a> {
        Acquire::new(&self.control, self.keys.read(key.as_ref()))
    }

    /// Takes a permit of `key` if one is free.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`](crate::ErrorKind) if it would have to wait,
    /// [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn try_acquire(&self, key: impl AsRef<str>) -> Result<Permit> {
        try_take(&self.control, self.keys.read(key.as_ref())?.lane())
    }

    /// Runs `work` with a permit of `key`, which is given back when the work is over, however it ends.
    ///
    /// # Errors
    ///
    /// As [`acquire`](ConcurrencyLimiter::acquire); what the work itself returns is not looked at.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](ConcurrencyLimiter::acquire) while it waits; afterwards, as safe as `work`.
    pub async fn execute<F: Future>(&self, key: impl AsRef<str>, work: F) -> Result<F::Output> {
        let key = self.keys.read(key.as_ref())?;
        let named = Named {
            control: &self.control,
            key: &key,
        };
        run(named, work).await
    }

    /// A handle of one key, for whoever uses it again and again: the key is looked up once, and is kept
    /// in mind as long as the handle lives.
    ///
    /// ```
    /// # async fn run() -> turbohttp::Result<()> {
    /// # use turbohttp::{ConcurrencyLimiter, Limits};
    /// let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(2))?;
    /// let database = limiter.lane("db-1")?;
    /// for query in 0..3 {
    ///     let answer = database.execute(async move { query + 1 }).await?;
    ///     assert_eq!(answer, query + 1);
    /// }
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`](crate::ErrorKind) if there are handles of 4,096 other keys.
    pub fn lane(&self, key: impl AsRef<str>) -> Result<LimiterLane> {
        let key = self.keys.read(key.as_ref())?;
        let lane = self.control.act(|scheduler, _| scheduler.pin(key.lane()))?;
        Ok(LimiterLane(Arc::new(Handle {
            control: self.control.clone(),
            lane,
        })))
    }

    /// Grants no permit of `key` before `until`. A later call replaces an earlier one; an instant of
    /// the past ends the pause. What runs goes on.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`](crate::ErrorKind) if too many keys are paused already.
    pub fn pause(&self, key: impl AsRef<str>, until: Instant) -> Result<()> {
        let key = self.keys.read(key.as_ref())?;
        Ok(self
            .control
            .act(|scheduler, effects| scheduler.pause(key.lane(), until, clock::now(), effects))?)
    }

    /// Gives `key` a limit of its own from now on, or, with `None`, that of all again. What runs is
    /// not interrupted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) for 0 and for more than a limit may be,
    /// [`ErrorKind::Full`](crate::ErrorKind) if too many keys have one of their own.
    pub fn set_limit(&self, key: impl AsRef<str>, limit: Option<usize>) -> Result<()> {
        let key = self.keys.read(key.as_ref())?;
        Ok(self.control.act(|scheduler, effects| {
            scheduler.set_lane_limit(key.lane(), limit, clock::now(), effects)
        })?)
    }

    /// Changes the limit of every key that has none of its own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if it is out of bounds.
    pub fn set_per_host(&self, limit: usize) -> Result<()> {
        Ok(self
            .control
            .act(|scheduler, effects| scheduler.set_per_lane(limit, clock::now(), effects))?)
    }

    /// Changes the total limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if it is out of bounds.
    pub fn set_total(&self, limit: usize) -> Result<()> {
        Ok(self
            .control
            .act(|scheduler, effects| scheduler.set_total(limit, clock::now(), effects))?)
    }

    /// What is out right now.
    pub fn audit(&self) -> SchedulerAudit {
        self.control.look(Scheduler::audit)
    }

    /// What has happened so far.
    pub fn stats(&self) -> SchedulerStats {
        self.control.look(Scheduler::stats)
    }

    /// Closes the limiter and waits until the permits are home, or the time of `mode` is up. Idempotent:
    /// all callers get the same report. A permit that is still out then keeps working, but nobody
    /// waits for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the close.
    pub async fn close(&self, mode: Shutdown) -> CloseReport {
        self.control.close(mode).await
    }
}

impl fmt::Debug for ConcurrencyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimiter")
            .field("audit", &self.audit())
            .finish()
    }
}

/// Where a permit is asked for: a limiter and a key of it, in the smallest form to carry along.
trait Counter: Copy {
    fn control(&self) -> &Dispatcher;

    fn key(&self) -> LaneKey<'_>;
}

/// A key by its text.
#[derive(Clone, Copy)]
struct Named<'a, 'k> {
    control: &'a Dispatcher,
    key: &'a Key<'k>,
}

impl Counter for Named<'_, '_> {
    fn control(&self) -> &Dispatcher {
        self.control
    }

    fn key(&self) -> LaneKey<'_> {
        self.key.lane()
    }
}

impl Counter for &Handle {
    fn control(&self) -> &Dispatcher {
        &self.control
    }

    fn key(&self) -> LaneKey<'_> {
        self.lane.key()
    }
}

/// Runs `work` with a permit.
async fn run<F: Future>(counter: impl Counter, work: F) -> Result<F::Output> {
    let control = counter.control();
    // Where others wait, a free permit is not to be expected.
    let free = match control.seems_contended() {
        true => None,
        false => control.try_take(counter.key(), Priority::default()),
    };
    let permit = match free {
        Some(permit) => permit,
        None => {
            let mut wait = None;
            poll_fn(|cx| poll_line(&counter, &mut wait, cx)).await?
        }
    };
    let mut permit = PermitGuard::new(control, permit);
    // Unless it comes to its end.
    permit.outcome = Outcome::Canceled;
    let output = work.await;
    permit.outcome = Outcome::Completed;
    permit.give_back();
    Ok(output)
}

/// Takes a place in line, and the permit when it has come.
#[inline]
fn poll_line<'a>(
    counter: &'a impl Counter,
    wait: &mut Option<PermitWait<&'a Dispatcher>>,
    cx: &TaskContext<'_>,
) -> Poll<Result<PermitId>> {
    if let Some(wait) = wait {
        return wait.poll(cx);
    }
    let ask = Ask {
        lane: counter.key(),
        priority: Priority::default(),
        deadline: None,
    };
    match Dispatcher::take_or_line_up(counter.control(), ask, cx) {
        Ok(Ok(permit)) => Poll::Ready(Ok(permit)),
        Ok(Err(place)) => {
            *wait = Some(place);
            Poll::Pending
        }
        Err(refusal) => Poll::Ready(Err(Error::refused(refusal))),
    }
}

fn try_take(control: &Arc<Dispatcher>, key: LaneKey<'_>) -> Result<Permit> {
    match control.try_take(key, Priority::default()) {
        Some(permit) => Ok(Permit(PermitGuard::new(Shared(control.clone()), permit))),
        None if control.is_closed() => Err(Error::refused(Refusal::Closed)),
        None => Err(Error::refused(Refusal::Busy)),
    }
}

/// One key of a [`ConcurrencyLimiter`], looked up once; made by [`ConcurrencyLimiter::lane`].
///
/// A clone is a handle of the same key.
#[derive(Clone)]
pub struct LimiterLane(Arc<Handle>);

struct Handle {
    control: Arc<Dispatcher>,
    lane: PinnedLane,
}

impl LimiterLane {
    /// As [`ConcurrencyLimiter::acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::of_lane(&self.0.control, self.key())
    }

    /// As [`ConcurrencyLimiter::try_acquire`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_acquire(&self) -> Result<Permit> {
        try_take(&self.0.control, self.key())
    }

    /// As [`ConcurrencyLimiter::execute`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub fn execute<F: Future>(&self, work: F) -> impl Future<Output = Result<F::Output>> {
        run(&*self.0, work)
    }

    #[inline]
    fn key(&self) -> LaneKey<'_> {
        self.0.lane.key()
    }
}

impl fmt::Debug for LimiterLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LimiterLane")
            .field(&self.key().text())
            .finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.control.act(|scheduler, _| scheduler.unpin(&self.lane));
    }
}

/// The scheduler of a permit that may outlive its limiter.
#[derive(Clone)]
struct Shared(Arc<Dispatcher>);

impl Deref for Shared {
    type Target = Dispatcher;

    fn deref(&self) -> &Dispatcher {
        &self.0
    }
}

/// The right to run one piece of work; given back when it is dropped.
#[must_use = "a permit that is dropped at once limits nothing"]
pub struct Permit(PermitGuard<Shared>);

impl Permit {
    /// Gives the permit back and says that the work failed, for the report of a close; a permit that
    /// is merely dropped counts as completed.
    pub fn failed(mut self) {
        self.0.outcome = Outcome::Failed;
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

/// Waits for a permit; made by [`ConcurrencyLimiter::acquire`].
#[must_use = "futures do nothing unless polled"]
pub struct Acquire<'a> {
    control: &'a Arc<Dispatcher>,
    key: AcquireKey<'a>,
    priority: Priority,
    within: Option<Duration>,
    /// The place in line, if it had to take one.
    wait: Option<PermitWait<Shared>>,
}

/// Where a permit is waited for.
enum AcquireKey<'a> {
    Lane(LaneKey<'a>),
    Origin(Origin),
    /// Text that is no key of this limiter; the error is taken when it is returned.
    Wrong(Option<Error>),
}

impl<'a> Acquire<'a> {
    fn of_lane(control: &'a Arc<Dispatcher>, lane: LaneKey<'a>) -> Acquire<'a> {
        Acquire::at(control, AcquireKey::Lane(lane))
    }

    fn new(control: &'a Arc<Dispatcher>, key: Result<Key<'a>>) -> Acquire<'a> {
        Acquire::at(
            control,
            match key {
                Ok(Key::Text(text)) => AcquireKey::Lane(LaneKey::new(text)),
                Ok(Key::Origin(origin)) => AcquireKey::Origin(origin),
                Err(error) => AcquireKey::Wrong(Some(error)),
            },
        )
    }

    fn at(control: &'a Arc<Dispatcher>, key: AcquireKey<'a>) -> Acquire<'a> {
        Acquire {
            control,
            key,
            priority: Priority::default(),
            within: None,
            wait: None,
        }
    }

    /// Sets how urgent it is.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Sets how long to wait at most, from the first poll.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Takes a permit or a place in line.
    fn ask(&mut self, cx: &TaskContext<'_>) -> Result<Option<PermitId>> {
        let control = self.control;
        let lane = match &mut self.key {
            AcquireKey::Lane(lane) => *lane,
            AcquireKey::Origin(origin) => LaneKey::from(&*origin),
            AcquireKey::Wrong(error) => {
                return Err(error.take().expect("not polled after it was ready"));
            }
        };
        // Where others wait, a free permit is not to be expected.
        if !control.seems_contended()
            && let Some(permit) = control.try_take(lane, self.priority)
        {
            return Ok(Some(permit));
        }
        let ask = Ask {
            lane,
            priority: self.priority,
            deadline: self.within.map(|limit| clock::after(clock::now(), limit)),
        };
        match Dispatcher::take_or_line_up(Shared(control.clone()), ask, cx) {
            Ok(Ok(permit)) => Ok(Some(permit)),
            Ok(Err(wait)) => {
                self.wait = Some(wait);
                if self.within.is_some() {
                    control.keep_time();
                }
                Ok(None)
            }
            Err(refusal) => Err(Error::refused(refusal)),
        }
    }
}

impl Future for Acquire<'_> {
    type Output = Result<Permit>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Result<Permit>> {
        let permit = match &mut self.wait {
            Some(wait) => std::task::ready!(wait.poll(cx)).map(Some),
            None => self.ask(cx),
        };
        match permit {
            Ok(Some(permit)) => {
                let control = Shared(self.control.clone());
                Poll::Ready(Ok(Permit(PermitGuard::new(control, permit))))
            }
            // In line; the waker is known.
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").finish_non_exhaustive()
    }
}
