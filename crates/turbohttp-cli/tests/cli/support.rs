//! Running the command, and directories that go away.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp_loopback::{Options, Server};

/// What names proxies, or hosts that need none.
const PROXIES: [&str; 9] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "REQUEST_METHOD",
];

/// The command, without what the environment of the test might tell it.
pub(crate) fn turbohttp(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turbohttp"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    for variable in PROXIES {
        command.env_remove(variable);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Says that a test shows nothing here.
#[cfg(unix)]
#[expect(clippy::print_stderr, reason = "the one way for a test to say it")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// A shell that finds the command as `$0` and the arguments as `$@`: for what only a shell, or another
/// program before the command, can set up. The proxies are out of its environment, too.
#[cfg(unix)]
pub(crate) fn shell(script: &str, arguments: &[&str]) -> Command {
    within(&[], script, arguments)
}

/// The same in namespaces of its own; `None` if the system gives none, which is said.
#[cfg(unix)]
pub(crate) fn alone(
    options: &'static [&'static str],
    script: &str,
    arguments: &[&str],
) -> Option<Command> {
    let probe = Command::new("unshare").args(options).arg("true").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        skipped(&format!(
            "unshare {} is not permitted here",
            options.join(" ")
        ));
        return None;
    }
    Some(within(&[&["unshare"], options].concat(), script, arguments))
}

#[cfg(unix)]
fn within(before: &[&str], script: &str, arguments: &[&str]) -> Command {
    let own = turbohttp(arguments);
    let words = [before, &["sh", "-c", script]].concat();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg(own.get_program())
        .args(arguments);
    for (name, value) in own.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Whether the tests may do what only root may.
#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skipped("only root may do this");
    }
    is_root
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Run {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// Checks exit code 0 and a silent stderr.
    #[track_caller]
    pub(crate) fn is_quietly_ok(&self) {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(0), ""),
            "{}",
            self.stderr
        );
    }

    /// Checks exit code and the one line on stderr, which holds all `parts`.
    #[track_caller]
    pub(crate) fn fails_with(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        assert!(self.stderr.starts_with("turbohttp: "), "{}", self.stderr);
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part} is not in: {}",
                self.stderr
            );
        }
    }
}

impl Run {
    /// Checks that what was typed was refused by the parser of arguments.
    #[track_caller]
    pub(crate) fn fails_with_usage(&self) {
        assert_eq!(self.code, Some(2), "{}", self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
    }
}

pub(crate) fn run(arguments: &[&str]) -> Run {
    turbohttp(arguments).output().unwrap().into()
}

pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Run {
    let mut child = turbohttp(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().into()
}

pub(crate) fn server() -> Server {
    Server::start(Options::default()).unwrap()
}

pub(crate) fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

/// A new directory, removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("turbohttp-cli-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.file(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The names in it, sorted, hidden ones too.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
