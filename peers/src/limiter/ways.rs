//! The ways to limit work that are compared.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Result;
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt};
use turbohttp::{ConcurrencyLimiter, LimiterLane, Limits};

/// Work that is done at once, or after one turn of its task.
pub(super) struct Work {
    pub(super) is_done: bool,
}

impl Future for Work {
    type Output = Result<(), Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.is_done {
            return Poll::Ready(Ok(()));
        }
        self.is_done = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A way to limit work.
pub(super) trait Way: Clone + Send + 'static {
    /// One for each key, with so many permits each.
    fn make(keys: usize, permits: usize) -> Result<Vec<Self>>;

    /// Does the work with a permit.
    fn run(&mut self, work: Work) -> impl Future<Output = Result<()>> + Send;
}

fn key(index: usize) -> Arc<str> {
    format!("http://host-{index}.test:8080").into()
}

/// No limit.
#[derive(Clone)]
pub(super) struct Bare;

impl Way for Bare {
    fn make(keys: usize, _: usize) -> Result<Vec<Self>> {
        Ok(vec![Bare; keys])
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        Ok(work.await?)
    }
}

/// Hands on what it is given.
#[derive(Clone)]
pub(super) struct Doing;

impl Service<Work> for Doing {
    type Response = ();
    type Error = Infallible;
    type Future = Work;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, work: Work) -> Work {
        work
    }
}

/// One service for each key: a limit without keys.
#[derive(Clone)]
pub(super) struct Tower(ConcurrencyLimit<Doing>);

impl Way for Tower {
    fn make(keys: usize, permits: usize) -> Result<Vec<Self>> {
        let make = |_| Tower(ConcurrencyLimit::new(Doing, permits));
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        Ok(self.0.ready().await?.call(work).await?)
    }
}

/// One semaphore for each key.
#[derive(Clone)]
pub(super) struct Semaphores(Arc<Semaphore>);

impl Way for Semaphores {
    fn make(keys: usize, permits: usize) -> Result<Vec<Self>> {
        let make = |_| Semaphores(Arc::new(Semaphore::new(permits)));
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        let _permit = self.0.acquire().await?;
        Ok(work.await?)
    }
}

fn limiter(keys: usize, permits: usize) -> Result<ConcurrencyLimiter> {
    let limits = Limits::default()
        .per_host(permits)
        .total(keys * permits)
        .waiting(1 << 16)
        .waiting_per_host(1 << 16);
    Ok(ConcurrencyLimiter::new(&limits)?)
}

/// One limiter for all keys, asked with the text of the key.
#[derive(Clone)]
pub(super) struct ByKey {
    limiter: ConcurrencyLimiter,
    key: Arc<str>,
}

impl Way for ByKey {
    fn make(keys: usize, permits: usize) -> Result<Vec<Self>> {
        let limiter = limiter(keys, permits)?;
        let make = |index| ByKey {
            limiter: limiter.clone(),
            key: key(index),
        };
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        Ok(self.limiter.execute(&self.key, work).await??)
    }
}

/// One limiter for all keys, with a handle of each.
#[derive(Clone)]
pub(super) struct ByLane(LimiterLane);

impl Way for ByLane {
    fn make(keys: usize, permits: usize) -> Result<Vec<Self>> {
        let limiter = limiter(keys, permits)?;
        let make = |index| Ok(ByLane(limiter.lane(key(index))?));
        (0..keys).map(make).collect()
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        Ok(self.0.execute(work).await??)
    }
}
