//! What some commands need of the system, and which public tools are used where they are installed.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::args::Args;
use crate::run;

/// Programs of which one must be there, the Debian package with the first, and what needs it.
struct Need(&'static [&'static str], &'static str, &'static str);

const NEEDS: [Need; 9] = [
    Need(&["c++", "g++", "clang++"], "g++", "fuzz: libFuzzer is C++"),
    Need(
        &["valgrind"],
        "valgrind",
        "gates, walk: instructions; heap: allocations",
    ),
    Need(&["strace"], "strace", "gates: system calls"),
    Need(
        &["heaptrack"],
        "heaptrack",
        "heap: allocations, by another profiler",
    ),
    Need(&["objdump"], "binutils", "walk: lock operations"),
    Need(
        &["nginx"],
        "nginx-light",
        "tests: a server written by others",
    ),
    Need(&["curl"], "curl", "tests: a client written by others"),
    Need(
        &["ip"],
        "iproute2",
        "tests: loopback in a network of their own",
    ),
    Need(&["git"], "git", "tidy: the history of the baseline"),
];

/// Installed by `cargo install`, never from here: SKIPPED where they are absent, in CI too.
const CARGO_TOOLS: [&str; 3] = ["deny", "hack", "semver-checks"];

/// `tools`: says what is there and what is not; `--install` installs the missing packages by apt-get.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let mut args = Args::new(arguments);
    let installs = args.has("--install");
    args.end()?;
    let missing = report();
    if !installs || missing.is_empty() {
        return Ok(());
    }
    println!("installing by apt-get: {}", missing.join(" "));
    let apt = |line: &str, packages: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run::show(command.args(line.split(' ')).args(packages))
    };
    apt("update -qq", &[])?;
    let install = "install -y -qq --no-install-recommends";
    // One package that cannot be had must not cost the others.
    let each = |package: &&str| apt(install, &[*package]).is_ok();
    let is_done =
        apt(install, &missing).is_ok() || missing.iter().filter(|p| !each(p)).count() == 0;
    ensure!(is_done, "not every package could be installed");
    Ok(())
}

/// Prints what is needed and what of it is missing; the packages with the latter. Installs nothing.
pub(crate) fn report() -> Vec<&'static str> {
    let mut missing = Vec::new();
    for Need(programs, package, why) in NEEDS {
        let found = programs.iter().find(|program| is_there(program));
        let state = found.map_or("MISSING", |_| "there   ");
        println!("{state} {:<16} {why} (package {package})", programs[0]);
        missing.extend(found.is_none().then_some(package));
    }
    for tool in CARGO_TOOLS {
        let is_there = is_there(&format!("cargo-{tool}"));
        let state = if is_there { "there   " } else { "optional" };
        println!("{state} cargo-{tool:<10} audit (cargo install --locked cargo-{tool})");
    }
    if !missing.is_empty() {
        println!(
            "nothing is installed by this: `cargo xtask tools --install` does, as root, by apt-get"
        );
    }
    missing
}

/// Whether `program` is on the path, or where only root's path leads.
pub(crate) fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    folders.any(|folder| folder.join(program).is_file())
        || Path::new("/usr/sbin").join(program).is_file()
}

/// Whether a public tool is installed; says so where it is not, which is no failure in CI either.
pub(crate) fn has_cargo(tool: &str) -> bool {
    let is_there = is_there(&format!("cargo-{tool}"));
    if !is_there {
        println!("SKIPPED cargo {tool}: it is not installed (cargo install --locked cargo-{tool})");
    }
    is_there
}

/// Whether a program is there. Where it is not, `what` is left out, which in CI is a failure: there
/// nobody reads what was skipped.
pub(crate) fn can(what: &str, program: &str) -> Result<bool> {
    let need = NEEDS.iter().find(|need| need.0[0] == program);
    let programs = need.map_or(&[][..], |need| need.0);
    if programs.iter().any(|program| is_there(program)) {
        return Ok(true);
    }
    println!("SKIPPED {what}: {program} is not installed");
    if is_ci() {
        bail!("{what} was skipped in CI: {program} is not installed");
    }
    Ok(false)
}

fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
