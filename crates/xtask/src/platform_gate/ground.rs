//! What every stage stands on: the libraries, a folder of its own, and a server.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::run;

pub(super) struct Ground {
    pub(super) sh: Shell,
    /// Where the gate puts what it makes.
    pub(super) folder: PathBuf,
    /// Where `libturbohttp_ffi.so` and `.a` are.
    pub(super) release: PathBuf,
    /// Of the server.
    pub(super) url: String,
    /// How often each kind of domain is reloaded.
    pub(super) reloads: u32,
    server: Child,
}

impl Ground {
    /// Builds the libraries, and starts the server.
    pub(super) fn new(is_long: bool) -> Result<Ground> {
        let sh = run::shell()?;
        cmd!(
            sh,
            "cargo build --quiet --release -p turbohttp-ffi -p turbohttp-cli"
        )
        .run()?;
        let release = run::target_dir().join("release");
        let folder = sh.create_dir(run::target_dir().join("platform-gate"))?;
        let mut server = Command::new(release.join("turbohttp"))
            .args(["serve", "--address", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let mut line = String::new();
        let output = server.stdout.take().context("its output is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        Ok(Ground {
            sh,
            folder,
            release,
            url: run::find(r"(http://[0-9.:]+)", &line)?,
            reloads: if is_long { 200 } else { 20 },
            server,
        })
    }

    pub(super) fn libraries(&self) -> String {
        format!("libturbohttp_ffi.so and .a in {}", self.release.display())
    }

    /// A command that is given the shared library, and is ended after so many seconds.
    pub(super) fn within(&self, seconds: u32) -> Cmd<'_> {
        let seconds = seconds.to_string();
        cmd!(self.sh, "timeout --kill-after 5 {seconds}")
            .env("LD_LIBRARY_PATH", &self.release)
            .quiet()
    }

    /// A command as of [`Ground::within`] succeeds; the line of what it says that begins with this.
    pub(super) fn line(command: Cmd<'_>, begin: &str) -> Result<String> {
        let said = run::collect(command)?;
        let line = said.stdout.lines().rfind(|line| line.starts_with(begin));
        line.map(str::to_owned)
            .with_context(|| format!("no line {begin}: {}{}", said.stdout, said.stderr))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
