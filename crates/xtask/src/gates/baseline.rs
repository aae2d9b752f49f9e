//! The baseline: the figures of the last state that was accepted, and how far they may be passed.
//!
//! A gate says what must never be; the baseline says what was. It catches a cost that doubles far
//! below its gate, and it is changed by hand only, in a commit of its own (see `tidy/baseline.rs`).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Figures, Row};

/// Where the baseline is.
pub(crate) const FILE: &str = "crates/turbohttp-bench/baseline.toml";

const HEADER: &str = "\
# What was measured when this state was accepted: figures per request, by `cargo xtask gates`, which misses
# when one is passed by more than its tolerance. Written by `cargo xtask gates --record`, in a commit that
# changes nothing else and says why. Instructions depend on the compiler: with another minor version, or on
# another architecture, only the gates are held against them.
";

/// What was measured, where, and how far it may be passed.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Baseline {
    pub(super) machine: Machine,
    tolerance: BTreeMap<String, Tolerance>,
    pub(super) figures: Figures,
}

/// The class of machines on which the instructions are the same.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Machine {
    pub(super) arch: String,
    /// The compiler's version without its patch.
    pub(super) rustc: String,
}

/// How far a figure may be passed: a part of it, or so much, whichever is more.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Tolerance {
    percent: f64,
    absolute: f64,
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
}

impl Tolerance {
    const EXACT: Tolerance = Tolerance {
        percent: 0.0,
        absolute: 0.0,
    };

    fn of(self, figure: f64) -> f64 {
        (figure * self.percent / 100.0).max(self.absolute)
    }
}

impl Machine {
    /// This machine, and the compiler whose `--version` this is.
    pub(super) fn here(version: &str) -> Result<Machine> {
        let number = version
            .split_whitespace()
            .nth(1)
            .context("rustc has no version")?;
        let (minor, _) = number
            .rsplit_once('.')
            .context("rustc has no minor version")?;
        Ok(Machine {
            arch: std::env::consts::ARCH.to_owned(),
            rustc: minor.to_owned(),
        })
    }
}

impl Baseline {
    pub(super) fn read(text: &str) -> Result<Baseline> {
        toml::from_str(text).with_context(|| format!("{FILE} cannot be read"))
    }

    /// A baseline with the tolerances of the last one, or those that a first one has.
    pub(super) fn of(machine: Machine, figures: Figures, last: Option<Baseline>) -> Baseline {
        let first = || {
            let tolerance = |percent, absolute| Tolerance { percent, absolute };
            let sections = [
                ("allocations", Tolerance::EXACT),
                ("instructions", tolerance(3.0, 0.0)),
                ("system_calls", tolerance(0.0, 0.002)),
            ];
            sections
                .map(|(section, of)| (section.to_owned(), of))
                .into()
        };
        // To the thousandth, and without a zero below zero.
        let round = |figure: f64| (figure * 1_000.0).round() / 1_000.0 + 0.0;
        let rounded =
            |of: BTreeMap<_, f64>| of.into_iter().map(|(name, figure)| (name, round(figure)));
        let figures = figures
            .into_iter()
            .map(|(section, of)| (section, rounded(of).collect()))
            .collect();
        let tolerance = last.map_or_else(first, |last| last.tolerance);
        Baseline {
            machine,
            tolerance,
            figures,
        }
    }

    pub(super) fn write(&self) -> Result<String> {
        Ok(format!("{HEADER}\n{}", toml::to_string(self)?))
    }

    /// Holds figures that were measured here against those that were accepted. Of a section that was
    /// measured at all every accepted name must be there: a figure that is no longer counted would
    /// never grow.
    pub(super) fn compare(&self, machine: &Machine, measured: &Figures) -> Result<Comparison> {
        let mut found = Comparison::default();
        for (section, figures) in measured {
            ensure!(!figures.is_empty(), "nothing was measured of {section}");
            self.all_are_in(section, figures)?;
            if section == "instructions" && *machine != self.machine {
                let Machine { arch, rustc } = &self.machine;
                let note =
                    format!("instructions are those of {arch} and rustc {rustc}: not compared");
                found.notes.push(note);
                continue;
            }
            let tolerance = self
                .tolerance
                .get(section)
                .copied()
                .unwrap_or(Tolerance::EXACT);
            let accepted = self.figures.get(section);
            for (name, figure) in figures {
                let Some(was) = accepted.and_then(|accepted| accepted.get(name)) else {
                    found.notes.push(format!(
                        "{section} of {name} is not in the baseline: record it"
                    ));
                    continue;
                };
                let allowed = tolerance.of(*was);
                let name = format!("{section}, {name}: baseline {was}");
                if *figure < was - allowed {
                    let note = format!("{name}, now {figure:.3}: record the improvement");
                    found.notes.push(note);
                }
                found.rows.push(Row::new(name, *figure, was + allowed));
            }
        }
        Ok(found)
    }

