//! The byte stream under HTTP/2, whose frames are counted as they pass.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::account::Account;
use crate::host::Host;
use crate::stream::Stream;

/// A connection's stream, begun by what was read of it already.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    /// What was read before and is not used yet.
    inbox: BytesMut,
    account: Account,
    blocked: Blocked,
}

/// Whether the last write or flush has to wait for the peer.
#[derive(Clone, Default)]
pub(super) struct Blocked(Arc<AtomicBool>);

impl Blocked {
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn follow<T>(&self, poll: &Poll<T>) {
        self.0.store(poll.is_pending(), Ordering::Relaxed);
    }
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>, inbox: BytesMut, host: Arc<Host>) -> Wire {
        Wire {
            stream,
            inbox,
            account: Account::new(host),
            blocked: Blocked::default(),
        }
    }

    pub(super) fn blocked(&self) -> Blocked {
        self.blocked.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        let before = buffer.filled().len();
        if wire.inbox.has_remaining() {
            let length = wire.inbox.len().min(buffer.remaining());
            buffer.put_slice(&wire.inbox[..length]);
            wire.inbox.advance(length);
        } else {
            std::task::ready!(Pin::new(&mut wire.stream).poll_read(context, buffer))?;
        }
        wire.account.received(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = &mut *self;
        let poll = Pin::new(&mut wire.stream).poll_write_vectored(context, pieces);
        wire.blocked.follow(&poll);
        let written = std::task::ready!(poll)?;
        let mut left = written;
        for piece in pieces {
            let length = left.min(piece.len());
            wire.account.sent(&piece[..length]);
            left -= length;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.blocked.follow(&poll);
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
