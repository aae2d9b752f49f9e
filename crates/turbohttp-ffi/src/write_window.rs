//! The window of a request body that the caller writes: what was written and is not sent.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use turbohttp::HeaderMap;

use crate::call::Call;

/// The largest piece that is handed to the network, in bytes.
const PIECE: usize = 64 * 1024;

/// Pieces in order.
#[derive(Debug)]
pub(crate) struct WriteWindow {
    pieces: VecDeque<Bytes>,
    waiting: usize,
    window: usize,
    /// Nothing more will be written.
    is_finished: bool,
    trailers: Option<HeaderMap>,
    /// The exchange is over: nobody takes what is written.
    is_over: bool,
    /// A writer found no room: the next room is an event.
    is_armed: bool,
    /// The network waits for bytes.
    reader: Option<Waker>,
}

impl WriteWindow {
    pub(crate) fn new(window: usize) -> WriteWindow {
        WriteWindow {
            pieces: VecDeque::new(),
            waiting: 0,
            window,
            is_finished: false,
            trailers: None,
            is_over: false,
            is_armed: false,
            reader: None,
        }
    }

    /// Whether writing is possible, or will be.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_finished && !self.is_over
    }

    /// Whether the host has said that it writes nothing more.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Takes what has room; the network is to be woken. Without room for all of it, the next room is an event.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> (usize, Option<Waker>) {
        let taken = bytes.len().min(self.window - self.waiting);
        self.pieces
            .extend(bytes[..taken].chunks(PIECE).map(Bytes::copy_from_slice));
        self.waiting += taken;
        self.is_armed |= taken < bytes.len();
        match taken {
            0 => (0, None),
            _ => (taken, self.reader.take()),
        }
    }

    pub(crate) fn finish(&mut self, trailers: Option<HeaderMap>) -> Option<Waker> {
        self.is_finished = true;
        self.trailers = trailers;
        self.reader.take()
    }

    /// Nobody takes what is written any more. Whether a writer is to be told, which was not before.
    pub(crate) fn end(&mut self) -> bool {
        self.pieces.clear();
        self.waiting = 0;
        !std::mem::replace(&mut self.is_over, true) && !self.is_finished
    }

    /// The next piece, and whether the caller is to be told that there is room.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> (Poll<Option<Frame<Bytes>>>, bool) {
        if let Some(piece) = self.pieces.pop_front() {
            self.waiting -= piece.len();
            let has_room = self.waiting <= self.window / 2;
            let is_event = has_room && std::mem::take(&mut self.is_armed);
            return (Poll::Ready(Some(Frame::data(piece))), is_event);
        }
        if self.is_finished {
            let trailers = self.trailers.take().map(Frame::trailers);
            return (Poll::Ready(trailers), false);
        }
        self.reader = Some(cx.waker().clone());
        (Poll::Pending, false)
    }
}

/// The body of the request, which the network reads.
#[derive(Debug)]
pub(crate) struct WrittenBody {
    pub(crate) call: Arc<Call>,
    pub(crate) length: Option<u64>,
}

impl Drop for WrittenBody {
    /// Nobody sends it any more: a redirect goes without it, or the exchange is over.
    fn drop(&mut self) {
        self.call.stop_writing();
    }
}

impl Body for WrittenBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let call = &self.call;
        let (frame, is_event) = call.state().writing.poll_piece(cx);
        if is_event {
            call.writable();
        }
        frame.map(|frame| frame.map(Ok))
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(window: &mut WriteWindow) -> (Option<Bytes>, bool) {
        let mut cx = Context::from_waker(Waker::noop());
        match window.poll_piece(&mut cx) {
            (Poll::Ready(Some(frame)), event) => (frame.into_data().ok(), event),
            (_, event) => (None, event),
        }
    }

    #[test]
    fn a_writer_is_told_of_room_only_after_it_found_too_little() {
        let mut window = WriteWindow::new(100);
        assert_eq!(window.write(&[1; 60]).0, 60);
        assert_eq!(next(&mut window), (Some(Bytes::from(vec![1; 60])), false));
        assert_eq!(window.write(&[2; 160]).0, 100);
        assert_eq!(window.write(&[2; 60]).0, 0);
        assert_eq!(next(&mut window), (Some(Bytes::from(vec![2; 100])), true));
        assert_eq!(next(&mut window), (None, false));
    }

    #[test]
    fn nothing_is_written_to_a_body_that_has_ended() {
        let mut window = WriteWindow::new(100);
        assert!(window.is_open());
        window.finish(None);
        assert!(!window.is_open());
        let mut other = WriteWindow::new(100);
        other.end();
        assert!(!other.is_open());
    }
}
