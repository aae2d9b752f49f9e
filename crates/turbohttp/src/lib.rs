//! A bounded, cancel-safe HTTP client with a timeline of every request.
//!
//! ```console
//! $ cargo add turbohttp
//! ```
//!
//! ```no_run
//! # async fn run() -> turbohttp::Result<()> {
//! let client = turbohttp::Client::new()?;
//! let mut response = client.get("https://example.com/levels/7").send().await?;
//! println!("{} {}", response.status(), response.header("content-type").unwrap_or("-"));
//! while let Some(chunk) = response.chunk().await? {
//!     println!("{} bytes", chunk.len()); // borrowed from the connection's own buffer
//! }
//! for span in response.timeline().spans() {
//!     println!("{:?} {:?}..{:?}", span.phase, span.start, span.end);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! - **Bounded**: every pool, head, body, table and wait has a named limit ([`Limits`], [`Timeouts`],
//!   [`limits`]).
//! - **Cancel safe**: dropping any future of this crate closes what it was using and leaks nothing.
//! - **Visible**: every request has a [`Timeline`] of its phases, errors included ([`Error::timeline`]).
//! - **Fair**: one scheduler gives all permits, by [`Priority`], per origin and in total; a
//!   [`RequestQueue`] and a [`ConcurrencyLimiter`] draw from the same one.
//! - **Finite**: [`Client::close`] ends everything and reports what became of it.
//!
//! # What extends it
//!
//! A [`Middleware`] is an `async fn` around every call, or a closure ([`ClientBuilder::with_fn`]); hooks
//! ([`ClientBuilder::on_request`]) cost no allocation. A [`Transport`] takes the network's place or wraps
//! it. A [`BodySource`] is a body of one's own.
//!
//! # What a client does by itself
//!
//! Policies are values of the client. A request that needs none of them pays one comparison for them.
//!
//! | What | Default | By |
//! | --- | --- | --- |
//! | redirects | up to 10 | [`ClientBuilder::redirect`], [`RedirectPolicy`] |
//! | retries, pauses after `Retry-After` | off | [`ClientBuilder::retry`], [`RetryPolicy`] |
//! | credentials of an origin, tokens that are refreshed | none | [`ClientBuilder::credentials`], [`Credentials`] |
//! | cookies | none | `ClientBuilder::cookies`, `Jar` |
//! | a cache of responses | none | `ClientBuilder::cache`, `Cache` |
//! | content codings | those that are compiled in | `ClientBuilder::decoding`, `Decoding` |
//! | proxies | none; the environment when asked | [`ClientBuilder::proxy`], [`Proxy`] |
//! | the way to a server | DNS, both families in a race | [`ClientBuilder::resolver`], [`ClientBuilder::connect_to`] and their neighbours |
//!
//! The chapters of the [`guide`] say what holds for each of them.
//!
//! # What is not built
//!
//! HTTP/3: [`guide::http3`] says why. The guide's chapter for those who come from reqwest says what to write
//! instead of what is not here.
//!
//! # Features
//!
//! | Feature | Default | Brings |
//! | --- | --- | --- |
//! | `rustls` | on | https, with the ring provider and the platform's roots |
//! | `aws-lc-rs` | off | https, with the provider aws-lc-rs in place of ring, and X25519MLKEM768; compiles a C library |
//! | `platform-verifier` | off | certificates checked by the platform, where no root is added |
//! | `hickory` | off | `HickoryResolver`: names by DNS itself |
//! | `json` | on | `RequestBuilder::json`, `Response::json` |
//! | `form` | on | `RequestBuilder::query`, `RequestBuilder::form` |
//! | `multipart` | on | forms with files: `RequestBuilder::multipart` |
//! | `charset` | on | `Response::text` in other charsets than UTF-8 |
//! | `socks` | off | proxies that speak SOCKS5 |
//! | `gzip`, `brotli`, `zstd` | off | the content codings of `Decoding`: gzip and deflate, br, zstd (a C library) |
//! | `cache` | off | `Cache`: a private cache of responses by RFC 9111, in memory or in a directory |
//! | `cookies` | off | `CookieStore`, `Jar`, with the public suffix list |
//! | `download` | off | `Client::download`: files, gone on with, in parallel, checked |
//! | `digest` | off | `Credentials::digest` (RFC 7616) |
//! | `tower` | off | `Client` as a `tower_service::Service`, `ClientBuilder::layer` |
//! | `tracing` | off | a span per call and an event per wait, at `DEBUG` |
//!
//! # Runtime
//!
//! The client needs a tokio runtime with I/O and time enabled, of either flavour. No task belongs to a
//! request, nor to a connection of HTTP/1.1. What is spawned ends by itself: one task for each connection of
//! HTTP/2 and one for the dial before it, one that closes aged idle connections, one that watches deadlines
//! (or a thread, where no runtime is driven), lookups of names, and the workers of a started queue.
#![forbid(unsafe_code)]

