//! `check`: what must hold before every commit.

use anyhow::Result;

use crate::{run, tidy};

pub(crate) fn run() -> Result<()> {
    run::cargo_with(&["fmt", "--all", "--check"])?;
    run::cargo_with(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    let mut doc = run::cargo();
    doc.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ])
    .env("RUSTDOCFLAGS", "-D warnings");
    run::show(&mut doc)?;
    tidy::run()
}
