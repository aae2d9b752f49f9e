//! The options of a client: plain numbers, checked once when it is built.

use std::time::{Duration, Instant};

use turbohttp_core::h1::HeadLimits;
use turbohttp_core::h2;
use turbohttp_core::scheduler::{InvalidRule, Priority, Rate, Reserve, Rules};

use crate::error::{Error, Result};
use crate::limits::{
    BODY_BYTES_MAX, H2_CONNECTIONS_MAX, H2_WINDOW_MAX, H2_WINDOW_MIN, HEAD_BYTES_MAX,
    HEAD_BYTES_MIN, HEAD_FIELDS_MAX, IDLE_MAX,
};

/// How much a client may take and keep. There is no "unlimited".
///
/// ```
/// use turbohttp::{Limits, Priority};
///
/// let limits = Limits::default()
///     .per_host(8)
///     .total(64)
///     .reserve(Priority::Critical, 1, 4); // one permit of each origin, and four in total
/// assert_eq!((limits.per_host, limits.waiting), (8, 65_536));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body that is collected into memory ([`Response::bytes`](crate::Response::bytes),
    /// `text`, `json`). Default 64 MiB. Bodies that are read by `chunk` have no limit.
    pub body_bytes: usize,
    /// Bytes of a response head, of all interim heads together, and of a trailer section. Default
    /// 65,536; from 1,024 to 16 MiB.
    pub head_bytes: usize,
    /// Fields of a response head. Default 128; from 1 to 10,000.
    pub head_fields: usize,
    /// Idle connections kept per origin. Default 64; each is a descriptor and about 1 KiB.
    pub idle_per_origin: usize,
    /// Idle connections kept in total. Default 256. When it is reached, the one that has been idle
    /// longest makes room. One of HTTP/2 makes room when another one of HTTP/2 is made.
    pub idle_total: usize,
    /// Requests that one origin (scheme, host and port) may have under way, each from its permit until
    /// its body is on no connection any more. Default 64; at least 1.
    pub per_host: usize,
    /// Requests that may be under way in total. Default 256; at least 1.
    pub total: usize,
    /// Requests that may wait for a permit. Default 65,536; the next one fails with
    /// [`ErrorKind::Full`](crate::ErrorKind). What a [`RequestQueue`](crate::RequestQueue) holds has
    /// bounds of its own.
    pub waiting: usize,
    /// Requests that may wait for a permit of one origin. Default 10,000.
    pub waiting_per_host: usize,
    /// Origins that are remembered although nothing runs or waits for them. Default 128; the one that
    /// has been so longest is forgotten first.
    pub idle_hosts: usize,
    /// After so long in line a request counts as one level more urgent. Default none: strict
    /// [`Priority`], under which endless urgent work starves the rest.
    pub ageing: Option<Duration>,
    /// Permits kept free for urgent requests. Default none; not together with `ageing`.
    pub reserve: Reserve,
    /// How many requests per time one origin is sent. Default none. An origin that is forgotten begins
    /// with a whole burst: see `idle_hosts`.
    pub rate_per_host: Option<Rate>,
    /// Bytes that a connection of HTTP/2 may have received and not handed out, of all its responses
    /// together: its window (RFC 9113 section 5.2). Default 32 MiB; from 64 KiB to 2^31 - 1. Of streams with
    /// 64 KiB each, no more are open at once than fit.
    pub h2_receive_bytes: usize,
    /// Bytes that a response over HTTP/2 may send ahead of its reader, at its begin: at most the share of one
    /// of `per_host` requests in half of `h2_receive_bytes`, 64 KiB at least, and up to 4 MiB for a reader that
    /// keeps up. Default 256 KiB; from 64 KiB to `h2_receive_bytes`.
    pub h2_window: usize,
    /// Connections of HTTP/2 to one origin. Default 1, as RFC 9113 section 9.1 asks for; from 1 to 256. Another
    /// one is made where those that are there carry as many requests as their server takes at once. A request
    /// goes to the fullest one that has room, so that those that are not needed come to rest and close.
    pub h2_connections_per_host: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

