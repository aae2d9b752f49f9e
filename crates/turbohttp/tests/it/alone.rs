//! The parts by themselves, from outside the crate and without a client: pools, limiter, queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use turbohttp::pool::{BufferOptions, BufferPool, ClearPolicy, ObjectPool, Reset};
use turbohttp::{
    Client, ConcurrencyLimiter, Execute, Limits, Middleware, MockReply, MockTransport, Next,
    Priority, QueueOptions, Request, RequestQueue, Response, Result, Shutdown, StatusCode,
    SubmitOptions,
};

/// What a caller would pool.
#[derive(Default)]
struct Scratch {
    words: Vec<String>,
}

impl Reset for Scratch {
    fn reset(&mut self) {
        let Scratch { words } = self;
        words.clear();
    }

    fn is_blank(&self) -> bool {
        self.words.is_empty()
    }
}

/// An object is made on a miss, and comes back blank on a hit.
#[test]
fn objects_are_pooled_without_a_client() {
    let pool = ObjectPool::new(1, Scratch::default).unwrap();
    let mut first = pool.take();
    first.words.push("secret".to_owned());
    drop(first);
    assert_eq!(pool.count(), 1);
    assert!(pool.take().is_blank());
    let both = (pool.take(), pool.take());
    assert_eq!(pool.count(), 0);
    drop(both);
    assert_eq!(pool.count(), 1, "one more than its cap");
}

/// A buffer is the shortest that fits, blank, and of no length that makes no sense.
#[test]
fn buffers_are_pooled_without_a_client() {
    let options = BufferOptions::default().clear(ClearPolicy::Both);
    let pool = BufferPool::new(options).unwrap();
    let mut buffer = pool.take(1_000).unwrap();
    assert_eq!(buffer.len(), 1_024);
    buffer.fill(7);
    drop(buffer);
    let again = pool.take(600).unwrap();
    assert!(again.iter().all(|byte| *byte == 0));
    assert_eq!(pool.stats().reused, 1);
    assert_eq!(pool.take(0).unwrap_err().len_refused(), 0);
    assert!(pool.take(usize::MAX).is_err());
}

/// A limiter as a middleware of the user, in front of any transport.
struct Turnstile(ConcurrencyLimiter);

impl Middleware for Turnstile {
    async fn handle(&self, request: Request, next: Next<'_>) -> Result<Response> {
        let key = request.origin().as_str().to_owned();
        self.0.execute(&key, next.run(request)).await?
    }
}

/// The limiter without a client, and as one of the middlewares that a client is given.
#[tokio::test]
async fn a_limiter_works_in_front_of_anything() {
    let limits = Limits::default().per_host(1);
    let limiter = ConcurrencyLimiter::new(&limits).unwrap();
    let held = limiter
        .acquire("db")
        .priority(Priority::High)
        .await
        .unwrap();
    assert!(limiter.try_acquire("db").is_err());
    drop(held);
    let mock = MockTransport::new(MockReply::new(StatusCode::OK));
    let turnstile = Turnstile(limiter.clone());
    let client = Client::builder().with(turnstile).transport(mock.clone());
    let client = client.build().unwrap();
    client.get("http://a/").send().await.unwrap();
    assert_eq!((mock.stats().entered, limiter.stats().running_peak), (1, 1));
    assert!(limiter.audit().is_idle());
}

struct Counter(Arc<AtomicUsize>);

impl Execute for Counter {
    type Job = usize;
    type Output = usize;

    async fn execute(&self, step: usize) -> Result<usize> {
        Ok(self.0.fetch_add(step, Ordering::SeqCst) + step)
    }
}

/// The queue in front of an executor that knows nothing of HTTP.
#[tokio::test]
async fn a_queue_works_without_a_client() {
    let count = Arc::new(AtomicUsize::new(0));
    let options = QueueOptions::default().workers(1);
    let queue = RequestQueue::with_executor(Counter(count.clone()), options).unwrap();
    let low = queue.try_submit(1).unwrap();
    let options = SubmitOptions::default().priority(Priority::Critical);
    let urgent = queue.try_submit_with(10, options).unwrap();
    queue.start().unwrap();
    assert_eq!((urgent.await.unwrap(), low.await.unwrap()), (10, 11));
    assert_eq!(queue.stop(Shutdown::default()).await.accepted, 0);
}
