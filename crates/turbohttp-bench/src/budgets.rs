//! The bounds, from a file like `gates.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use turbohttp::{Error, ErrorKind, Result};

use crate::measure::Effort;

const BUILT_IN: &str = include_str!("../gates.toml");

/// The file that [`BUILT_IN`] is, for messages.
const BUILT_IN_NAME: &str = "gates.toml";

/// What a section's name ends in when its figures must not pass their bounds.
const MAX: &str = "_max";

/// What a section's name ends in when its figures must reach their bounds.
const MIN: &str = "_min";

/// What a section's name begins with when its figures need a quiet machine.
const BY_HAND: &str = "by_hand_";

/// The sections whose figures are counted from outside the process.
const OUTSIDE: [&str; 2] = ["instructions_max", "system_calls_max"];

/// The bounds of all gates, by section and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Budgets(BTreeMap<String, BTreeMap<String, f64>>);

/// A file of bounds, as far as it is any TOML of the right shape.
#[derive(Deserialize)]
#[serde(transparent)]
struct File(BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<f64>>>);

impl Budgets {
    /// The bounds that this crate was built with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the line that is wrong.
    pub fn built_in() -> Result<Budgets> {
        let mut budgets = Budgets(BTreeMap::new());
        budgets.read(BUILT_IN, BUILT_IN_NAME, |_| None, |_, _| true)?;
        Ok(budgets)
    }

    /// The built-in bounds, but those that `text` names, which are its own. `name` is what the text
    /// is called in errors: its path. A bound that a run with this effort does not look at is refused:
    /// its silence would be taken for a gate that holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming file and line of what is no TOML, no bound, no gate, or not looked
    /// at.
    pub fn replaced_by(text: &str, name: &str, effort: &Effort) -> Result<Budgets> {
        let built_in = Budgets::built_in()?;
        let mut budgets = built_in.clone();
        let is_gate = |section: &str, gate: &str| built_in.bound(section, gate).is_some();
        let refusal = |section: &str| unseen(section, effort);
        budgets.read(text, name, refusal, is_gate)?;
        Ok(budgets)
    }

    fn read(
        &mut self,
        text: &str,
        name: &str,
        refusal: impl Fn(&str) -> Option<&'static str>,
        is_gate: impl Fn(&str, &str) -> bool,
    ) -> Result<()> {
        let wrong = |at: usize, message: &str| {
            let line = text[..at.min(text.len())].lines().count().max(1);
            Error::new(ErrorKind::Config, format!("{name}:{line}: {message}"))
        };
        let file: File = toml::from_str(text).map_err(|error| {
            // The line that the span begins in: one past the last line break before it.
            let at = error.span().map_or(0, |span| span.start + 1);
            wrong(at, error.message())
        })?;
        for (section, gates) in file.0 {
            let at = section.span().start + 1;
            let section = section.into_inner();
            if !section.ends_with(MAX) && !section.ends_with(MIN) {
                return Err(wrong(at, "a section's name ends in _max or _min"));
            }
            if let Some(why) = refusal(&section) {
                return Err(wrong(at, &format!("{section} is {why}")));
            }
            for (gate, bound) in gates {
                let at = gate.span().start + 1;
                let gate = gate.into_inner();
                let bound = bound.into_inner();
                if !is_gate(&section, &gate) {
                    return Err(wrong(at, &format!("there is no gate {section}.{gate}")));
                }
                if !bound.is_finite() || bound < 0.0 {
                    return Err(wrong(at, "a bound is a number of at least 0"));
                }
                let bounds = self.0.entry(section.clone()).or_default();
                bounds.insert(gate, bound);
            }
        }
        Ok(())
    }

    /// The bound of a gate, if there is such a gate.
    pub fn bound(&self, section: &str, gate: &str) -> Option<f64> {
        self.0.get(section)?.get(gate).copied()
    }

    /// All gates as `section.name`, in order.
    pub fn ids(&self) -> Vec<String> {
        let ids = |(section, gates): (&String, &BTreeMap<String, f64>)| -> Vec<String> {
            let id = |gate| format!("{section}.{gate}");
            gates.keys().map(id).collect()
        };
        self.0.iter().flat_map(ids).collect()
    }
}

