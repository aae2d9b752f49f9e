//! The scheduler alone, in front of anything.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use turbohttp_core::scheduler::{Scheduler, SchedulerAudit, SchedulerStats};

mod acquire;
mod execute;
mod key;
mod lane;

pub use acquire::{Acquire, Permit};
pub use lane::LimiterLane;

use acquire::try_acquire;
use execute::{Named, run};
use key::Keys;
use lane::Handle;

use crate::clock;
use crate::config::Limits;
use crate::error::Result;
use crate::scheduler::{CloseReport, Dispatcher, Shutdown};

/// Limits how much async work runs at once: per key and in total, the urgent first.
///
/// The scheduler that a [`Client`](crate::Client) has inside, for whatever you call. A key is any text;
/// work of one key never holds up work of another. A clone is the same limiter.
///
/// The limiter of a client ([`Client::limiter`](crate::Client::limiter)) has origins for keys. Its
/// methods take an [`Origin`](crate::Origin) or any URL of it, in any spelling, and refuse other text
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
    dispatcher: Arc<Dispatcher>,
    keys: Keys,
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
            dispatcher: Dispatcher::new(limits.rules())?,
            keys: Keys::Texts,
        })
    }

    /// The limiter of an executor's queue, whose keys are any text.
    pub(crate) fn of_texts(dispatcher: Arc<Dispatcher>) -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            dispatcher,
            keys: Keys::Texts,
        }
    }

    /// The limiter of a client, whose keys are origins.
    pub(crate) fn of_origins(dispatcher: Arc<Dispatcher>) -> ConcurrencyLimiter {
        ConcurrencyLimiter {
            dispatcher,
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
        Acquire::new(&self.dispatcher, self.keys.read(key.as_ref()))
    }

    /// Takes a permit of `key` if one is free.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`](crate::ErrorKind) if it would have to wait,
    /// [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn try_acquire(&self, key: impl AsRef<str>) -> Result<Permit> {
        try_acquire(&self.dispatcher, self.keys.read(key.as_ref())?.lane())
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
            dispatcher: &self.dispatcher,
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
        let lane = self
            .dispatcher
            .update(|scheduler, _| scheduler.pin(key.lane()))?;
        Ok(LimiterLane(Arc::new(Handle {
            dispatcher: self.dispatcher.clone(),
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
        Ok(self.dispatcher.update(|scheduler, effects| {
            scheduler.pause(key.lane(), until, clock::now(), effects)
        })?)
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
        Ok(self.dispatcher.update(|scheduler, effects| {
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
            .dispatcher
            .update(|scheduler, effects| scheduler.set_per_lane(limit, clock::now(), effects))?)
    }

    /// Changes the total limit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if it is out of bounds.
    pub fn set_total(&self, limit: usize) -> Result<()> {
        Ok(self
            .dispatcher
            .update(|scheduler, effects| scheduler.set_total(limit, clock::now(), effects))?)
    }

    /// What is out right now.
    pub fn audit(&self) -> SchedulerAudit {
        self.dispatcher.read(Scheduler::audit)
    }

    /// What has happened so far.
    pub fn stats(&self) -> SchedulerStats {
        self.dispatcher.read(Scheduler::stats)
    }

    /// Closes the limiter and waits until the permits are home, or the time of `mode` is up. Idempotent:
    /// all callers get the same report. A permit that is still out then keeps working, but nobody
    /// waits for it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the close.
    pub async fn close(&self, mode: Shutdown) -> CloseReport {
        self.dispatcher.close(mode).await
    }
}

impl fmt::Debug for ConcurrencyLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimiter")
            .field("audit", &self.audit())
            .finish()
    }
}
