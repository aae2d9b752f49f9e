//! What the requests of a connection and its task share: the streams, the windows, and the output.
//!
//! # Implementation
//!
//! Requests append to `out`, and the task writes it: one ordered output, so that RST_STREAM always stands
//! before the HEADERS of the stream that takes its place, and the tables of both ends of HPACK agree. The
//! task parks when there is nothing to write; the first request that appends something takes its waker,
//! so that a batch of requests wakes it once.
//!
//! This file is the side of the requests, with `upload.rs` for their contents and `line.rs` for those that
//! wait; `deliver.rs` and `control.rs` are that of the task.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use hashbrown::HashTable;
use http::Method;

use super::budget::Budget;
use super::error::{ConnectionEnd, ConnectionError, ErrorCode};
use super::frame;
use super::hpack::Encoder;
use super::keep_alive::KeepAlive;
use super::limits::{
    LAST_STREAM_ID, Limits, RESETS_REMEMBERED, STREAM_WINDOW_MAX, STREAMS_BEFORE_SETTINGS,
};
use super::outcome::{Answer, Chunk, Opened, Released, Ticket};
use super::probe::{PROBE, Probe};
use super::send::{self, Request, Template};
use super::settings::{self, PeerSettings, WINDOW_AT_FIRST};
use super::stream::{Late, Receiving, Stream, StreamKey};
use super::wakes::Wakes;
use super::window::{ReceiveWindow, SendWindow};
use crate::h1::EncodeError;
use crate::head::ResponseHead;

