//! Accepting connections.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::connection;
use crate::host::Host;
use crate::options::Options;
use crate::stats::Stats;

/// How long to wait when no connection can be accepted, as when there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

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

pub(crate) async fn serve_host(
    listener: TcpListener,
    host: Arc<Host>,
    shutdown: impl Future<Output = ()>,
) {
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
                Err(error) => pause_after(&error).await,
            },
        }
    }
    connections.shutdown().await;
}

/// An aborted connection is its own affair; anything else would be tried again at once, and spin.
async fn pause_after(error: &io::Error) {
    if error.kind() != io::ErrorKind::ConnectionAborted {
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