#[cfg(all(feature = "__tls", not(any(feature = "rustls", feature = "aws-lc-rs"))))]
compile_error!("the feature __tls is no part of the interface: turn on rustls or aws-lc-rs");

mod attempt;
#[cfg(feature = "digest")]
mod auth;
mod body;
#[cfg_attr(not(feature = "cache"), path = "cache/none.rs")]
mod cache;
mod carrier;
mod client;
mod clock;
mod config;
mod context;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg_attr(
    not(any(feature = "gzip", feature = "brotli", feature = "zstd")),
    path = "decode/none.rs"
)]
mod decode;
#[cfg(feature = "download")]
mod download;
mod error;
mod follow;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "hickory")]
mod hickory;
mod limiter;
pub mod limits;
mod middleware;
#[cfg(feature = "multipart")]
pub mod multipart;
mod net;
mod policy;
mod queue;
mod request;
mod resilience;
mod response;
mod retry_after;
mod scheduler;
#[cfg(feature = "tower")]
mod tower;
mod trace;
mod transport;
mod url;

pub use body::{Body, BodyContext, BodySource, IntoBody, ResponseBody, UploadProgress};
#[cfg(feature = "cache")]
pub use cache::{Cache, CacheStats, CacheStatus};
pub use client::{
    Audit, Client, ClientBuilder, EventSource, IntoAddresses, Place, RequestBuilder, Stats,
    Waiting, get,
};
pub use config::{Limits, Timeouts};
#[cfg(feature = "cookies")]
pub use cookies::{CookieStore, Jar};
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub use decode::Decoding;
#[cfg(feature = "download")]
pub use download::{Checksum, Download, DownloadProgress, Downloaded};
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "hickory")]
pub use hickory::HickoryResolver;
pub use limiter::{Acquire, ConcurrencyLimiter, LimiterLane, Permit};
pub use middleware::{Handling, HookResult, Middleware, Next, Run};
pub use net::{
    IpVersion, NetStats, NetTransport, NetTransportBuilder, NoProxy, Proxy, ProxyServer, Resolve,
};
#[cfg(feature = "__tls")]
pub use net::{Tls, TlsVersion};
pub use policy::{Credentials, Hop, Redirect, RedirectAction, RedirectPolicy, RetryPolicy};
pub use queue::{
    Execute, IntoJob, Lane, QueueOptions, QueueStats, Rejected, RequestQueue, Started, StopReport,
    SubmitOptions, Ticket,
};
pub use request::Request;
pub use resilience::{CircuitBreaker, Hedge, SingleFlight};
pub use response::{EventStream, Response, ResponseStream, Upgraded};
pub use scheduler::{CloseFailure, CloseReport, Shutdown};
#[cfg(feature = "tower")]
pub use tower::NextService;
pub use transport::Transport;
pub use transport::mock::{MockReply, MockStats, MockTransport};
pub use url::IntoUrl;

pub use ::url::Url;
pub use bytes::Bytes;
pub use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header,
};
#[cfg(feature = "cookies")]
pub use turbohttp_core::cookie::{Cookie, SameSite};
pub use turbohttp_core::events::Event;
pub use turbohttp_core::origin::{Origin, Scheme};
pub use turbohttp_core::pool;
pub use turbohttp_core::scheduler::{
    AdaptiveLimit, Counts, OriginAudit, Priority, Rate, Reserve, SchedulerAudit, SchedulerStats,
    UnknownPriority,
};
pub use turbohttp_core::timeline::{Phase, Recorder, Span, Timeline};
