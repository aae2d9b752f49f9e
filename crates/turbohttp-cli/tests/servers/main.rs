//! The command and the library against servers and proxies that others wrote, and beside curl.
//!
//! Each server has a configuration, ports and a folder of its own, and ends with the test that started
//! it. Where a program is not installed, a test says `SKIPPED`, and in CI it fails.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod apache;
mod child;
mod downloads;
mod haproxy;
mod http2;
mod library;
mod lighttpd;
mod microsocks;
mod nginx;
mod options;
mod policies;
mod row;
mod run;
mod serve;
mod squid;
mod table;
mod versions;
