//! Where leaks are searched for: clients, a queue and a server, and what silence among them is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use turbohttp::{Client, Limits, QueueOptions, RequestQueue, Response, Result};
use turbohttp_loopback::Server;

use super::mix;
use crate::measure::{crowd, server};
use crate::plant::{Plant, lose};

/// Callers at once.
const CALLERS: u64 = 32;

/// Connections that the client keeps idle: all of them, at every look.
const IDLE: u64 = 8;

/// A look at what is not silent yet, and then a pause: the server has a thread of its own.
const PAUSE: Duration = Duration::from_millis(1);

/// All that takes part.
pub(super) struct Ground {
    pub(super) mock: Client,
    pub(super) network: Client,
    pub(super) queue: RequestQueue,
    pub(super) server: Server,
    quiet_within: Duration,
    /// How the requests ended, so that a report can show that every kind was there.
    seen: Mutex<Seen>,
}

/// How many requests ended in which way.
type Seen = BTreeMap<&'static str, u64>;

impl Ground {
    pub(super) fn new(quiet_within: Duration) -> Result<Arc<Ground>> {
        let mock = Client::builder().transport(mix::mock()).build()?;
        let idle = IDLE as usize;
        let limits = Limits::default().idle_per_origin(idle).idle_total(idle);
        let queue = RequestQueue::new(&mock, QueueOptions::default().workers(8))?;
        queue.start()?;
        let network = Client::builder().limits(limits).build()?;
        Ok(Arc::new(Ground {
            mock,
            network,
            queue,
            server: server()?,
            quiet_within,
            seen: Mutex::default(),
        }))
    }

    /// Sends the first so many requests of the mix, and loses with each what is planted.
    pub(super) async fn send(self: &Arc<Self>, requests: u64, plant: Plant) -> Result<()> {
        let next = Arc::new(AtomicU64::new(0));
        let caller = || {
            let (ground, next) = (self.clone(), next.clone());
            async move {
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= requests {
                        return Ok(());
                    }
                    let end = Box::pin(mix::one(&ground, number)).await?;
                    if let Plant::LeakEach(bytes) = plant {
                        lose(bytes);
                    }
                    *ground.seen().entry(end).or_default() += 1;
                }
            }
        };
        crowd(CALLERS, caller).await.map(drop)
    }

    /// Waits for silence, with as many idle connections as are kept; whether it came in time.
    pub(super) async fn is_silent(self: &Arc<Self>) -> Result<bool> {
        // As many as are kept, all at once: each has a connection of its own.
        let caller = || {
            let sending = self.network.get(self.server.url("/delay/5")).send();
            async { sending.await?.bytes().await }
        };
        crowd(IDLE, caller).await?;
        #[expect(
            clippy::disallowed_methods,
            reason = "bounds a wait that has no other end"
        )]
        let start = Instant::now();
        while !self.is_idle() {
            if start.elapsed() > self.quiet_within {
                return Ok(false);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(true)
    }

    fn is_idle(&self) -> bool {
        let idle = self.network.stats().net.map_or(0, |net| net.idle);
        let server = self.server.stats();
        self.mock.audit().is_idle()
            && self.network.audit().is_idle()
            && self.queue.audit().is_idle()
            && idle == IDLE
            && server.connections_open == idle
            && server.in_flight == 0
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A response that has a permit and a context: the mock's answers are streamed.
    pub(super) async fn response(&self) -> Result<Response> {
        self.mock.get("http://host0.test/ok").send().await
    }
}
