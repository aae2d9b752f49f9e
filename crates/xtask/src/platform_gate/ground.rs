//! What every stage stands on: the libraries, a folder of its own, and a server.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::gates::outside::Served;
use crate::run;

pub(super) struct Ground {
    pub(super) sh: Shell,
    /// Where the gate puts what it makes.
    pub(super) folder: PathBuf,
    /// Where `libturbohttp_ffi.so` and `.a` are.
    pub(super) release: PathBuf,
    /// How often each kind of domain is reloaded.
    pub(super) reloads: u32,
    server: Served,
}

impl Ground {
    /// Builds the libraries, and starts the servers.
    pub(super) fn new(is_long: bool) -> Result<Ground> {
        let sh = run::shell()?;
        // One after the other: together, both would have the features of either.
        let build = || cmd!(sh, "cargo build --quiet --release");
        build().args(["-p", "turbohttp-ffi"]).run()?;
        let origins = ["-p", "turbohttp-loopback", "--features", "h2,tls"];
        build().args(origins).args(["--example", "origins"]).run()?;
        let release = run::target_dir().join("release");
        let folder = sh.create_dir(run::target_dir().join("platform-gate"))?;
        let server = Served::start(&release.join("examples").join("origins"), &[])?;
        Ok(Ground {
            sh,
            folder,
            release,
            reloads: if is_long { 200 } else { 20 },
            server,
        })
    }

    /// What the program `origins` prints: the server in the clear, those over TLS, and the certificate behind one.
    pub(super) fn origins(&self) -> &str {
        &self.server.url
    }

    /// Of the server in the clear, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        let (url, _) = self.origins().split_once(' ').unwrap_or_default();
        url.trim_end_matches('/')
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
