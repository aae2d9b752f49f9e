//! How urgent a request is; every size that depends on the number of levels derives from here.

use std::fmt;
use std::str::FromStr;

/// Declares the levels once: the enum, the order in which they are served, their number and names.
macro_rules! priorities {
    ($($(#[$meta:meta])* $level:ident = $name:literal),+ $(,)?) => {
        /// How urgent a request is. Served strictly in this order: while a more urgent request may
        /// start, no less urgent one does.
        ///
        /// A request that runs is never interrupted by a more urgent one; see
        /// [`Reserve`](super::Reserve) for permits that only urgent ones may take.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::exhaustive_enums, reason = "users match on all levels")]
        pub enum Priority {
            $($(#[$meta])* $level),+
        }

        impl Priority {
            /// Every level, the most urgent first.
            pub const ALL: &'static [Priority] = &[$(Priority::$level),+];

            /// The name in lower case.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Priority::$level => $name),+
                }
            }
        }
    };
}

with_levels!(priorities);

impl Priority {
    /// How many levels there are.
    pub const COUNT: usize = Priority::ALL.len();

    /// The place of this level in [`ALL`](Priority::ALL).
    pub const fn index(self) -> usize {
        self as usize
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

    /// Reads a name in any case of letters.
    fn from_str(text: &str) -> Result<Priority, UnknownPriority> {
        let named = |level: &&Priority| level.name().eq_ignore_ascii_case(text);
        Priority::ALL
            .iter()
            .find(named)
            .copied()
            .ok_or(UnknownPriority)
    }
}

// `index` and `ALL` say the same, and the least urgent level comes last.
const _: () = {
    let mut index = 0;
    while index < Priority::COUNT {
        assert!(Priority::ALL[index].index() == index);
        index += 1;
    }
    assert!(Priority::Low.index() + 1 == Priority::COUNT);
};
