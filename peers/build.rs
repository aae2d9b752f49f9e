//! Tells the program what it was built with, for the head of its report.
#![allow(
    clippy::print_stdout,
    reason = "it is how a build script talks to cargo"
)]

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let profile = std::env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=PEERS_RUSTC={}", version.trim());
    println!("cargo::rustc-env=PEERS_PROFILE={profile}");
    println!("cargo::rerun-if-changed=build.rs");
}
