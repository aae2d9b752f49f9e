//! The types and the constants of the C ABI.
//!
//! Every integer has a fixed width, no structure is passed by value, and what is zero is the default. A
//! structure that the caller fills begins with its own size, so that it can grow.

/// The version of the ABI: the major number in the upper 16 bits. Another major number is another ABI.
pub const TH_ABI_VERSION: u32 = 1 << 16;

/// A client: 8 bits of slot and 24 bits of generation. 0 is none.
pub type ThClient = u32;

/// A request: its slot, its generation and its client. 0 is none.
pub type ThRequestId = u64;

/// The call succeeded.
pub const TH_OK: i32 = 0;
/// Nothing can be read or written now; an event says when.
pub const TH_WOULD_BLOCK: i32 = 1;
/// The body has ended, and all of it was read.
pub const TH_EOF: i32 = 2;
/// The client or the request is none that exists: it was released, or never made.
pub const TH_STALE: i32 = -1;
/// An argument is null, out of its bounds, or no text of UTF-8.
pub const TH_ARG: i32 = -2;
/// The call is not possible in the state of the request.
pub const TH_STATE: i32 = -3;
/// As many requests exist, or wait, as may.
pub const TH_QUEUE_FULL: i32 = -4;
/// The client was shut down.
pub const TH_SHUTDOWN: i32 = -5;
/// The request was canceled.
pub const TH_CANCELLED: i32 = -6;
/// A time limit passed.
pub const TH_TIMEOUT: i32 = -7;
/// The name of the host has no address.
pub const TH_DNS: i32 = -8;
/// No connection could be made.
pub const TH_CONNECT: i32 = -9;
/// The TLS handshake or its checks failed.
pub const TH_TLS: i32 = -10;
/// A proxy did not open the way.
pub const TH_PROXY: i32 = -11;
/// The response breaks HTTP.
pub const TH_PROTOCOL: i32 = -12;
/// The connection failed or ended too early.
pub const TH_IO: i32 = -13;
/// The response is larger than its limit.
pub const TH_TOO_LARGE: i32 = -14;
/// A redirect cannot be followed.
pub const TH_REDIRECT: i32 = -15;
/// The body of the request failed, or had another length than announced.
pub const TH_REQUEST_BODY: i32 = -16;
/// The content coding of the body is broken.
pub const TH_DECODE: i32 = -17;
/// The file that the body goes to cannot be written.
pub const TH_OUTPUT: i32 = -18;
/// The downloaded file does not hash to what was asked for.
pub const TH_CHECKSUM: i32 = -19;
/// The file changes on its server while it is downloaded.
pub const TH_CHANGED: i32 = -20;
/// The status is an error where a download needs a success.
pub const TH_STATUS: i32 = -21;
/// The engine cannot work: no thread, no descriptor.
pub const TH_RUNTIME: i32 = -22;
/// The engine panicked: a fault of this library. The client refuses everything but its end.
pub const TH_PANIC: i32 = -23;
/// Another thread polls, or reads this body.
pub const TH_BUSY: i32 = -24;

/// The head of the response has arrived: `status`, and in `value` the content length or `TH_UNKNOWN`.
pub const TH_EVENT_HEADERS: u32 = 1;
/// The body has bytes after a read returned `TH_WOULD_BLOCK`, or its first ones: `value` says how many.
pub const TH_EVENT_READABLE: u32 = 2;
/// The body of the request takes bytes after a write took fewer than it was given.
pub const TH_EVENT_WRITABLE: u32 = 3;
/// The exchange is over: `code`, `status`, and in `value` the bytes of the body. The last event of a request.
/// Content that is not read yet stays until the request is released.
pub const TH_EVENT_DONE: u32 = 4;

/// In `ThEvent::flags` of `TH_EVENT_HEADERS`: the connection is one that was open already.
pub const TH_FLAG_REUSED: u32 = 1;
/// In `ThEvent::flags` of `TH_EVENT_HEADERS`: the response came over HTTP/2.
pub const TH_FLAG_HTTP2: u32 = 2;
/// In `ThEvent::flags` of `TH_EVENT_DONE`: the download went on from a part that was there.
pub const TH_FLAG_RESUMED: u32 = 4;

/// A length that is not known.
pub const TH_UNKNOWN: u64 = u64::MAX;

