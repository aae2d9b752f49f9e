//! Building and running the tests of one mutant.

use std::fmt;
use std::io::{BufRead, BufReader, PipeReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::run;

/// Cases of the scheduler's model: a mutant of it shows in the first few.
const MODEL_CASES: &str = "400";

/// Two forced switches are enough for the races that mutants make.
const LOOM_PREEMPTIONS: &str = "2";

/// Some tests of one package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Suite<'a> {
    /// What follows `cargo test`.
    pub(super) arguments: &'a str,
    pub(super) is_loom: bool,
}

impl<'a> Suite<'a> {
    /// What cargo is told, and what the tests are told.
    fn parts(&self) -> (&'a str, &'a str) {
        self.arguments
            .split_once(" -- ")
            .unwrap_or((self.arguments, ""))
    }

    pub(super) fn package(&self) -> Result<&'a str> {
        let mut words = self.arguments.split_whitespace();
        words
            .find(|word| *word == "-p")
            .and_then(|_| words.next())
            .with_context(|| format!("{self}: no package (-p)"))
    }
}

impl fmt::Display for Suite<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let loom = if self.is_loom { " (loom)" } else { "" };
        write!(f, "cargo test {}{loom}", self.arguments)
    }
}

/// How tests ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// So many of them.
    Passed(usize),
    /// The first that failed.
    Failed(String),
    Hung,
}

/// Where mutants are built and run.
pub(super) struct Bench {
    pub(super) tree: PathBuf,
    folder: PathBuf,
}

impl Bench {
    pub(super) fn new(tree: PathBuf, folder: PathBuf) -> Bench {
        Bench { tree, folder }
    }

    /// Builds the tests: the programs, or what the compiler says.
    pub(super) fn build(&self, suite: &Suite<'_>) -> Result<Result<Vec<PathBuf>, String>> {
        // A directory of its own: other flags would throw the builds away each time.
        let target = if suite.is_loom { "loom" } else { "target" };
        let mut command = run::cargo();
        command
            .args(["test", "--no-run"])
            .args(suite.parts().0.split_whitespace())
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", self.folder.join(target))
            .env("CARGO_TERM_COLOR", "never")
            // Nobody looks at a backtrace here, and it builds faster.
            .env("CARGO_PROFILE_DEV_DEBUG", "false");
        if suite.is_loom {
            command.env("RUSTFLAGS", "--cfg loom");
        }
        let output = command.output().context("cannot start cargo")?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Ok(Err(text.into_owned()));
        }
        let programs = text.lines().filter_map(program_in);
        Ok(Ok(programs.map(|path| self.tree.join(path)).collect()))
    }

    /// Runs the tests up to the first that fails, or until the time is up.
    pub(super) fn run(
        &self,
        suite: &Suite<'_>,
        programs: &[PathBuf],
        limit: Duration,
    ) -> Result<Ending> {
        let deadline = Instant::now() + limit;
        let mut passed = 0;
        for program in programs {
            let (reader, writer) = std::io::pipe()?;
            let mut command = Command::new(program);
            command
                .args(suite.parts().1.split_whitespace())
                .current_dir(self.tree.join("crates").join(suite.package()?))
                .env("TURBOHTTP_MODEL_CASES", MODEL_CASES)
                .env("LOOM_MAX_PREEMPTIONS", LOOM_PREEMPTIONS)
                .stdin(Stdio::null())
                .stdout(writer.try_clone()?)
                .stderr(writer);
            let child = command
                .spawn()
                .with_context(|| format!("cannot start {}", program.display()))?;
            // With it go the writing ends here: the tests end when theirs do.
            drop(command);
            match watch(Running(child), reader, deadline)? {
                Ending::Passed(more) => passed += more,
                other => return Ok(other),
            }
        }
        Ok(Ending::Passed(passed))
    }
}

/// The path in cargo's `Executable tests/it.rs (path)`.
fn program_in(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("Executable ")?;
    let (_, path) = rest.split_once(" (")?;
    path.strip_suffix(')')
}

/// A program that is ended when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn watch(mut tests: Running, reader: PipeReader, deadline: Instant) -> Result<Ending> {
    let lines = lines_of(reader);
    let mut panicked = None;
    let mut passed = 0;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return Ok(Ending::Hung),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Some(test) = verdict_in(&line, "FAILED") {
            return Ok(Ending::Failed(test));
        }
        passed += usize::from(verdict_in(&line, "ok").is_some());
        panicked = panicked.or_else(|| panicked_in(&line));
    }
    let status = tests.0.wait()?;
    Ok(match status.success() {
        true => Ending::Passed(passed),
        // It was aborted in the middle of a test.
        false => Ending::Failed(panicked.unwrap_or_else(|| status.to_string())),
    })
}

/// What is written, line by line, from a thread that can wait for it.
fn lines_of(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The name in `test NAME ... VERDICT`.
fn verdict_in(line: &str, verdict: &str) -> Option<String> {
    let (name, found) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    (found == verdict).then(|| name.trim_end_matches(" - should panic").to_owned())
}

/// The name in `thread 'NAME' panicked`, where the thread is that of a test.
fn panicked_in(line: &str) -> Option<String> {
    let (name, rest) = line.strip_prefix("thread '")?.split_once('\'')?;
    (rest.contains("panicked at") && name != "main").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_cargo_and_tests_is_read() {
        let line = "  Executable tests/it/main.rs (/a (b)/it-12)";
        assert_eq!(program_in(line), Some("/a (b)/it-12"));
        let line = "  Executable unittests src/lib.rs (debug/deps/a-12)";
        assert_eq!(program_in(line), Some("debug/deps/a-12"));
        assert_eq!(program_in("   Compiling a v0.1.0 (/a)"), None);
        let failed = |line| verdict_in(line, "FAILED");
        assert_eq!(failed("test a::b ... FAILED").as_deref(), Some("a::b"));
        assert_eq!(failed("test a::b ... ok"), None);
        assert_eq!(failed("test result: FAILED. 1 passed"), None);
        let line = "thread 'a::b' (12) panicked at src/a.rs:1:2:";
        assert_eq!(panicked_in(line).as_deref(), Some("a::b"));
    }

    #[test]
    fn a_suite_names_its_package() {
        let suite = |arguments| Suite {
            arguments,
            is_loom: false,
        };
        let both = suite("-p a --lib -- b::c d");
        assert_eq!(both.package().unwrap(), "a");
        assert_eq!(both.parts(), ("-p a --lib", "b::c d"));
        assert_eq!(suite("-p a").parts(), ("-p a", ""));
        assert!(suite("--lib").package().is_err());
    }
}
