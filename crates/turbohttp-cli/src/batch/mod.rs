//! Many requests at once: lines are read lazily, parsed, ordered by priority, sent, and counted.

pub(crate) mod engine;
pub(crate) mod histogram;
pub(crate) mod line;
pub(crate) mod name;
pub(crate) mod outcome;
pub(crate) mod source;
pub(crate) mod tally;
pub(crate) mod waiting;
