//! What came of floors and demands.

use std::fmt;

use serde::Serialize;

/// Every floor and demand with what came of it.
#[derive(Default, Serialize)]
pub(crate) struct Verdict {
    lines: Vec<(Outcome, String)>,
    /// Cases that something else on the machine got in the way of.
    disturbed: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Held,
    Missed,
    /// The limit itself misses it: it tells of this machine, not of the client.
    OutOfReach,
    /// The case or a peer was left out.
    NotMeasured,
}

impl Verdict {
    /// Adds what was either held or missed.
    pub(crate) fn add(&mut self, is_held: bool, line: String) {
        let outcome = match is_held {
            true => Outcome::Held,
            false => Outcome::Missed,
        };
        self.push(outcome, line);
    }

    pub(crate) fn push(&mut self, outcome: Outcome, line: String) {
        self.lines.push((outcome, line));
    }

    /// Says that the figures of a case are not to be relied on.
    pub(crate) fn push_disturbed(&mut self, line: String) {
        self.disturbed.push(line);
    }

    /// Adds another verdict.
    pub(crate) fn extend(&mut self, other: Verdict) {
        self.lines.extend(other.lines);
        self.disturbed.extend(other.disturbed);
    }

    /// Whether nothing was missed. What was not measured, or is out of reach, was not missed.
    pub(crate) fn is_passed(&self) -> bool {
        self.missed() == 0
    }

    fn missed(&self) -> usize {
        let missed = |line: &&(Outcome, String)| line.0 == Outcome::Missed;
        self.lines.iter().filter(missed).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (outcome, line) in &self.lines {
            let word = match outcome {
                Outcome::Held => "held",
                Outcome::Missed => "MISSED",
                Outcome::OutOfReach => "out of reach",
                Outcome::NotMeasured => "not measured",
            };
            writeln!(f, "{word}: {line}")?;
        }
        for line in &self.disturbed {
            writeln!(f, "disturbed: {line}")?;
        }
        match self.missed() {
            0 => writeln!(f, "verdict: nothing missed"),
            missed => writeln!(f, "verdict: {missed} MISSED"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_miss_among_several_verdicts_counts() {
        let mut verdict = Verdict::default();
        verdict.add(true, "a".to_owned());
        verdict.push(Outcome::NotMeasured, "b".to_owned());
        verdict.push(Outcome::OutOfReach, "c".to_owned());
        assert!(verdict.is_passed());
        let mut other = Verdict::default();
        other.add(false, "d".to_owned());
        other.push_disturbed("e".to_owned());
        verdict.extend(other);
        assert!(!verdict.is_passed());
        let text = "held: a\nnot measured: b\nout of reach: c\nMISSED: d\ndisturbed: e\n\
                    verdict: 1 MISSED\n";
        assert_eq!(verdict.to_string(), text);
    }
}
