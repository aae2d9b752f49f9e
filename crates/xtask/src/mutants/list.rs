//! The list of mutants, and what makes one of them good.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::trial::Suite;

const LIST: &str = "crates/xtask/mutants.toml";

/// One wrong implementation: a replacement in one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutant {
    /// The row of the checklist whose guarantee it breaks.
    pub(super) row: String,
    /// What the wrong implementation does.
    pub(super) kills: String,
    /// From the root, with slashes.
    pub(super) file: String,
    /// Stands in the file exactly once.
    find: String,
    replace: String,
    /// Arguments of `cargo test`, one suite each, tried in this order.
    tests: Vec<String>,
    /// The tests walk every interleaving.
    #[serde(default)]
    loom: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

pub(super) fn load(root: &Path) -> Result<Vec<Mutant>> {
    let text = std::fs::read_to_string(root.join(LIST)).with_context(|| format!("no {LIST}"))?;
    let list: List = toml::from_str(&text).context(LIST)?;
    Ok(list.mutant)
}

impl Mutant {
    /// The text of its file with the mutation.
    pub(super) fn mutate(&self, text: &str) -> Result<String> {
        let Mutant {
            row, kills, file, ..
        } = self;
        let count = text.matches(&self.find).count();
        ensure!(
            count == 1,
            "{LIST}, {row} ({kills}): stands {count} times in {file}, not once:\n{}",
            self.find
        );
        ensure!(
            self.find != self.replace,
            "{LIST}, {row} ({kills}): changes nothing"
        );
        Ok(text.replacen(&self.find, &self.replace, 1))
    }

    pub(super) fn suites(&self) -> impl Iterator<Item = Suite<'_>> {
        let suite = |arguments| Suite {
            arguments,
            is_loom: self.loom,
        };
        self.tests
            .iter()
            .map(move |arguments| suite(arguments.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    const ROWS: [&str; 11] = [
        "S13", "S15", "S19", "S23", "S24", "S25", "S31", "S32", "S33", "S37", "S38",
    ];

    fn plant(find: &str, replace: &str) -> Mutant {
        Mutant {
            row: "S0".to_owned(),
            kills: "nothing".to_owned(),
            file: "a.rs".to_owned(),
            find: find.to_owned(),
            replace: replace.to_owned(),
            tests: vec!["-p a".to_owned()],
            loom: false,
        }
    }

    #[test]
    fn a_mutant_stands_in_its_file_exactly_once() {
        assert_eq!(plant("b", "x").mutate("abc").unwrap(), "axc");
        let missing = plant("d", "x").mutate("abc").unwrap_err().to_string();
        assert!(missing.contains("stands 0 times in a.rs"), "{missing}");
        assert!(plant("b", "x").mutate("abcb").is_err());
        assert!(plant("b", "b").mutate("abc").is_err());
    }

    /// Who changes the code changes the mutants along with it.
    #[test]
    fn every_mutant_still_applies() {
        let mutants = load(run::root()).unwrap();
        for mutant in &mutants {
            let text = std::fs::read_to_string(run::root().join(&mutant.file));
            mutant.mutate(&text.expect(&mutant.file)).unwrap();
            assert!(mutant.suites().count() > 0, "{}: no tests", mutant.kills);
            for suite in mutant.suites() {
                suite.package().unwrap();
            }
        }
        for row in ROWS {
            assert!(mutants.iter().any(|mutant| mutant.row == row), "{row}");
        }
    }
}
