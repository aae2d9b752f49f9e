//! `turbohttp serve`: the loopback server, for trying things.

use std::time::Duration;

use anyhow::Context as _;
use turbohttp_loopback::{Fail, FailWith, Options, ROUTES, Server};

use crate::args::ServeArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::{Interrupts, Patience};
use crate::output::text::of;
use crate::output::{note, print};

pub(crate) async fn run(args: ServeArgs) -> Result<Exit, Failure> {
    let mut interrupts = Interrupts::listen(Patience::First).context("listening for signals")?;
    let options = Options {
        address: args.address,
        base_delay: Duration::from_millis(args.delay),
        fail: args.fail_every.map(|every| Fail {
            every,
            with: FailWith::Status503,
        }),
        ..Options::default()
    };
    let server = Server::start(options).with_context(|| {
        format!(
            "cannot listen on {}: choose another --address (port 0: a free one)",
            args.address
        )
    })?;
    announce(&server)?;
    interrupts.next().await;
    let stats = server.stop();
    let requests = of(stats.requests, "request");
    let connections = of(stats.connections, "connection");
    let http2 = match stats.http2.connections {
        0 => String::new(),
        number => format!(", {number} of HTTP/2"),
    };
    note(&format!("served {requests} on {connections}{http2}"));
    // Ctrl-C is how a server is meant to end.
    Ok(Exit::Ok)
}

fn announce(server: &Server) -> anyhow::Result<()> {
    print(&format!(
        "listening on {} until Ctrl-C, for HTTP/1.1 and HTTP/2 (prior knowledge)\n\n{ROUTES}\n",
        server.url("/")
    ))
}
