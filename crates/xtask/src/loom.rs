//! `loom`: the races of core, in every interleaving.

use anyhow::Result;

use crate::run;

pub(crate) fn run() -> Result<()> {
    let mut command = run::cargo();
    // A directory of its own: other flags would throw the usual builds away each time.
    command
        .args([
            "test",
            "--release",
            "-p",
            "turbohttp-core",
            "--test",
            "loom",
        ])
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", run::target_dir().join("loom"));
    run::show(&mut command)
}
