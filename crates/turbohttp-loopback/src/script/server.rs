//! Accepts connections and gives each its script.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::frames::{self, Frame};
use super::player;
use super::step::Step;
use crate::server::OwnThread;
use crate::stats::Counters;

/// What a scripted server does: a list of steps for each connection, in the order they come.
///
/// Once the last list is taken the server stops listening, so that a connection too many is refused
/// by the system (or, if it came at that very moment, reset) and a test notices it.
/// [`Script::repeat_last`] plays the last list for all further connections instead.
#[derive(Clone, Debug, Default)]
pub struct Script {
    connections: VecDeque<Vec<Step>>,
    repeat_last: bool,
}

impl Script {
    /// A script that refuses every connection.
    #[must_use]
    pub fn new() -> Script {
        Script::default()
    }

    /// Accepts one more connection and plays these steps on it.
    #[must_use]
    pub fn accept(mut self, steps: impl Into<Vec<Step>>) -> Script {
        self.connections.push_back(steps.into());
        self
    }

    /// Plays the last list for all further connections.
    #[must_use]
    pub fn repeat_last(mut self) -> Script {
        self.repeat_last = true;
        self
    }

    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When there is no port, thread or runtime to be had.
    pub fn start(self) -> io::Result<ScriptServer> {
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let log = Arc::new(Log::default());
        let shared = log.clone();
        let thread = OwnThread::start("loopback-script", address, move |listener, stopped| {
            run(listener, self, shared, stopped)
        })?;
        Ok(ScriptServer { log, thread })
    }

    fn next(&mut self) -> Option<Vec<Step>> {
        match self.connections.len() {
            1 if self.repeat_last => self.connections.front().cloned(),
            _ => self.connections.pop_front(),
        }
    }
}

/// A running script. Dropping it closes all connections, also stalled ones, and joins its thread.
pub struct ScriptServer {
    log: Arc<Log>,
    thread: OwnThread,
}

impl ScriptServer {
    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.thread.addr
    }

    /// The URL of `path`, which begins with a slash, in the clear.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.log.received().len()
    }

    /// What was read on each connection, in the order they were accepted; over TLS, its plaintext.
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.log.received().clone()
    }

    /// The whole frames that were read on each connection that speaks HTTP/2, in the order they came.
    pub fn frames(&self) -> Vec<Vec<Frame>> {
        let received = self.log.received();
        received.iter().map(|bytes| frames::parse(bytes)).collect()
    }

    /// Waits until every accepted connection has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it only looks.
    pub async fn all_closed(&self) {
        self.log.counters.all_closed().await;
    }
}

/// What tests ask about.
#[derive(Default)]
pub(super) struct Log {
    pub(super) counters: Counters,
    /// What was read on each connection.
    received: Mutex<Vec<Vec<u8>>>,
}

impl Log {
    pub(super) fn received(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(
    listener: TcpListener,
    mut script: Script,
    log: Arc<Log>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    while !script.connections.is_empty() {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                let (Ok((tcp, _)), Some(steps)) = (accepted, script.next()) else { continue };
                log.received().push(Vec::new());
                connections.spawn(player::play(tcp, steps, log.clone(), log.received().len() - 1));
            }
        }
    }
    drop(listener);
    let _ = stopped.await;
}
