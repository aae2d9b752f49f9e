//! `mutants`: plausible wrong implementations, each of which a test must catch.
//!
//! The list is `crates/xtask/mutants.toml`. Each is one replacement in one file, made alone in a copy of
//! the sources; then the tests that stand against it are run. One that survives is a hole in the tests.
//! cargo-mutants makes mistakes of its own choice, and knows nothing of races: it is no substitute.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::args::Args;
use crate::run;

const LIST: &str = "crates/xtask/mutants.toml";

/// What tests that were not changed may take.
const UNCHANGED_MAX: Duration = Duration::from_secs(600);

/// A mutant hangs when its tests take so many times as long as without it, and this on top of it: a busy
/// machine is not to pass for a test that catches something.
const HANGS_TIMES: u32 = 5;
const HANGS: Duration = Duration::from_secs(20);

/// Between two looks at what the tests have said.
const LOOK: Duration = Duration::from_millis(20);

/// Cases of the scheduler's model, and forced switches of loom: mutants show in the first few.
const LESS: [(&str, &str); 2] = [
    ("TURBOHTTP_MODEL_CASES", "400"),
    ("LOOM_MAX_PREEMPTIONS", "2"),
];

/// One wrong implementation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    /// Whose guarantee it breaks.
    area: String,
    /// What the wrong implementation does.
    kills: String,
    /// From the root, with slashes.
    file: String,
    /// Stands in the file exactly once.
    find: String,
    replace: String,
    /// Arguments of `cargo test`, one suite each, tried in this order.
    tests: Vec<String>,
    /// The tests walk every interleaving.
    #[serde(default)]
    loom: bool,
}

/// Some tests of one package: arguments of `cargo test`, and whether loom runs them.
type Suite<'a> = (&'a str, bool);

/// How tests ended, or that they did not compile.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Passed,
    Failed(String),
    Broken(String),
}

pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let (lists_only, area) = (args.has("--list"), args.value::<String>("--area")?);
    args.end()?;
    let mut mutants = load(run::root())?;
    mutants.retain(|mutant| area.as_ref().is_none_or(|area| *area == mutant.area));
    ensure!(!mutants.is_empty(), "no mutant of this area");
    if lists_only {
        for Mutant {
            area, kills, file, ..
        } in &mutants
        {
            println!("{area:<14} {kills} ({file})");
        }
        return Ok(());
    }
    let tree = run::target_dir().join("mutants/tree");
    copy(&tree)?;
    // Whether all of them apply, before anything is built.
    for mutant in &mutants {
        mutant.mutate(&tree)?;
    }
    let limits = limits(&tree, &mutants)?;
    let mut holes = 0;
    for mutant in &mutants {
        let start = Instant::now();
        let verdict = judge(&tree, mutant, &limits)?;
        let (seconds, Mutant { area, kills, .. }) = (start.elapsed().as_secs_f64(), mutant);
        let (is_hole, says) = match verdict {
            Ending::Failed(test) => (false, test),
            Ending::Passed => (true, "SURVIVED".to_owned()),
            Ending::Broken(errors) => (true, format!("DOES NOT COMPILE:\n{errors}")),
        };
        println!("{area:<14} {kills:<90} {seconds:>5.1}  {says}");
        holes += usize::from(is_hole);
    }
    ensure!(
        holes == 0,
        "of {} mutants {holes} survived or do not compile",
        mutants.len()
    );
    println!("all {} caught", mutants.len());
    Ok(())
}

fn load(root: &Path) -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(LIST)).context(LIST)?;
    let mut list: HashMap<String, Vec<Mutant>> = toml::from_str(&text).context(LIST)?;
    list.remove("mutant").context("no mutants")
}

impl Mutant {
    /// The text of its file as it is, and with the mutation.
    fn mutate(&self, root: &Path) -> Result<(String, String)> {
        let Mutant {
            kills,
            file,
            find,
            replace,
            ..
        } = self;
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("no {file}"))?;
        let count = text.matches(find).count();
        ensure!(
            count == 1,
            "{kills}: stands {count} times in {file}, not once:\n{find}"
        );
        let mutated = text.replacen(find, replace, 1);
        ensure!(mutated != text, "{kills}: changes nothing");
        Ok((text, mutated))
    }

    fn suites(&self) -> impl Iterator<Item = Suite<'_>> {
        self.tests
            .iter()
            .map(|arguments| (arguments.as_str(), self.loom))
    }
}

/// Checks the sources out into a folder and an index of their own: what git tracks, with what has been
/// changed since. Only what differs is written, so that cargo does not build the rest again.
fn copy(tree: &Path) -> Result<()> {
    fs::create_dir_all(tree)?;
    let stash = run::output("git", &["stash", "create"])?.stdout;
    let state = if stash.is_empty() {
        "HEAD"
    } else {
        stash.trim()
    };
    let mut git = Command::new("git");
    git.arg("--work-tree")
        .arg(tree)
        .args(["read-tree", "-u", "--reset", state]);
    run::show(git.env("GIT_INDEX_FILE", tree.with_file_name("index")))
}

/// Runs the tests of all mutants without any: they must be green, and say how long they may take.
fn limits<'a>(tree: &Path, mutants: &'a [Mutant]) -> Result<HashMap<Suite<'a>, Duration>> {
    let mut limits = HashMap::new();
    for suite in mutants.iter().flat_map(Mutant::suites) {
        if limits.contains_key(&suite) {
            continue;
        }
        // Built before the clock starts.
        let _ = test(tree, suite, Duration::ZERO)?;
        let start = Instant::now();
        match test(tree, suite, UNCHANGED_MAX)? {
            (Ending::Passed, 0) => bail!("{suite:?} runs no test"),
            (Ending::Passed, _) => {}
            (ending, _) => bail!("{suite:?} without any mutant: {ending:?}"),
        }
        println!(
            "green: cargo test {} ({:.1} s)",
            suite.0,
            start.elapsed().as_secs_f64()
        );
        limits.insert(suite, start.elapsed() * HANGS_TIMES + HANGS);
    }
    Ok(limits)
}

