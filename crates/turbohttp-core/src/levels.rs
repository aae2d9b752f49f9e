//! The levels of [`Priority`](crate::admission::Priority), written down once.
//!
//! Apart from the code that works with them, so that a test can compile that code for other levels.

macro_rules! with_levels {
    ($then:ident) => {
        $then! {
            /// Served before everything else.
            Critical = "critical",
            /// Served before what is normal.
            High = "high",
            /// The default.
            #[default]
            Normal = "normal",
            /// Served when nothing else may start.
            Low = "low",
        }
    };
}
