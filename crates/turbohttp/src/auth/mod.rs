//! Authentication by challenge (RFC 9110 section 11): what a server asks for, and the answers of Digest.

pub(crate) mod challenge;
pub(crate) mod digest;
