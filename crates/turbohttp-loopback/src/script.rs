//! A server that sends exactly what it was told, however wrong: for tests of faults.
//!
//! ```
//! use turbohttp_loopback::script::{Script, Step};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Script::new()
//!     .accept([Step::ReadHead, Step::send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")])
//!     .start()?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```

pub mod floods;
pub mod frames;
mod player;
mod server;
mod step;

pub use server::{Script, ScriptServer};
pub use step::{Answer, Signal, Step, Wanted};
