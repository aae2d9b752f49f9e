//! The phases of a request, and the table with all their properties.

/// A part of the time that a request takes.
///
/// Declared in the order in which they happen within one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting between two attempts: for a back-off, or for a token.
    Backoff,
    /// Waiting in a request queue for a worker.
    Queue,
    /// Waiting because the origin was paused.
    Pause,
    /// Waiting because the origin had no permit free.
    HostPermit,
    /// Waiting because no permit was free in total.
    TotalPermit,
    /// Resolving the name of the host.
    Dns,
    /// Opening the connection.
    Connect,
    /// Asking a proxy for a tunnel to the origin: CONNECT (RFC 9110 section 9.3.6) or SOCKS (RFC 1928), and
    /// before it the TLS handshake with the proxy itself, where there is one.
    Tunnel,
    /// The TLS handshake (RFC 8446).
    Tls,
    /// Sending the head and the body.
    Send,
    /// Waiting for the first byte of the response.
    Wait,
    /// Receiving the rest of the response, to the end of its body.
    Receive,
}

impl Phase {
    /// How many phases there are.
    pub const COUNT: usize = 12;

    /// All phases, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Backoff,
        Self::Queue,
        Self::Pause,
        Self::HostPermit,
        Self::TotalPermit,
        Self::Dns,
        Self::Connect,
        Self::Tunnel,
        Self::Tls,
        Self::Send,
        Self::Wait,
        Self::Receive,
    ];

    /// The name in lower case, such as `host_permit`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The row of the table.
    pub const fn row(self) -> &'static PhaseRow {
        &PHASES[self as usize]
    }

    /// Whether this phase may come directly after `earlier` within one attempt.
    pub fn may_follow(self, earlier: Self) -> bool {
        self.row().after.contains(&earlier)
    }

    /// The phase as one bit of a set.
    pub(crate) const fn bit(self) -> u16 {
        // `COUNT` is at most 16, which `record.rs` asserts.
        1 << self as u8
    }
}

/// The properties of a phase, for those who print timelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhaseRow {
    /// The phase.
    pub phase: Phase,
    /// Its name in lower case.
    pub name: &'static str,
    /// The phases that may come directly before it within one attempt. Any phase may be the first,
    /// as phases that took no time may be left out.
    pub after: &'static [Phase],
    /// The field of `timings` in an HTTP archive (HAR 1.2) that its time is added to.
    pub har_field: &'static str,
    /// One printable ASCII character for waterfalls.
    pub glyph: char,
}

/// One row for each phase, in the order of [`Phase::ALL`].
#[rustfmt::skip]
pub static PHASES: [PhaseRow; Phase::COUNT] = {
    // A phase whose `after` names a later one would go backwards; the test of this table refuses
    // it.
    use Phase::{
        Backoff, Connect, Dns, HostPermit, Pause, Queue, Receive, Send, Tls, TotalPermit, Tunnel,
        Wait,
    };
    [
        row(Backoff,     "backoff",      &[],                                   "blocked", 'z'),
        row(Queue,       "queue",        &[Backoff],                            "blocked", 'q'),
        row(Pause,       "pause",        &[Backoff, Queue],                     "blocked", '='),
        row(HostPermit,  "host_permit",  &[Backoff, Queue, Pause],              "blocked", 'h'),
        row(TotalPermit, "total_permit", &[Backoff, Queue, Pause, HostPermit],  "blocked", 'p'),
        row(Dns,         "dns",          &ADMITTED,                             "dns",     'd'),
        row(Connect,     "connect",      &[Backoff, Queue, Pause, HostPermit, TotalPermit, Dns], "connect", 'c'),
        row(Tunnel,      "tunnel",       &[Connect],                            "connect", 'v'),
        row(Tls,         "tls",          &[Connect, Tunnel],                    "ssl",     't'),
        row(Send,        "send",         &[Backoff, Queue, Pause, HostPermit, TotalPermit, Connect, Tunnel, Tls], "send", '>'),
        row(Wait,        "wait",         &[Send],                               "wait",    '.'),
        row(Receive,     "receive",      &[Wait],                               "receive", '<'),
    ]
};

/// The waits that may come before an attempt is sent.
const ADMITTED: [Phase; 5] = [
    Phase::Backoff,
    Phase::Queue,
    Phase::Pause,
    Phase::HostPermit,
    Phase::TotalPermit,
];

const fn row(
    phase: Phase,
    name: &'static str,
    after: &'static [Phase],
    har_field: &'static str,
    glyph: char,
) -> PhaseRow {
    PhaseRow {
        phase,
        name,
        after,
        har_field,
        glyph,
    }
}
