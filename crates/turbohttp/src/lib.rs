//! A bounded, cancel-safe HTTP client with a timeline of every request.
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
//! - **Bounded**: every pool, head, body, table and wait has a named limit ([`Limits`], [`Timeouts`]).
//! - **Cancel safe**: dropping any future of this crate closes what it was using and leaks nothing.
//! - **Visible**: every request has a [`Timeline`] of its phases, errors included ([`Error::timeline`]).
//!
//! The client needs a tokio runtime with I/O and time enabled; it works on both flavours and spawns one
//! task only, which closes idle connections when they have aged.
#![forbid(unsafe_code)]

mod attempt;
mod body;
mod client;
mod clock;
mod config;
mod context;
mod error;
#[cfg(any(doc, doctest))]
pub mod guide;
mod limiter;
pub mod limits;
mod middleware;
mod net;
mod queue;
mod request;
mod response;
mod scheduler;
mod trace;
mod transport;
mod url;

pub use body::{Body, BodyContext, BodySource, IntoBody, ResponseBody};
pub use client::{Audit, Client, ClientBuilder, IntoAddresses, RequestBuilder, Stats, get};
pub use config::{Limits, Timeouts};
pub use error::{Error, ErrorKind, Result};
pub use limiter::{Acquire, ConcurrencyLimiter, LimiterLane, Permit};
pub use middleware::{Handling, HookResult, Middleware, Next, Run};
#[cfg(feature = "rustls")]
pub use net::Tls;
pub use net::{NetStats, NetTransport, NetTransportBuilder};
pub use queue::{
    Execute, IntoJob, Lane, QueueOptions, QueueStats, Rejected, RequestQueue, Started, StopReport,
    SubmitOptions, Ticket,
};
pub use request::Request;
pub use response::{Response, ResponseStream};
pub use scheduler::{CloseFailure, CloseReport, Shutdown};
pub use transport::Transport;
pub use transport::mock::{MockReply, MockStats, MockTransport};
pub use url::IntoUrl;

pub use ::url::Url;
pub use bytes::Bytes;
pub use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header,
};
pub use turbohttp_core::origin::{Origin, Scheme};
pub use turbohttp_core::pool;
pub use turbohttp_core::scheduler::{
    Counts, OriginAudit, Priority, Reserve, SchedulerAudit, SchedulerStats, UnknownPriority,
};
pub use turbohttp_core::timeline::{Phase, Recorder, Span, Timeline};
