//! `mutants`: plausible wrong implementations, each of which a test must catch.
//!
//! The list is `crates/xtask/mutants.toml`. Each is one replacement in one file, made alone in a copy of
//! the sources; then the tests that stand against it are run. One that survives is a hole in the tests.
//! cargo-mutants makes mistakes of its own choice, and knows nothing of races: it is no substitute.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use xshell::cmd;

use crate::run;

const LIST: &str = "crates/xtask/mutants.toml";

/// What tests that were not changed may take.
const UNCHANGED_MAX: Duration = Duration::from_secs(600);

/// A mutant hangs when its tests take so many times as long as without it, and this on top of it: a busy
/// machine is not to pass for a test that catches something.
const HANGS_TIMES: u32 = 5;
const HANGS: Duration = Duration::from_secs(20);

/// Cases of the scheduler's model, and forced switches of loom: mutants show in the first few.
const LESS: [(&str, &str); 2] = [
    ("TURBOHTTP_MODEL_CASES", "400"),
    ("LOOM_MAX_PREEMPTIONS", "2"),
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Those of one area alone.
    #[arg(long)]
    area: Option<String>,
    /// Names them, and runs nothing.
    #[arg(long)]
    list: bool,
}

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
#[derive(Debug)]
enum Ending {
    Passed,
    Failed(String),
    Broken(String),
}

pub(crate) fn command(options: &Options) -> Result<()> {
    let mut mutants = load(run::root())?;
    if let Some(area) = &options.area {
        mutants.retain(|mutant| mutant.area == *area);
    }
    ensure!(!mutants.is_empty(), "no mutant of this area");
    if options.list {
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
    let (count, mut holes) = (mutants.len(), 0);
    for mutant in &mutants {
        let start = Instant::now();
        let ending = judge(&tree, mutant, &limits)?;
        holes += usize::from(!matches!(ending, Ending::Failed(_)));
        let says = match ending {
            Ending::Failed(test) => test,
            Ending::Passed => "SURVIVED".to_owned(),
            Ending::Broken(errors) => format!("DOES NOT COMPILE:\n{errors}"),
        };
        let (seconds, Mutant { area, kills, .. }) = (start.elapsed().as_secs_f64(), mutant);
        println!("{area:<14} {kills:<90} {seconds:>5.1}  {says}");
    }
    ensure!(
        holes == 0,
        "of {count} mutants {holes} survived or do not compile"
    );
    println!("all {count} caught");
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
    let sh = run::shell()?;
    sh.create_dir(tree)?;
    let stash = cmd!(sh, "git stash create").read()?;
    let state = if stash.is_empty() { "HEAD" } else { &stash };
    let checkout = cmd!(sh, "git --work-tree {tree} read-tree -u --reset {state}");
    Ok(checkout
        .env("GIT_INDEX_FILE", tree.with_file_name("index"))
        .run()?)
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
    let (build, sh) = (build.split(' '), run::shell()?);
    sh.change_dir(tree);
    // A folder of its own: other flags would throw the builds away each time.
    let target = tree.with_file_name(if is_loom { "loom" } else { "target" });
    let cargo = cmd!(sh, "cargo test --no-run {build...}")
        .envs(is_loom.then_some(("RUSTFLAGS", "--cfg loom")))
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_TERM_COLOR", "never")
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    let said = match run::collect(cargo) {
        Ok(output) => output.stderr,
        Err(error) => return Ok((Ending::Broken(error.to_string()), 0)),
    };
    let deadline = Instant::now() + limit;
    let folder = tree.join("crates").join(package(arguments)?);
    let mut passed = 0;
    for program in run::pattern(PROGRAM).captures_iter(&said) {
        let mut tests = Command::new(tree.join(&program[1]));
        tests
            .args(rest.split_whitespace())
            .envs(LESS)
            .current_dir(&folder);
        match watch(&mut tests, deadline)? {
            (Ending::Passed, more) => passed += more,
            failed => return Ok(failed),
        }
    }
    Ok((Ending::Passed, passed))
}

/// Runs tests up to the first that fails, or until the time is up.
fn watch(tests: &mut Command, deadline: Instant) -> Result<(Ending, usize)> {
    let tests = tests
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = tests.spawn().context("cannot start the tests")?;
    let output = BufReader::new(child.stdout.take().context("its output is piped")?);
    let (say, said) = channel();
    // Ends with the output, or when nobody listens any more.
    thread::spawn(move || {
        output
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| say.send(line))
    });
    let verdict = run::pattern(VERDICT);
    let mut passed = 0;
    let failed = loop {
        match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => match verdict.captures(&line) {
                Some(line) if line[2] == *"FAILED" => break Some(line[1].to_owned()),
                Some(_) => passed += 1,
                None => {}
            },
            Err(RecvTimeoutError::Timeout) => break Some("hung".to_owned()),
            Err(RecvTimeoutError::Disconnected) => break None,
        }
    };
    if failed.is_some() {
        // Fails only if it has ended already.
        let _ = child.kill();
    }
    let status = child.wait()?;
    let failed = failed.or((!status.success()).then(|| status.to_string()));
    Ok((failed.map_or(Ending::Passed, Ending::Failed), passed))
}

/// The path in cargo's `Executable tests/it.rs (path)`.
const PROGRAM: &str = r"(?m)^ *Executable .*? \((.*)\)$";

/// The name and the verdict of a test that was not ignored.
const VERDICT: &str = r"^test (.*?)(?: - should panic)? \.\.\. (ok|FAILED)$";

fn package(arguments: &str) -> Result<String> {
    run::find(r"-p ([^ ]+)", arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_cargo_and_tests_is_read() {
        let program = |line| run::find::<String>(PROGRAM, line).ok();
        let line = "  Executable tests/it/main.rs (/a (b)/it-12)";
        assert_eq!(program(line).as_deref(), Some("/a (b)/it-12"));
        assert_eq!(program("   Compiling a v0.1.0 (/a)"), None);
        let verdict = run::pattern(VERDICT);
        for (line, expected) in [
            ("test a::b ... FAILED", Some(["a::b", "FAILED"])),
            ("test a::b - should panic ... ok", Some(["a::b", "ok"])),
            ("test a::b ... ignored", None),
            ("test result: FAILED. 1 passed", None),
        ] {
            let found = verdict.captures(line).map(|found| found.extract().1);
            assert_eq!(found, expected, "{line}");
        }
        assert_eq!(package("-p a --lib -- b::c").unwrap(), "a");
        assert!(package("--lib").is_err());
    }

    /// Who changes the code changes the mutants along with it.
    #[test]
    fn every_mutant_still_applies() {
        let mutants = load(run::root()).unwrap();
        for mutant in &mutants {
            mutant.mutate(run::root()).unwrap();
            assert!(mutant.suites().count() > 0, "{}: no tests", mutant.kills);
            for (suite, _) in mutant.suites() {
                package(suite).unwrap();
            }
        }
        let rows = fs::read_to_string(run::root().join("tests/requirements.toml")).unwrap();
        for named in rows.split("mutants --area ").skip(1) {
            let area = named.split('"').next().unwrap();
            assert!(mutants.iter().any(|mutant| mutant.area == area), "{area}");
        }
    }
}
