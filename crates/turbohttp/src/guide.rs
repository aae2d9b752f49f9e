//! Chapters that are longer than the documentation of one item.

#[doc = include_str!("../docs/reqwest.md")]
pub mod reqwest {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}