    fn all_are_in(&self, section: &str, measured: &BTreeMap<String, f64>) -> Result<()> {
        let accepted = self.figures.get(section).into_iter();
        let mut absent = accepted
            .flat_map(BTreeMap::keys)
            .filter(|name| !measured.contains_key(*name));
        match absent.next() {
            Some(name) => bail!("{section} of {name} is in the baseline and was not measured"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(section: &str, figure: f64) -> Figures {
        let of = BTreeMap::from([("get, mock".to_owned(), figure)]);
        BTreeMap::from([(section.to_owned(), of)])
    }

    fn machine(rustc: &str) -> Machine {
        Machine::here(&format!("rustc {rustc} (abc 2026-01-01)")).unwrap()
    }

    fn misses(section: &str, was: f64, is: f64) -> (usize, usize) {
        let baseline = Baseline::of(machine("1.95.0"), figures(section, was), None);
        let found = baseline
            .compare(&machine("1.95.1"), &figures(section, is))
            .unwrap();
        let missed = found.rows.iter().filter(|row| !row.holds()).count();
        (missed, found.notes.len())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut all = figures("instructions", 7_504.126);
        all.append(&mut figures("allocations", -0.0));
        let baseline = Baseline::of(machine("1.95.0"), all, None);
        let text = baseline.write().unwrap();
        assert_eq!(Baseline::read(&text).unwrap(), baseline, "{text}");
        assert!(text.contains("\"get, mock\" = 0.0\n"), "{text}");
        assert!(Baseline::read("[machine]\narch = 1\n").is_err());
    }

    #[test]
    fn growth_beyond_the_tolerance_is_a_miss_and_less_is_a_hint() {
        assert_eq!(misses("instructions", 1_000.0, 1_030.0), (0, 0));
        assert_eq!(misses("instructions", 1_000.0, 1_031.0), (1, 0));
        assert_eq!(misses("instructions", 1_000.0, 969.0), (0, 1));
        assert_eq!(misses("allocations", 1.0, 1.001), (1, 0));
        assert_eq!(misses("allocations", 0.0, 0.0), (0, 0));
        assert_eq!(misses("system_calls", 1.0, 1.002), (0, 0));
        assert_eq!(misses("system_calls", 1.0, 1.003), (1, 0));
        assert_eq!(misses("instructions", 1_000.0, f64::NAN), (1, 0));
    }

    #[test]
    fn another_compiler_makes_other_instructions_and_a_new_figure_no_miss() {
        let baseline = Baseline::of(machine("1.95.0"), figures("instructions", 1.0), None);
        let found = baseline
            .compare(&machine("1.96.0"), &figures("instructions", 9.0))
            .unwrap();
        assert_eq!((found.rows.len(), found.notes.len()), (0, 1));
        let found = baseline
            .compare(&machine("1.95.0"), &figures("allocations", 9.0))
            .unwrap();
        assert_eq!((found.rows.len(), found.notes.len()), (0, 1));
    }

    #[test]
    fn a_figure_that_is_no_longer_measured_is_an_error() {
        let mut accepted = figures("allocations", 1.0);
        let section = accepted.get_mut("allocations").unwrap();
        section.insert("post, mock".to_owned(), 0.0);
        accepted.append(&mut figures("system_calls", 1.0));
        let baseline = Baseline::of(machine("1.95.0"), accepted.clone(), None);
        let compare = |measured: &Figures| baseline.compare(&machine("1.95.0"), measured);
        // What could not be measured at all was said before.
        accepted.remove("system_calls");
        assert_eq!(compare(&accepted).unwrap().rows.len(), 2);
        let error = compare(&figures("allocations", 1.0)).unwrap_err();
        assert!(error.to_string().contains("post, mock"), "{error}");
        let empty = Figures::from([("allocations".to_owned(), BTreeMap::new())]);
        assert!(compare(&empty).is_err(), "nothing was measured");
    }
}
