//! This program as its own children: server, spinners, clients.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use turbohttp_loopback::{Options, Server};

use crate::case::Case;
use crate::machine;
use crate::peers::PeerName;
use crate::sample::Sample;

/// The core of the clients.
pub(crate) const CLIENT_CORE: usize = 0;
/// The core of the server.
pub(crate) const SERVER_CORE: usize = 1;

/// A child that is ended when it is dropped.
pub(crate) struct Background(Child);

impl Drop for Background {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running server process.
pub(crate) struct ServerProcess {
    pub(crate) url: String,
    _process: Background,
}

impl ServerProcess {
    /// Starts a server, on `core` if one is given.
    pub(crate) fn start(core: Option<usize>) -> Result<ServerProcess> {
        let mut command = this_program()?;
        command
            .arg("server")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        if let Some(core) = core {
            command.args(["--core", &core.to_string()]);
        }
        let mut process = Background(command.spawn()?);
        let stdout = process
            .0
            .stdout
            .take()
            .context("the server's output is piped")?;
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url)?;
        ensure!(url.starts_with("http://"), "the server did not start");
        Ok(ServerProcess {
            url: url.trim_end().to_owned(),
            _process: process,
        })
    }
}

/// What the server process does: serves until it is killed.
pub(crate) fn serve(core: Option<usize>) -> Result<()> {
    machine::end_with_parent();
    machine::raise_priority();
    let server = Server::start(Options {
        core,
        ..Options::default()
    })?;
    println!("{}", server.url(""));
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}

/// Keeps the two cores from halting for as long as it lives.
pub(crate) fn spinners() -> Result<Vec<Background>> {
    [CLIENT_CORE, SERVER_CORE]
        .into_iter()
        .map(spinner)
        .collect()
}

fn spinner(core: usize) -> Result<Background> {
    let core = core.to_string();
    let program = std::env::current_exe()?;
    // SCHED_IDLE if there is a tool to set it: such a process yields at once to any other.
    let mut idle = Command::new("chrt");
    idle.args(["--idle", "0"])
        .arg(program)
        .args(["spin", "--core", &core])
        .stdin(Stdio::null());
    if let Ok(child) = idle.spawn() {
        return Ok(Background(child));
    }
    let mut nice = this_program()?;
    Ok(Background(
        nice.args(["spin", "--core", &core])
            .stdin(Stdio::null())
            .spawn()?,
    ))
}

/// How a client process is told to measure.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Timed { seconds: f64 },
    CountAllocations,
}

/// Runs a client process to its end.
pub(crate) fn client(url: &str, case: &Case, peer: PeerName, mode: Mode) -> Result<Sample> {
    let mut command = this_program()?;
    command
        .args(client_arguments(url, case, peer))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !case.multi_thread {
        command.args(["--core", &CLIENT_CORE.to_string()]);
    }
    match mode {
        Mode::Timed { seconds } => command.args(["--seconds", &seconds.to_string()]),
        Mode::CountAllocations => {
            let requests = case.workload.requests_to_count().to_string();
            command.args(["--count-allocations", "--requests", &requests])
        }
    };
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{} failed at {}",
        peer.name(),
        case.name
    );
    serde_json::from_slice(&output.stdout).context("a client's output")
}

/// The arguments that are the same however a client is run.
pub(crate) fn client_arguments(url: &str, case: &Case, peer: PeerName) -> Vec<String> {
    use clap::ValueEnum;
    let workload = case
        .workload
        .to_possible_value()
        .expect("no workload is hidden");
    let callers = case.callers.to_string();
    let arguments = [
        "client",
        "--url",
        url,
        "--peer",
        peer.name(),
        "--scenario",
        workload.get_name(),
    ];
    let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
    arguments.extend(["--callers".to_owned(), callers]);
    if case.multi_thread {
        arguments.push("--multi-thread".to_owned());
    }
    arguments
}

pub(crate) fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}
