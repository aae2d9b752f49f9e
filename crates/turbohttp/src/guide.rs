//! Chapters that are longer than the documentation of one item.
//!
//! - [`reqwest`]: coming from reqwest
//! - [`limits`]: limits, priorities, queues and shutdown
//! - [`errors`]: errors and timeouts
//! - [`redirects`]: where they lead, and what goes along
//! - [`retries`]: what is sent again and when; pauses, and the budget
//! - [`resilience`]: circuit breakers, hedges, single flights
//! - [`credentials`]: Basic, Digest, tokens
//! - [`cookies`]: jars, their rules and their files
//! - [`cache`]: what is stored, when it is used, memory and files
//! - [`codings`]: compressed bodies, and bombs
//! - [`downloads`]: files, what is left of them, and their checksums
//! - [`network`]: names, proxies, connections, and what servers send
//! - [`http2`]: what is the same over HTTP/2, what waits where, and its limits
//! - [`http3`]: why it is not built yet
//! - [`tls`]: versions, roots, pins, resumption
//! - [`streaming`]: streaming and proxying
//! - [`bodies`]: forms with files, progress, trailers
//! - [`events`]: server-sent events, WebSockets
//! - [`tower`]: the client among layers, and layers in the client
//! - [`testing`]: tests without a network
//! - [`tracing`]: timelines and tracing

#[doc = include_str!("../docs/reqwest.md")]
pub mod reqwest {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/redirects.md")]
pub mod redirects {}

#[doc = include_str!("../docs/retries.md")]
pub mod retries {}

#[doc = include_str!("../docs/resilience.md")]
pub mod resilience {}

#[doc = include_str!("../docs/credentials.md")]
pub mod credentials {}

#[doc = include_str!("../docs/cookies.md")]
pub mod cookies {}

#[doc = include_str!("../docs/cache.md")]
pub mod cache {}

#[doc = include_str!("../docs/codings.md")]
pub mod codings {}

#[doc = include_str!("../docs/downloads.md")]
pub mod downloads {}

#[doc = include_str!("../docs/network.md")]
pub mod network {}

#[doc = include_str!("../docs/http2.md")]
pub mod http2 {}

#[doc = include_str!("../docs/http3.md")]
pub mod http3 {}

#[doc = include_str!("../docs/tls.md")]
pub mod tls {}

#[doc = include_str!("../docs/streaming.md")]
pub mod streaming {}

#[cfg(feature = "multipart")]
#[doc = include_str!("../docs/bodies.md")]
pub mod bodies {}

#[doc = include_str!("../docs/events.md")]
pub mod events {}

#[doc = include_str!("../docs/tower.md")]
pub mod tower {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/tracing.md")]
pub mod tracing {}
