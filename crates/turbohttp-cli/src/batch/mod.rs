//! Many requests at once: lines are read lazily, parsed, put in the client's queue, and counted.

pub(crate) mod engine;
pub(crate) mod fetch;
pub(crate) mod form;
pub(crate) mod histogram;
pub(crate) mod line;
pub(crate) mod name;
pub(crate) mod outcome;
pub(crate) mod source;
pub(crate) mod tally;
mod tries;
