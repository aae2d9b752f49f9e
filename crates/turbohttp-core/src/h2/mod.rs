//! HTTP/2 as a client speaks it (RFC 9113): bytes and instants in, decisions out, no socket.

pub mod hpack;