impl Limits {
    pub(crate) const DEFAULT: Limits = Limits {
        body_bytes: 64 * 1024 * 1024,
        head_bytes: 64 * 1024,
        head_fields: 128,
        idle_per_origin: 64,
        idle_total: 256,
        per_host: 64,
        total: 256,
        waiting: 65_536,
        waiting_per_host: 10_000,
        idle_hosts: 128,
        ageing: None,
        reserve: Reserve::NONE,
        rate_per_host: None,
        h2_receive_bytes: h2::RECEIVE_BYTES as usize,
        h2_window: h2::STREAM_WINDOW as usize,
        h2_connections_per_host: 1,
    };

    /// Sets [`body_bytes`](Limits::body_bytes).
    #[must_use]
    pub fn body_bytes(mut self, bytes: usize) -> Limits {
        self.body_bytes = bytes;
        self
    }

    /// Sets [`head_bytes`](Limits::head_bytes).
    #[must_use]
    pub fn head_bytes(mut self, bytes: usize) -> Limits {
        self.head_bytes = bytes;
        self
    }

    /// Sets [`head_fields`](Limits::head_fields).
    #[must_use]
    pub fn head_fields(mut self, fields: usize) -> Limits {
        self.head_fields = fields;
        self
    }

    /// Sets [`idle_per_origin`](Limits::idle_per_origin).
    #[must_use]
    pub fn idle_per_origin(mut self, connections: usize) -> Limits {
        self.idle_per_origin = connections;
        self
    }

    /// Sets [`idle_total`](Limits::idle_total).
    #[must_use]
    pub fn idle_total(mut self, connections: usize) -> Limits {
        self.idle_total = connections;
        self
    }

    /// Sets [`per_host`](Limits::per_host).
    #[must_use]
    pub fn per_host(mut self, requests: usize) -> Limits {
        self.per_host = requests;
        self
    }

    /// Sets [`total`](Limits::total).
    #[must_use]
    pub fn total(mut self, requests: usize) -> Limits {
        self.total = requests;
        self
    }

    /// Sets [`waiting`](Limits::waiting).
    #[must_use]
    pub fn waiting(mut self, requests: usize) -> Limits {
        self.waiting = requests;
        self
    }

    /// Sets [`waiting_per_host`](Limits::waiting_per_host).
    #[must_use]
    pub fn waiting_per_host(mut self, requests: usize) -> Limits {
        self.waiting_per_host = requests;
        self
    }

    /// Sets [`idle_hosts`](Limits::idle_hosts).
    #[must_use]
    pub fn idle_hosts(mut self, hosts: usize) -> Limits {
        self.idle_hosts = hosts;
        self
    }

    /// Sets [`ageing`](Limits::ageing).
    #[must_use]
    pub fn ageing(mut self, step: Duration) -> Limits {
        self.ageing = Some(step);
        self
    }

    /// Keeps permits from requests that are less urgent than `priority`: so many of every host's, and
    /// so many of the total.
    #[must_use]
    pub fn reserve(mut self, priority: Priority, per_host: usize, total: usize) -> Limits {
        self.reserve.per_lane[priority.index()] = per_host;
        self.reserve.total[priority.index()] = total;
        self
    }

    /// Sets [`rate_per_host`](Limits::rate_per_host).
    #[must_use]
    pub fn rate_per_host(mut self, rate: Rate) -> Limits {
        self.rate_per_host = Some(rate);
        self
    }

    /// Sets [`h2_receive_bytes`](Limits::h2_receive_bytes); below 256 KiB, [`h2_window`](Limits::h2_window)
    /// has to be set as well.
    #[must_use]
    pub fn h2_receive_bytes(mut self, bytes: usize) -> Limits {
        self.h2_receive_bytes = bytes;
        self
    }

    /// Sets [`h2_window`](Limits::h2_window).
    #[must_use]
    pub fn h2_window(mut self, bytes: usize) -> Limits {
        self.h2_window = bytes;
        self
    }

    /// Sets [`h2_connections_per_host`](Limits::h2_connections_per_host).
    #[must_use]
    pub fn h2_connections_per_host(mut self, connections: usize) -> Limits {
        self.h2_connections_per_host = connections;
        self
    }

