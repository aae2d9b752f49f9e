//! How urgent a request is.

use std::fmt;
use std::str::FromStr;

/// How urgent a request is. Served strictly in this order: while a more urgent request may start,
/// no less urgent one does.
///
/// A request that runs is never interrupted by a more urgent one; see [`Reserve`](super::Reserve)
/// for permits that only urgent ones may take.
///
/// No size anywhere depends on there being four levels: arrays that have an entry per level are
/// `[T; Priority::COUNT]`, indexed by [`Priority::index`], and everything that goes through the
/// levels uses [`Priority::ALL`].
///
/// # Examples
///
/// ```
/// use turbohttp_core::scheduler::Priority;
///
/// assert!(Priority::Critical < Priority::Low, "the most urgent level is the least");
/// assert_eq!("high".parse(), Ok(Priority::High));
/// assert_eq!(Priority::default(), Priority::Normal);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "users match on all levels")]
pub enum Priority {
    /// Served before everything else.
    Critical,
    /// Served before what is normal.
    High,
    /// The default.
    #[default]
    Normal,
    /// Served when nothing else may start.
    Low,
}

impl Priority {
    /// Every level, the most urgent first.
    pub const ALL: &'static [Priority] = &[
        Priority::Critical,
        Priority::High,
        Priority::Normal,
        Priority::Low,
    ];

    /// How many levels there are.
    pub const COUNT: usize = Priority::ALL.len();

    /// The place of this level in [`ALL`](Priority::ALL), from 0 for the most urgent one.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Priority::Critical => "critical",
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no [`Priority`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownPriority;

impl fmt::Display for UnknownPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("priority must be one of")?;
        for (index, level) in Priority::ALL.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}{level}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownPriority {}

impl FromStr for Priority {
    type Err = UnknownPriority;

    /// Reads a [name](Priority::name) in any case of letters.
    fn from_str(text: &str) -> Result<Priority, UnknownPriority> {
        let named = |level: &&Priority| level.name().eq_ignore_ascii_case(text);
        Priority::ALL
            .iter()
            .find(named)
            .copied()
            .ok_or(UnknownPriority)
    }
}

// `ALL` lists every level in the order of `index`: a level that is added to the enum alone does not
// compile, as `name` and the last assertion refuse it.
const _: () = {
    let mut index = 0;
    while index < Priority::COUNT {
        assert!(Priority::ALL[index].index() == index);
        index += 1;
    }
    assert!(Priority::Low.index() + 1 == Priority::COUNT);
};
