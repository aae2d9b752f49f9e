//! This program as its own children: server, spinners, clients.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Answerer, AnswererOptions, Options, Server};

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
    /// What vouches for it, if it speaks TLS.
    root_pem: Option<String>,
    _process: Background,
}

impl ServerProcess {
    /// Starts a server, on `core` if one is given.
    pub(crate) fn start(core: Option<usize>, tls: bool) -> Result<ServerProcess> {
        let core = core.map(|core| format!("--core={core}"));
        let arguments = core.into_iter().chain(tls.then(|| "--tls".to_owned()));
        ServerProcess::run(arguments.collect(), tls)
    }

    /// Starts a server of HTTP/2 that answers everything with so many bytes.
    pub(crate) fn start_answerer(core: usize, bytes: usize) -> Result<ServerProcess> {
        let arguments = [format!("--core={core}"), format!("--answers={bytes}")];
        ServerProcess::run(arguments.into(), false)
    }

    fn run(arguments: Vec<String>, tls: bool) -> Result<ServerProcess> {
        let mut command = this_program()?;
        command
            .arg("server")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = Background(command.spawn()?);
        let stdout = process
            .0
            .stdout
            .take()
            .context("the server's output is piped")?;
        let (url, root_pem) = read_greeting(BufReader::new(stdout), tls)?;
        Ok(ServerProcess {
            url,
            root_pem,
            _process: process,
        })
    }
}

/// The address, and the root where there is one.
fn read_greeting(mut output: impl BufRead, tls: bool) -> Result<(String, Option<String>)> {
    let mut url = String::new();
    output.read_line(&mut url)?;
    ensure!(url.starts_with("http"), "the server did not start");
    let mut pem = String::new();
    while tls && !pem.trim_end().ends_with("-----END CERTIFICATE-----") {
        let read = output.read_line(&mut pem)?;
        ensure!(read > 0, "the server did not tell its root");
    }
    Ok((url.trim_end().to_owned(), tls.then_some(pem)))
}

/// What the server process does: serves until it is killed.
pub(crate) fn serve(core: Option<usize>, tls: bool) -> Result<()> {
    machine::end_with_parent();
    machine::raise_priority();
    let ca = tls.then(TestCa::new);
    let server = Server::start(Options {
        core,
        tls: ca.as_ref().map(|ca| ca.server_config(&["127.0.0.1"])),
        ..Options::default()
    })?;
    println!("{}", server.url(""));
    if let Some(ca) = ca {
        println!("{}", ca.pem().trim_end());
    }
    park()
}

/// The same where everything is answered with so many bytes, over HTTP/2.
pub(crate) fn serve_answers(core: Option<usize>, bytes: usize) -> Result<()> {
    machine::end_with_parent();
    machine::raise_priority();
    let server = Answerer::start(AnswererOptions {
        content_bytes: bytes,
        core,
        ..AnswererOptions::default()
    })?;
    println!("{}", server.url("/"));
    park()
}

/// Lets the server's thread work until the process is killed.
fn park() -> Result<()> {
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
pub(crate) fn client(
    server: &ServerProcess,
    case: &Case,
    peer: PeerName,
    mode: Mode,
) -> Result<Sample> {
    let mut command = this_program()?;
    command
        .args(client_arguments(server, case, peer))
        .stdin(Stdio::null());
    if !case.multi_thread {
        command.args(["--core", &CLIENT_CORE.to_string()]);
    }
    match mode {
        Mode::Timed { seconds } => command.args(["--seconds", &seconds.to_string()]),
        Mode::CountAllocations => {
            let requests = case.requests_to_count().to_string();
            command.args(["--count-allocations", "--requests", &requests])
        }
    };
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{} failed at {}: {}",
        peer.name(),
        case.name,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let sample = serde_json::from_slice(&output.stdout);
    sample.with_context(|| format!("what {} printed at {}", peer.name(), case.name))
}

/// The arguments that are the same however a client is run.
pub(crate) fn client_arguments(server: &ServerProcess, case: &Case, peer: PeerName) -> Vec<String> {
    use clap::ValueEnum;
    let workload = case
        .workload
        .to_possible_value()
        .expect("no workload is hidden");
    let callers = case.callers.to_string();
    let arguments = [
        "client",
        "--url",
        &server.url,
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
    if let Some(pem) = &server.root_pem {
        // In one word: it begins with dashes.
        arguments.push(format!("--root-pem={pem}"));
    }
    arguments
}

pub(crate) fn this_program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Args, Command};
    use crate::case;

    #[test]
    fn greeting_of_a_server_is_read() {
        let pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
        let text = format!("https://a:1\n{pem}");
        let (url, root) = read_greeting(text.as_bytes(), true).unwrap();
        assert_eq!((url.as_str(), root.as_deref()), ("https://a:1", Some(pem)));
        let (url, root) = read_greeting(&b"http://a:1\n"[..], false).unwrap();
        assert_eq!((url.as_str(), root), ("http://a:1", None));
        assert!(read_greeting(&b""[..], false).is_err());
        assert!(read_greeting(&b"https://a:1\n"[..], true).is_err());
    }

    #[test]
    fn arguments_of_a_client_are_understood() {
        let pem = TestCa::new().pem();
        let server = ServerProcess {
            url: "https://a:1".to_owned(),
            root_pem: Some(pem.clone()),
            _process: Background(this_program().unwrap().arg("--list").spawn().unwrap()),
        };
        let case = case::CASES.iter().find(|case| case.tls).unwrap();
        let mut arguments = vec!["turbohttp-peers".to_owned()];
        arguments.extend(client_arguments(&server, case, PeerName::Reqwest));
        let args = Args::try_parse_from(arguments).unwrap();
        let Some(Command::Client(client)) = args.command else {
            panic!("another command");
        };
        assert_eq!(client.root_pem, Some(pem));
        assert_eq!((client.peer, client.callers), (PeerName::Reqwest, 64));
    }
}
