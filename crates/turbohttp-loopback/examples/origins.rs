//! The servers that the tests of other languages talk to: one in the clear, and two over TLS.
//!
//! It prints one line of four words, and ends when its input ends:
//!
//! 1. the URL of the server in the clear, of HTTP/1.1 and HTTP/2;
//! 2. the URL of the server over TLS, of HTTP/2 and HTTP/1.1;
//! 3. the URL of a server whose certificate vouches for itself;
//! 4. the certificate of the authority behind the second, the base64 of its PEM in one line.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command: its output is its purpose")]

use std::error::Error;
use std::io::Read;
use std::sync::Arc;

use turbohttp_loopback::tls::{Leaf, TestCa};
use turbohttp_loopback::{Options, Server};

const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

const PROTOCOLS: [&str; 2] = ["h2", "http/1.1"];

fn main() -> Result<(), Box<dyn Error>> {
    let authority = TestCa::new();
    let trusted = authority.server_config_with_alpn(&NAMES, &PROTOCOLS);
    let clear = Server::start(Options::default())?;
    let tls = secure(trusted)?;
    let untrusted = secure(Leaf::self_signed(&NAMES).server_config_with_alpn(&PROTOCOLS))?;
    let pem = authority.pem();
    let certificate: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    println!(
        "{} {} {} {certificate}",
        clear.url(""),
        tls.url(""),
        untrusted.url("")
    );
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn secure(config: Arc<rustls::ServerConfig>) -> std::io::Result<Server> {
    Server::start(Options {
        tls: Some(config),
        ..Options::default()
    })
}
