//! The server, on a thread of its own or the caller's.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::connection;
use crate::host::Host;
use crate::options::Options;
use crate::socket;
use crate::stats::Stats;

/// How long to wait when no connection can be accepted, as when there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A running server. Dropping it closes all connections and joins its thread.
pub struct Server {
    host: Arc<Host>,
    thread: OwnThread,
}

impl Server {
    /// Starts a server; when this returns it accepts connections.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on, or thread or runtime cannot be had.
    pub fn start(options: Options) -> io::Result<Server> {
        let (address, core) = (options.address, options.core);
        let host = Arc::new(Host::new(options));
        let shared = host.clone();
        let thread = OwnThread::start("loopback-server", address, move |listener, stopped| {
            if let Some(core) = core {
                socket::pin_thread(core);
            }
            serve_host(listener, shared, async { drop(stopped.await) })
        })?;
        Ok(Server { host, thread })
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.thread.addr
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.host.options.scheme(), self.addr())
    }

    /// What the server has done so far.
    pub fn stats(&self) -> Stats {
        self.host.counters.snapshot()
    }

    /// Waits until no connection is open.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: it only looks.
    pub async fn all_closed(&self) {
        self.host.counters.all_closed().await;
    }

    /// Closes all connections, joins the thread and tells what was done.
    pub fn stop(self) -> Stats {
        drop(self.thread);
        self.host.counters.snapshot()
    }
}

/// Serves `listener` on the caller's runtime until `shutdown` is ready, then closes all connections
/// and tells what was done. `options.address` and `options.core` are not used.
///
/// # Cancel safety
///
/// Dropping the future closes the listener and all connections.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> Stats {
    let host = Arc::new(Host::new(options));
    serve_host(listener, host.clone(), shutdown).await;
    host.counters.snapshot()
}

async fn serve_host(listener: TcpListener, host: Arc<Host>, shutdown: impl Future<Output = ()>) {
    // Dropped at the end, which ends every connection where it stands.
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            // Ended connections are forgotten, so that the set does not grow.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    connections.spawn(connection::run(tcp, host.clone()));
                }
                // An aborted connection is its own affair.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Anything else would be tried again at once, and spin.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

/// A thread with a current-thread runtime, told to stop and joined when it is dropped.
pub(crate) struct OwnThread {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OwnThread {
    /// Listens. `serve` is called on the thread; its future ends soon after the receiver says so.
    pub(crate) fn start<F: Future<Output = ()>>(
        name: &str,
        address: SocketAddr,
        serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F + Send + 'static,
    ) -> io::Result<OwnThread> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(socket::listen(address)?)?
        };
        let addr = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || runtime.block_on(async { serve(listener, stopped).await }))?;
        Ok(OwnThread {
            addr,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        // A dropped sender is the word to stop.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by that thread.
            let _ = thread.join();
        }
    }
}
