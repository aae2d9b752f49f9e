//! What some commands need of the system, and which public tools are used where they are installed.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use xshell::cmd;

use crate::run;

/// Programs of which one must be there, the Debian package with the first, and what needs it.
type Need = (&'static [&'static str], &'static str, &'static str);

const NEEDS: [Need; 25] = [
    (&["c++", "g++", "clang++"], "g++", "fuzz: libFuzzer is C++"),
    (&["valgrind"], "valgrind", "gates, walk, heap"),
    (&["strace"], "strace", "gates: system calls"),
    (&["heaptrack"], "heaptrack", "heap: another profiler"),
    (&["objdump"], "binutils", "walk: lock operations"),
    (&["nginx"], "nginx-light", "tests: a server of others"),
    (&["apache2"], "apache2-bin", "tests: Digest, gzip and br"),
    (&["lighttpd"], "lighttpd", "tests: ranges by a third server"),
    (
        &["nghttpd"],
        "nghttp2-server",
        "tests: HTTP/2 with trailers",
    ),
    (&["h2o"], "h2o", "tests: HTTP/2 by a third server"),
    (&["perl"], "perl", "tests: a CGI script that reads forms"),
    (&["squid"], "squid", "tests: a proxy of others"),
    (&["haproxy"], "haproxy", "tests: TLS in front of a proxy"),
    (
        &["microsocks"],
        "microsocks",
        "tests: a SOCKS proxy of others",
    ),
    (&["curl"], "curl", "tests: a client written by others"),
    (&["openssl"], "openssl", "tests: certificates of others"),
    (&["ip"], "iproute2", "tests: a network of their own"),
    (&["gcc"], "gcc", "platform-gate: C"),
    (&["python3"], "python3", "platform-gate: Python"),
    (&["mcs"], "mono-mcs", "platform-gate: C#"),
    (&["mono"], "mono-runtime", "platform-gate: C#"),
    (
        &["mono-boehm"],
        "mono-runtime-boehm",
        "platform-gate: Unity's kind of collector",
    ),
    (
        &["monop"],
        "mono-devel",
        "platform-gate: all of Mono's classes",
    ),
    (
        &["pkg-config"],
        "pkg-config",
        "platform-gate: Mono in a program",
    ),
    (&["git"], "git", "tidy: the history of the baseline"),
];

/// Installed by `cargo install`, never from here: SKIPPED where they are absent, in CI too.
const CARGO_TOOLS: [&str; 3] = ["deny", "hack", "semver-checks"];

/// `tools`: says what is there and what is not; `--install` installs the missing packages by apt-get.
pub(crate) fn command(installs: bool) -> Result<()> {
    let missing = report();
    if !installs || missing.is_empty() {
        return Ok(());
    }
    println!("installing by apt-get: {}", missing.join(" "));
    let sh = run::shell()?;
    sh.set_var("DEBIAN_FRONTEND", "noninteractive");
    cmd!(sh, "apt-get update -qq").run()?;
    let install = |packages: &[&str]| {
        cmd!(
            sh,
            "apt-get install -y -qq --no-install-recommends {packages...}"
        )
        .run()
        .is_ok()
    };
    if !install(&missing) {
        // One package that cannot be had must not cost the others.
        let failed = missing.iter().filter(|package| !install(&[**package]));
        ensure!(failed.count() == 0, "not every package could be installed");
    }
    Ok(())
}

/// Prints what is needed and what of it is missing; the packages with the latter. Installs nothing.
pub(crate) fn report() -> Vec<&'static str> {
    let mut missing = Vec::new();
    for (programs, package, why) in NEEDS {
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
    let need = NEEDS.iter().find(|(programs, ..)| programs[0] == program);
    let is_there = need.is_some_and(|(programs, ..)| programs.iter().any(|name| is_there(name)));
    if is_there {
        return Ok(true);
    }
    println!("SKIPPED {what}: {program} is not installed");
    if std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false") {
        bail!("{what} was skipped in CI: {program} is not installed");
    }
    Ok(false)
}
