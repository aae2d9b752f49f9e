//! Chapters that are longer than the documentation of one item.
//!
//! - [`reqwest`]: coming from reqwest
//! - [`limits`]: limits, priorities, queues and shutdown
//! - [`errors`]: errors, retries, timeouts
//! - [`network`]: names, connections, and what servers send
//! - [`streaming`]: streaming and proxying
//! - [`testing`]: tests without a network
//! - [`tracing`]: timelines and tracing

#[doc = include_str!("../docs/reqwest.md")]
pub mod reqwest {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[doc = include_str!("../docs/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/network.md")]
pub mod network {}

#[doc = include_str!("../docs/streaming.md")]
pub mod streaming {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/tracing.md")]
pub mod tracing {}
