//! `gates --prove`: every gate on what is counted from outside misses when it should.
//!
//! For each there is a regression planted in the program `count` that makes it miss, and no gate that
//! has nothing to do with it. The gates inside the process are proven by the tests of
//! `turbohttp-bench`.

use anyhow::{Context, Result, ensure};

use super::baseline::{Baseline, Machine};
use super::outside::{Counted, Lengths};
use super::{CALLING, Figures, Section, against};

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

/// How often a proof on system calls is tried: a connection that rests for a moment is asked for its health,
/// which is a read in vain, and in a short run few of them are too many.
const TRIES: usize = 4;

/// Proves the gates on instructions.
pub(super) fn instructions(counted: &Counted, bounds: &Figures) -> Result<()> {
    for work in bounds["instructions_max"].keys() {
        let measured = counted.instructions(work, Some(MANY_INSTRUCTIONS), Lengths::SHORT)?;
        let figures = Section::from([(work.clone(), measured)]);
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
    committed: Baseline,
    here: Machine,
) -> Result<()> {
    let section = measured.get("instructions");
    let accepted = section
        .and_then(|section| section.get(UNBOUNDED))
        .with_context(|| format!("the instructions of {UNBOUNDED} were not measured"))?;
    let planted = counted.instructions(UNBOUNDED, Some(SOME_INSTRUCTIONS), Lengths::SHORT)?;
    grows(*accepted, planted, committed, here)
}

/// Whether a baseline with the one figure misses with the other.
fn grows(accepted: f64, planted: f64, committed: Baseline, here: Machine) -> Result<()> {
    let only = |figure| -> Figures {
        let section = Section::from([(UNBOUNDED.to_owned(), figure)]);
        Figures::from([("instructions".to_owned(), section)])
    };
    let baseline = committed.with(here.clone(), only(accepted));
    let (rows, _) = baseline.compare(&here, &only(planted))?;
    let missed = rows.iter().filter(|row| !row.holds()).count();
    ensure!(
        missed == 1,
        "the baseline did not notice {SOME_INSTRUCTIONS}"
    );
    println!("ok   with {SOME_INSTRUCTIONS} planted: {missed} of the baseline missed");
    Ok(())
}

/// Proves the gates on system calls.
pub(super) fn system_calls(counted: &Counted, bounds: &Figures) -> Result<()> {
    for (section, work) in CALLING {
        for (planted, expected) in SYSTEM_CALLS {
            let mut tries = (0..TRIES).map(|_| {
                let measured = counted.system_calls(work, Some(planted), Lengths::SHORT)?;
                misses_only(section, &measured, bounds, expected, planted)
            });
            let first = tries.next().context("at least one try")?;
            first.or_else(|error| tries.find(Result::is_ok).unwrap_or(Err(error)))?;
        }
    }
    Ok(())
}

fn misses_only(
    section: &str,
    measured: &Section,
    bounds: &Figures,
    expected: &[&str],
    planted: &str,
) -> Result<()> {
    let mut rows = against(bounds, section, measured);
    rows.retain(|row| !row.holds());
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    let is_missed = |gate: &&str| {
        names
            .iter()
            .any(|name| name.ends_with(&format!(", {gate}")))
    };
    ensure!(
        names.len() == expected.len() && expected.iter().all(is_missed),
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
    use super::super::baseline::tests::machine;
    use super::*;

    /// A gate that is added comes with its proof.
    #[test]
    fn every_gate_from_outside_has_a_proof() {
        let bounds = super::super::bounds().unwrap();
        let proven = SYSTEM_CALLS.map(|(_, gates)| gates).concat();
        for (section, _) in CALLING {
            for gate in bounds[&format!("{section}_max")].keys() {
                assert!(proven.contains(&gate.as_str()), "{gate} has no proof");
            }
        }
        let (planted, _) = MANY_INSTRUCTIONS.split_once('_').unwrap();
        let planted: f64 = planted.parse().unwrap();
        let mut bounds = bounds["instructions_max"].values();
        assert!(
            bounds.all(|most| *most < planted),
            "a bound is beyond what is planted"
        );
    }

    #[test]
    fn a_gate_that_does_not_miss_is_no_proof() {
        let bounds = toml::from_str("[system_calls_max]\nsend = 1\nfutex = 1\n").unwrap();
        let proof = |send, futex| {
            let measured = [("send".to_owned(), send), ("futex".to_owned(), futex)].into();
            misses_only("system_calls", &measured, &bounds, &["send"], "x")
        };
        assert!(proof(2.0, 0.0).is_ok());
        assert!(proof(1.0, 0.0).is_err(), "it did not miss");
        assert!(proof(2.0, 2.0).is_err(), "another one missed too");
        assert!(proof(1.0, 2.0).is_err(), "another one missed instead");
    }

    /// A committed baseline of another compiler takes nothing off the proof.
    #[test]
    fn a_baseline_of_another_compiler_is_no_excuse() {
        let proof = |planted| {
            let committed = Baseline::committed().unwrap();
            let other = committed.with(machine("1.2.3"), Figures::new());
            grows(1_000.0, planted, other, machine("1.95.0"))
        };
        assert!(proof(1_100.0).is_ok());
        assert!(proof(1_000.0).is_err(), "it did not grow");
    }
}