    /// The part of the options that is about admission.
    pub(crate) fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.per_lane = self.per_host;
        rules.total = self.total;
        rules.waiting = self.waiting;
        rules.waiting_per_lane = self.waiting_per_host;
        rules.idle_lanes = self.idle_hosts;
        rules.ageing = self.ageing;
        rules.reserve = self.reserve;
        rules.rate = self.rate_per_host;
        rules
    }

    pub(crate) fn check(&self) -> Result<()> {
        in_range("limits.body_bytes", self.body_bytes, 1, BODY_BYTES_MAX)?;
        in_range(
            "limits.head_bytes",
            self.head_bytes,
            HEAD_BYTES_MIN,
            HEAD_BYTES_MAX,
        )?;
        in_range("limits.head_fields", self.head_fields, 1, HEAD_FIELDS_MAX)?;
        in_range("limits.idle_per_origin", self.idle_per_origin, 1, IDLE_MAX)?;
        in_range("limits.idle_total", self.idle_total, 1, IDLE_MAX)?;
        let receive_bytes = self.h2_receive_bytes;
        in_range(
            "limits.h2_receive_bytes",
            receive_bytes,
            H2_WINDOW_MIN,
            H2_WINDOW_MAX,
        )?;
        in_range(
            "limits.h2_window",
            self.h2_window,
            H2_WINDOW_MIN,
            receive_bytes,
        )?;
        in_range(
            "limits.h2_connections_per_host",
            self.h2_connections_per_host,
            1,
            H2_CONNECTIONS_MAX,
        )?;
        // The scheduler knows the bounds of its own rules; its names become those of the options in the error.
        Ok(self.rules().check()?)
    }

    pub(crate) fn head(&self) -> HeadLimits {
        HeadLimits::new(self.head_bytes, self.head_fields)
    }

    /// What a connection of HTTP/2 may cost, with these limits of a head.
    pub(crate) fn h2(&self, head: HeadLimits) -> h2::Limits {
        // Both are at most `H2_WINDOW_MAX`.
        let (receive_bytes, window) = (self.h2_receive_bytes as u32, self.h2_window as u32);
        h2::Limits::with_budget(head, self.per_host, receive_bytes, window)
    }
}

/// The scheduler names its own rules; users know them as options.
impl From<InvalidRule> for Error {
    #[cold]
    fn from(rule: InvalidRule) -> Error {
        let field = match rule.field {
            "per_lane" => "limits.per_host".to_owned(),
            // Of one key alone, given to `host_limit` or `set_limit`: no option is called so.
            "limit" => "the limit of a host".to_owned(),
            // Of all origins or of one, by `Limits::rate_per_host`, `host_rate` or `set_rate`.
            "rate" => "a rate".to_owned(),
            // By `ClientBuilder::adaptive_limit`.
            "adaptive.floor" => "the floor of an adaptive limit".to_owned(),
            "adaptive.initial" => "the initial value of an adaptive limit".to_owned(),
            "adaptive.ceiling" => "the ceiling of an adaptive limit".to_owned(),
            "rate.burst" => "the burst of a rate".to_owned(),
            "waiting_per_lane" => "limits.waiting_per_host".to_owned(),
            "idle_lanes" => "limits.idle_hosts".to_owned(),
            "reserve.per_lane" => "limits.reserve.per_host".to_owned(),
            field => format!("limits.{field}"),
        };
        Error::config(&field, &rule.bound, rule.value)
    }
}

fn in_range(field: &str, value: usize, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::config(field, &format!("{min}..={max}"), value))
}

/// The bounds of [`Timeouts::ping`]: less would be a load; of more the milliseconds are not counted.
const PING_MIN: Duration = Duration::from_secs(1);
const PING_END: Duration = Duration::from_millis(u32::MAX as u64);

