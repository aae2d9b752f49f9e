//! What was measured, beside its bounds.

use std::fmt;

use serde::Serialize;

use crate::budgets::MAX;
use crate::environment::Environment;

/// The version of the report's format, as JSON.
const FORMAT: u32 = 2;

/// One gate: a figure, and the bound that it is held to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Gate {
    /// The gate in `gates.toml`: `section.name`. Several figures may be held to one bound.
    pub id: String,
    /// What is measured, and how: a heading that the figures of one kind share.
    pub group: &'static str,
    /// What it was measured on.
    pub name: String,
    /// The figure.
    pub measured: f64,
    /// The bound.
    pub bound: f64,
    /// Whether the figure must not pass the bound (or else must reach it).
    pub is_max: bool,
    /// Whether the gate holds.
    pub holds: bool,
    /// More of what was seen, for those who look into it.
    pub detail: String,
}

impl Gate {
    /// A figure beside its bound. A figure that is no number never holds.
    pub(crate) fn new(group: &'static str, id: &str, bound: f64, measured: f64) -> Gate {
        let (section, name) = id.split_once('.').unwrap_or_default();
        let is_max = section.ends_with(MAX);
        Gate {
            id: id.to_owned(),
            group,
            name: name.to_owned(),
            measured,
            bound,
            is_max,
            holds: match is_max {
                true => measured <= bound,
                false => measured >= bound,
            },
            detail: String::new(),
        }
    }

    /// Says on what it was measured, if its gate has more figures.
    pub(crate) fn on(mut self, what: &str) -> Gate {
        self.name = format!("{}, {what}", self.name);
        self
    }

    /// Says more of what was seen.
    pub(crate) fn detailed(self, detail: String) -> Gate {
        Gate { detail, ..self }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "ok  " } else { "MISS" };
        let relation = if self.is_max { "at most" } else { "at least" };
        let (measured, bound) = (figure(self.measured), figure(self.bound));
        let name = &self.name;
        let line = format!("{verdict} {name:<28} {measured:>14}  {relation:<8} {bound:>10}");
        match self.detail.as_str() {
            "" => f.write_str(&line),
            detail => write!(f, "{line}  {detail}"),
        }
    }
}

/// A figure for people: with decimals only where they matter, and thousands apart.
pub(crate) fn figure(number: f64) -> String {
    if !number.is_finite() || (number.fract() != 0.0 && number.abs() < 1_000.0) {
        return format!("{number:.3}");
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let digits = format!("{:.0}", number.abs());
    let thousands = digits.as_bytes().rchunks(3).rev();
    let thousands: Vec<_> = thousands.map(String::from_utf8_lossy).collect();
    format!("{sign}{}", thousands.join(","))
}

/// All gates of one run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The format of this report.
    pub version: u32,
    /// Where it was measured.
    pub environment: Environment,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The gates, in the order in which they were measured.
    pub gates: Vec<Gate>,
}

impl Report {
    pub(crate) fn new(seconds: f64, gates: Vec<Gate>) -> Report {
        Report {
            version: FORMAT,
            environment: Environment::now(),
            seconds,
            gates,
        }
    }

    /// Whether every gate holds.
    pub fn holds(&self) -> bool {
        self.missed().next().is_none()
    }

    /// The gates that do not hold.
    pub fn missed(&self) -> impl Iterator<Item = &Gate> {
        self.gates.iter().filter(|gate| !gate.holds)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.environment)?;
        let mut group = "";
        for gate in &self.gates {
            if group != gate.group {
                group = gate.group;
                writeln!(f, "\n{group}")?;
            }
            writeln!(f, "  {gate}")?;
        }
        let (gates, seconds) = (self.gates.len(), self.seconds);
        let held = gates - self.missed().count();
        writeln!(f, "\n{held} of {gates} gates hold; {seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_beyond_its_bound_is_a_miss() {
        let gate = |is_max, measured| {
            let id = if is_max { "a_max.b" } else { "a_min.b" };
            Gate::new("", id, 1.0, measured)
        };
        assert!(gate(true, 1.0).holds && gate(false, 1.0).holds);
        assert!(!gate(true, 1.001).holds && !gate(false, 0.999).holds);
        assert!(!gate(true, f64::NAN).holds && !gate(false, f64::NAN).holds);
        let report = Report::new(0.0, vec![gate(true, 0.0), gate(true, 2.0)]);
        assert!(!report.holds() && report.missed().count() == 1);
        assert!(report.to_string().contains("\n  MISS"), "{report}");
    }

    #[test]
    fn figures_can_be_read() {
        let cases = [
            (0.0, "0"),
            (0.001, "0.001"),
            (999.5, "999.500"),
            (1_234_567.8, "1,234,568"),
            (-65_536.0, "-65,536"),
            (f64::NAN, "NaN"),
        ];
        for (number, text) in cases {
            assert_eq!(figure(number), text);
        }
    }
}
