//! Runs tests where nothing but loopback can be reached: in a network of their own, which has no
//! other interface and so no way out.
//!
//! What is to be built is built before, outside, where cargo may fetch. `xtask alone COMMAND` is what
//! runs inside: it switches loopback on, sees for itself that there is no way out, and runs the command.

use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable, Unsupported};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::run;

/// Tells the tests that they are alone, so that they may insist on it.
const ALONE: &str = "TURBOHTTP_TESTS_ALONE";

/// Ways to a network of its own: as root, and as a user whom the system lets have one. The user id stays
/// the same, as some tests run servers that look at it.
const WAYS: [&[&str]; 2] = [&["--net"], &["--map-current-user", "--keep-caps", "--net"]];

/// Addresses of other machines: kept for documentation (RFC 5737, RFC 3849), so nobody is bothered
/// where there is a way out after all.
const OUTSIDE: [&str; 2] = ["192.0.2.1:80", "[2001:db8::1]:80"];

/// Where there is no way out this is known at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs cargo's tests alone where the system permits it, else as they are.
pub(crate) fn cargo_test(arguments: &str) -> Result<()> {
    let (sh, xtask) = (run::shell()?, std::env::current_exe()?);
    let arguments = || arguments.split(' ');
    cmd!(sh, "cargo test --no-run").args(arguments()).run()?;
    let inside = |way: &[&str]| cmd!(sh, "unshare {way...} -- {xtask} alone");
    let is_permitted = |way: &&[&str]| run::succeeds(inside(way).arg("true"));
    let test = match WAYS.into_iter().find(is_permitted) {
        Some(way) => inside(way).args(["cargo", "test", "--offline"]),
        None => {
            // Not for the tests to change, so it is no failure in CI either; a rule of tidy holds anyway.
            println!("SKIPPED taking the network away: this system lets no process have its own");
            cmd!(sh, "cargo test")
        }
    };
    Ok(test.args(arguments()).run()?)
}

/// `xtask alone`: what runs inside.
pub(crate) fn run(command: &[String]) -> Result<()> {
    let sh = run::shell()?;
    cmd!(sh, "ip link set lo up").quiet().run()?;
    see_no_way_out()?;
    Ok(sh
        .cmd(&command[0])
        .args(&command[1..])
        .env(ALONE, "1")
        .run()?)
}

/// Loopback works, and nothing else is there.
fn see_no_way_out() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no loopback")?;
    TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE).context("no loopback")?;
    for address in OUTSIDE {
        match TcpStream::connect_timeout(&address.parse()?, PATIENCE).map_err(|error| error.kind())
        {
            // A system without IPv6 has not even the addresses.
            Err(NetworkUnreachable | HostUnreachable | AddrNotAvailable | Unsupported) => {}
            other => bail!("there is a way to {address}: {other:?}"),
        }
    }
    Ok(())
}
