//! Every limit of the client that is not an option, and the bounds of those that are.
//!
//! Options are in [`Limits`](crate::Limits) and [`Timeouts`](crate::Timeouts). The public constants say how
//! far an option may go and what a user can observe; the others are the client's own.

/// Largest `Limits::head_bytes`: what a user may ask for who knows the servers; a head is copied once.
pub const HEAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Smallest `Limits::head_bytes`: common heads must fit.
pub const HEAD_BYTES_MIN: usize = 1024;

/// Largest `Limits::head_fields`.
pub const HEAD_FIELDS_MAX: usize = turbohttp_core::h1::FIELDS_MAX;

/// Largest `Limits::body_bytes`, in bytes: what a collected body may take is at most 1 TiB.
pub const BODY_BYTES_MAX: usize = 1 << 40;

/// Smallest `Limits::h2_receive_bytes` and `Limits::h2_window`, in bytes: the window that HTTP/2 begins with, and
/// one byte (RFC 9113 section 6.9.2).
pub const H2_WINDOW_MIN: usize = turbohttp_core::h2::STREAM_WINDOW_MIN as usize;

/// Largest `Limits::h2_receive_bytes`, in bytes: a window of HTTP/2 has no more (RFC 9113 section 6.9.1).
pub const H2_WINDOW_MAX: usize = (1 << 31) - 1;

/// Largest `Limits::h2_connections_per_host`.
pub const H2_CONNECTIONS_MAX: usize = 256;

/// Largest `Limits::idle_per_origin` and `Limits::idle_total`: each idle connection is a descriptor.
pub const IDLE_MAX: usize = 65_536;

/// Request contexts kept for reuse by one client; one takes about 2 KiB with its buffers. Beyond this
/// many requests at once, contexts are made and freed.
pub(crate) const CONTEXTS_MAX: usize = 1_024;

/// Contexts kept for requests that were made without a client.
pub(crate) const DETACHED_CONTEXTS_MAX: usize = 64;

/// The most bytes a URL may have.
pub const URL_BYTES_MAX: usize = 64 * 1024;

/// What a pooled request keeps of the buffer for its URL, in bytes.
pub(crate) const URL_KEPT_BYTES_MAX: usize = 4 * 1024;

/// A request body of at most this many bytes is appended to the head, so that both leave in one send.
pub(crate) const INLINE_BODY_BYTES_MAX: usize = 16 * 1024;

/// What a connection keeps of its output buffer between requests, in bytes.
pub(crate) const OUTPUT_KEPT_BYTES_MAX: usize = 32 * 1024;

/// The first read of a response, in bytes: a small response with its head fits.
pub const READ_BYTES_MIN: usize = 8 * 1024;

/// The largest read, in bytes: enough to save calls, small enough for the second-level cache.
pub(crate) const READ_BYTES_MAX: usize = 256 * 1024;

/// Exchanges that an HTTP/2 connection keeps for its next requests.
pub(crate) const H2_EXCHANGES_KEPT_MAX: usize = 512;

/// Reads of an HTTP/2 connection after which other tasks get their turn.
pub(crate) const H2_READS_MAX: usize = 16;

/// How often a request is sent again that no server has processed.
pub(crate) const REPLAYS_MAX: u8 = 2;

/// How long requests wait for the HTTP/2 connections of a host that are there, in milliseconds, after another one
/// could not be made.
pub(crate) const REDIAL_AFTER_MS: u64 = 5_000;

/// Read buffers kept for reuse per size; a buffer is held only while a response is being read.
pub(crate) const READ_BUFFERS_PER_SIZE_MAX: usize = 64;

/// Read buffers of [`READ_BYTES_MIN`] bytes that stay with the pooled contexts of one client's requests,
/// 2 MiB in all; beyond this many, they go back to the pool of read buffers.
pub const SPARE_BUFFERS_MAX: usize = 256;

/// Bytes of all read buffers kept for reuse.
pub(crate) const READ_BUFFERS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What is believed of a Content-Length before bytes arrive, in bytes: more is reserved as they come.
pub(crate) const COLLECT_FIRST_BYTES_MAX: usize = 1024 * 1024;

/// A collected body of at least this many bytes, when its length is announced, gets pages of its own.
pub(crate) const COLLECT_PAGES_BYTES_MIN: usize = 4 * 1024 * 1024;

/// Bytes of a collected body that must have arrived before huge pages are asked for what follows: until
/// then each page that is touched is a small one.
pub(crate) const COLLECT_HUGE_AFTER_BYTES: usize = 2 * 1024 * 1024;

/// Parts of a multipart form: a file among them is a descriptor, and servers take about a thousand.
pub const MULTIPART_PARTS_MAX: usize = 4_096;

