//! A plain reference.
