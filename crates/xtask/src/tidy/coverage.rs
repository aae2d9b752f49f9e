//! Every row of the checklist has a test that runs, or is put off in so many words.
//!
//! The map is `tests/coverage.toml`. Its rows are those of the checklist that this phase was built
//! from: `S` what it asks for, `D` the details, `X` what the language adds.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::functions::{self, TestFunction};
use super::source::Source;
use super::{Violation, is_in_folder};

const MAP: &str = "tests/coverage.toml";

/// The ranges of ids.
const RANGES: [(char, u32); 3] = [('S', 70), ('D', 40), ('X', 26)];

/// Commands that `cargo xtask test` runs, beside the tests themselves: they prove, each by itself. They
/// stand here word for word, so that a command that does something else is no proof by its beginning.
const PROVING: [&str; 8] = [
    "cargo test --workspace --doc",
    "cargo xtask check",
    "cargo xtask fuzz",
    "cargo xtask gates",
    "cargo xtask gates --prove",
    "cargo xtask heap",
    "cargo xtask loom",
    "cargo xtask shuttle",
];

/// Commands that are run by hand: they add to a proof and are none.
const BESIDE: [&str; 16] = [
    "cargo run --release -- bench",
    "cargo run --release -- bench --json",
    "cargo xtask mutants",
    "cargo xtask mutants --row S13",
    "cargo xtask mutants --row S15",
    "cargo xtask mutants --row S19",
    "cargo xtask mutants --row S23",
    "cargo xtask mutants --row S24",
    "cargo xtask mutants --row S25",
    "cargo xtask mutants --row S31",
    "cargo xtask mutants --row S32",
    "cargo xtask mutants --row S33",
    "cargo xtask mutants --row S37",
    "cargo xtask mutants --row S38",
    "cargo xtask peers --gate",
    "cargo xtask soak",
];

/// Conditions that some part of `cargo xtask test` fulfils, on the system that CI has.
const FULFILLED: [&str; 9] = [
    "test",
    "loom",
    "shuttle",
    "unix",
    "target_os = \"linux\"",
    "feature = \"rustls\"",
    "feature = \"json\"",
    "feature = \"tls\"",
    "feature = \"tracing\"",
];

/// Names whose absence some part of it fulfils.
const ABSENT: [&str; 4] = ["loom", "shuttle", "miri", "feature = \"tracing\""];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What it asks for, in a line.
    asks: String,
    /// `crate::test`, with modules in between where the name alone is not enough.
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    commands: Vec<String>,
    /// What of it no test proves.
    missing: Option<String>,
    deferred: Option<Deferral>,
}

/// Why there is no proof yet, and when there will be.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Deferral {
    what: String,
    why: String,
    target: String,
    /// The figure or the state of today.
    now: String,
}

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let Some(map) = sources.iter().find(|source| source.path == MAP) else {
        let path = MAP.to_owned();
        let message = "is not there".to_owned();
        let line = 0;
        return vec![Violation {
            path,
            line,
            message,
        }];
    };
    // A key that stands twice is a mistake of the format already.
    let rows: BTreeMap<String, Row> = match toml::from_str(&map.text) {
        Ok(rows) => rows,
        Err(error) => return vec![Violation::of(map, error.to_string().trim().to_owned())],
    };
    let ids: Vec<String> = ids().collect();
    let mut messages: Vec<String> = Vec::new();
    let absent = ids.iter().filter(|id| !rows.contains_key(*id));
    messages.extend(absent.map(|id| format!("{id} is not there")));
    let unknown = rows.keys().filter(|id| !ids.contains(id));
    messages.extend(unknown.map(|id| format!("{id} is no row of the checklist")));
    let tests = functions::all(sources);
    for (id, row) in &rows {
        let complaints = complaints(row, &tests);
        messages.extend(
            complaints
                .into_iter()
                .map(|complaint| format!("{id} {complaint}")),
        );
    }
    messages
        .into_iter()
        .map(|message| Violation::of(map, message))
        .collect()
}

fn ids() -> impl Iterator<Item = String> {
    let of_range = |(letter, last)| (1..=last).map(move |number| format!("{letter}{number}"));
    RANGES.into_iter().flat_map(of_range)
}