/// HTTP/1.1 only (ALPN offers nothing else).
pub const TH_CLIENT_HTTP1_ONLY: u32 = 1;
/// HTTP/2 without asking, for cleartext servers.
pub const TH_CLIENT_HTTP2_PRIOR_KNOWLEDGE: u32 = 2;
/// Redirects are given to the caller.
pub const TH_CLIENT_NO_REDIRECTS: u32 = 4;
/// Coded bodies are left as they are.
pub const TH_CLIENT_NO_DECODING: u32 = 8;
/// Cookies are kept in memory and sent, as long as the client lives.
pub const TH_CLIENT_COOKIES: u32 = 16;
/// Proxies are those of the environment variables.
pub const TH_CLIENT_PROXY_FROM_ENV: u32 = 32;
/// The platform's roots are not trusted, only those of `root_pem`.
pub const TH_CLIENT_ONLY_ADDED_ROOTS: u32 = 64;
/// Certificates are not checked. For tests.
pub const TH_CLIENT_DANGER_ACCEPT_ANY_CERTIFICATE: u32 = 128;
/// The name of the server is not sent in the TLS handshake.
pub const TH_CLIENT_NO_SNI: u32 = 256;
/// TLS sessions are not resumed.
pub const TH_CLIENT_NO_RESUMPTION: u32 = 512;
/// Malformed fields of a response are passed over.
pub const TH_CLIENT_LENIENT_FIELDS: u32 = 1024;

/// No credentials.
pub const TH_AUTH_NONE: u32 = 0;
/// Basic (RFC 7617), by user and password.
pub const TH_AUTH_BASIC: u32 = 1;
/// Digest (RFC 7616), by user and password.
pub const TH_AUTH_DIGEST: u32 = 2;
/// Bearer (RFC 6750): the password is the token.
pub const TH_AUTH_BEARER: u32 = 3;

/// The most urgent level.
pub const TH_PRIORITY_CRITICAL: u32 = 1;
/// Above normal.
pub const TH_PRIORITY_HIGH: u32 = 2;
/// The default, as 0 is.
pub const TH_PRIORITY_NORMAL: u32 = 3;
/// After everything else.
pub const TH_PRIORITY_LOW: u32 = 4;

/// No body.
pub const TH_BODY_NONE: u32 = 0;
/// `body` has the bytes, which are copied.
pub const TH_BODY_BYTES: u32 = 1;
/// `body` is the path of a file, which is sent.
pub const TH_BODY_FILE: u32 = 2;
/// The body is written by `th_body_write`; `body_length` announces its length, or `TH_UNKNOWN`.
pub const TH_BODY_STREAM: u32 = 3;

/// The body of the response is read by `th_body_read` or `th_body_peek`.
pub const TH_SINK_WINDOW: u32 = 0;
/// The body of the response is read and dropped.
pub const TH_SINK_DROP: u32 = 1;
/// The body of the response goes to the file `sink_path`: a download, which goes on from an unfinished part.
pub const TH_SINK_FILE: u32 = 2;

/// What waits and what runs goes on until the time is up.
pub const TH_SHUTDOWN_DRAIN: u32 = 0;
/// What waits is canceled; what runs goes on until the time is up.
pub const TH_SHUTDOWN_CANCEL_PENDING: u32 = 1;
/// Everything is cut off at once.
pub const TH_SHUTDOWN_NOW: u32 = 2;

/// Bytes of the caller, valid during the call only. A null pointer with length 0 is none.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThText {
    /// The first byte.
    pub ptr: *const u8,
    /// How many there are.
    pub len: u32,
    /// 0.
    pub reserved: u32,
}

/// Where a field is in its arena.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThField {
    /// Offset of the name, in bytes.
    pub name_off: u32,
    /// Length of the name, in bytes.
    pub name_len: u32,
    /// Offset of the value, in bytes.
    pub value_off: u32,
    /// Length of the value, in bytes.
    pub value_len: u32,
}

/// Fields of a request, in order, repeats kept.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThFields {
    /// Names and values.
    pub arena: *const u8,
    /// Where they are.
    pub fields: *const ThField,
    /// Bytes of the arena.
    pub arena_len: u32,
    /// How many fields there are.
    pub count: u32,
}