/// Why a run with this effort would not look at a section, if it would not.
fn unseen(section: &str, effort: &Effort) -> Option<&'static str> {
    if OUTSIDE.contains(&section) {
        return Some("counted by `cargo xtask gates`");
    }
    (section.starts_with(BY_HAND) && !effort.by_hand).then_some("not looked at with --quick")
}

/// Whether the figures of a section must stay below their bounds, or else above them.
pub(crate) fn is_max(section: &str) -> bool {
    section.ends_with(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's gates, and those bounds of ours that only a commit of its own may raise.
    #[test]
    fn the_bounds_are_the_ones_agreed_on() {
        let budgets = Budgets::built_in().unwrap();
        for (section, gate, bound) in [
            ("bytes_allocated_max", "primary", 10_239.0),
            ("bytes_allocated_max", "stretch", 1_023.0),
            ("requests_per_second_min", "one_core", 1_000.0),
            ("overhead_nanoseconds_max", "alone_p99", 999_999.0),
            ("leaks_max", "live_bytes", 65_536.0),
            ("leaks_rise_max", "bytes", 10_240.0),
            ("leaks_rise_max", "blocks", 64.0),
            ("instructions_max", "get", 8_000.0),
            ("instructions_max", "chunked", 14_000.0),
        ] {
            assert_eq!(
                budgets.bound(section, gate),
                Some(bound),
                "{section}.{gate}"
            );
        }
    }

    #[test]
    fn every_bound_has_a_reason_beside_it() {
        for (index, line) in BUILT_IN.lines().enumerate() {
            let is_bound = line.contains('=') && !line.starts_with('#');
            let reason = line.split_once('#').map_or("", |(_, reason)| reason.trim());
            assert!(!is_bound || reason.len() > 5, "line {}: {line}", index + 1);
        }
    }

    #[test]
    fn another_file_replaces_the_bounds_that_it_names() {
        let text = "[allocations_max]\nget = 7\n";
        let budgets = Budgets::replaced_by(text, "mine.toml", &Effort::full()).unwrap();
        assert_eq!(budgets.bound("allocations_max", "get"), Some(7.0));
        assert_eq!(budgets.bound("allocations_max", "post"), Some(0.0));
    }

    #[test]
    fn a_bad_file_is_refused_by_name_and_line() {
        for (text, line, message) in [
            ("[allocations_max]\nget = \n", 2, ""),
            ("[allocations_max]\n\nget = 'x'\n", 3, "invalid type"),
            (
                "[allocations_max]\nget = 0\ngot = 1\n",
                3,
                "no gate allocations_max.got",
            ),
            ("# x\n[allocations]\nget = 1\n", 2, "_max or _min"),
            ("[other_max]\nget = 1\n", 2, "no gate other_max.get"),
            ("[leaks_max]\ntasks = -1\n", 2, "at least 0"),
            ("[leaks_max]\ntasks = nan\n", 2, "at least 0"),
        ] {
            let error = Budgets::replaced_by(text, "mine.toml", &Effort::full()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let said = error.to_string();
            let place = format!("mine.toml:{line}: ");
            assert!(
                said.contains(&place) && said.contains(message),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn a_bound_that_would_not_be_looked_at_is_refused() {
        let read = |text, effort| Budgets::replaced_by(text, "mine.toml", &effort);
        for text in [
            "[instructions_max]\nget = 1\n",
            "[system_calls_max]\nsend = 9\n",
        ] {
            let said = read(text, Effort::full()).unwrap_err().to_string();
            assert!(said.contains("mine.toml:1: "), "{said}");
            assert!(said.contains("is counted by `cargo xtask gates`"), "{said}");
        }
        let by_hand = "# mine\n\n[by_hand_requests_per_second_min]\none_core = 1\n";
        assert!(read(by_hand, Effort::full()).is_ok());
        let said = read(by_hand, Effort::quick()).unwrap_err().to_string();
        let expected = "mine.toml:3: by_hand_requests_per_second_min is not looked at with --quick";
        assert!(said.contains(expected), "{said}");
    }
}
