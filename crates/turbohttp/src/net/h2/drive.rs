//! The task of a connection: the only one that reads and writes its socket. One for each connection, and
//! none for a request.
//!
//! ```text
//!   woken ──> a poke, and more than one stream? ──> yield once, so that the other requests append too
//!     │
//!     └──> write all output ──> read and deliver, batch by batch ──> write again ──> park
//! ```
//!
//! It ends when the server closes, when an error ends the connection, when it takes no requests any more and
//! the last one is over, when it has been idle for too long, and with its runtime.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use tokio::runtime;
use turbohttp_core::h2::{Batch, ConnectionEnd, Delivered, Receiver, SharedStreams, Wakes};

use super::capacity::tell;
use super::connection::Connection;
use super::exchange::Home;
use crate::body::buffer::{ReadBuffer, ReadMemory, SpareBuffer};
use crate::clock;
use crate::limits::H2_READS_MAX;
use crate::net::connect::Connected;
use crate::net::route::Route;
use crate::net::stream::{Peeked, Stream};
use crate::net::timer::Timer;
use crate::net::wire::Wire;

/// How long a connection may have been idle before the system is asked for its health.
const ASK_AFTER: Duration = Duration::from_millis(1);

/// How long a connection that takes no more requests, and has none, tries to write its last bytes.
const FAREWELL: Duration = Duration::from_secs(1);

/// Makes a connection of a byte stream, which `home` hands out from now on, and starts its task in this runtime.
pub(crate) fn start(
    connected: Connected,
    route: Route,
    now: Instant,
    wire: &Arc<Wire>,
    home: &Arc<impl Home + 'static>,
) -> Arc<Connection> {
    let connection = Arc::new(Connection {
        streams: SharedStreams::new(wire.h2_limits),
        route,
        addresses: connected.addresses,
        id: wire.counters.opened(),
        opened_at: now,
        runtime: runtime::Handle::current(),
        wire: wire.clone(),
    });
    // Before its task begins, which tells what it carries, and may end at once.
    home.share(&connection);
    let home: Arc<dyn Home> = home.clone();
    drive(&connection, connected.stream, Arc::downgrade(&home));
    connection
}

fn drive(connection: &Arc<Connection>, stream: Stream, home: Weak<dyn Home>) {
    let limits = connection.streams.look(|streams| *streams.limits());
    let driver = Driver {
        connection: connection.clone(),
        home,
        stream,
        receiver: Receiver::new(&limits),
        batch: Batch::default(),
        input: ReadBuffer::new(),
        spare: SpareBuffer::default(),
        memory: None,
        writing: Vec::new(),
        written: 0,
        write_failure: None,
        needs_flush: false,
        wakes: Wakes::default(),
        timer: Timer::default(),
        is_parked: false,
        has_yielded: false,
        rests_since: None,
        reads_first: false,
        is_retired: false,
        capacity: None,
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "ends with the connection, and with its runtime"
    )]
    connection.runtime.spawn(driver);
}

struct Driver {
    connection: Arc<Connection>,
    home: Weak<dyn Home>,
    stream: Stream,
    receiver: Receiver,
    batch: Batch,
    input: ReadBuffer,
    /// The small buffer that the connection reads into stays with it.
    spare: SpareBuffer,
    /// Memory for content that has arrived, fetched without the lock of the streams.
    memory: Option<ReadMemory>,
    /// Output that was taken, of which `written` bytes are written.
    writing: Vec<u8>,
    written: usize,
    /// Nothing can be written any more: what has arrived is still read.
    write_failure: Option<io::ErrorKind>,
    needs_flush: bool,
    wakes: Wakes,
    timer: Timer,
    /// The last poll ended with nothing to write.
    is_parked: bool,
    has_yielded: bool,
    /// Since when there is no stream.
    rests_since: Option<Instant>,
    /// Something has happened on a connection at rest: it is seen before a request is written.
    reads_first: bool,
    is_retired: bool,
    /// What the scheduler was told last.
    capacity: Option<usize>,
}

/// What is known when the task has nothing to do.
struct Rest {
    has_output: bool,
    is_over: bool,
    is_live: bool,
    capacity: usize,
    has_streams: bool,
    probe_due: Option<Instant>,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.yields(cx) {
            return Poll::Pending;
        }
        for _ in 0..H2_READS_MAX {
            match this.turn(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(end) => {
                    this.end(cx, end);
                    return Poll::Ready(());
                }
            }
        }
        // Other tasks get their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    /// Woken by a request while other streams are open: those that were woken with it append first, so
    /// that one write takes all of them.
    #[inline]
    fn yields(&mut self, cx: &mut TaskContext<'_>) -> bool {
        if !std::mem::take(&mut self.is_parked) {
            return false;
        }
        let streams = &self.connection.streams;
        // One look, only after a poke: answers that arrive are read at once.
        let is_batch = streams.look(|streams| streams.has_output() && streams.open_count() > 1);
        if is_batch && !self.has_yielded {
            self.has_yielded = true;
            cx.waker().wake_by_ref();
            return true;
        }
        false
    }