/// How a client is made. All zero but `struct_size` is the default of everything.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThClientConfig {
    /// `sizeof(ThClientConfig)`.
    pub struct_size: u32,
    /// `TH_CLIENT_...`.
    pub flags: u32,
    /// Threads of the engine, 1 to 64; default 1.
    pub workers: u32,
    /// Requests that exist at once, from submit to release, 1 to 65,536; default 4,096.
    pub requests_max: u32,
    /// Bytes of a response body that wait for their reader, 4 KiB to 64 MiB; default 1 MiB.
    pub body_window: u32,
    /// Bytes of a written request body that wait for the network, 4 KiB to 64 MiB; default 256 KiB.
    pub upload_window: u32,
    /// Bytes of all response bodies together that wait for their readers, beyond the first 16 KiB of each, 1 MiB to
    /// 4 GiB less 1; default 64 MiB.
    pub body_memory: u32,
    /// Requests of one host at once; default 64.
    pub per_host: u32,
    /// Requests at once; default 256.
    pub total: u32,
    /// Idle connections kept of one host; default 64.
    pub idle_per_host: u32,
    /// Idle connections kept; default 256.
    pub idle_total: u32,
    /// Redirects that are followed; default 10.
    pub redirects_max: u32,
    /// Retries of a failed request that may be sent again; default 0.
    pub retries_max: u32,
    /// Time limit of the wait for a permit, in milliseconds; default none.
    pub permit_ms: u32,
    /// Time limit of a lookup of a name, in milliseconds; default that of the client.
    pub dns_ms: u32,
    /// Time limit of making a connection, in milliseconds.
    pub connect_ms: u32,
    /// Time limit of a TLS handshake, in milliseconds.
    pub tls_ms: u32,
    /// Time limit of the wait for the head of a response, in milliseconds.
    pub head_ms: u32,
    /// Time limit between two pieces of a body, in milliseconds.
    pub body_ms: u32,
    /// Time limit of a whole request, in milliseconds; default none.
    pub request_ms: u32,
    /// How long an idle connection is kept, in milliseconds.
    pub idle_ms: u32,
    /// How old a connection may become before it is used no more, in milliseconds; default any age.
    pub lifetime_ms: u32,
    /// Asks a server by PING whether it lives while a request over HTTP/2 waits for so long, in milliseconds, from
    /// 1,000 on; default never.
    pub ping_ms: u32,
    /// Connections of HTTP/2 to one host; default 1.
    pub h2_connections_per_host: u32,
    /// Requests of one host that begin in `rate_ms`; default any number.
    pub rate_per_host: u32,
    /// The time of `rate_per_host`, in milliseconds; default 1,000.
    pub rate_ms: u32,
    /// A request that waits becomes one priority more urgent each such time, in milliseconds; default never.
    pub ageing_ms: u32,
    /// The least version of TLS: 12 or 13; default 12.
    pub tls_min: u32,
    /// Addresses of one family only: 4 or 6; default both.
    pub ip_version: u32,
    /// `TH_AUTH_...`.
    pub auth_kind: u32,
    /// Fields of every request.
    pub headers: ThFields,
    /// The value of User-Agent.
    pub user_agent: ThText,
    /// The URL of a proxy for everything: `http`, `https`, `socks5`, `socks5h`.
    pub proxy: ThText,
    /// The user at the proxy.
    pub proxy_user: ThText,
    /// The password at the proxy.
    pub proxy_password: ThText,
    /// Roots that are trusted, as PEM.
    pub root_pem: ThText,
    /// The certificate of the client, as PEM.
    pub certificate_pem: ThText,
    /// Its key, as PEM.
    pub key_pem: ThText,
    /// Pins of public keys: `sha256//BASE64;sha256//BASE64`.
    pub pins: ThText,
    /// The origin that the credentials are for, as a URL.
    pub auth_origin: ThText,
    /// The user at this origin.
    pub auth_user: ThText,
    /// The password, or the token.
    pub auth_password: ThText,
    /// The path of a Unix socket that takes the place of every server.
    pub unix_socket: ThText,
    /// Addresses that are used instead of asking DNS: `HOST=ADDRESS,ADDRESS;HOST=ADDRESS`, an address with or
    /// without a port.
    pub resolve: ThText,
    /// The address of this machine that connections are made from.
    pub local_address: ThText,
    /// The network interface that connections are made by.
    pub network_interface: ThText,
}

/// A request. All zero but `struct_size` and `url` is a GET.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThRequest {
    /// `sizeof(ThRequest)`.
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// `TH_PRIORITY_...`; 0 is normal.
    pub priority: u32,
    /// Time limit of the whole request, in milliseconds; 0 is the client's.
    pub timeout_ms: u32,
    /// `TH_BODY_...`.
    pub body_kind: u32,
    /// `TH_SINK_...`.
    pub sink_kind: u32,
    /// Bytes of the response that wait for their reader; 0 is the client's.
    pub body_window: u32,
    /// Connections of a download to a file; 0 is 4.
    pub connections: u32,
    /// The length of a body that is written, or `TH_UNKNOWN`.
    pub body_length: u64,
    /// The method; none is GET.
    pub method: ThText,
    /// The URL.
    pub url: ThText,
    /// The bytes, or the path of the file.
    pub body: ThText,
    /// The path of the file that the response goes to.
    pub sink_path: ThText,
    /// What that file must hash to: `sha256:HEX`, `sha512:HEX`, `md5:HEX` or `blake3:HEX`.
    pub checksum: ThText,
    /// The fields.
    pub headers: ThFields,
}

