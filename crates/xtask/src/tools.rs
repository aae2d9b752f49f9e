//! Programs that some commands need and a fresh machine may lack.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// A program, and the Debian package it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// Real servers and clients for the tests, and what counts for the gates.
pub(crate) const ALL: [Tool; 6] = [
    Tool {
        program: "nginx",
        package: "nginx-light",
    },
    Tool {
        program: "curl",
        package: "curl",
    },
    Tool {
        program: "valgrind",
        package: "valgrind",
    },
    Tool {
        program: "strace",
        package: "strace",
    },
    Tool {
        program: "heaptrack",
        package: "heaptrack",
    },
    // Switches loopback on in a network of the tests' own.
    Tool {
        program: "ip",
        package: "iproute2",
    },
];

/// The load generator that stands among the peers.
pub(crate) const WRK: Tool = Tool {
    program: "wrk",
    package: "wrk",
};

/// Whether `program` is on the path, or where only root's path leads.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_directory = |directory: &Path| directory.join(program).is_file();
    std::env::split_paths(&path).any(|directory| in_directory(&directory))
        || in_directory(Path::new("/usr/sbin"))
}

/// Installs what is missing of [`ALL`]: see [`install`].
pub(crate) fn install_missing() {
    install(&ALL);
}

/// Installs what is missing of `tools` where this is root on a system with apt-get, quietly; otherwise
/// does nothing. What is still missing is said by those who need it.
pub(crate) fn install(tools: &[Tool]) {
    let missing: Vec<Tool> = tools
        .iter()
        .copied()
        .filter(|tool| !is_there(tool.program))
        .collect();
    if missing.is_empty() || !is_there("apt-get") || !is_root() {
        return;
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    println!("installing: {}", packages.join(" "));
    apt_get(&["update", "-qq"]);
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    if !apt_get(&[&install[..], &packages].concat()) {
        // One package that cannot be had must not cost the others.
        for package in packages {
            apt_get(&[&install[..], &[package]].concat());
        }
    }
}

/// Says that something was left out. In CI that is a failure: there nobody reads what was skipped.
pub(crate) fn skipped(what: &str, because: &str) -> Result<()> {
    println!("SKIPPED {what}: {because}");
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false") {
        bail!("{what} was skipped in CI: {because}");
    }
    Ok(())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> bool {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
