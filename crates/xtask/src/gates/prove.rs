//! `gates --prove`: every gate on what is counted from outside misses when it should.
//!
//! For each there is a regression planted in the program `count` that makes it miss, and no gate that
//! has nothing to do with it. The gates inside the process are proven by the tests of
//! `turbohttp-bench`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::baseline::Baseline;
use super::outside::{Counted, Lengths};
use super::{Figures, Row, against};

/// Far beyond the bound of every kind of work.
const MANY_INSTRUCTIONS: &str = "20000_instructions";

/// Far within every bound, and beyond what the baseline tolerates.
const SOME_INSTRUCTIONS: &str = "2000_instructions";

/// A kind of work that has a baseline and no bound.
const UNBOUNDED: &str = "layered";

/// What is planted for system calls, and the gates that miss because of it: a call that fails is a
/// call.
const SYSTEM_CALLS: [(&str, &[&str]); 5] = [
    ("send", &["send"]),
    ("receive", &["receive"]),
    ("failing_send", &["failing_send", "send"]),
    ("failing_receive", &["failing_receive", "receive"]),
    ("futex", &["futex"]),
];

/// Proves the gates on instructions.
pub(super) fn instructions(counted: &Counted, bounds: &Figures) -> Result<()> {
    for work in bounds
        .get("instructions_max")
        .into_iter()
        .flat_map(BTreeMap::keys)
    {
        let measured = counted.instructions(work, Some(MANY_INSTRUCTIONS), Lengths::SHORT)?;
        let figures = BTreeMap::from([(work.clone(), measured)]);
        misses_only("instructions", &figures, bounds, &[work], MANY_INSTRUCTIONS)?;
    }
    Ok(())
}

/// Proves that the baseline finds a growth that no gate would: this work has no bound of its own.
///
/// The baseline is made for here, of what was measured just now, with the tolerances of the committed
/// one: that may be of another compiler, with which nothing is compared and so nothing would be proven.
pub(super) fn baseline(
    counted: &Counted,
    measured: &Figures,
    committed: Option<Baseline>,
) -> Result<()> {
    let section = measured.get("instructions");
    let accepted = section
        .and_then(|section| section.get(UNBOUNDED))
        .with_context(|| format!("the instructions of {UNBOUNDED} were not measured"))?;
    let planted = counted.instructions(UNBOUNDED, Some(SOME_INSTRUCTIONS), Lengths::SHORT)?;
    grows(*accepted, planted, committed)
}

/// Whether a baseline with the one figure misses with the other.
fn grows(accepted: f64, planted: f64, committed: Option<Baseline>) -> Result<()> {
    let here = super::machine()?;
    let only = |figure| -> Figures {
        let section = BTreeMap::from([(UNBOUNDED.to_owned(), figure)]);
        BTreeMap::from([("instructions".to_owned(), section)])
    };
    let baseline = Baseline::of(here.clone(), only(accepted), committed);
    let found = baseline.compare(&here, &only(planted))?;
    let missed = found.rows.iter().filter(|row| !row.holds()).count();
    ensure!(
        missed == 1,
        "the baseline did not notice {SOME_INSTRUCTIONS}"
    );
    println!("ok   with {SOME_INSTRUCTIONS} planted: {missed} of the baseline missed");
    Ok(())
}

/// Proves the gates on system calls.
pub(super) fn system_calls(counted: &Counted, bounds: &Figures) -> Result<()> {
    for (planted, expected) in SYSTEM_CALLS {
        let measured = counted.system_calls(Some(planted), Lengths::SHORT)?;
        misses_only("system_calls", &measured, bounds, expected, planted)?;
    }
    Ok(())
}

fn misses_only(
    section: &str,
    measured: &BTreeMap<String, f64>,
    bounds: &Figures,
    expected: &[&str],
    planted: &str,
) -> Result<()> {
    let rows = against(bounds, section, measured);
    let missed: Vec<&Row> = rows.iter().filter(|row| !row.holds()).collect();
    let names: Vec<String> = missed.iter().map(|row| row.name.clone()).collect();
    let is_expected = |name: &&str| {
        names
            .iter()
            .any(|missed| missed.ends_with(&format!(", {name}")))
    };
    ensure!(
        missed.len() == expected.len() && expected.iter().all(is_expected),
        "with {planted} planted these should miss: {expected:?}, and these do: {names:?}"
    );
    println!(
        "ok   with {planted} planted: {} of {section} missed",
        expected.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::baseline::Machine;
    use super::*;

    /// A gate that is added comes with its proof.
    #[test]
    fn every_gate_from_outside_has_a_proof() {
        let bounds = super::super::bounds().unwrap();
        let proven: Vec<&str> = SYSTEM_CALLS
            .iter()
            .flat_map(|(_, gates)| gates.iter().copied())
            .collect();
        for gate in bounds["system_calls_max"].keys() {
            assert!(proven.contains(&gate.as_str()), "{gate} has no proof");
        }
        let most = bounds["instructions_max"]
            .values()
            .copied()
            .fold(0.0, f64::max);
        let planted = MANY_INSTRUCTIONS.split('_').next().unwrap();
        assert!(
            planted.parse::<f64>().unwrap() > most,
            "a bound is beyond what is planted"
        );
    }

    #[test]
    fn a_gate_that_does_not_miss_is_no_proof() {
        let bounds = toml::from_str("[system_calls_max]\nsend = 1\nfutex = 1\n").unwrap();
        let measured =
            |send, futex| BTreeMap::from([("send".to_owned(), send), ("futex".to_owned(), futex)]);
        let proof = |send, futex| {
            misses_only(
                "system_calls",
                &measured(send, futex),
                &bounds,
                &["send"],
                "x",
            )
        };
        assert!(proof(2.0, 0.0).is_ok());
        assert!(proof(1.0, 0.0).is_err(), "it did not miss");
        assert!(proof(2.0, 2.0).is_err(), "another one missed too");
        assert!(proof(1.0, 2.0).is_err(), "another one missed instead");
    }

    /// A committed baseline of another compiler takes nothing off the proof.
    #[test]
    fn a_baseline_of_another_compiler_is_no_excuse() {
        let other = || {
            let machine = Machine::here("rustc 1.2.3 (abc 2016-01-01)").unwrap();
            Some(Baseline::of(machine, Figures::new(), None))
        };
        assert!(grows(1_000.0, 1_100.0, other()).is_ok());
        assert!(grows(1_000.0, 1_000.0, other()).is_err(), "it did not grow");
        assert!(grows(1_000.0, 1_100.0, None).is_ok());
    }
}
