//! Every peer against a server in this process: what a run would only notice after minutes.

use std::sync::Arc;

use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Fail, FailWith, Options, Server};

use super::{PeerName, Setup, Work};
use crate::case::{CASES, Case, Workload};
use crate::histogram::Histogram;
use crate::load::Until;

fn here() -> impl Iterator<Item = PeerName> {
    let peers = PeerName::ALL.into_iter();
    peers.filter(|peer| !peer.is_external() && peer.obstacle().is_none())
}

fn drive(
    peer: PeerName,
    case: &Case,
    server: &Server,
    root_pem: Option<&str>,
) -> anyhow::Result<u64> {
    let setup = Setup {
        work: Arc::new(Work::new(&server.url(""), case.workload, root_pem)?),
        callers: case.callers.min(4),
        multi_thread: case.multi_thread,
    };
    let histogram = Arc::new(Histogram::new());
    let mut load = peer.load(&setup)?;
    let timed = Until::Passed(std::time::Duration::from_millis(20));
    if !case.workload.is_bulk() {
        assert!(load.drive(timed, &histogram)? > 0);
        assert!(histogram.quantile_ns(0.5) > 0.0);
    }
    load.drive(
        Until::Made(if case.workload.is_bulk() { 1 } else { 10 }),
        &histogram,
    )
}

#[test]
fn every_peer_does_every_case_that_it_is_in() {
    let ca = TestCa::new();
    for case in CASES
        .iter()
        .filter(|case| case.workload != Workload::Stream)
    {
        let tls = case.tls.then(|| ca.server_config(&["127.0.0.1"]));
        let root = case.tls.then(|| ca.pem());
        let server = Server::start(Options {
            tls,
            ..Options::default()
        });
        let server = server.unwrap();
        for peer in here().filter(|peer| case.has(*peer)) {
            let made = drive(peer, case, &server, root.as_deref());
            let made =
                made.unwrap_or_else(|error| panic!("{} at {}: {error:#}", peer.name(), case.name));
            assert_eq!(made, if case.workload.is_bulk() { 1 } else { 10 });
        }
    }
}

#[test]
fn no_peer_takes_an_error_for_an_answer() {
    let fail = Fail {
        every: 3,
        with: FailWith::Status503,
    };
    let server = Server::start(Options {
        fail: Some(fail),
        ..Options::default()
    });
    let server = server.unwrap();
    for peer in here() {
        assert!(
            drive(peer, &CASES[0], &server, None).is_err(),
            "{}",
            peer.name()
        );
    }
}

#[test]
fn no_peer_reads_the_environment_for_proxies() {
    // In its own process: here it would meet the other tests.
    let program = std::env::current_exe().unwrap();
    let name = "peers::tests::every_peer_does_every_case_that_it_is_in";
    let mut command = std::process::Command::new(program);
    for variable in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "ALL_PROXY",
    ] {
        // A port that nobody listens on.
        command.env(variable, "http://127.0.0.1:1");
    }
    for variable in ["no_proxy", "NO_PROXY"] {
        command.env_remove(variable);
    }
    let output = command.args(["--exact", name]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