    /// Writes, reads, and parks; `true` if there may be more to do at once.
    fn turn(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ConnectionEnd> {
        self.has_yielded = false;
        if !self.must_read_first() {
            self.write(cx);
        }
        if self.read(cx)? {
            self.reads_first = false;
            return Ok(true);
        }
        self.rest(cx)
    }

    /// Whether a connection that has rested was closed or spoken to meanwhile, which the reactor may not
    /// have reported yet: a request that is written first would be lost with it.
    #[inline]
    fn must_read_first(&mut self) -> bool {
        let has_rested = match self.rests_since {
            Some(since) => clock::now() >= since + ASK_AFTER,
            None => false,
        };
        (has_rested || self.reads_first) && self.is_spoken_to()
    }

    /// Whether the socket has something. Asked again after each read: a TLS session may have taken in what
    /// there was, without any data for this side.
    #[cold]
    fn is_spoken_to(&mut self) -> bool {
        self.reads_first = !matches!(self.stream.peek(), Peeked::Nothing);
        self.reads_first
    }

    /// Writes what there is to write, as far as the socket takes it.
    fn write(&mut self, cx: &mut TaskContext<'_>) {
        loop {
            if self.written == self.writing.len() {
                self.writing.clear();
                self.written = 0;
                let (writing, wakes) = (&mut self.writing, &mut self.wakes);
                let streams = &self.connection.streams;
                let has_some = streams
                    .update_with(wakes, |streams, wakes| streams.take_output(writing, wakes));
                if !has_some {
                    return self.flush(cx);
                }
                if self.write_failure.is_some() {
                    self.written = self.writing.len();
                    continue;
                }
            }
            // A TLS session may keep what it was given until it is flushed.
            self.needs_flush = true;
            match self.stream.poll_write(cx, &self.writing[self.written..]) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => self.write_failed(io::ErrorKind::WriteZero),
                Poll::Ready(Ok(length)) => self.written += length,
                Poll::Ready(Err(error)) => self.write_failed(error.kind()),
            }
        }
    }

