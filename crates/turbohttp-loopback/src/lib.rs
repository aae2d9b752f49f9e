//! A small server of HTTP/1.1 and HTTP/2 on the loopback interface: what TurboHTTP's tests, benchmarks and demo
//! talk to.
//!
//! It shares no code with the client, so that both cannot agree on the same mistake. There are two
//! servers:
//!
//! - [`Server`] answers the routes listed in [`ROUTES`], correctly and fast; with the feature `h2`
//!   over HTTP/2 too, on the same port.
//! - [`script::Script`] sends exactly the bytes it was given, however wrong, for tests of faults.
//!
//! Each runs on a thread and a runtime of its own, so neither blocks nor is slowed by the caller's,
//! and a paused clock there does not stop it. Dropping the handle closes all connections and joins
//! the thread.
//!
//! ```
//! use std::io::{Read, Write};
//! use turbohttp_loopback::{Options, Server};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Server::start(Options::default())?;
//! let mut stream = std::net::TcpStream::connect(server.addr())?;
//! stream.write_all(b"GET /small HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
//! assert!(answer.ends_with("Hello, world!"));
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod answer;
mod answerer;
mod body;
mod connection;
mod head;
mod host;
#[cfg(feature = "h2")]
mod http2;
#[cfg(all(unix, feature = "tls"))]
pub mod nginx;
mod options;
mod pattern;
mod reply;
mod respond;
mod route;
pub mod script;
mod server;
mod socket;
mod stats;
mod stream;
#[cfg(feature = "tls")]
pub mod tls;

pub use answerer::{Answerer, AnswererOptions};
pub use options::{Fail, FailWith, Options};
#[cfg(feature = "h2")]
pub use options::{Http2, Protocols};
pub use pattern::pattern;
pub use route::ROUTES;
pub use server::{Server, serve};
pub use stats::{Http2Stats, Resets, Stats};
