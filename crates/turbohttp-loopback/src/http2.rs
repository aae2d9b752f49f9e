//! One connection of HTTP/2, by the crate `h2`.

mod account;
mod exchange;
mod wire;

use std::io;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use h2::server::{self, Builder};
use tokio::task::JoinSet;

use crate::host::Host;
use crate::options::Http2;
use crate::stream::Stream;
use exchange::Outcome;
use wire::Wire;

/// What a client sends first (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many streams may be reset, by either side, before `h2` takes the client for an attacker. Its own
/// limits are a few dozen, and tests of cancellation pass them.
const RESETS_MAX: usize = 100_000;

type Connection = server::Connection<Wire, Bytes>;

/// Serves the connection until either side ends it. `inbox` has been read of it already.
pub(crate) async fn run(stream: Box<dyn Stream>, inbox: BytesMut, host: &Arc<Host>) {
    host.counters.http2(|stats| stats.connections += 1);
    let wire = Wire::new(stream, inbox, host.clone());
    let blocked = wire.blocked();
    let handshake = builder(&host.options.http2).handshake(wire);
    let Ok(connection) = Box::pin(handshake).await else {
        return;
    };
    // Dropped after the connection, which ends every answer where it stands: `h2` resets the stream of
    // an answer that is dropped while its connection lives.
    let mut exchanges = JoinSet::new();
    let mut connection = connection;
    if let Some(_unanswered) = answer_all(&mut connection, &mut exchanges, host).await {
        // What was sent so far leaves the buffers of `h2` before the connection is closed.
        std::future::poll_fn(|context| match connection.poll_accept(context) {
            Poll::Pending if blocked.is_set() => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
        drop(connection);
    }
}

fn builder(options: &Http2) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_reset_streams(RESETS_MAX)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(None);
    if let Some(streams) = options.max_concurrent_streams {
        builder.max_concurrent_streams(streams);
    }
    if let Some(bytes) = options.stream_window_bytes {
        builder.initial_window_size(bytes);
    }
    if let Some(bytes) = options.connection_window_bytes {
        builder.initial_connection_window_size(bytes);
    }
    if let Some(bytes) = options.frame_bytes_max {
        builder.max_frame_size(bytes);
    }
    if let Some(bytes) = options.header_table_bytes {
        builder.header_table_size(bytes);
    }
    if let Some(bytes) = options.header_list_bytes_max {
        builder.max_header_list_size(bytes);
    }
    builder
}

/// Answers requests until the connection has ended, or until an exchange asks for its end, which is
/// then returned with its stream.
async fn answer_all(
    connection: &mut Connection,
    exchanges: &mut JoinSet<io::Result<Outcome>>,
    host: &Arc<Host>,
) -> Option<Outcome> {
    let mut accepted: u64 = 0;
    loop {
        tokio::select! {
            request = connection.accept() => {
                let (request, respond) = request?.ok()?;
                exchanges.spawn(exchange::run(request, respond, host.clone()));
                accepted += 1;
                if host.options.http2.goaway_after == Some(accepted) {
                    connection.graceful_shutdown();
                }
            }
            // A stream that was reset is its own affair.
            Some(ended) = exchanges.join_next() => {
                if let Ok(Ok(outcome @ Outcome::Close(_))) = ended {
                    return Some(outcome);
                }
            }
        }
    }
}
