//! The body of a response that is still on its connection: read, decoded and lent out from its buffer.

use std::io;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::BufMut;
use tokio::io::AsyncReadExt;
use turbohttp_core::h1::CloseReason;
use turbohttp_core::h1::framing::Framing;
use turbohttp_core::head::ResponseHead;
use turbohttp_core::timeline::{Phase, Timeline};

use super::tunnel::Tunnel;
use super::{Connection, Stage};
use crate::body::buffer::SpareBuffer;
use crate::body::{BodyContext, ConnectionBody, Duplex};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::net::exchange_rules::{body_timeout, request_timeout};

impl ConnectionBody for Connection {
    fn poll_chunk(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut context: BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        let mut next = ready!(self.poll_next(cx, &mut context));
        if matches!(next, Ok(false)) && !self.exchange.send_half().is_complete() {
            let status = context.head.status();
            let rest = ready!(self.poll_rest(cx, status, context.time));
            next = rest.map(|()| false);
        }
        Poll::Ready(match next {
            Ok(true) => Ok(true),
            Ok(false) => {
                self.body_ended(context.timeline);
                Ok(false)
            }
            Err(error) => Err(self.body_failed(error, context.timeline)),
        })
    }

    fn chunk(&self) -> &[u8] {
        &self.input.filled()[self.chunk.clone()]
    }

    fn remaining(&self) -> Option<u64> {
        self.exchange.remaining()
    }

    fn poll_read_into(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut context: BodyContext<'_>,
        out: &mut dyn BufMut,
        room: usize,
    ) -> Option<Poll<Result<()>>> {
        self.input.consume(std::mem::take(&mut self.chunk_consumed));
        self.chunk = 0..0;
        // The rest of the request goes out beside what `poll_chunk` reads.
        if !self.exchange.send_half().is_over() {
            return None;
        }
        // Bytes in the buffer go first; a chunked body must pass the decoder.
        let remaining = match self.exchange.framing() {
            Framing::Length(_) if self.input.is_empty() => self.exchange.remaining()?,
            _ => return None,
        };
        let most = usize::try_from(remaining).unwrap_or(usize::MAX).min(room);
        if most == 0 {
            return None;
        }
        let read = self.poll_direct(cx, &mut context, out, most);
        Some(read.map(|read| read.map_err(|error| self.body_failed(error, context.timeline))))
    }

    fn into_duplex(self: Box<Self>) -> Result<Box<dyn Duplex>> {
        if !self.exchange.send_half().is_complete() {
            let message = "server switched protocols before the request was sent whole";
            return Err(Error::new(ErrorKind::Protocol, message));
        }
        Ok(Box::new(Tunnel::new(self)))
    }

    fn finish(mut self: Box<Self>, head: &mut ResponseHead, spare: &mut SpareBuffer) {
        // What has already arrived costs nothing to take off: a body whose rest is in the buffer does
        // not cost its connection.
        while let Ok(Some(true)) = self.decode(head) {}
        self.return_to_pool(spare);
    }
}

impl Connection {
    /// Decodes until a slice of data is ready (`true`), the body has ended (`false`), or more bytes
    /// are needed (`None`). Inlined, as it runs for every chunk.
    #[inline(always)]
    fn decode(&mut self, head: &mut ResponseHead) -> Result<Option<bool>> {
        self.input.consume(std::mem::take(&mut self.chunk_consumed));
        self.chunk = 0..0;
        loop {
            if self.exchange.is_done() {
                return Ok(Some(false));
            }
            if self.input.is_empty() {
                return Ok(None);
            }
            // A step without data has consumed framing, of which there is bounded progress each time.
            let decoded = self.exchange.decode(self.input.filled(), head)?;
            if !decoded.data.is_empty() {
                self.chunk = decoded.data;
                self.chunk_consumed = decoded.consumed;
                return Ok(Some(true));
            }
            self.input.consume(decoded.consumed);
        }
    }

    fn body_ended(&mut self, timeline: &mut Timeline) {
        if self.stage == Stage::BodyRead {
            self.since = clock::now();
            timeline.lap(Phase::Receive, self.since);
        } else {
            timeline.touch(Phase::Receive);
        }
    }

    /// Notes a read of the body, or what went wrong with it. A body that flows never waits, so the
    /// time of the request is looked at here.
    fn body_read(&mut self, read: io::Result<usize>, context: &BodyContext<'_>) -> Result<()> {
        match read {
            Ok(0) => Ok(self.exchange.decoder_mut().end_of_stream()?),
            Ok(_) => {
                self.stage = Stage::BodyRead;
                match context.time.deadline {
                    Some(deadline) if deadline <= clock::now() => {
                        Err(request_timeout(context.time, Phase::Receive))
                    }
                    _ => Ok(()),
                }
            }
            // A TLS session that ends without close_notify may have been cut by an attacker: its end is
            // no end of a body (RFC 8446 section 6.1).
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                let message = "connection was cut inside the body";
                Err(Error::new(ErrorKind::Truncated, message).with_source(error))
            }
            Err(error) => Err(Error::io(
                Phase::Receive,
                "connection failed in the body",
                error,
            )),
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
            self.timer.set(
                clock::now(),
                context.time.timeouts().body,
                context.time.deadline,
            );
        }
        ready!(self.timer.poll_expired(cx, &self.runtime));
        Poll::Ready(body_timeout(context.time))
    }

    #[cold]
    fn body_failed(&mut self, error: Error, timeline: &mut Timeline) -> Error {
        self.exchange.close_because(CloseReason::Failed);
        timeline.lap(Phase::Receive, clock::now());
        error.in_phase(Phase::Receive)
    }

    fn poll_next(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut BodyContext<'_>,
    ) -> Poll<Result<bool>> {
        if !self.exchange.send_half().is_over() {
            self.send_beside_body(cx, context)?;
        }
        if let Stage::BodyAhead(fault) = self.stage {
            self.stage = fault.map_or(Stage::Body, Stage::BodyBroken);
            if !self.chunk.is_empty() {
                return Poll::Ready(Ok(true));
            }
        }
        if let Stage::BodyBroken(fault) = self.stage {
            return Poll::Ready(Err(fault.into()));
        }
        loop {
            if let Some(ready) = self.decode(context.head)? {
                return Poll::Ready(Ok(ready));
            }
            match self.poll_fill(cx, context.spare) {
                Poll::Ready(read) => self.body_read(read, context)?,
                Poll::Pending => return self.poll_body_timer(cx, context).map(Err),
            }
        }
    }

    /// Reads once, straight into `out`, at most to the end of the body.
    fn poll_direct(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut BodyContext<'_>,
        out: &mut dyn BufMut,
        most: usize,
    ) -> Poll<Result<()>> {
        let mut room = out.limit(most);
        let read = pin!(self.stream.read_buf(&mut room)).poll(cx);
        match read {
            Poll::Ready(read) => {
                // Past the decoder: it only counts down what is left of the body.
                if let Ok(length) = read {
                    self.exchange.decoder_mut().take(length as u64);
                }
                Poll::Ready(self.body_read(read, context))
            }
            Poll::Pending => self.poll_body_timer(cx, context).map(Err),
        }
    }
}
