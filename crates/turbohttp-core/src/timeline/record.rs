//! The spans of one request, in a record of fixed size.

use std::fmt;
use std::time::{Duration, Instant};

use super::phase::Phase;
use crate::pool::Reset;

/// The most spans that one timeline keeps.
///
/// Four attempts over new connections fit, with room for a queue. Further spans are counted by
/// [`Timeline::dropped_events`] and lost.
pub const EVENTS_MAX: usize = 24;

/// The spans of one request, as offsets from its beginning, its attempts, and its connection.
///
/// A clone is an independent copy that may be kept for any time. Offsets are kept in nanoseconds.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
/// use turbohttp_core::timeline::{Phase, Timeline};
///
/// let base = Instant::now();
/// let ms = Duration::from_millis;
/// let mut timeline = Timeline::new();
/// timeline.begin(base);
/// timeline.start(Phase::Send, base + ms(1));
/// timeline.finish(Phase::Send, base + ms(3));
/// timeline.end(base + ms(4));
/// assert_eq!(timeline.duration(Phase::Send), ms(2));
/// assert_eq!(timeline.total(), ms(4));
/// ```
pub struct Timeline {
    /// The moment that offsets count from.
    base: Option<Instant>,
    /// The latest offset that was recorded.
    total_ns: u64,
    /// 0 stands for none.
    connection_id: u64,
    attempts: u32,
    dropped_events: u32,
    /// A set of [`REUSED`], [`HANDSHAKE`] and [`RESUMED`]: one byte, as it is reset and checked with every request.
    connection: u8,
    /// Invariant: at most [`EVENTS_MAX`]. Only `events[..len]` is ever read.
    len: u8,
    /// One bit for each phase that was started and is not finished.
    open: u16,
    /// When they were started. Read only where the bit in `open` is set.
    open_ns: [u64; Phase::COUNT],
    events: [Event; EVENTS_MAX],
}

/// One phase of a request. `start` and `end` count from the request's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// The phase.
    pub phase: Phase,
    /// When it began.
    pub start: Duration,
    /// When it ended; not before `start`.
    pub end: Duration,
}

/// The connection had carried another request before.
const REUSED: u8 = 1;
/// The request made a TLS handshake for it.
const HANDSHAKE: u8 = 2;
/// That handshake resumed a session.
const RESUMED: u8 = 4;

#[derive(Clone, Copy)]
struct Event {
    start_ns: u64,
    end_ns: u64,
    phase: Phase,
}

const _: () = assert!(EVENTS_MAX <= u8::MAX as usize && Phase::COUNT <= u16::BITS as usize);

impl Timeline {
    /// Makes an empty timeline.
    pub const fn new() -> Self {
        const NOTHING: Event = Event {
            start_ns: 0,
            end_ns: 0,
            phase: Phase::Queue,
        };
        Self {
            base: None,
            total_ns: 0,
            connection_id: 0,
            attempts: 0,
            dropped_events: 0,
            connection: 0,
            len: 0,
            open: 0,
            open_ns: [0; Phase::COUNT],
            events: [NOTHING; EVENTS_MAX],
        }
    }

    /// Sets the moment that offsets count from. Without a call of this it is the first moment that
    /// is passed to any other method.
    pub fn begin(&mut self, now: Instant) {
        self.base = Some(now);
    }

    /// Whether the moment that offsets count from is set.
    pub fn has_begun(&self) -> bool {
        self.base.is_some()
    }

    /// The moment that offsets count from.
    pub fn began(&self) -> Option<Instant> {
        self.base
    }

    /// Records a phase that is over.
    ///
    /// A moment before the beginning counts as the beginning, an `end` before `start` as `start`.
    pub fn record(&mut self, phase: Phase, start: Instant, end: Instant) {
        let start_ns = self.offset_ns(start);
        let end_ns = self.offset_ns(end);
        self.push(phase, start_ns, end_ns);
    }

    /// Records a phase that began at the latest moment recorded so far and is over now. Phases that
    /// follow one another cost one reading of the clock each.
    pub fn lap(&mut self, phase: Phase, now: Instant) {
        let start_ns = self.total_ns;
        let end_ns = self.offset_ns(now);
        self.push(phase, start_ns, end_ns);
    }

