//! The connection of a response that has switched to another protocol.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, Wake, Waker, ready};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turbohttp_core::pool::PoolBox;
use turbohttp_core::scheduler::Outcome;

use super::Response;
use crate::body::{Content, Duplex};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};

impl Response {
    /// The connection of a response with status 101, to speak the protocol that
    /// [`RequestBuilder::upgrade`](crate::RequestBuilder::upgrade) has asked for.
    ///
    /// The head says what the server has agreed to: look at its fields first.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] if the server has not switched; the error keeps the response
    /// ([`Error::into_response`]). [`ErrorKind::Protocol`] if it has before it had the whole request.
    /// [`ErrorKind::Transport`] if the response did not come over the network, or its body was replaced.
    pub fn upgrade(mut self) -> Result<Upgraded> {
        let status = self.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let message = format!("server answered {status} and did not switch protocols");
            let error = Error::new(ErrorKind::Status, message).with_status(status);
            return Err(self.explain(error).keep(self));
        }
        let Content::Connection(connection) = std::mem::take(&mut self.context.response.body.0)
        else {
            let message = "response has no connection of its own to switch protocols on";
            return Err(self.explain(Error::new(ErrorKind::Transport, message)));
        };
        match connection.into_duplex() {
            Ok(duplex) => Ok(Upgraded::new(duplex, self.context)),
            Err(error) => Err(self.explain(error)),
        }
    }
}

/// A connection that speaks another protocol than HTTP: an [`AsyncRead`] and an [`AsyncWrite`]; made by
/// [`Response::upgrade`].
///
/// What has arrived behind the head is read first. No time limit of the request holds any more. The connection
/// never goes back to its pool; it is closed when this is dropped, and until then it holds its permit and its
/// call. A close of the client therefore waits for it, as for a response that is being read, and cuts it off
/// where it cuts off such a response: at once with [`Shutdown::Now`](crate::Shutdown::Now), at the end of its
/// time with the others. Reading and writing then fail with [`io::ErrorKind::ConnectionAborted`].
///
/// Its halves may be used by two tasks (`tokio::io::split`).
pub struct Upgraded {
    /// `None` once a close has cut it off.
    duplex: Option<Box<dyn Duplex>>,
    context: PoolBox<Context>,
    tasks: Arc<Tasks>,
    /// Wakes both of `tasks`: the scheduler knows one waker.
    waker: Waker,
}

/// The two tasks that may wait: one that reads, and one that writes.
#[derive(Default)]
struct Tasks([Mutex<Option<Waker>>; 2]);

#[derive(Clone, Copy)]
enum Side {
    Read,
    Write,
}

impl Tasks {
    fn register(&self, side: Side, waker: &Waker) {
        let mut known = self.0[side as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) => known.clone_from(waker),
            None => *known = Some(waker.clone()),
        }
    }
}

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        for known in &self.0 {
            let waker = known.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Outside of the lock, as a waker is foreign code.
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Upgraded {
    fn new(duplex: Box<dyn Duplex>, context: PoolBox<Context>) -> Upgraded {
        let tasks = Arc::<Tasks>::default();
        Upgraded {
            duplex: Some(duplex),
            context,
            waker: Waker::from(tasks.clone()),
            tasks,
        }
    }

    /// Does something with the connection, unless a close has cut it off; one that comes while it waits ends
    /// the wait.
    fn poll_with<T>(
        &mut self,
        side: Side,
        cx: &mut TaskContext<'_>,
        operation: impl FnOnce(Pin<&mut dyn Duplex>, &mut TaskContext<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        // Looked at first: data that is ready must not outrun a close for ever.
        let duplex = match &mut self.duplex {
            Some(duplex) if !self.context.is_cut() => duplex,
            _ => return Poll::Ready(Err(self.cut())),
        };
        if let Poll::Ready(done) = operation(Pin::new(&mut **duplex), cx) {
            return Poll::Ready(done);
        }
        self.tasks.register(side, cx.waker());
        let cut = self
            .context
            .poll_cut(&mut TaskContext::from_waker(&self.waker));
        ready!(cut);
        Poll::Ready(Err(self.cut()))
    }

    /// Closes the connection and releases its permit: the client was closed.
    #[cold]
    fn cut(&mut self) -> io::Error {
        self.duplex = None;
        self.context.release(Outcome::Aborted);
        io::Error::new(io::ErrorKind::ConnectionAborted, Error::closed_by_client())
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        // The connection before its permit.
        self.duplex = None;
        self.context.release(Outcome::Completed);
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_with(Side::Read, cx, |duplex, cx| duplex.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Side::Write, cx, |duplex, cx| duplex.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Side::Write, cx, |duplex, cx| {
            duplex.poll_write_vectored(cx, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Side::Write, cx, |duplex, cx| duplex.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.poll_with(Side::Write, cx, |duplex, cx| duplex.poll_shutdown(cx))
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("is_open", &self.duplex.is_some())
            .finish_non_exhaustive()
    }
}
