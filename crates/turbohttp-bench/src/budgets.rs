//! The bounds, from a file like `gates.toml`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use turbohttp::{Error, ErrorKind, Result};

use crate::measure::Effort;

const BUILT_IN: &str = include_str!("../gates.toml");

/// The file that [`BUILT_IN`] is, for messages.
const BUILT_IN_NAME: &str = "gates.toml";

/// What a section's name ends in when its figures must not pass their bounds.
pub(crate) const MAX: &str = "_max";

/// What a section's name ends in when its figures must reach their bounds.
const MIN: &str = "_min";

/// What a section's name begins with when its figures need a quiet machine.
pub(crate) const BY_HAND: &str = "by_hand_";

/// The sections whose figures are counted from outside the process.
const OUTSIDE: [&str; 2] = ["instructions_max", "system_calls_max"];

/// The bounds of all gates, by `section.name`.
#[derive(Clone, Debug, PartialEq)]
pub struct Budgets(BTreeMap<String, f64>);

/// A file of bounds, as far as it is any TOML of the right shape.
type File = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<f64>>>;

impl Budgets {
    /// The bounds that this crate was built with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the line that is wrong.
    pub fn built_in() -> Result<Budgets> {
        read(BUILT_IN, BUILT_IN_NAME, |_, _| Ok(())).map(Budgets)
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
        let mut budgets = Budgets::built_in()?;
        let replaced = read(text, name, |section, id| match id {
            None => is_seen(section, effort),
            Some(id) if budgets.bound(id).is_none() => Err(format!("there is no gate {id}")),
            Some(_) => Ok(()),
        })?;
        budgets.0.extend(replaced);
        Ok(budgets)
    }

    /// The bound of a gate, if there is such a gate.
    pub fn bound(&self, id: &str) -> Option<f64> {
        self.0.get(id).copied()
    }

    /// All gates as `section.name`, in order.
    pub fn ids(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// Reads bounds by `section.name`. `check` says what is wrong with a section, or with a gate of it.
fn read(
    text: &str,
    name: &str,
    check: impl Fn(&str, Option<&str>) -> Result<(), String>,
) -> Result<BTreeMap<String, f64>> {
    let wrong = |at: Range<usize>, message: &str| {
        let line = text[..at.start].matches('\n').count() + 1;
        Error::new(ErrorKind::Config, format!("{name}:{line}: {message}"))
    };
    let file: File = toml::from_str(text)
        .map_err(|error| wrong(error.span().unwrap_or_default(), error.message()))?;
    let mut bounds = BTreeMap::new();
    for (section, gates) in &file {
        let (at, section) = (section.span(), section.as_ref());
        if !section.ends_with(MAX) && !section.ends_with(MIN) {
            return Err(wrong(at, "a section's name ends in _max or _min"));
        }
        check(section, None).map_err(|why| wrong(at, &why))?;
        for (gate, bound) in gates {
            let (at, bound) = (gate.span(), *bound.as_ref());
            let id = format!("{section}.{}", gate.as_ref());
            check(section, Some(&id)).map_err(|why| wrong(at.clone(), &why))?;
            if !bound.is_finite() || bound < 0.0 {
                return Err(wrong(at, "a bound is a number of at least 0"));
            }
            bounds.insert(id, bound);
        }
    }
    Ok(bounds)
}

/// Whether a run with this effort looks at a section, or why not.
fn is_seen(section: &str, effort: &Effort) -> Result<(), String> {
    if OUTSIDE.contains(&section) {
        return Err(format!("{section} is counted by `cargo xtask gates`"));
    }
    if section.starts_with(BY_HAND) && !effort.by_hand {
        return Err(format!("{section} is not looked at with --quick"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's gates, and those bounds of ours that only a commit of its own may raise.
    #[test]
    fn the_bounds_are_the_ones_agreed_on() {
        let budgets = Budgets::built_in().unwrap();
        for (id, bound) in [
            ("bytes_allocated_max.primary", 10_239.0),
            ("bytes_allocated_max.stretch", 1_023.0),
            ("requests_per_second_min.one_core", 1_000.0),
            ("overhead_nanoseconds_max.alone_p99", 999_999.0),
            ("leaks_max.live_bytes", 65_536.0),
            ("leaks_rise_max.bytes", 10_240.0),
            ("leaks_rise_max.blocks", 64.0),
            ("instructions_max.get", 8_000.0),
            ("instructions_max.chunked", 14_000.0),
        ] {
            assert_eq!(budgets.bound(id), Some(bound), "{id}");
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
        assert_eq!(budgets.bound("allocations_max.get"), Some(7.0));
        assert_eq!(budgets.bound("allocations_max.post"), Some(0.0));
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