/// Applies one mutant, runs its tests until one fails, and puts the file back. Should that fail: the next
/// run copies the file again.
fn judge(tree: &Path, mutant: &Mutant, limits: &HashMap<Suite<'_>, Duration>) -> Result<Ending> {
    let (original, mutated) = mutant.mutate(tree)?;
    let file = tree.join(&mutant.file);
    fs::write(&file, mutated)?;
    let mut endings = mutant
        .suites()
        .map(|suite| Ok(test(tree, suite, limits[&suite])?.0));
    let ending = endings.find(|ending| !matches!(ending, Ok(Ending::Passed)));
    fs::write(&file, original)?;
    ending.unwrap_or(Ok(Ending::Passed))
}

/// Builds and runs a suite, and counts the tests that passed.
fn test(tree: &Path, (arguments, is_loom): Suite<'_>, limit: Duration) -> Result<(Ending, usize)> {
    let (build, rest) = arguments.split_once(" -- ").unwrap_or((arguments, ""));
    let package = package(arguments).with_context(|| format!("{arguments}: no package (-p)"))?;
    // A folder of its own: other flags would throw the builds away each time.
    let target = tree.with_file_name(if is_loom { "loom" } else { "target" });
    let mut cargo = run::cargo();
    cargo
        .args(["test", "--no-run"])
        .args(build.split(' '))
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    if is_loom {
        cargo.env("RUSTFLAGS", "--cfg loom");
    }
    let said = match run::collect(&mut cargo) {
        Ok(output) => output.stderr,
        Err(error) => return Ok((Ending::Broken(error.to_string()), 0)),
    };
    let deadline = Instant::now() + limit;
    let mut passed = 0;
    for program in said.lines().filter_map(program_in) {
        let mut tests = Command::new(tree.join(program));
        tests.args(rest.split_whitespace()).envs(LESS);
        tests.current_dir(tree.join("crates").join(package));
        match watch(&mut tests, &tree.with_file_name("output"), deadline)? {
            (Ending::Passed, more) => passed += more,
            failed => return Ok(failed),
        }
    }
    Ok((Ending::Passed, passed))
}

/// Runs tests up to the first that fails, or until the time is up.
fn watch(tests: &mut Command, file: &Path, deadline: Instant) -> Result<(Ending, usize)> {
    let output = fs::File::create(file)?;
    tests
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let mut child = tests.spawn().context("cannot start the tests")?;
    loop {
        let ended = child.try_wait()?;
        let said = String::from_utf8_lossy(&fs::read(file)?).into_owned();
        let failed = said.lines().find_map(|line| verdict_in(line, "FAILED"));
        let is_late = Instant::now() > deadline;
        if failed.is_some() || (is_late && ended.is_none()) {
            // Fails only if it has ended already.
            let _ = child.kill();
            child.wait()?;
            return Ok((
                Ending::Failed(failed.unwrap_or_else(|| "hung".to_owned())),
                0,
            ));
        }
        match ended {
            None => std::thread::sleep(LOOK),
            Some(status) if !status.success() => {
                return Ok((Ending::Failed(status.to_string()), 0));
            }
            Some(_) => {
                let passed = said
                    .lines()
                    .filter_map(|line| verdict_in(line, "ok"))
                    .count();
                return Ok((Ending::Passed, passed));
            }
        }
    }
}

fn package(arguments: &str) -> Option<&str> {
    let mut words = arguments.split_whitespace();
    words.find(|word| *word == "-p").and_then(|_| words.next())
}

/// The path in cargo's `Executable tests/it.rs (path)`.
fn program_in(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Executable ")?;
    rest.split_once(" (")?.1.strip_suffix(')')
}

/// The name in `test NAME ... VERDICT`.
fn verdict_in(line: &str, verdict: &str) -> Option<String> {
    let (name, found) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    (found == verdict).then(|| name.trim_end_matches(" - should panic").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_cargo_and_tests_is_read() {
        let line = "  Executable tests/it/main.rs (/a (b)/it-12)";
        assert_eq!(program_in(line), Some("/a (b)/it-12"));
        assert_eq!(program_in("   Compiling a v0.1.0 (/a)"), None);
        let failed = |line| verdict_in(line, "FAILED");
        assert_eq!(failed("test a::b ... FAILED").as_deref(), Some("a::b"));
        assert_eq!(
            (
                failed("test a::b ... ok"),
                failed("test result: FAILED. 1 passed")
            ),
            (None, None)
        );
        assert_eq!(
            (package("-p a --lib -- b::c"), package("--lib")),
            (Some("a"), None)
        );
    }

    /// Who changes the code changes the mutants along with it.
    #[test]
    fn every_mutant_still_applies() {
        let mutants = load(run::root()).unwrap();
        for mutant in &mutants {
            mutant.mutate(run::root()).unwrap();
            assert!(mutant.suites().count() > 0, "{}: no tests", mutant.kills);
            assert!(
                mutant.suites().all(|(suite, _)| package(suite).is_some()),
                "{}",
                mutant.kills
            );
        }
        let rows = fs::read_to_string(run::root().join("tests/requirements.toml")).unwrap();
        for named in rows.split("mutants --area ").skip(1) {
            let area = named.split('"').next().unwrap();
            assert!(mutants.iter().any(|mutant| mutant.area == area), "{area}");
        }
    }
}