/// How long a client waits, phase by phase.
///
/// ```
/// use std::time::Duration;
/// use turbohttp::Timeouts;
///
/// let timeouts = Timeouts::default()
///     .connect(Duration::from_secs(2))
///     .request(Duration::from_secs(60))
///     .permit(None); // as long as the whole request may take
/// assert_eq!(timeouts.head, Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a permit to send, where one has to be waited for. Default 120 s: unread responses that hold
    /// their permits would otherwise keep other calls waiting for ever. `None` leaves it to the time of
    /// the whole request. The wait in a [`RequestQueue`](crate::RequestQueue) is not meant.
    pub permit: Option<Duration>,
    /// For the addresses of a name. Default 5 s.
    pub dns: Duration,
    /// For a TCP connection to any of the addresses; and once more for the answer of a proxy that is asked for
    /// a tunnel. Default 10 s.
    pub connect: Duration,
    /// For the TLS handshake; with an https proxy, for each of the two. Default 10 s.
    pub tls: Duration,
    /// From the end of the request to the end of the response head. Default 30 s.
    pub head: Duration,
    /// Between two reads of a response body, or two writes of a request body. Default 30 s.
    pub body: Duration,
    /// For the whole request, from `send` to the end of the body. Default none, as downloads differ. A
    /// longer time than the defaults of `permit`, `head` and `body` holds in their place.
    pub request: Option<Duration>,
    /// How long an idle connection is kept. Default 90 s.
    pub idle: Duration,
    /// How old a connection may become before it serves no further request. Default none.
    pub lifetime: Option<Duration>,
    /// Which of `permit`, `head`, `body` and `ping` were set, even if to what is the default.
    is_set: [bool; 4],
    /// What [`ping`](Timeouts::ping) was set to, in milliseconds. So small, because every request carries a copy
    /// of all, and here are four bytes that hold nothing else.
    ping_ms: u32,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts::DEFAULT
    }
}

impl Timeouts {
    pub(crate) const DEFAULT: Timeouts = Timeouts {
        permit: Some(Duration::from_secs(120)),
        dns: Duration::from_secs(5),
        connect: Duration::from_secs(10),
        tls: Duration::from_secs(10),
        head: Duration::from_secs(30),
        body: Duration::from_secs(30),
        request: None,
        idle: Duration::from_secs(90),
        lifetime: None,
        is_set: [false; 4],
        ping_ms: 0,
    };

    /// Sets [`permit`](Timeouts::permit): a duration, or `None` for no bound of its own.
    #[must_use]
    pub fn permit(mut self, limit: impl Into<Option<Duration>>) -> Timeouts {
        self.permit = limit.into();
        self.is_set[0] = true;
        self
    }

    /// Sets [`dns`](Timeouts::dns).
    #[must_use]
    pub fn dns(mut self, limit: Duration) -> Timeouts {
        self.dns = limit;
        self
    }

    /// Sets [`connect`](Timeouts::connect).
    #[must_use]
    pub fn connect(mut self, limit: Duration) -> Timeouts {
        self.connect = limit;
        self
    }

    /// Sets [`tls`](Timeouts::tls).
    #[must_use]
    pub fn tls(mut self, limit: Duration) -> Timeouts {
        self.tls = limit;
        self
    }

    /// Sets [`head`](Timeouts::head).
    #[must_use]
    pub fn head(mut self, limit: Duration) -> Timeouts {
        self.head = limit;
        self.is_set[1] = true;
        self
    }

    /// Sets [`body`](Timeouts::body).
    #[must_use]
    pub fn body(mut self, limit: Duration) -> Timeouts {
        self.body = limit;
        self.is_set[2] = true;
        self
    }

    /// Sets [`request`](Timeouts::request).
    #[must_use]
    pub fn request(mut self, limit: Duration) -> Timeouts {
        self.request = Some(limit);
        self
    }

    /// Sets [`idle`](Timeouts::idle).
    #[must_use]
    pub fn idle(mut self, limit: Duration) -> Timeouts {
        self.idle = limit;
        self
    }

    /// Sets [`lifetime`](Timeouts::lifetime).
    #[must_use]
    pub fn lifetime(mut self, limit: Duration) -> Timeouts {
        self.lifetime = Some(limit);
        self
    }