fn complaints(row: &Row, tests: &[TestFunction<'_>]) -> Vec<String> {
    let mut complaints = Vec::new();
    if row.asks.trim().is_empty() {
        complaints.push("does not say what it asks for".to_owned());
    }
    if row
        .missing
        .as_deref()
        .is_some_and(|text| text.trim().is_empty())
    {
        complaints.push("says that something is missing, but not what".to_owned());
    }
    complaints.extend(row.tests.iter().filter_map(|name| broken_test(name, tests)));
    complaints.extend(
        row.commands
            .iter()
            .filter_map(|command| broken_command(command)),
    );
    let is_proven = !row.tests.is_empty() || row.commands.iter().any(|command| proves(command));
    match &row.deferred {
        Some(deferral) => complaints.extend(holes(deferral)),
        None if !is_proven => complaints.push("has no test and is not deferred".to_owned()),
        None => {}
    }
    complaints
}

/// What is wrong with a test that a row names.
fn broken_test(name: &str, tests: &[TestFunction<'_>]) -> Option<String> {
    let mut words: Vec<&str> = name.split("::").collect();
    let function = words.pop()?;
    let found: Vec<_> = tests
        .iter()
        .filter(|test| test.name == function && is_there(&test.source.path, &words))
        .collect();
    let test = match found.as_slice() {
        [] => return Some(format!("names the test {name}, which is not there")),
        [test] => test,
        several => {
            return Some(format!(
                "names the test {name}, of which there are {}",
                several.len()
            ));
        }
    };
    if test.is_ignored {
        return Some(format!("names the test {name}, which is ignored"));
    }
    let unmet = test
        .conditions
        .iter()
        .find(|condition| !is_fulfilled(condition));
    unmet.map(|condition| format!("names the test {name}, which nothing runs: cfg({condition})"))
}

/// Whether a file belongs to the crate that is named first, and to the modules named after it.
fn is_there(path: &str, words: &[&str]) -> bool {
    let Some((name, modules)) = words.split_first() else {
        return false;
    };
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    is_in_folder(path, &format!("crates/{name}"))
        && modules
            .iter()
            .all(|module| stem.split('/').any(|part| part == *module))
}

/// Whether some part of `cargo xtask test` compiles what stands under this condition.
fn is_fulfilled(condition: &str) -> bool {
    let within = |name: &str| {
        let inner = condition.strip_prefix(name)?.strip_prefix('(')?;
        inner.strip_suffix(')')
    };
    if let Some(inner) = within("all").or_else(|| within("any")) {
        return parts(inner).into_iter().all(is_fulfilled);
    }
    match within("not") {
        Some(inner) => {
            let alternatives = inner
                .strip_prefix("any(")
                .and_then(|rest| rest.strip_suffix(')'));
            parts(alternatives.unwrap_or(inner))
                .iter()
                .all(|name| ABSENT.contains(name))
        }
        None => FULFILLED.contains(&condition.trim()),
    }
}

/// Splits at the commas that stand in no parentheses.
fn parts(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_outer_comma = |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    list.split(is_outer_comma).map(str::trim).collect()
}

fn broken_command(command: &str) -> Option<String> {
    let is_known = proves(command) || BESIDE.contains(&command);
    (!is_known).then(|| format!("names the command {command}, which nobody knows"))
}

fn proves(command: &str) -> bool {
    PROVING.contains(&command)
}

/// What a deferral does not say.
fn holes(deferral: &Deferral) -> Vec<String> {
    let Deferral {
        what,
        why,
        target,
        now,
    } = deferral;
    let fields = [
        ("what", what),
        ("why", why),
        ("target", target),
        ("now", now),
    ];
    let empty = fields
        .into_iter()
        .filter(|(_, text)| text.trim().is_empty());
    empty
        .map(|(name, _)| format!("is deferred without `{name}`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    const CODE: &str = "\
#[test]
fn it_holds() {}

#[test]
#[ignore = \"slow\"]
fn it_is_slow() {}

#[test]
#[cfg(windows)]
fn it_is_elsewhere() {}

#[test]
#[cfg(all(unix, not(any(loom, shuttle))))]
fn it_is_here() {}
";

    /// All rows in order, each with its test, but one.
    fn map(id: &str, instead: &str) -> Source {
        let row = |row: String| match row == id {
            true => format!("[{id}]\nasks = \"x\"\n{instead}\n"),
            false => format!("[{row}]\nasks = \"x\"\ntests = [\"a::it_holds\"]\n"),
        };
        plant(MAP, &ids().map(row).collect::<String>())
    }

    fn verdict(map: Source) -> Vec<String> {
        let code = plant("crates/a/tests/it/main.rs", CODE);
        let twin = plant("crates/b/src/one/tests.rs", "#[test]\nfn twin() {}\n");
        let other = plant("crates/b/src/two/tests.rs", "#[test]\nfn twin() {}\n");
        let violations = check(&[map, code, twin, other]);
        violations
            .into_iter()
            .map(|violation| violation.message)
            .collect()
    }

    #[track_caller]
    fn refused(id: &str, instead: &str, message: &str) {
        let messages = verdict(map(id, instead));
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(messages[0].contains(message), "{messages:?}");
    }

    #[test]
    fn a_row_with_its_tests_is_covered() {
        for covered in [
            "tests = [\"a::it_holds\", \"a::it::it_is_here\", \"b::one::twin\"]",
            "commands = [\"cargo xtask gates\"]",
            "commands = [\"cargo xtask loom\", \"cargo xtask mutants --row S13\"]",
            "tests = [\"a::it_holds\"]\nmissing = \"the other half\"",
            "deferred = { what = \"a\", why = \"b\", target = \"c\", now = \"d\" }",
        ] {
            assert_eq!(
                verdict(map("D7", covered)),
                Vec::<String>::new(),
                "{covered}"
            );
        }
    }

    #[test]
    fn a_row_that_is_absent_or_unknown_or_there_twice_is_found() {
        assert_eq!(verdict(map("S71", "")), Vec::<String>::new());
        let without = map("S70", "")
            .text
            .replace("[S70]\n", "[S71]\ntests = [\"a::it_holds\"]\n");
        let messages = verdict(plant(MAP, &without));
        assert_eq!(
            messages,
            ["S70 is not there", "S71 is no row of the checklist"]
        );
        let twice = map("X26", "tests = [\"a::it_holds\"]\n[X26]\nasks = \"y\"");
        assert!(verdict(twice)[0].contains("duplicate key"));
        assert_eq!(check(&[])[0].message, "is not there");
    }

    #[test]
    fn a_row_without_a_proof_is_found() {
        refused("S1", "", "S1 has no test and is not deferred");
        refused("S1", "tests = []", "has no test");
        refused("S1", "commands = [\"cargo xtask mutants\"]", "has no test");
        for command in [
            "cargo xtask gate",
            "cargo xtask loom --version",
            "cargo test --help",
            "cargo run --release -- bench --help",
            "cargo xtask mutants --list",
        ] {
            let named = format!("commands = [{command:?}]\ntests = [\"a::it_holds\"]");
            refused("S1", &named, "nobody knows");
        }
    }

    #[test]
    fn a_test_that_is_not_there_or_does_not_run_is_found() {
        refused(
            "S1",
            "tests = [\"a::it_hold\"]",
            "a::it_hold, which is not there",
        );
        refused("S1", "tests = [\"b::it_holds\"]", "which is not there");
        refused(
            "S1",
            "tests = [\"a::other::it_holds\"]",
            "which is not there",
        );
        refused("S1", "tests = [\"it_holds\"]", "which is not there");
        refused("S1", "tests = [\"b::twin\"]", "of which there are 2");
        refused("S1", "tests = [\"a::it_is_slow\"]", "which is ignored");
        refused(
            "S1",
            "tests = [\"a::it_is_elsewhere\"]",
            "which nothing runs: cfg(windows)",
        );
    }

    #[test]
    fn a_deferral_that_does_not_say_all_is_found() {
        let deferred = "deferred = { what = \"a\", why = \" \", target = \"c\", now = \"d\" }";
        refused("S1", deferred, "S1 is deferred without `why`");
        refused(
            "S1",
            "deferred = { what = \"a\", why = \"b\", target = \"c\" }",
            "without `now`",
        );
        let with_tests = "tests = [\"a::it_holds\"]\ndeferred = { what = \"a\" }";
        assert_eq!(verdict(map("S1", with_tests)).len(), 3);
        refused(
            "S1",
            "tests = [\"a::it_holds\"]\nmissing = \"\"",
            "but not what",
        );
    }
}
