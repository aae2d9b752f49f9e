//! What a run was made on and with: without it, nobody can tell what its figures say.

use std::collections::BTreeMap;
use std::fmt;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::children::{CLIENT_CORE, SERVER_CORE};

/// The versions that were built are those of the lock file, so it is compiled in.
const LOCK: &str = include_str!("../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");

/// The packages whose versions decide what is measured. libcurl's is part of `curl-sys`'s.
const PACKAGES: [&str; 13] = [
    "turbohttp",
    "reqwest",
    "hyper-util",
    "hyper",
    "hyper-rustls",
    "ureq",
    "isahc",
    "curl-sys",
    "tokio",
    "tower",
    "rustls",
    "tokio-rustls",
    "ring",
];

const UNKNOWN: &str = "unknown";

/// What is set for all alike, and what is not.
const SETTINGS: &str = "no proxies, TCP_NODELAY, room for an idle connection of every caller; \
    turbohttp is the default client, limits included, which are raised to the number of callers only where \
    that is above its 64 per host, as the others limit nothing";

/// Machine, system, compiler and versions.
#[derive(Debug, Serialize)]
pub(crate) struct Environment {
    processor: String,
    cores: usize,
    kernel: String,
    /// Whether the processor says that a hypervisor runs it.
    is_virtual: Option<bool>,
    /// The system's default, which clients use.
    congestion_control: String,
    rustc: &'static str,
    profile: String,
    versions: BTreeMap<&'static str, String>,
    /// What the installed program says of itself.
    wrk: Option<String>,
    settings: &'static str,
}

impl Environment {
    /// Asks the system; what it does not tell is said to be unknown.
    pub(crate) fn read() -> Environment {
        let file = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = file("/proc/cpuinfo");
        let known = |text: String| match text.trim() {
            "" => UNKNOWN.to_owned(),
            text => text.to_owned(),
        };
        Environment {
            processor: known(value_of(&cpuinfo, "model name").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: known(file("/proc/sys/kernel/osrelease")),
            is_virtual: value_of(&cpuinfo, "flags")
                .map(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
            congestion_control: known(file("/proc/sys/net/ipv4/tcp_congestion_control")),
            rustc: env!("PEERS_RUSTC"),
            profile: profile(env!("PEERS_PROFILE"), MANIFEST),
            versions: PACKAGES
                .iter()
                .map(|package| (*package, versions_in(LOCK, package)))
                .collect(),
            wrk: wrk_version(),
            settings: SETTINGS,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = match self.is_virtual {
            Some(true) => "virtual, by the processor's hypervisor flag",
            Some(false) => "no hypervisor flag",
            None => UNKNOWN,
        };
        let versions = self.versions.iter();
        let mut versions: Vec<String> = versions.map(|(name, at)| format!("{name} {at}")).collect();
        let wrk = self.wrk.as_deref();
        versions.push(wrk.map_or("wrk not installed".to_owned(), |version| {
            format!("wrk {version}")
        }));
        writeln!(f, "| environment | |\n|---|---|")?;
        writeln!(f, "| processor | {} |", self.processor)?;
        let (cores, client, server) = (self.cores, CLIENT_CORE, SERVER_CORE);
        let pinned = format!("clients on {client}, server on {server}");
        writeln!(f, "| cores | {cores}; {pinned} |")?;
        writeln!(f, "| machine | {machine} |")?;
        writeln!(f, "| kernel | {} |", self.kernel)?;
        let server = "the server's sockets: cubic or reno where there is one";
        writeln!(
            f,
            "| congestion control | {}; {server} |",
            self.congestion_control
        )?;
        writeln!(f, "| compiler | {} |", self.rustc)?;
        writeln!(f, "| profile | {} |", self.profile)?;
        writeln!(f, "| versions | {} |", versions.join(", "))?;
        writeln!(f, "| settings | {SETTINGS} |")
    }
}

/// The value of the first line `name : value`.
fn value_of(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = lines.filter(|(key, _)| key.trim() == name);
    values.next().map(|(_, value)| value.trim().to_owned())
}

/// The versions of a package in a lock file; there may be several.
fn versions_in(lock: &str, package: &str) -> String {
    let name = format!("name = \"{package}\"");
    let mut versions = Vec::new();
    let mut lines = lock.lines();
    while let Some(line) = lines.next() {
        if line == name
            && let Some(version) = lines.next().and_then(|line| quoted(line, "version"))
        {
            versions.push(version);
        }
    }
    match versions.is_empty() {
        true => UNKNOWN.to_owned(),
        false => versions.join(" and "),
    }
}

/// The text in `name = "text"`.
fn quoted<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line
        .strip_prefix(name)?
        .trim_start()
        .strip_prefix('=')?
        .trim();
    value.strip_prefix('"')?.strip_suffix('"')
}

/// The profile with its settings in the workspace's manifest; only those of `release` are of interest.
fn profile(name: &str, manifest: &str) -> String {
    if name != "release" {
        return format!("{name}: figures of it say nothing");
    }
    let lines = manifest.lines();
    let section = lines
        .skip_while(|line| *line != "[profile.release]")
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let settings: Vec<&str> = section.filter(|line| line.contains('=')).collect();
    format!("{name}, {}", settings.join(", "))
}

/// The first line that wrk prints of itself, up to its copyright; `None` if it is not installed.
fn wrk_version() -> Option<String> {
    let output = Command::new("wrk")
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().next().unwrap_or_default();
    let version = line
        .strip_prefix("wrk ")
        .unwrap_or(line)
        .split(" Copyright")
        .next();
    version.map(|version| version.trim().to_owned())
}

/// Whether the program wrk can be started.
pub(crate) fn has_wrk() -> bool {
    wrk_version().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_a_lock_file() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"ab\"\n\
                    version = \"2.0.0\"\n\n[[package]]\nname = \"a\"\nversion = \"2.0.0+x\"\n";
        assert_eq!(versions_in(lock, "a"), "1.2.3 and 2.0.0+x");
        assert_eq!(versions_in(lock, "ab"), "2.0.0");
        assert_eq!(versions_in(lock, "b"), UNKNOWN);
    }

    #[test]
    fn every_named_package_is_in_the_lock_file() {
        for package in PACKAGES {
            assert_ne!(versions_in(LOCK, package), UNKNOWN, "{package}");
        }
    }

    #[test]
    fn values_are_read_from_cpuinfo() {
        let text =
            "processor\t: 0\nmodel name\t: A: b\nflags\t\t: fpu hypervisor\nmodel name\t: C\n";
        assert_eq!(value_of(text, "model name").as_deref(), Some("A: b"));
        assert_eq!(value_of(text, "model"), None);
    }

    #[test]
    fn settings_of_the_release_profile_are_told() {
        let manifest =
            "[profile.release]\nlto = \"thin\"\ncodegen-units = 1\n\n[profile.dev]\ndebug = 1\n";
        let text = profile("release", manifest);
        assert_eq!(text, "release, lto = \"thin\", codegen-units = 1");
        assert!(profile("debug", manifest).starts_with("debug: "));
    }

    #[test]
    fn report_of_an_unknown_system_is_whole() {
        let environment = Environment {
            is_virtual: None,
            wrk: None,
            ..Environment::read()
        };
        let text = environment.to_string();
        assert!(text.contains("| machine | unknown |"), "{text}");
        assert!(text.contains("wrk not installed |"), "{text}");
    }
}
