//! Every row of `tests/requirements.toml` names tests that exist and run, or commands, or is put off.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::source::Source;
use crate::run;

const MAP: &str = "tests/requirements.toml";

/// How many rows there are of each kind.
const ROWS: [(char, u32); 3] = [('S', 70), ('D', 40), ('X', 26)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    asks: String,
    /// `crate::test`, with modules in between where the name alone is not enough.
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    commands: Vec<String>,
    missing: Option<String>,
    deferred: Option<Deferred>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deferred {
    what: String,
    why: String,
    target: String,
    now: String,
}

/// What `cargo xtask test` runs; mutants, soak, bench and peers are run by hand.
const IN_TEST: &str = "^cargo (?:test --workspace --doc\
    |xtask (?:check|fuzz|gates|gates --prove|heap|loom|shuttle))$";

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let Some(map) = sources.iter().find(|source| source.path == MAP) else {
        return vec![format!("{MAP}: is not there")];
    };
    // A key that stands twice, or leaves something out, is a mistake of the format already.
    let rows: BTreeMap<String, Row> = match toml::from_str(&map.text) {
        Ok(rows) => rows,
        Err(error) => return vec![format!("{MAP}: {error}")],
    };
    let (known, found): (BTreeSet<_>, BTreeSet<_>) =
        (ids().collect(), rows.keys().cloned().collect());
    let absent = known
        .difference(&found)
        .map(|id| format!("{MAP}: {id} is absent"));
    let unknown = found
        .difference(&known)
        .map(|id| format!("{MAP}: {id} is no row"));
    let mut violations: Vec<String> = absent.chain(unknown).collect();
    let in_test = run::pattern(IN_TEST);
    for (id, row) in &rows {
        let wrong = row
            .tests
            .iter()
            .filter_map(|test| Some((test, wrong(test, sources)?)));
        violations.extend(wrong.map(|(test, why)| format!("{MAP}: {id} names {test}: {why}")));
        let mut commands = row.commands.iter();
        let has_proof = !row.tests.is_empty() || commands.any(|command| in_test.is_match(command));
        let texts = row
            .deferred
            .iter()
            .flat_map(|of| [&of.what, &of.why, &of.target, &of.now]);
        let mut texts = texts.chain([&row.asks]).chain(&row.missing);
        if !(has_proof || row.deferred.is_some()) || texts.any(|text| text.trim().is_empty()) {
            violations.push(format!(
                "{MAP}: {id} has no test and is not deferred, or leaves something out"
            ));
        }
    }
    violations
}

fn ids() -> impl Iterator<Item = String> {
    let ids = |(kind, last): (char, u32)| (1..=last).map(move |number| format!("{kind}{number}"));
    ROWS.into_iter().flat_map(ids)
}

/// What is wrong with the name of a test: there must be one such function, and it must run.
fn wrong(name: &str, sources: &[Source]) -> Option<&'static str> {
    let (place, function) = name.rsplit_once("::")?;
    let mut parts = place.split("::");
    let folder = format!("crates/{}/", parts.next()?);
    let modules: Vec<&str> = parts.collect();
    let is_there = |source: &&Source| {
        let stem = source.path.trim_end_matches(".rs");
        let is_part = |module: &&str| stem.split('/').any(|part| part == *module);
        source.path.starts_with(&folder) && modules.iter().all(is_part)
    };
    let heads = sources
        .iter()
        .filter(is_there)
        .filter_map(|source| head(&source.text, function));
    match heads.collect::<Vec<_>>()[..] {
        [] => Some("there is no such test"),
        [head] if head.contains("#[ignore") => Some("it is ignored"),
        [_] => None,
        _ => Some("there are several"),
    }
}

/// The attributes of a test function, if the text has one of this name.
fn head<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let at = text.find(&format!("fn {function}("))?;
    let head = &text[text[..at]
        .rfind("\n\n")
        .or(text[..at].rfind("{\n"))
        .unwrap_or(0)..at];
    (head.contains("test]") || head.contains("test(")).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    /// All rows, each with its test, but the first one.
    fn verdict(first: &str) -> Vec<String> {
        let code = "#[test]\nfn holds() {}\n\n#[tokio::test]\n#[ignore = \"slow\"]\nfn is_slow() {}\n\nfn helps() {}\n";
        let rows = ids().skip(1);
        let rows = rows.map(|id| format!("[{id}]\nasks = \"x\"\ntests = [\"a::it::holds\"]\n"));
        let map = format!("{first}\n{}", rows.collect::<String>());
        let twin = "#[test]\nfn twin() {}\n";
        check(&[
            plant(MAP, &map),
            plant("crates/a/tests/it/main.rs", code),
            plant("crates/b/src/one/tests.rs", twin),
            plant("crates/b/src/two/tests.rs", twin),
        ])
    }

    #[test]
    fn a_row_without_a_proof_is_found() {
        let row = |rest: &str| verdict(&format!("[S1]\nasks = \"x\"\n{rest}"));
        let deferred = "deferred = { what = \"a\", why = \"b\", target = \"c\", now = \"d\" }";
        for proven in [
            "tests = [\"a::holds\", \"a::it::holds\", \"b::one::twin\"]",
            "commands = [\"cargo xtask gates\"]",
            deferred,
        ] {
            assert_eq!(row(proven), [""; 0], "{proven}");
        }
        for (wrong, message) in [
            ("", "S1 has no test"),
            ("commands = [\"cargo xtask mutants\"]", "S1 has no test"),
            (&deferred.replace("\"b\"", "\" \""), "leaves something out"),
            ("deferred = { what = \"a\" }", "missing field `why`"),
            ("tests = [\"a::hold\"]", "there is no such test"),
            ("tests = [\"b::holds\"]", "there is no such test"),
            ("tests = [\"a::other::holds\"]", "there is no such test"),
            ("tests = [\"a::helps\"]", "there is no such test"),
            ("tests = [\"b::twin\"]", "there are several"),
            ("tests = [\"a::is_slow\"]", "it is ignored"),
        ] {
            let said = row(wrong);
            assert!(
                said.len() == 1 && said[0].contains(message),
                "{wrong}: {said:?}"
            );
        }
        assert_eq!(
            verdict("[S71]\nasks = \"x\"\ntests = [\"a::holds\"]").len(),
            2
        );
        assert!(verdict("[S2]\nasks = \"x\"")[0].contains("duplicate key"));
        assert_eq!(check(&[]), [format!("{MAP}: is not there")]);
    }
}
