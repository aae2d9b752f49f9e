//! Chapters that are longer than the documentation of one item.

#[doc = include_str!("../docs/admission.md")]
pub mod admission {}