    /// Sends a PING over HTTP/2 (RFC 9113 section 6.7) when the server has been silent for `interval` while
    /// responses are awaited or unfinished. If nothing at all comes within 1 s, the connection ends, and its
    /// requests fail with [`ErrorKind::Io`](crate::ErrorKind::Io), retryable where their methods are
    /// idempotent and nothing of an answer had come. Default none; whole milliseconds, from 1 s to 49 days.
    ///
    /// For responses that are silent for long by themselves, as with long polling: their timeouts `head` and
    /// `body` are long, and do not tell a silent response from a dead connection. There is no PING without
    /// requests. Some servers end connections whose clients ask more often than each few minutes.
    #[must_use]
    pub fn ping(mut self, interval: Duration) -> Timeouts {
        self.ping_ms = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
        self.is_set[3] = true;
        self
    }

    /// After how long a silence a server is sent a PING.
    pub(crate) fn ping_interval(&self) -> Option<Duration> {
        self.is_set[3].then_some(Duration::from_millis(self.ping_ms.into()))
    }

    /// A request may take `whole`, as its user says: the waits for a permit, for the head and for more of
    /// a body may last as long, unless they were set. Those for a connection stay: a host that is dead is
    /// told of soon.
    pub(crate) fn allow(&mut self, whole: Duration) {
        let [permit, head, body, _] = self.is_set;
        let defaults = Timeouts::DEFAULT;
        if !permit && self.permit == defaults.permit {
            self.permit = self.permit.max(Some(whole));
        }
        if !head && self.head == defaults.head {
            self.head = self.head.max(whole);
        }
        if !body && self.body == defaults.body {
            self.body = self.body.max(whole);
        }
    }

    /// How long an attempt without a streamed body may take until the head of its response.
    pub(crate) fn until_head(&self) -> Duration {
        // The connection, and once more the tunnel of a proxy.
        let parts = [self.dns, self.connect, self.connect, self.tls, self.head];
        parts
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let named = [
            ("timeouts.permit", self.permit),
            ("timeouts.dns", Some(self.dns)),
            ("timeouts.connect", Some(self.connect)),
            ("timeouts.tls", Some(self.tls)),
            ("timeouts.head", Some(self.head)),
            ("timeouts.body", Some(self.body)),
            ("timeouts.request", self.request),
            ("timeouts.idle", Some(self.idle)),
            ("timeouts.lifetime", self.lifetime),
        ];
        // Zero is no time to wait in: it would fail every request, and was mostly meant as "none".
        let mut named = named.iter();
        if let Some((field, _)) = named.find(|(_, limit)| *limit == Some(Duration::ZERO)) {
            return Err(Error::config(field, "longer than zero", "0"));
        }
        match self.ping_interval() {
            Some(interval) if !(PING_MIN..PING_END).contains(&interval) => {
                let bound = "from 1 s to 49 days";
                let value = format!("{interval:?}");
                Err(Error::config("timeouts.ping", bound, value))
            }
            _ => Ok(()),
        }
    }
}

/// What every request of a client is told: the options, checked. Each request has its own copy, which
/// costs less than counting references to a common one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) timeouts: Timeouts,
    pub(crate) body_bytes_max: usize,
}

impl Settings {
    /// For requests that are not sent by a client.
    pub(crate) const DEFAULT: Settings = Settings {
        timeouts: Timeouts::DEFAULT,
        body_bytes_max: Limits::DEFAULT.body_bytes,
    };
}

/// What the time of a request is bounded by.
#[derive(Default)]
pub(crate) struct TimeLimits {
    /// The options of the client; set when a call begins.
    pub(crate) settings: Option<Settings>,
    /// How long the whole request may take, where it says so itself.
    pub(crate) timeout: Option<Duration>,
    /// When the whole of it must be over.
    pub(crate) deadline: Option<Instant>,
}

impl TimeLimits {
    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.settings().timeouts
    }

    /// How long the whole request may take.
    pub(crate) fn allowed(&self) -> Duration {
        self.timeout.or(self.timeouts().request).unwrap_or_default()
    }

    pub(crate) fn settings(&self) -> &Settings {
        self.settings.as_ref().unwrap_or(&Settings::DEFAULT)
    }
}
