//! `shuttle`: the scheduler of core under many random schedules.

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
            "shuttle",
            "--",
            "--nocapture",
        ])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("CARGO_TARGET_DIR", run::target_dir().join("shuttle"));
    run::show(&mut command)
}
