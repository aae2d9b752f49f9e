//! The body of a response that is still on its connection.

use std::task::{Context as TaskContext, Poll, ready};

use bytes::BufMut;
use turbohttp_core::h2::Chunk;
use turbohttp_core::head::ResponseHead;
use turbohttp_core::timeline::Phase;

use super::exchange::{Exchange, Stage};
use super::failure::stream_error;
use crate::body::buffer::SpareBuffer;
use crate::body::{BodyContext, ConnectionBody, Duplex};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::net::exchange_rules::{body_timeout, request_timeout};

impl ConnectionBody for Exchange {
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let next = ready!(self.poll_next(cx, &mut context));
        if !matches!(next, Ok(true)) {
            context.timeline.lap(Phase::Receive, clock::now());
        }
        Poll::Ready(next)
    }

    fn chunk(&self) -> &[u8] {
        match &self.lent {
            Some(piece) => &piece.memory[..piece.filled],
            None => &[],
        }
    }

    fn remaining(&self) -> Option<u64> {
        let key = self.key?;
        self.connection
            .streams
            .look(|streams| streams.remaining(key))
    }

    fn poll_read_into(
        &mut self,
        _cx: &mut TaskContext<'_>,
        _context: BodyContext<'_>,
        _out: &mut dyn BufMut,
        _room: usize,
    ) -> Option<Poll<Result<()>>> {
        // The task of the connection has read it already.
        None
    }

    fn into_duplex(self: Box<Self>) -> Result<Box<dyn Duplex>> {
        Exchange::finish(self);
        let message = "HTTP/2 has no upgrade: the connection carries other requests";
        Err(Error::new(ErrorKind::Protocol, message))
    }

    fn finish(mut self: Box<Self>, _head: &mut ResponseHead, spare: &mut SpareBuffer) {
        if let Some(piece) = self.lent.take() {
            spare.put(piece.memory);
        }
        Exchange::finish(self);
    }
}

impl Exchange {
    fn poll_next(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        if !self.upload.is_over() {
            let upload = &mut *context.upload;
            self.send_more(cx, upload, context.time, context.timeline)?;
        }
        let Some(key) = self.key else {
            return Poll::Ready(Ok(false));
        };
        let mut was_watched = false;
        loop {
            // The slice that was lent out is done with when the next one is asked for.
            let mut lent = self.lent.take().map(|piece| piece.memory);
            let head = &mut *context.head;
            let streams = &self.connection.streams;
            let (chunk, surplus) = streams
                .update(|streams, wakes| streams.read(key, head, lent.take(), cx.waker(), wakes));
            if let Some(surplus) = surplus {
                context.spare.put(surplus);
            }
            match chunk {
                Chunk::Piece(piece) => {
                    self.lent = Some(piece);
                    return Poll::Ready(self.in_time(context));
                }
                Chunk::End => {
                    let status = context.head.status();
                    ready!(self.poll_rest(cx, status, context.time))?;
                    return Poll::Ready(Ok(false));
                }
                Chunk::Failed(error) => {
                    let (error, _) = stream_error(error, false, Phase::Receive);
                    return Poll::Ready(Err(error));
                }
                Chunk::Pending { is_watched } => {
                    if !is_watched && !was_watched {
                        self.watch(cx, key);
                        was_watched = true;
                        continue;
                    }
                    return self.poll_body_timer(cx, context).map(Err);
                }
            }
        }
    }

    /// A body that flows never waits, so the time of the request is looked at here.
    fn in_time(&mut self, context: &BodyContext<'_>) -> Result<bool> {
        self.stage = Stage::Body;
        match context.time.deadline {
            Some(deadline) if deadline <= clock::now() => {
                Err(request_timeout(context.time, Phase::Receive))
            }
            _ => Ok(true),
        }
    }

    fn poll_body_timer(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &BodyContext<'_>,
    ) -> Poll<Error> {
        // A call that is repeated goes on with the wait of the one before.
        if self.stage != Stage::BodyAwaited {
            self.stage = Stage::BodyAwaited;
            let limit = context.time.timeouts().body;
            self.timer.set(clock::now(), limit, context.time.deadline);
        }
        ready!(self.timer.poll_expired(cx, &self.connection.runtime));
        Poll::Ready(body_timeout(context.time))
    }
}