/// Bytes of the names and fields of one part of a multipart form; servers take no more in a head.
pub const MULTIPART_HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a line of server-sent events, and of an event: beyond it, reading them fails.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of an id that an [`EventSource`](crate::EventSource) sends when it reconnects, as many as common servers take in
/// one field: a longer one is left out, so that a server cannot end a source by a head that is too large.
pub const EVENT_ID_BYTES_MAX: usize = 4 * 1024;

/// Failures in a row of the network after which an [`EventSource`](crate::EventSource) gives up.
pub const EVENT_FAILURES_MAX: u32 = 10;

/// How long an event source waits before it reconnects, in milliseconds, where the server names no time: as
/// long as browsers do.
pub(crate) const EVENT_RETRY_MS: u64 = 3_000;

/// The longest wait that a server may ask an event source for, in milliseconds.
pub(crate) const EVENT_RETRY_MS_MAX: u64 = 60 * 60 * 1_000;

/// What the wait of an event source is doubled from, in milliseconds, where a connection brought no event and
/// the server asks for less.
pub(crate) const EVENT_WAIT_MS_MIN: u64 = 100;

/// What the wait of an event source is doubled up to, in milliseconds, unless the server asks for more.
pub(crate) const EVENT_WAIT_MS_MAX: u64 = 60_000;

/// Pieces that a streamed request body is read in, in bytes.
pub(crate) const UPLOAD_PIECE_BYTES: usize = 64 * 1024;

/// The most connections of one download.
pub const DOWNLOAD_CONNECTIONS_MAX: usize = 16;

/// Names looked up at the same time that are not slow: each occupies a thread.
pub(crate) const DNS_PLACES_MAX: usize = 32;

/// Look-ups that are slow or that nobody waits for any more: each occupies a thread still.
pub(crate) const DNS_ASIDE_MAX: usize = 64;

/// Look-ups of zones that were slow a moment ago start only below so many that are set aside.
pub(crate) const DNS_SUSPECTS_MAX: usize = 16;

/// After how many milliseconds a look-up is slow: name servers answer within a tenth of that.
pub(crate) const DNS_SLOW_MS: u64 = 1_000;

/// For how many seconds a zone that was slow is expected to be slow.
pub(crate) const DNS_SUSPECT_SECONDS: u64 = 30;

/// Names whose addresses are remembered.
pub(crate) const DNS_NAMES_MAX: usize = 256;

/// How long addresses are remembered, in seconds: the system's resolver does not tell their lifetime.
pub(crate) const DNS_KEPT_SECONDS: u64 = 30;

/// Addresses of one name that are tried.
pub(crate) const ADDRESSES_MAX: usize = 8;

/// How long an address has the field to itself before the next is tried too, in milliseconds
/// (RFC 8305 section 5).
pub(crate) const NEXT_ADDRESS_MS: u64 = 250;

/// Rules about proxies of one transport: each is asked with every request.
pub(crate) const PROXY_RULES_MAX: usize = 64;

/// Entries of one list of hosts that need no proxy: each is compared with the host of every request.
pub(crate) const NO_PROXY_ENTRIES_MAX: usize = 1_024;

/// Interim answers that a proxy may send before it answers CONNECT.
pub(crate) const PROXY_INTERIM_MAX: usize = 16;

/// What is read at once of an answer to CONNECT, in bytes: common ones are far smaller.
pub(crate) const PROXY_READ_BYTES: usize = 1_024;

/// The most bytes of the name of a network interface: IFNAMSIZ of Linux, less its final zero.
pub(crate) const INTERFACE_BYTES_MAX: usize = 15;

/// Rules of one transport that connect elsewhere: each is compared with the host of every new connection.
pub(crate) const CONNECT_TO_MAX: usize = 1_024;

/// The longest time of silence before a peer is probed, in seconds: Linux takes no more (tcp(7)).
pub(crate) const KEEPALIVE_SECONDS_MAX: u64 = 32_767;

/// The longest time for which sent bytes may stay unacknowledged, in milliseconds: an `int` of the system.
pub(crate) const USER_TIMEOUT_MS_MAX: u64 = i32::MAX as u64;

/// How long `Expect: 100-continue` waits for the server before the body is sent anyway, in
/// milliseconds (RFC 9110 section 10.1.1).
pub(crate) const CONTINUE_WAIT_MS: u64 = 1_000;

/// Pieces of a streamed request that are sent before it is looked whether something of its response has
/// arrived.
pub(crate) const DUPLEX_PIECES_MAX: usize = 16;

/// Origins that idle connections are filed under, counting those that have none right now.
pub(crate) const IDLE_ORIGINS_MAX: usize = 512;

/// For how long a connection is idle before its keeper watches it, in milliseconds: what its server has
/// closed is closed here within a second.
pub(crate) const WATCH_AFTER_MS: u64 = 500;

/// How often a request that has found no descriptor or no local port looks again, in milliseconds, while no
/// connection of its own client comes back.
pub(crate) const SHORTAGE_RETRY_MS: u64 = 50;