/// Something that happened to a request: 40 bytes on 32 and on 64 bit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThEvent {
    /// The request.
    pub request: ThRequestId,
    /// What the caller gave `th_submit` to know it by.
    pub user: u64,
    /// `TH_EVENT_...`.
    pub kind: u32,
    /// `TH_FLAG_...`.
    pub flags: u32,
    /// How the exchange ended.
    pub code: i32,
    /// The status of the response, 0 where there is none.
    pub status: u32,
    /// By kind.
    pub value: u64,
}

/// The head of a response, or its trailers: a view that stays until `th_release`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThHead {
    /// The status; of trailers 0.
    pub status: u32,
    /// 10, 11 or 20 for HTTP/1.0, HTTP/1.1 and HTTP/2.
    pub version: u32,
    /// Bytes of the arena.
    pub arena_len: u32,
    /// How many fields there are.
    pub count: u32,
    /// Where the URL is in the arena that answered, redirects followed.
    pub url_off: u32,
    /// Its length.
    pub url_len: u32,
    /// The content length, or `TH_UNKNOWN`.
    pub content_length: u64,
    /// Names in lower case, values as they came, the URL.
    pub arena: *const u8,
    /// Where they are.
    pub fields: *const ThField,
}

/// How long each phase of a request took, in nanoseconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThTimeline {
    /// `sizeof(ThTimeline)`, set by the caller.
    pub struct_size: u32,
    /// `TH_FLAG_REUSED`.
    pub flags: u32,
    /// How often the request was sent.
    pub attempts: u32,
    /// Spans that had no room.
    pub dropped_events: u32,
    /// The connection, 0 where there was none.
    pub connection_id: u64,
    /// From submit to the end.
    pub total_ns: u64,
    /// Between two attempts.
    pub backoff_ns: u64,
    /// While the host was paused.
    pub pause_ns: u64,
    /// For a permit of the host.
    pub host_permit_ns: u64,
    /// For a permit of the total.
    pub total_permit_ns: u64,
    /// Looking up the name.
    pub dns_ns: u64,
    /// Opening the connection.
    pub connect_ns: u64,
    /// Asking a proxy for a tunnel.
    pub tunnel_ns: u64,
    /// The TLS handshake.
    pub tls_ns: u64,
    /// Sending head and body.
    pub send_ns: u64,
    /// Waiting for the first byte of the response.
    pub wait_ns: u64,
    /// Receiving the rest.
    pub receive_ns: u64,
}

/// One span of a timeline.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThTimelineEvent {
    /// The phase, from 0: backoff, queue, pause, host permit, total permit, DNS, connect, tunnel, TLS, send,
    /// wait, receive.
    pub phase: u32,
    /// 0.
    pub reserved: u32,
    /// Nanoseconds from submit to its begin.
    pub start_ns: u64,
    /// Nanoseconds from submit to its end.
    pub end_ns: u64,
}

/// How far a request is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThProgress {
    /// `sizeof(ThProgress)`, set by the caller.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes of the body of the request that the system has taken, of the attempt that is under way.
    pub sent: u64,
    /// How many there are, or `TH_UNKNOWN`.
    pub to_send: u64,
    /// Bytes of the body of the response that have come, decoded; of a download those of the file, former ones
    /// included.
    pub received: u64,
    /// How many there are, or `TH_UNKNOWN`.
    pub to_receive: u64,
}

/// What a client holds right now.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThStats {
    /// `sizeof(ThStats)`, set by the caller.
    pub struct_size: u32,
    /// Requests that exist, from submit to release.
    pub requests: u32,
    /// Requests whose exchange is not over.
    pub tasks: u32,
    /// Requests that have events which were not polled.
    pub ready: u32,
    /// Requests that wait for a permit.
    pub waiting: u32,
    /// Requests that have one.
    pub running: u32,
    /// Open connections.
    pub connections: u32,
    /// Those of them that are idle.
    pub idle_connections: u32,
    /// Bytes of bodies that wait for their readers.
    pub body_bytes: u64,
    /// The most bytes of one body that waited at once.
    pub body_peak: u64,
    /// Requests that were submitted.
    pub submitted: u64,
    /// Requests whose exchange is over.
    pub done: u64,
}

/// How everything ended that was inside when a client was shut down.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ThCloseReport {
    /// `sizeof(ThCloseReport)`, set by the caller.
    pub struct_size: u32,
    /// Components that could not be closed.
    pub failures: u32,
    /// Requests that were inside.
    pub accepted: u64,
    /// Those of them that ended by themselves.
    pub completed: u64,
    /// Those that were canceled, or refused while they waited.
    pub canceled: u64,
    /// Those whose wait took too long.
    pub expired: u64,
    /// Those that the shutdown cut off.
    pub aborted: u64,
    /// From the call until nothing was inside, in nanoseconds.
    pub elapsed_ns: u64,
}
