//! A TLS session as a layer of a connection's stream.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Context as TaskContext;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio_rustls::client::TlsStream;

use crate::net::stream::{Bottom, Layer, Socket};

impl<S> Layer for TlsStream<S>
where
    S: Bottom + AsyncRead + AsyncWrite + Send + Sync + Unpin,
{
    fn is_idle_so_far(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if !self.is_ahead_of_socket() && self.socket().is_silent() {
            return true;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let read = poll_fn(|cx| Pin::new(&mut *self).poll_read(cx, &mut buffer));
        // Outside the task's budget: used up, it reports Pending whatever the session holds.
        pin!(unconstrained(read)).poll(cx).is_pending()
    }

    fn carries_tls(&self) -> bool {
        true
    }
}

impl<S: Bottom> Bottom for TlsStream<S> {
    fn socket(&self) -> Socket<'_> {
        self.get_ref().0.socket()
    }

    fn is_ahead_of_socket(&self) -> bool {
        let (below, session) = self.get_ref();
        // It wants bytes only when none of those it has decrypted is left, nor the peer's close_notify.
        !session.wants_read() || below.is_ahead_of_socket()
    }
}
