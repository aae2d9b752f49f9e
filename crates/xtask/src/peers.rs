//! `peers`: TurboHTTP beside other clients, in one run.

use anyhow::Result;

use crate::run;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut command = run::cargo();
    command
        .args(["run", "--release", "-p", "turbohttp-peers", "--"])
        .args(arguments);
    run::show(&mut command)
}
