//! The baseline: the figures of the last state that was accepted, and how far they may be passed.
//!
//! A gate says what must never be; the baseline says what was. It catches a cost that doubles far
//! below its gate, and it is changed by hand only, in a commit of its own (see `tidy/baseline.rs`).

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::{Figures, Row};
use crate::run;

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

/// How far a figure may be passed: a part of it, or so much, whichever is more. A section without one is
/// held to its figures exactly.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Tolerance {
    percent: f64,
    absolute: f64,
}

impl Machine {
    /// This machine, and the compiler whose `--version` this is.
    pub(super) fn here(version: &str) -> Result<Machine> {
        Ok(Machine {
            arch: std::env::consts::ARCH.to_owned(),
            rustc: run::find(r"^rustc (\d+\.\d+)\.", version)?,
        })
    }
}

impl Baseline {
    pub(super) fn committed() -> Result<Baseline> {
        let text = std::fs::read_to_string(run::root().join(FILE)).context(FILE)?;
        toml::from_str(&text).context(FILE)
    }

    /// A baseline with the tolerances of this one. Figures are rounded to the thousandth, without a zero
    /// below zero.
    pub(super) fn with(self, machine: Machine, mut figures: Figures) -> Baseline {
        for figure in figures.values_mut().flat_map(BTreeMap::values_mut) {
            *figure = (*figure * 1_000.0).round() / 1_000.0 + 0.0;
        }
        Baseline {
            machine,
            figures,
            ..self
        }
    }

    pub(super) fn write(&self) -> Result<()> {
        std::fs::write(run::root().join(FILE), self.text()?)?;
        println!("recorded: commit {FILE} by itself, and say why");
        Ok(())
    }

    fn text(&self) -> Result<String> {
        Ok(format!("{HEADER}\n{}", toml::to_string(self)?))
    }

    /// Holds figures that were measured here against those that were accepted: what is beside its bound,
    /// and what else is to be said. Of a section that was measured at all every accepted name must be
    /// there: a figure that is no longer counted would never grow.
    pub(super) fn compare(
        &self,
        machine: &Machine,
        measured: &Figures,
    ) -> Result<(Vec<Row>, Vec<String>)> {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        for (section, figures) in measured {
            ensure!(!figures.is_empty(), "nothing was measured of {section}");
            let accepted = self.figures.get(section);
            let mut names = accepted.into_iter().flat_map(BTreeMap::keys);
            if let Some(name) = names.find(|name| !figures.contains_key(*name)) {
                bail!("{section} of {name} is in the baseline and was not measured");
            }
            if section == "instructions" && *machine != self.machine {
                let Machine { arch, rustc } = &self.machine;
                notes.push(format!(
                    "instructions are those of {arch} and rustc {rustc}: not compared"
                ));
                continue;
            }
            let Tolerance { percent, absolute } =
                self.tolerance.get(section).copied().unwrap_or_default();
            for (name, figure) in figures {
                let Some(was) = accepted.and_then(|accepted| accepted.get(name)) else {
                    notes.push(format!(
                        "{section} of {name} is not in the baseline: record it"
                    ));
                    continue;
                };
                let allowed = (was * percent / 100.0).max(absolute);
                let name = format!("{section}, {name}: baseline {was}");
                if *figure < was - allowed {
                    notes.push(format!("{name}, now {figure:.3}: record the improvement"));
                }
                rows.push(Row::new(name, *figure, was + allowed));
            }
        }
        Ok((rows, notes))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn figures(section: &str, figure: f64) -> Figures {
        let of = BTreeMap::from([("get, mock".to_owned(), figure)]);
        BTreeMap::from([(section.to_owned(), of)])
    }

    pub(in super::super) fn machine(rustc: &str) -> Machine {
        Machine::here(&format!("rustc {rustc} (abc 2026-01-01)")).unwrap()
    }

    /// These figures, with the tolerances that are committed.
    fn accepted(figures: Figures) -> Baseline {
        let committed = Baseline::committed().unwrap();
        committed.with(machine("1.95.0"), figures)
    }

    /// How many figures miss or not, and how many notes there are.
    fn compared(baseline: &Baseline, rustc: &str, measured: &Figures) -> [usize; 3] {
        let (rows, notes) = baseline.compare(&machine(rustc), measured).unwrap();
        let held = rows.iter().filter(|row| row.holds()).count();
        [rows.len() - held, held, notes.len()]
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut all = figures("instructions", 7_504.126);
        all.append(&mut figures("allocations", -0.0));
        let baseline = accepted(all);
        let text = baseline.text().unwrap();
        assert_eq!(
            toml::from_str::<Baseline>(&text).unwrap(),
            baseline,
            "{text}"
        );
        assert!(text.contains("\"get, mock\" = 0.0\n"), "{text}");
        assert!(toml::from_str::<Baseline>("[machine]\narch = 1\n").is_err());
    }

    #[test]
    fn growth_beyond_the_tolerance_is_a_miss_and_less_is_a_hint() {
        for (section, was, is, expected) in [
            ("instructions", 1_000.0, 1_030.0, [0, 1, 0]),
            ("instructions", 1_000.0, 1_031.0, [1, 0, 0]),
            ("instructions", 1_000.0, 969.0, [0, 1, 1]),
            ("allocations", 1.0, 1.001, [1, 0, 0]),
            ("allocations", 0.0, 0.0, [0, 1, 0]),
            ("system_calls", 1.0, 1.002, [0, 1, 0]),
            ("system_calls", 1.0, 1.003, [1, 0, 0]),
            ("instructions", 1_000.0, f64::NAN, [1, 0, 0]),
        ] {
            let found = compared(
                &accepted(figures(section, was)),
                "1.95.1",
                &figures(section, is),
            );
            assert_eq!(found, expected, "{section} {was} {is}");
        }
    }

    #[test]
    fn another_compiler_makes_other_instructions_and_a_new_figure_no_miss() {
        let baseline = accepted(figures("instructions", 1.0));
        let of = |rustc, section| compared(&baseline, rustc, &figures(section, 9.0));
        assert_eq!(of("1.96.0", "instructions"), [0, 0, 1]);
        assert_eq!(of("1.95.0", "allocations"), [0, 0, 1]);
    }

    #[test]
    fn a_figure_that_is_no_longer_measured_is_an_error() {
        let mut all = figures("allocations", 1.0);
        let section = all.get_mut("allocations").unwrap();
        section.insert("post, mock".to_owned(), 0.0);
        all.append(&mut figures("system_calls", 1.0));
        let baseline = accepted(all.clone());
        // What could not be measured at all was said before.
        all.remove("system_calls");
        assert_eq!(compared(&baseline, "1.95.0", &all), [0, 2, 0]);
        let compare = |measured: &Figures| baseline.compare(&machine("1.95.0"), measured);
        let error = compare(&figures("allocations", 1.0)).unwrap_err();
        assert!(error.to_string().contains("post, mock"), "{error}");
        let empty = Figures::from([("allocations".to_owned(), BTreeMap::new())]);
        assert!(compare(&empty).is_err(), "nothing was measured");
    }
}
