//! To be furnished.
#![forbid(unsafe_code)]
