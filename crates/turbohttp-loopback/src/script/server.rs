//! Accepts connections and gives each its script.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::player::{self, Transcript};
use super::step::Step;
use crate::server::OwnThread;
use crate::socket;
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
        let listener = socket::listen((Ipv4Addr::LOCALHOST, 0).into())?;
        let addr = listener.local_addr()?;
        let log = Arc::new(Log::default());
        let shared = log.clone();
        let thread = OwnThread::start("loopback-script", listener, move |listener, stopped| {
            run(listener, self, shared, stopped)
        })?;
        Ok(ScriptServer {
            addr,
            log,
            _thread: thread,
        })
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
    addr: SocketAddr,
    log: Arc<Log>,
    _thread: OwnThread,
}

impl ScriptServer {
    /// Where the server listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path`, which begins with a slash, in the clear.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.received().len()
    }

    /// What was read on each connection, in the order they were accepted; over TLS, its plaintext.
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        let read =
            |bytes: &Transcript| bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.log.received().iter().map(read).collect()
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
struct Log {
    counters: Counters,
    received: Mutex<Vec<Transcript>>,
}

impl Log {
    fn received(&self) -> Vec<Transcript> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self) -> Transcript {
        let received = Transcript::default();
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(received.clone());
        received
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
                connections.spawn(play(tcp, steps, log.add(), log.clone()));
            }
        }
    }
    drop(listener);
    let _ = stopped.await;
}

/// Counts the connection as open while it is played.
async fn play(tcp: TcpStream, steps: Vec<Step>, received: Transcript, log: Arc<Log>) {
    let _open = log.counters.connection();
    Box::pin(player::play(tcp, steps, received)).await;
}
