//! Tells the program which compiler and profile it was built with: figures mean little without.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(compiler).arg("--version").output();
    let version = output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let version = version.unwrap_or_else(|| "rustc of an unknown version".to_owned());
    println!("cargo::rustc-env=TURBOHTTP_BENCH_RUSTC={}", version.trim());
    for name in ["PROFILE", "OPT_LEVEL", "TARGET"] {
        let value = std::env::var(name).unwrap_or_default();
        println!("cargo::rustc-env=TURBOHTTP_BENCH_{name}={value}");
    }
}
