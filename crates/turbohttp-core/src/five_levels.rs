//! S34: the very files of [`admission`](crate::admission) once more, with a level more, and all their
//! tests with it: no size depends on there being four.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    unfulfilled_lint_expectations,
    clippy::duplicate_mod,
    reason = "the same code as a module of a test"
)]

macro_rules! with_levels {
    ($then:ident) => {
        $then! {
            /// The first.
            Critical = "critical",
            /// The second.
            High = "high",
            /// The one that is not there otherwise.
            Raised = "raised",
            /// The fourth.
            #[default]
            Normal = "normal",
            /// The last.
            Low = "low",
        }
    };
}

#[path = "admission/mod.rs"]
mod admission;

mod tests;
