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
    /// The limit itself misses it, and the client keeps up with the limit: it tells of this machine, not
    /// of the client.
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

    /// Whether something was held and nothing missed. What was not measured, or is out of reach, was not
    /// missed; but where there is nothing else, nothing was shown.
    pub(crate) fn is_passed(&self) -> bool {
        self.count(Outcome::Missed) == 0 && self.count(Outcome::Held) > 0
    }

    /// Whether nothing was held and nothing missed.
    pub(crate) fn is_empty_handed(&self) -> bool {
        self.count(Outcome::Missed) == 0 && self.count(Outcome::Held) == 0
    }

    fn count(&self, outcome: Outcome) -> usize {
        let lines = self.lines.iter();
        lines.filter(|line| line.0 == outcome).count()
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
        match self.count(Outcome::Missed) {
            0 if self.is_empty_handed() => writeln!(
                f,
                "verdict: FAILED, as not one floor or demand was held: nothing was shown"
            ),
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

    #[test]
    fn nothing_held_is_no_pass() {
        let mut verdict = Verdict::default();
        assert!(!verdict.is_passed());
        verdict.push(Outcome::NotMeasured, "a".to_owned());
        verdict.push(Outcome::OutOfReach, "b".to_owned());
        assert!(!verdict.is_passed());
        let text = "not measured: a\nout of reach: b\n\
                    verdict: FAILED, as not one floor or demand was held: nothing was shown\n";
        assert_eq!(verdict.to_string(), text);
        verdict.add(true, "c".to_owned());
        assert!(verdict.is_passed());
    }
}