    fn flush(&mut self, cx: &mut TaskContext<'_>) {
        if !self.needs_flush || self.write_failure.is_some() {
            return;
        }
        match self.stream.poll_flush(cx) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.needs_flush = false,
            Poll::Ready(Err(error)) => self.write_failed(error.kind()),
        }
    }

    /// Answers that have arrived are still read, and what the server said of its reasons.
    #[cold]
    fn write_failed(&mut self, kind: io::ErrorKind) {
        self.write_failure = Some(kind);
        self.written = self.writing.len();
    }

    /// Reads once and delivers what came; `false` if nothing did.
    #[inline]
    fn read(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ConnectionEnd> {
        let pool = &self.connection.wire.buffers;
        let fill = self
            .stream
            .poll_fill(cx, &mut self.input, pool, &mut self.spare);
        match fill {
            Poll::Pending => match self.write_failure {
                // The server neither takes nor says anything.
                Some(kind) => Err(ConnectionEnd::Failed(kind)),
                None => Ok(false),
            },
            Poll::Ready(Ok(0)) => Err(ConnectionEnd::Closed),
            // A TLS session that ends without close_notify.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(ConnectionEnd::Closed)
            }
            Poll::Ready(Err(error)) => Err(ConnectionEnd::Failed(error.kind())),
            Poll::Ready(Ok(_)) => {
                self.deliver()?;
                Ok(true)
            }
        }
    }

    /// Delivers all whole frames of the input.
    fn deliver(&mut self) -> Result<(), ConnectionEnd> {
        // One instant for all frames of a read: glitches and probes need no finer one.
        let now = clock::now();
        loop {
            let consumed = self.receiver.receive(self.input.filled(), &mut self.batch);
            if self.batch.is_empty() {
                // Fragments of a field block make no event before its last one.
                self.input.consume(consumed);
                break;
            }
            self.deliver_batch(now)?;
            self.input.consume(consumed);
        }
        if self.input.is_empty() {
            self.input.release(&mut self.spare);
        }
        // Of a stream that was released while its content was delivered.
        self.memory = None;
        Ok(())
    }

    #[inline]
    fn deliver_batch(&mut self, now: Instant) -> Result<(), ConnectionEnd> {
        let connection = &self.connection;
        loop {
            let (batch, input) = (&mut self.batch, self.input.filled());
            let (memory, wakes) = (&mut self.memory, &mut self.wakes);
            let delivered = connection.streams.update_with(wakes, |streams, wakes| {
                streams.deliver(batch, input, memory, now, wakes)
            });
            match delivered {
                Delivered::All => return Ok(()),
                Delivered::NeedsMemory(bytes) => {
                    self.memory = Some(connection.wire.buffers.rent(bytes));
                }
                Delivered::Broken(error) => return Err(ConnectionEnd::Broken(error)),
            }
        }
    }

    /// Nothing is to be read: parks, unless there is something to write or the connection is over.
    fn rest(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, ConnectionEnd> {
        let is_writing = self.written < self.writing.len();
        let waker = cx.waker().clone();
        let rest = self.connection.streams.update(|streams, _| Rest {
            has_output: match is_writing {
                false => !streams.park(waker),
                // While a write waits for the socket, the output waits for it too.
                true => {
                    streams.park_blocked(waker);
                    false
                }
            },
            is_over: streams.is_over(),
            is_live: streams.is_live(),
            capacity: streams.capacity(),
            has_streams: streams.open_count() > 0,
            probe_due: streams.probe_due(),
        });
        if !rest.is_live && !self.is_retired {
            self.retire();
        }
        if rest.is_live && self.capacity != Some(rest.capacity) {
            self.tell(Some(rest.capacity));
        }
        if rest.has_output && !(self.reads_first && self.is_spoken_to()) {
            return Ok(true);
        }
        if rest.is_over && !is_writing && !self.needs_flush {
            return Err(ConnectionEnd::Abandoned);
        }
        self.is_parked = true;
        self.poll_timer(cx, &rest)
    }

    /// Whether a time is up: that of a silent server, of a connection without streams, or of its life.
    #[inline]
    fn poll_timer(&mut self, cx: &mut TaskContext<'_>, rest: &Rest) -> Result<bool, ConnectionEnd> {
        let wire = &self.connection.wire;
        let idle_due = match rest.has_streams {
            true => {
                self.rests_since = None;
                None
            }
            false => {
                let since = *self.rests_since.get_or_insert_with(clock::now);
                let kept = match rest.is_live {
                    true => wire.idle,
                    false => wire.idle.min(FAREWELL),
                };
                Some(clock::after(since, kept))
            }
        };
        let (life_due, ping_due) = match &wire.life {
            None => (None, None),
            Some(life) => {
                let unread = self.input.filled().len();
                self.connection.life_due(life, rest.is_live, unread)?
            }
        };
        let due = clock::earlier(clock::earlier(idle_due, life_due), rest.probe_due);
        let Some(due) = due else { return Ok(false) };
        self.timer.set(due, Duration::ZERO, None);
        if self
            .timer
            .poll_expired(cx, &self.connection.runtime)
            .is_pending()
        {
            return Ok(false);
        }
        if ping_due == Some(due) {
            // The next turn looks again, and sends the PING or ends.
            return Ok(true);
        }
        if !rest.is_live {
            // The server does not take the last bytes.
            return Err(ConnectionEnd::Abandoned);
        }
        let now = clock::now();
        let is_old = life_due.is_some_and(|due| due <= now);
        let is_awaited = self.connection.streams.update(|streams, wakes| {
            let is_silent = streams.give_up_if_silent(now, wakes);
            let is_awaited = !is_silent && !is_old && streams.remind_line(wakes);
            if !is_silent && !is_awaited && streams.is_live() {
                streams.go_away(wakes);
            }
            is_awaited
        });
        if is_awaited {
            // Each request says by itself when it has waited for as long as a connection may rest.
            self.rests_since = Some(now);
        }
        Ok(true)
    }

    #[cold]
    fn tell(&mut self, capacity: Option<usize>) {
        self.capacity = capacity;
        tell(&self.connection, &self.home, capacity);
    }

    #[cold]
    fn retire(&mut self) {
        self.is_retired = true;
        if let Some(home) = self.home.upgrade() {
            home.retire(&self.connection);
        }
        self.tell(None);
    }

    #[cold]
    fn end(&mut self, cx: &mut TaskContext<'_>, end: ConnectionEnd) {
        let streams = &self.connection.streams;
        let (wakes, writing) = (&mut self.wakes, &mut self.writing);
        streams.update_with(wakes, |streams, wakes| {
            streams.end(end, wakes);
            if self.written == writing.len() {
                streams.last_words(writing);
                self.written = 0;
            }
        });
        if self.written == 0 && !self.writing.is_empty() {
            // Once, and whatever becomes of it: nobody waits for it.
            let written = self.stream.poll_write(cx, &self.writing);
            if written.is_ready() {
                _ = self.stream.poll_flush(cx);
            }
        }
        if !self.is_retired {
            self.retire();
        }
    }
}

impl Drop for Driver {
    /// The runtime has ended, or the task has: nobody reads this connection any more.
    fn drop(&mut self) {
        let streams = &self.connection.streams;
        streams.update(|streams, wakes| streams.end(ConnectionEnd::Abandoned, wakes));
        if !self.is_retired {
            self.retire();
        }
        let wire = &self.connection.wire;
        let (_, glitches) = self.connection.counts();
        wire.counters.glitches(glitches);
        wire.counters.closed();
        wire.shortage.freed();
    }
}