    /// Records a phase that took no time, at the latest moment recorded so far.
    pub fn touch(&mut self, phase: Phase) {
        self.push(phase, self.total_ns, self.total_ns);
    }

    /// Opens a phase; if it is open already, that one is finished first.
    pub fn start(&mut self, phase: Phase, now: Instant) {
        self.finish(phase, now);
        self.open_ns[phase as usize] = self.offset_ns(now);
        self.open |= phase.bit();
    }

    /// Records a phase that was opened by [`start`](Self::start); does nothing if it is not open.
    ///
    /// Spans are kept in the order they are finished in.
    pub fn finish(&mut self, phase: Phase, now: Instant) {
        // Not open: the phase was finished already, or never started. Both happen where a request
        // is given up.
        if self.open & phase.bit() == 0 {
            return;
        }
        self.open &= !phase.bit();
        let end_ns = self.offset_ns(now);
        self.push(phase, self.open_ns[phase as usize], end_ns);
    }

    /// Ends the request: finishes every open phase and sets the total.
    pub fn end(&mut self, now: Instant) {
        // Most requests have no phase open here; then the loop over all phases is skipped.
        if self.open != 0 {
            for phase in Phase::ALL {
                self.finish(phase, now);
            }
        }
        // `max`: a moment that lies before one recorded earlier must not shrink the total.
        self.total_ns = self.total_ns.max(self.offset_ns(now));
    }

