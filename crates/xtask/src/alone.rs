//! Runs tests where nothing but loopback can be reached: in a network of their own, which has no
//! other interface and so no way out.
//!
//! What is to be built is built before, outside, where cargo may fetch. `xtask alone COMMAND` is what
//! runs inside: it switches loopback on, sees for itself that there is no way out, and runs the command.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run;

/// Tells the tests that they are alone, so that they may insist on it.
const ALONE: &str = "TURBOHTTP_TESTS_ALONE";

/// Ways to a network of its own: as root, and as a user whom the system lets have one. The user id stays
/// the same, as some tests run servers that look at it.
const WAYS: [&[&str]; 2] = [&["--net"], &["--map-current-user", "--keep-caps", "--net"]];

/// Addresses of other machines: kept for documentation (RFC 5737, RFC 3849), so nobody is bothered
/// where there is a way out after all.
const OUTSIDE: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80),
    SocketAddr::new(
        std::net::IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        80,
    ),
];

/// Where there is no way out this is known at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs cargo's tests alone where the system permits it, else as they are.
pub(crate) fn cargo_test(arguments: &str) -> Result<()> {
    run::cargo_line(&format!("test --no-run {arguments}"))?;
    let Some(way) = WAYS.into_iter().find(|way| is_permitted(way)) else {
        // Not for the tests to change, so it is no failure in CI either; a rule of tidy holds anyway.
        println!("SKIPPED taking the network away: this system lets no process have its own");
        return run::cargo_line(&format!("test {arguments}"));
    };
    let mut command = inside(way)?;
    command
        .arg(run::cargo().get_program())
        .args(["test", "--offline"]);
    run::show(command.args(arguments.split(' ')))
}

/// `xtask alone`: what runs inside.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [program, rest @ ..] = arguments else {
        bail!("alone needs a command");
    };
    run::output("ip", &["link", "set", "lo", "up"])?;
    see_no_way_out()?;
    let mut command = Command::new(program);
    run::show(command.args(rest).env(ALONE, "1"))
}

/// A command that runs what is added to it in a network of its own.
fn inside(way: &[&str]) -> Result<Command> {
    let mut command = Command::new("unshare");
    let xtask: OsString = std::env::current_exe()?.into();
    command.args(way).arg("--").arg(xtask).arg("alone");
    Ok(command)
}

fn is_permitted(way: &[&str]) -> bool {
    inside(way).is_ok_and(|mut command| run::succeeds(command.arg("true")))
}

/// Loopback works, and nothing else is there.
fn see_no_way_out() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no loopback")?;
    TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE).context("no loopback")?;
    for address in OUTSIDE {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Err(error) if is_unreachable(error.kind()) => {}
            other => bail!("there is a way to {address}: {other:?}"),
        }
    }
    Ok(())
}

fn is_unreachable(kind: ErrorKind) -> bool {
    // A system without IPv6 has not even the addresses.
    matches!(
        kind,
        ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::Unsupported
    )
}