/// The streams of one connection. `B` is the memory that content is received into.
#[derive(Debug)]
pub struct Streams<B> {
    pub(super) limits: Limits,
    pub(super) peer: PeerSettings,
    pub(super) encoder: Encoder,
    template: Template,
    /// What is to be written, in order.
    pub(super) out: Vec<u8>,
    /// The task, while it has nothing to write.
    pub(super) parked: Option<Waker>,
    /// The task, while the socket takes nothing: woken only by what cannot wait for that.
    pub(super) blocked_task: Option<Waker>,
    pub(super) slots: Vec<Stream<B>>,
    pub(super) free: Vec<u32>,
    /// The slots of the streams on the wire, by identifier.
    pub(super) table: HashTable<u32>,
    pub(super) next_id: u32,
    /// Streams from this identifier on were never handed to a write.
    pub(super) unwritten_from: u32,
    pub(super) send_window: SendWindow,
    pub(super) window: ReceiveWindow,
    /// The sum of what the streams were granted. Invariant: at most `limits.receive_bytes`.
    pub(super) granted: u64,
    /// Streams whose content waits for a window or for room in `out`.
    pub(super) blocked: VecDeque<StreamKey>,
    /// Requests that wait for a stream, by urgency and arrival. As many as have permits: few enough to be moved,
    /// and the memory is kept.
    pub(super) line: Vec<(Ticket, Waker)>,
    pub(super) next_ticket: u64,
    pub(super) state: State,
    /// Streams above it were not processed.
    pub(super) last_processed: u32,
    /// The streams reset here last.
    pub(super) resets: VecDeque<Late>,
    pub(super) glitches: Budget,
    pub(super) probe: Probe,
    pub(super) keep_alive: KeepAlive,
    /// Acknowledgements in `out`.
    pub(super) replies: u32,
    /// Bytes of content that were sent and of which the window of the connection has not come back.
    pub(super) unreturned: u64,
    /// Content was sent since the last PING of the server.
    pub(super) has_sent_content: bool,
    /// What GOAWAY gave as its reason, if that is an error.
    pub(super) reason: Option<ErrorCode>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Live,
    /// No new streams: GOAWAY, a silent server, an old connection, or one whose identifiers run out.
    Draining,
    Ended(ConnectionEnd),
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Streams<B> {
    /// The streams of a new connection. What this side says first is in the output already.
    pub fn new(limits: Limits) -> Streams<B> {
        let mut out = Vec::new();
        settings::put_first(&mut out, &limits);
        Streams {
            limits,
            peer: PeerSettings::default(),
            encoder: Encoder::new(),
            template: Template::default(),
            out,
            parked: None,
            blocked_task: None,
            slots: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            next_id: 1,
            unwritten_from: 1,
            send_window: SendWindow::new(WINDOW_AT_FIRST),
            window: ReceiveWindow::new(limits.receive_bytes.max(WINDOW_AT_FIRST)),
            granted: 0,
            blocked: VecDeque::new(),
            line: Vec::new(),
            next_ticket: 0,
            state: State::Live,
            last_processed: u32::MAX,
            resets: VecDeque::new(),
            glitches: Budget::new(),
            probe: Probe::default(),
            keep_alive: KeepAlive::default(),
            replies: 0,
            unreturned: 0,
            has_sent_content: false,
            reason: None,
        }
    }

    /// Opens a stream for a request, with as much of `content` as goes at once, or puts it in line.
    ///
    /// `ends`: nothing follows `content`; a request of which something does waits for the SETTINGS of the
    /// server, which may permit few streams. `level` orders those that wait, and `ticket` is the place of one
    /// that has waited before. `spare` is memory for the response, taken if a stream is opened.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the request cannot be written; nothing has changed then.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call for each request, and one lock"
    )]
    pub fn open(
        &mut self,
        request: &Request<'_>,
        content: &[u8],
        ends: bool,
        (level, ticket): (u8, Option<Ticket>),
        spare: &mut Option<B>,
        waker: &mut Option<Waker>,
        wakes: &mut Wakes,
    ) -> Result<Opened, EncodeError> {
        // Before anything is changed: a block that was begun has to be ended, as both tables follow it (RFC 9113
        // section 4.3).
        send::check(request, self.peer.field_list_bytes)?;
        if self.state != State::Live {
            self.leave(ticket, wakes);
            return Ok(Opened::Gone);
        }
        // Content that is not all here may come once only: it is not put at risk of a refusal while the limit
        // of the server is unknown.
        let is_early = !ends && self.peer.streams_max.is_none();
        if is_early || !self.has_room() {
            return Ok(Opened::Waiting(self.wait(level, ticket, waker, wakes)));
        }
        self.leave(ticket, wakes);
        let key = self.take_slot(*request.head.method == Method::HEAD);
        let stream = &mut self.slots[key.slot as usize];
        // Lent ahead, so that a small response takes no memory from the pool.
        stream.spare = spare.take();
        stream.waker = waker.take();
        let ends_here = ends && content.is_empty();
        let changes = self.encoder.changes();
        let coding = (&mut self.encoder, &mut self.template);
        send::put_headers(&mut self.out, coding, key.id, request, ends_here);
        stream.is_removable = changes == self.encoder.changes();
        let mut sent = 0;
        if ends_here {
            stream.is_sending = false;
        } else if !content.is_empty() {
            sent = self.append(key, content, ends, wakes);
        }
        self.poke(wakes);
        Ok(Opened::Stream { key, sent })
    }

    /// What there is of the response: its head goes to `head`.
    #[inline]
    pub fn answer(
        &mut self,
        key: StreamKey,
        head: &mut ResponseHead,
        asking: &Waker,
        wakes: &mut Wakes,
    ) -> Answer<B> {
        let stream = &mut self.slots[key.slot as usize];
        debug_assert_eq!(stream.id, key.id, "the slot of this request");
        match stream.receiving {
            Receiving::Head if std::mem::take(&mut stream.proceeds) => return Answer::Proceed,
            Receiving::Head => {
                let is_watched = is_watched(stream.waker.as_ref(), asking);
                return Answer::Pending { is_watched };
            }
            // The head stands before a fault in the content.
            Receiving::Failed(error) if !stream.has_head => return Answer::Failed(error),
            Receiving::Body | Receiving::Ended | Receiving::Failed(_) => {}
        }
        stream.has_head = false;
        // A swap: the blank head of the context stays with the slot, for the next response.
        std::mem::swap(&mut stream.head, head);
        let is_whole =
            stream.receiving == Receiving::Ended && !stream.is_sending && stream.pieces.len() <= 1;
        if !is_whole {
            return Answer::Head;
        }
        // Everything in one step: the request takes the lock once for its answer.
        let piece = stream.pieces.pop_front();
        if !stream.trailers.is_blank() {
            head.append_trailers(&stream.trailers);
        }
        let spare = self.release_slot(key, wakes);
        self.call_line(wakes);
        Answer::Whole { piece, spare }
    }

    /// Has `waker` woken by the next event of the stream; returns the former one, to be dropped.
    pub fn watch(&mut self, key: StreamKey, waker: Waker) -> Option<Waker> {
        self.slots[key.slot as usize].waker.replace(waker)
    }

    /// The next content of the response. `lent` is the memory of the piece before, which is done with; what
    /// of it is not needed comes back. Trailers go to `head` at the end.
    pub fn read(
        &mut self,
        key: StreamKey,
        head: &mut ResponseHead,
        lent: Option<B>,
        asking: &Waker,
        wakes: &mut Wakes,
    ) -> (Chunk<B>, Option<B>) {
        let stream = &mut self.slots[key.slot as usize];
        let mut lent = lent;
        // The memory that was read is filled again first, before more is fetched.
        if stream.spare.is_none() {
            stream.spare = lent.take();
        }
        if let Some(piece) = stream.pieces.pop_front() {
            self.credit(key, piece.filled as u32, wakes);
            return (Chunk::Piece(piece), lent);
        }
        let chunk = match stream.receiving {
            Receiving::Ended => {
                if !stream.trailers.is_blank() {
                    head.append_trailers(&stream.trailers);
                    stream.trailers.reset();
                }
                Chunk::End
            }
            Receiving::Failed(error) => Chunk::Failed(error),
            Receiving::Head | Receiving::Body => {
                let is_watched = is_watched(stream.waker.as_ref(), asking);
                Chunk::Pending { is_watched }
            }
        };
        (chunk, lent)
    }

    /// Bytes of content to come, those that have arrived included, where the head has said so.
    pub fn remaining(&self, key: StreamKey) -> Option<u64> {
        let stream = &self.slots[key.slot as usize];
        let buffered = u64::from(stream.buffered);
        match stream.receiving {
            Receiving::Ended => Some(buffered),
            _ => stream.remaining.map(|remaining| remaining + buffered),
        }
    }

    /// Releases a stream. One that has not ended is reset with CANCEL (RFC 9113 section 5.4.2), unless the server has
    /// seen nothing of it.
    pub fn release(&mut self, key: StreamKey, now: Instant, wakes: &mut Wakes) -> Released<B> {
        let stream = &self.slots[key.slot as usize];
        if stream.is_on_wire && !self.take_back(key) {
            let stream = &self.slots[key.slot as usize];
            let (heard, is_unanswered) = (stream.heard, stream.receiving == Receiving::Head);
            self.reset(key, ErrorCode::CANCEL, wakes);
            // A server that was not written to yet is not silent.
            let is_silent = is_unanswered && !self.is_unwritten(key);
            let is_asked = self.keep_alive.is_awaited(self.probe.heard());
            if is_silent
                && !is_asked
                && self.state == State::Live
                && self.probe.given_up(heard, now)
            {
                frame::put_ping(&mut self.out, PROBE, false);
                wakes.wake(self.blocked_task.take());
            }
        }
        let stream = &mut self.slots[key.slot as usize];
        // The room of one piece stays with the slot, which a small response that nobody has read needs again.
        let piece = stream.pieces.pop_front();
        let more = match stream.pieces.is_empty() {
            true => VecDeque::new(),
            false => std::mem::take(&mut stream.pieces),
        };
        let spare = self.release_slot(key, wakes);
        self.call_line(wakes);
        Released {
            _piece: piece,
            _more: more,
            spare,
        }
    }

    /// What the connection may cost.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether nothing of the response is to come any more.
    pub fn is_received(&self, key: StreamKey) -> bool {
        self.slots[key.slot as usize].is_received()
    }

    /// How many requests the connection takes at once.
    pub fn capacity(&self) -> usize {
        let peer = match self.peer.streams_max {
            None => STREAMS_BEFORE_SETTINGS,
            Some(max) => max as usize,
        };
        peer.min(self.limits.streams)
    }

    /// Whether the server has taken at least the first request of this connection. One that goes away then has
    /// brought the others forward, as they will not meet it again.
    pub fn has_taken_some(&self) -> bool {
        self.next_id > 1 && self.last_processed >= 1
    }

    /// Streams on the wire.
    pub fn open_count(&self) -> usize {
        self.table.len()
    }

    /// Slots in use: streams on the wire, and responses that have arrived and are not released.
    pub fn used_count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Requests that wait for a stream.
    pub fn waiting_count(&self) -> usize {
        self.line.len()
    }

    /// What the server has broken, if that has ended the connection.
    pub fn fault(&self) -> Option<ConnectionError> {
        match self.state {
            State::Ended(ConnectionEnd::Broken(error)) => Some(error),
            _ => None,
        }
    }

    /// Whether new requests are taken.
    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Frames that cost work and brought nothing.
    pub fn glitches(&self) -> u64 {
        self.glitches.total()
    }

    /// Whether the windows and the slots are as they were at the beginning: of a connection at rest.
    pub fn is_at_rest(&self) -> bool {
        self.used_count() == 0
            && self.granted == 0
            && self.blocked.is_empty()
            && self.line.is_empty()
    }

    #[inline]
    fn take_slot(&mut self, to_head: bool) -> StreamKey {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Stream::new());
            (self.slots.len() - 1) as u32
        });
        let id = self.next_id;
        self.next_id += 2;
        // Identifiers are never used again (RFC 9113 section 5.1.1): another connection takes over.
        if self.next_id > LAST_STREAM_ID {
            self.state = State::Draining;
        }
        let windows = (self.limits.stream_window, self.peer.initial_window);
        self.slots[slot as usize].begin(id, to_head, windows, self.probe.heard());
        self.granted += u64::from(self.limits.stream_window);
        let slots = &self.slots;
        self.table
            .insert_unique(hash(id), slot, |slot| hash(slots[*slot as usize].id));
        StreamKey { slot, id }
    }

    /// Gives the credit of content that was taken to be read back to the server, and more of it if the
    /// reader keeps up.
    fn credit(&mut self, key: StreamKey, bytes: u32, wakes: &mut Wakes) {
        let used = self.used_count();
        let stream = &mut self.slots[key.slot as usize];
        stream.buffered -= bytes;
        if stream.is_received() {
            // Nothing more comes: what was read is free for other streams.
            let kept = stream.granted.min(stream.buffered);
            self.granted -= u64::from(stream.granted - kept);
            stream.granted = kept;
            return self.call_line(wakes);
        }
        let Some(mut update) = stream.window.taken(bytes) else {
            return;
        };
        let more = stream
            .window
            .size()
            .min(STREAM_WINDOW_MAX.saturating_sub(stream.window.size()));
        // What grows leaves room for the requests that may still come: no reader, however slow it becomes,
        // holds up another one.
        let to_come = self.limits.at_once.saturating_sub(used) as u64;
        let reserved = to_come * u64::from(self.limits.stream_window);
        let grown = self.granted + u64::from(more) + reserved;
        let fits = grown <= u64::from(self.limits.receive_bytes);
        // An empty buffer means that the reader waits for the server. Requests in line come before larger windows.
        if stream.pieces.is_empty() && more > 0 && fits && self.line.is_empty() {
            stream.window.grow(more);
            stream.granted += more;
            self.granted += u64::from(more);
            update += more;
        }
        frame::put_window_update(&mut self.out, key.id, update);
        self.poke(wakes);
    }

    /// Resets a stream that is on the wire.
    pub(super) fn reset(&mut self, key: StreamKey, code: ErrorCode, wakes: &mut Wakes) {
        frame::put_reset(&mut self.out, key.id, code.0);
        // Late frames of older ones count as glitches, of which there may be some.
        if self.resets.len() == RESETS_REMEMBERED {
            self.resets.pop_front();
        }
        let stream = &mut self.slots[key.slot as usize];
        self.resets.push_back(Late::new(key.id, stream.window));
        stream.is_stopped |= std::mem::take(&mut stream.is_sending);
        self.off_wire(key);
        self.poke(wakes);
    }

    /// Takes a stream off the wire: its identifier means nothing any more.
    pub(super) fn off_wire(&mut self, key: StreamKey) {
        let stream = &mut self.slots[key.slot as usize];
        if !std::mem::take(&mut stream.is_on_wire) {
            return;
        }
        if let Ok(entry) = self
            .table
            .find_entry(hash(key.id), |slot| *slot == key.slot)
        {
            entry.remove();
        }
        // Content that was not read keeps its share of the budget until it is.
        let kept = stream.granted.min(stream.buffered);
        self.granted -= u64::from(stream.granted - kept);
        stream.granted = kept;
    }

    /// Makes a slot free; what is left of its memory comes back.
    #[inline]
    fn release_slot(&mut self, key: StreamKey, wakes: &mut Wakes) -> Option<B> {
        let stream = &mut self.slots[key.slot as usize];
        if stream.is_on_wire {
            self.off_wire(key);
        }
        let stream = &mut self.slots[key.slot as usize];
        self.granted -= u64::from(stream.granted);
        stream.granted = 0;
        // No key of this slot is valid any more.
        stream.id = 0;
        if !stream.head.is_blank() {
            stream.head.reset();
        }
        if !stream.trailers.is_blank() {
            stream.trailers.reset();
        }
        wakes.discard(stream.waker.take());
        let spare = stream.spare.take();
        if std::mem::take(&mut stream.awaits_room) {
            self.blocked.retain(|blocked| *blocked != key);
        }
        self.free.push(key.slot);
        spare
    }

    /// Wakes the task if it is parked.
    #[inline]
    pub(super) fn poke(&mut self, wakes: &mut Wakes) {
        wakes.wake(self.parked.take());
    }
}

/// The hash of an identifier: they are counted up, so that one multiplication spreads them.
#[inline]
pub(super) fn hash(id: u32) -> u64 {
    u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline]
pub(super) fn is_watched(watching: Option<&Waker>, asking: &Waker) -> bool {
    watching.is_some_and(|waker| waker.will_wake(asking))
}