    /// The spans in the order they were recorded in.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = Span> + '_ {
        self.live().iter().map(|event| Span {
            phase: event.phase,
            start: Duration::from_nanos(event.start_ns),
            end: Duration::from_nanos(event.end_ns),
        })
    }

    /// How long a phase took, all its spans together; zero if it has none.
    pub fn duration(&self, phase: Phase) -> Duration {
        let spans = self.live().iter().filter(|event| event.phase == phase);
        let sum_ns = spans.fold(0u64, |sum, event| {
            sum.saturating_add(event.end_ns - event.start_ns)
        });
        Duration::from_nanos(sum_ns)
    }

    /// The time from the beginning to the latest moment recorded so far.
    pub fn total(&self) -> Duration {
        Duration::from_nanos(self.total_ns)
    }

    /// How many spans were lost because there was no room.
    pub fn dropped_events(&self) -> u32 {
        self.dropped_events
    }

    /// How many attempts there were.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Counts one more attempt.
    pub fn count_attempt(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    /// The number of the connection that carried the last attempt, if one did.
    pub fn connection_id(&self) -> Option<u64> {
        (self.connection_id != 0).then_some(self.connection_id)
    }

    /// Whether that connection had carried another request before.
    pub fn is_connection_reused(&self) -> bool {
        self.connection & REUSED != 0
    }

    /// Whether the TLS handshake that this request made for its connection resumed the session of a former
    /// one (RFC 8446 section 2.2); `None` if it made none: the connection was there before, or has no TLS.
    ///
    /// By a proxy, the handshake is that of [`Phase::Tls`]: the one with the origin, or with an https proxy that
    /// forwards the request.
    pub fn tls_resumed(&self) -> Option<bool> {
        (self.connection & HANDSHAKE != 0).then_some(self.connection & RESUMED != 0)
    }

    /// Says which connection carries the request; 0 stands for none. A reused one forgets the handshake of
    /// the one before.
    pub fn set_connection(&mut self, connection_id: u64, is_reused: bool) {
        self.connection_id = connection_id;
        match is_reused {
            true => self.connection = REUSED,
            false => self.connection &= !REUSED,
        }
    }

    /// Says whether the TLS handshake for a new connection resumed a session; `None` stands for no handshake.
    #[cold]
    pub fn set_tls_resumed(&mut self, resumed: Option<bool>) {
        self.connection &= REUSED;
        self.connection |= match resumed {
            None => 0,
            Some(false) => HANDSHAKE,
            Some(true) => HANDSHAKE | RESUMED,
        };
    }

    pub(crate) fn count_dropped(&mut self, count: u32) {
        self.dropped_events = self.dropped_events.saturating_add(count);
    }

    fn push(&mut self, phase: Phase, start_ns: u64, end_ns: u64) {
        // Instants of different threads may be out of order by a little: a span never has a
        // negative length.
        let end_ns = end_ns.max(start_ns);
        self.total_ns = self.total_ns.max(end_ns);
        let Some(event) = self.events.get_mut(usize::from(self.len)) else {
            return self.count_dropped(1);
        };
        *event = Event {
            start_ns,
            end_ns,
            phase,
        };
        self.len += 1;
    }

    fn offset_ns(&mut self, moment: Instant) -> u64 {
        let base = *self.base.get_or_insert(moment);
        // A moment before the beginning counts as the beginning. 2^64 ns are 584 years.
        let offset = moment.saturating_duration_since(base);
        u64::try_from(offset.as_nanos()).unwrap_or(u64::MAX)
    }

    fn live(&self) -> &[Event] {
        &self.events[..usize::from(self.len)]
    }

    /// The first phase, in the order of [`Phase::ALL`], that was opened by [`start`](Self::start) and is not
    /// finished.
    pub fn open_phase(&self) -> Option<Phase> {
        self.open_starts().next().map(|(phase, _)| phase)
    }

    fn open_starts(&self) -> impl Iterator<Item = (Phase, u64)> + '_ {
        let is_open = |phase: &Phase| self.open & phase.bit() != 0;
        Phase::ALL
            .into_iter()
            .filter(is_open)
            .map(|phase| (phase, self.open_ns[phase as usize]))
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl Reset for Timeline {
    fn reset(&mut self) {
        // No `..`: a new field has to be reset here to compile.
        let Self {
            base,
            total_ns,
            connection_id,
            attempts,
            dropped_events,
            connection,
            len,
            open,
            // The arrays are read only where `len` and `open` allow it, so they need no rewriting.
            open_ns: _,
            events: _,
        } = self;
        // A handful of words; the two arrays keep what was in them, which no method reads.
        *base = None;
        *total_ns = 0;
        *connection_id = 0;
        *attempts = 0;
        *dropped_events = 0;
        *connection = 0;
        *len = 0;
        *open = 0;
    }

    fn is_blank(&self) -> bool {
        self.base.is_none()
            && self.total_ns == 0
            && self.connection_id == 0
            && self.attempts == 0
            && self.dropped_events == 0
            && self.connection == 0
            && self.len == 0
            && self.open == 0
    }
}

/// Copies the live events only, so nothing of a former request is carried along.
impl Clone for Timeline {
    fn clone(&self) -> Self {
        // From a new one: the copy must hold nothing of a former request, not even where it is not
        // read.
        let mut copy = Self {
            base: self.base,
            total_ns: self.total_ns,
            connection_id: self.connection_id,
            attempts: self.attempts,
            dropped_events: self.dropped_events,
            connection: self.connection,
            len: self.len,
            open: self.open,
            ..Self::new()
        };
        copy.events[..usize::from(self.len)].copy_from_slice(self.live());
        for (phase, start_ns) in self.open_starts() {
            copy.open_ns[phase as usize] = start_ns;
        }
        copy
    }
}

impl PartialEq for Timeline {
    fn eq(&self, other: &Self) -> bool {
        // Only what can be read is compared: the rest of the arrays is of former requests.
        self.base == other.base
            && self.total_ns == other.total_ns
            && self.connection_id == other.connection_id
            && self.attempts == other.attempts
            && self.dropped_events == other.dropped_events
            && self.connection == other.connection
            && self.spans().eq(other.spans())
            && self.open_starts().eq(other.open_starts())
    }
}

impl Eq for Timeline {}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeline")
            .field("total", &self.total())
            .field("attempts", &self.attempts)
            .field("connection_id", &self.connection_id())
            .field("is_connection_reused", &self.is_connection_reused())
            .field("tls_resumed", &self.tls_resumed())
            .field("dropped_events", &self.dropped_events)
            .field("spans", &self.spans().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
