//! The dispatcher alone, in front of any async work.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use turbohttp_core::scheduler::{Rate, Scheduler, SchedulerAudit, SchedulerStats};

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

/// Limits how much async work runs at once, per key and in total, and admits it by priority.
///
/// It is the scheduler of a [`Client`](crate::Client) without the client. A key is any text, and work of
/// one key never delays work of another. A clone is a handle of the same limiter.
///
/// The limiter of a client ([`Client::limiter`](crate::Client::limiter)) has origins for keys. Its
/// methods take an [`Origin`](crate::Origin) or any URL of one, in any spelling (`http://a.test`,
/// `HTTP://A.test:80/x`), and refuse other text with [`ErrorKind::Url`](crate::ErrorKind): a misspelled
/// key is an error, not a key that matches nothing.
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
/// drop(permit); // releases it
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
    /// A limiter with these limits. It uses `per_host`, `total`, `waiting`, `waiting_per_host`,
    /// `idle_hosts`, `ageing`, `reserve` and `rate_per_host` of [`Limits`]; a host is a key here.
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

    /// Waits for a permit of `key`. The future takes its place in line when it is polled first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`](crate::ErrorKind), [`ErrorKind::Full`](crate::ErrorKind) if as many wait as
    /// may, [`ErrorKind::Timeout`](crate::ErrorKind) with [`within`](Acquire::within), and
    /// [`ErrorKind::Url`](crate::ErrorKind) for a key that is no origin, of the limiter of a client.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; a permit that was granted to it goes to the next waiter. A
    /// future that is not polled when its turn comes loses the grant after 100 to 200 ms and keeps its
    /// place in line, so it delays no other waiter for longer.
    pub fn acquire<'a>(&'a self, key: &'a (impl AsRef<str> + ?Sized)) -> Acquire<'a> {
        // A key that names no origin is an error of the future: the call itself cannot fail.
        Acquire::new(&self.dispatcher, self.keys.read(key.as_ref()))
    }

    /// Takes a permit of `key` if one is free. Does not wait.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Busy`](crate::ErrorKind) if it would have to wait,
    /// [`ErrorKind::Closed`](crate::ErrorKind), [`ErrorKind::Url`](crate::ErrorKind) for a key that is no
    /// origin, of the limiter of a client.
    pub fn try_acquire(&self, key: impl AsRef<str>) -> Result<Permit> {
        try_acquire(&self.dispatcher, self.keys.read(key.as_ref())?.lane())
    }

    /// Runs `work` with a permit of `key`, and releases the permit when the work has returned, panicked or
    /// been dropped.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](ConcurrencyLimiter::acquire), without a timeout. The output of the work is
    /// returned as it is, an error inside it included.
    ///
    /// # Cancel safety
    ///
    /// That of [`acquire`](ConcurrencyLimiter::acquire) while it waits; then that of `work`.
    pub async fn execute<F: Future>(&self, key: impl AsRef<str>, work: F) -> Result<F::Output> {
        let key = self.keys.read(key.as_ref())?;
        // The key lives in this future, so that what is copied into `run` is two references.
        let named = Named {
            dispatcher: &self.dispatcher,
            key: &key,
        };
        run(named, work).await
    }

    /// A handle of one key, for a key that is used often: the key is looked up once, and is not forgotten
    /// as long as the handle lives.
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
    /// [`ErrorKind::Full`](crate::ErrorKind) if there are handles of 4,096 other keys,
    /// [`ErrorKind::Url`](crate::ErrorKind) for a key that is no origin, of the limiter of a client.
    pub fn lane(&self, key: impl AsRef<str>) -> Result<LimiterLane> {
        let key = self.keys.read(key.as_ref())?;
        // Pinned lanes are counted, and `Handle` unpins when the last clone of the lane drops.
        let lane = self
            .dispatcher
            .update(|scheduler, _| scheduler.pin(key.lane()))?;
        Ok(LimiterLane(Arc::new(Handle {
            dispatcher: self.dispatcher.clone(),
            lane,
        })))
    }

    /// Grants no permit of `key` before `until`. A later call replaces an earlier one; an instant in the
    /// past ends the pause. What runs goes on.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use std::time::{Duration, Instant};
    /// use turbohttp::Client;
    ///
    /// let client = Client::new()?;
    /// let until = Instant::now() + Duration::from_secs(2);
    /// client.limiter().pause("https://example.com/any/path", until)?; // pauses https://example.com
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Full`](crate::ErrorKind) if too many keys are paused already,
    /// [`ErrorKind::Url`](crate::ErrorKind) for a key that is no origin, of the limiter of a client.
    pub fn pause(&self, key: impl AsRef<str>, until: Instant) -> Result<()> {
        let key = self.keys.read(key.as_ref())?;
        Ok(self.dispatcher.update(|scheduler, effects| {
            scheduler.pause(key.lane(), until, clock::now(), effects)
        })?)
    }

    /// Gives `key` a limit of its own from now on, or, with `None`, the common one again. What runs is
    /// not interrupted: a lower limit holds as soon as enough permits are released.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) for 0 and for more than 1,048,576,
    /// [`ErrorKind::Full`](crate::ErrorKind) if too many keys have a limit or a rate of their own,
    /// [`ErrorKind::Url`](crate::ErrorKind) for a key that is no origin, of the limiter of a client.
    pub fn set_limit(&self, key: impl AsRef<str>, limit: Option<usize>) -> Result<()> {
        let key = self.keys.read(key.as_ref())?;
        Ok(self.dispatcher.update(|scheduler, effects| {
            scheduler.set_lane_limit(key.lane(), limit, clock::now(), effects)
        })?)
    }

    /// Gives `key` a rate of its own from now on, or, with `None`, the common one again, if there is one.
    /// It holds at once: what waits for a slower rate does not wait for longer than the new one asks for.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use std::time::Duration;
    /// use turbohttp::{Client, Rate};
    ///
    /// let client = Client::new()?;
    /// let rate = Rate::new(100, Duration::from_secs(60)).burst(10);
    /// client.limiter().set_rate("https://api.example.com", Some(rate))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) for a rate out of bounds, see [`Rate`];
    /// [`ErrorKind::Full`](crate::ErrorKind) if too many keys have a limit or a rate of their own,
    /// [`ErrorKind::Url`](crate::ErrorKind) for a key that is no origin, of the limiter of a client.
    pub fn set_rate(&self, key: impl AsRef<str>, rate: Option<Rate>) -> Result<()> {
        let key = self.keys.read(key.as_ref())?;
        Ok(self.dispatcher.update(|scheduler, effects| {
            scheduler.set_lane_rate(key.lane(), rate, clock::now(), effects)
        })?)
    }

    /// Changes the rate of every key that has none of its own; `None` takes it away.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if it is out of bounds.
    pub fn set_rate_per_host(&self, rate: Option<Rate>) -> Result<()> {
        Ok(self
            .dispatcher
            .update(|scheduler, effects| scheduler.set_rate(rate, clock::now(), effects))?)
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

    /// Changes the limit in total.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if it is out of bounds.
    pub fn set_total(&self, limit: usize) -> Result<()> {
        Ok(self
            .dispatcher
            .update(|scheduler, effects| scheduler.set_total(limit, clock::now(), effects))?)
    }

    /// What is in use at this moment: permits, waiters, pauses.
    pub fn audit(&self) -> SchedulerAudit {
        self.dispatcher.read(Scheduler::audit)
    }

    /// Counts since the limiter was made.
    pub fn stats(&self) -> SchedulerStats {
        self.dispatcher.read(Scheduler::stats)
    }

    /// Closes the limiter, and waits until all permits are released or the time of `mode` is up. All
    /// callers get the same report. Work that holds a permit then goes on, and counts as aborted. The
    /// limiter of a client closes the client.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not undo the close. Another call returns the report.
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
