//! Callers of one client in a runtime: each sends one GET after the other until the time is up.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;

use crate::machine;

/// A client that every caller has a clone of.
pub(crate) trait Sender: Clone + Send + 'static {
    /// Sends a GET; the bytes of its content, which is read piece by piece.
    fn get(&mut self, url: &str) -> impl Future<Output = Result<usize>> + Send;
}

/// What the callers do.
pub(crate) struct Crowd {
    pub(crate) callers: usize,
    pub(crate) url: Arc<str>,
    /// What each content must have.
    pub(crate) bytes: usize,
}

/// What came of it.
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    /// Microseconds of processor time of this thread per request: what its core is busy with, also where
    /// the server is what bounds the rate.
    pub(crate) cpu_us: f64,
}

impl Crowd {
    /// Measures for so many seconds, after a quarter of them to warm up.
    pub(crate) async fn measure(&self, sender: &impl Sender, seconds: f64) -> Result<Rate> {
        let time = Duration::from_secs_f64(seconds);
        self.send_until(sender, Instant::now() + time / 4).await?;
        let (began, cpu) = (Instant::now(), machine::thread_cpu_time());
        let made = self.send_until(sender, began + time).await? as f64;
        let cpu = machine::thread_cpu_time() - cpu;
        Ok(Rate {
            per_second: made / began.elapsed().as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / made,
        })
    }

    /// How many requests were answered.
    async fn send_until(&self, sender: &impl Sender, until: Instant) -> Result<u64> {
        let mut callers = JoinSet::new();
        for _ in 0..self.callers {
            let (mut sender, url, bytes) = (sender.clone(), self.url.clone(), self.bytes);
            callers.spawn(async move {
                let mut made = 0;
                while Instant::now() < until {
                    let read = sender.get(&url).await?;
                    ensure!(read == bytes, "{read} of {bytes} bytes");
                    made += 1;
                }
                Ok(made)
            });
        }
        let mut made = 0;
        while let Some(ended) = callers.join_next().await {
            made += ended.context("a caller")??;
        }
        Ok(made)
    }
}