/// A server that closes a connection within so many milliseconds behind an answer, without having said so,
/// is hasty.
pub(crate) const HASTY_MS: u64 = 1_000;

/// Routes of hasty servers that are remembered.
pub(crate) const HASTY_ROUTES_MAX: usize = 64;

/// For how many seconds a server that was hasty is expected to be hasty.
pub(crate) const HASTY_SECONDS: u64 = 10;

/// Redirects in a row that a client follows by default.
pub const REDIRECTS: u32 = 10;

/// Largest [`RedirectPolicy::most`](crate::RedirectPolicy::most).
pub const REDIRECTS_MAX: u32 = 1_000;

/// Bytes of a redirect's body, or of another answer that is not the last one, that are taken in so that its
/// connection can be used again.
pub(crate) const DRAINED_BYTES_MAX: u64 = 64 * 1024;

/// For how long such a body is waited for, in milliseconds: about as long as a new connection would take.
pub(crate) const DRAIN_WAIT_MS: u64 = 200;

/// Largest [`RetryPolicy::up_to`](crate::RetryPolicy::up_to).
pub const RETRIES_MAX: u32 = 1_000_000;

/// Statuses that a [`RetryPolicy`](crate::RetryPolicy) may name.
pub const RETRY_STATUSES_MAX: usize = 600;

/// Origins that a client may have [`Credentials`](crate::Credentials) for.
pub const CREDENTIALS_MAX: usize = 65_536;
/// Content codings of one response that are undone: servers apply one, proxies at most another.
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub const CODINGS_MAX: usize = 4;

/// How many bytes a body may become for each byte that has arrived, where
/// [`Decoding::ratio_max`](crate::Decoding::ratio_max) says nothing else: gzip reaches 1,032 with content
/// that is one byte repeated, and with no other.
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub const DECODE_RATIO_MAX: u64 = 1_000;

/// Bytes that come out of a coding before the ratio is looked at: a small body may be nothing but zeros.
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub(crate) const DECODE_RATIO_FROM_BYTES: u64 = 1024 * 1024;

/// The buffer that one coding is decoded into, in bytes: what a decoder writes at once fits the first-level
/// cache beside what it reads. Of 4 to 64 KiB this one is the fastest, by 3 % to 12 %.
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub(crate) const DECODE_BUFFER_BYTES: usize = 16 * 1024;

/// Replies that may wait in the script of a mock.
pub const SCRIPT_REPLIES_MAX: usize = 65_536;

/// How long a close waits by default for what is inside, in seconds.
pub const DRAIN_SECONDS: u64 = 30;

/// Failures of components that the report of a close names.
pub const CLOSE_FAILURES_MAX: usize = 64;

/// Largest `QueueOptions::workers`: each is a task that does one job at a time.
pub const QUEUE_WORKERS_MAX: usize = 65_536;

/// Largest `QueueOptions::per_priority`: a job that waits is memory, some 100 bytes and what it holds.
pub const QUEUE_JOBS_MAX: usize = 1 << 20;

/// Largest `QueueOptions::submitters`: those who wait for room hold a job each, too.
pub const QUEUE_SUBMITTERS_MAX: usize = 1 << 20;

/// Places in a queue's table of jobs that are kept when the last job has left it.
pub(crate) const QUEUE_KEPT_JOBS_MAX: usize = 1_024;

const _: () = assert!(READ_BYTES_MIN <= READ_BYTES_MAX);
const _: () = assert!(SPARE_BUFFERS_MAX <= CONTEXTS_MAX);
const _: () = assert!(READ_BYTES_MAX <= READ_BUFFERS_BYTES_MAX);
const _: () = assert!(INLINE_BODY_BYTES_MAX <= OUTPUT_KEPT_BYTES_MAX);
const _: () = assert!(HEAD_BYTES_MIN <= HEAD_BYTES_MAX);
const _: () = assert!(DNS_SUSPECTS_MAX < DNS_ASIDE_MAX);

/// Those of downloads.
#[cfg(feature = "download")]
pub(crate) mod download {
    /// The smallest piece of a download that is fetched by a request of its own, in bytes.
    pub(crate) const PIECE_BYTES: u64 = 16 * 1024 * 1024;

    /// Pieces of one download: larger files have larger ones.
    pub(crate) const PIECES_MAX: usize = 4_096;

    /// A file of at least this many bytes is fetched in pieces by several connections at once.
    pub(crate) const PARALLEL_BYTES_MIN: u64 = 2 * PIECE_BYTES;

    /// What a connection of a download gathers before it is written, in bytes; each has two such buffers.
    pub(crate) const WRITE_BYTES: usize = 1024 * 1024;

    /// A smaller file leaves nothing behind to go on from, in bytes.
    pub(crate) const JOURNAL_BYTES_MIN: u64 = 1024 * 1024;

    /// The longest ETag that a download goes on from, in bytes.
    pub(crate) const VALIDATOR_BYTES_MAX: usize = 1_024;
}
