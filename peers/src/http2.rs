//! HTTP/2 beside reqwest and beside the `h2` crate by itself, on one connection.
//!
//! The server answers as fast as frames can be written, in a thread of its own. Rounds are interleaved; the
//! result is medians and their ratios.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinSet;
use turbohttp_loopback::{Answerer, AnswererOptions};

use crate::children::{CLIENT_CORE, SERVER_CORE};
use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

struct Case {
    name: &'static str,
    callers: usize,
    workers: usize,
    bytes: usize,
    /// How many times the rate of reqwest, and of the h2 crate, is demanded.
    floors: (f64, f64),
}

const CASES: [Case; 4] = [
    Case {
        name: "small GET, 64 streams, one thread",
        callers: 64,
        workers: 1,
        bytes: 13,
        floors: (3.2, 1.4),
    },
    Case {
        name: "small GET, 64 streams, two workers",
        callers: 64,
        workers: 2,
        bytes: 13,
        floors: (3.5, 1.0),
    },
    Case {
        name: "small GET, one caller",
        callers: 1,
        workers: 1,
        bytes: 13,
        floors: (1.5, 1.0),
    },
    Case {
        name: "64 KiB, 16 streams",
        callers: 16,
        workers: 1,
        bytes: 64 * 1024,
        floors: (1.8, 1.0),
    },
];

#[derive(Clone)]
enum Sender {
    Ours(turbohttp::Client),
    Reqwest(reqwest::Client),
    H2(h2::client::SendRequest<bytes::Bytes>),
}

#[derive(Clone, Copy)]
enum Peer {
    Ours,
    Reqwest,
    H2,
}

impl Sender {
    async fn new(peer: Peer, server: &Answerer) -> Result<Sender> {
        Ok(match peer {
            Peer::Ours => Sender::Ours(
                turbohttp::Client::builder()
                    .http2_prior_knowledge()
                    .limits(turbohttp::Limits::default().per_host(64))
                    .build()?,
            ),
            Peer::Reqwest => Sender::Reqwest(
                reqwest::Client::builder()
                    .no_proxy()
                    .http2_prior_knowledge()
                    .tls_backend_preconfigured(crate::peers::tls::client_config(None)?)
                    .build()?,
            ),
            Peer::H2 => {
                let stream = tokio::net::TcpStream::connect(server.addr()).await?;
                stream.set_nodelay(true)?;
                let (sender, connection) = h2::client::Builder::new()
                    .initial_window_size(256 * 1024)
                    .initial_connection_window_size(32 * 1024 * 1024)
                    .handshake(stream)
                    .await?;
                tokio::spawn(connection);
                Sender::H2(sender)
            }
        })
    }

    /// Bytes of the body, which is read piece by piece.
    async fn send(&mut self, url: &str) -> Result<usize> {
        let mut bytes = 0;
        match self {
            Sender::Ours(client) => {
                let mut response = client.get(url).send().await?;
                while let Some(chunk) = response.chunk().await? {
                    bytes += chunk.len();
                }
            }
            Sender::Reqwest(client) => {
                let mut response = client.get(url).send().await?;
                while let Some(chunk) = response.chunk().await? {
                    bytes += chunk.len();
                }
            }
            Sender::H2(sender) => {
                let mut ready = sender.clone().ready().await?;
                let request = http::Request::get(url).body(())?;
                let (response, _) = ready.send_request(request, true)?;
                let mut body = response.await?.into_body();
                while let Some(chunk) = body.data().await {
                    let chunk = chunk?;
                    bytes += chunk.len();
                    body.flow_control().release_capacity(chunk.len())?;
                }
            }
        }
        Ok(bytes)
    }
}

/// Measures and prints; says whether each floor was reached.
pub(crate) fn run(rounds: u32, seconds: f64) -> Result<Verdict> {
    ensure!(rounds > 0, "at least one round");
    let mut verdict = Verdict::default();
    println!("| case | turbohttp/s | reqwest/s | h2/s | of reqwest | of h2 | slowest round |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    // Those of one thread first, which are pinned.
    for case in CASES.iter().filter(|case| case.workers == 1) {
        measure(case, rounds, seconds, &mut verdict)?;
    }
    machine::unpin();
    for case in CASES.iter().filter(|case| case.workers > 1) {
        measure(case, rounds, seconds, &mut verdict)?;
    }
    Ok(verdict)
}

fn measure(case: &Case, rounds: u32, seconds: f64, verdict: &mut Verdict) -> Result<()> {
    let is_pinned = case.workers == 1;
    if is_pinned {
        machine::pin(CLIENT_CORE);
    }
    let server = Answerer::start(AnswererOptions {
        content_bytes: case.bytes,
        core: is_pinned.then_some(SERVER_CORE),
        ..AnswererOptions::default()
    })?;
    let (mut ours, mut reqwest, mut h2) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(round(case, Peer::Ours, &server, seconds)?);
        reqwest.push(round(case, Peer::Reqwest, &server, seconds)?);
        h2.push(round(case, Peer::H2, &server, seconds)?);
    }
    let slowest = ours.iter().copied().fold(f64::INFINITY, f64::min);
    let (ours, reqwest, h2) = (median(ours), median(reqwest), median(h2));
    let (by_reqwest, by_h2) = (ours / reqwest, ours / h2);
    let slowest = slowest / ours;
    println!(
        "| {} | {ours:.0} | {reqwest:.0} | {h2:.0} | {by_reqwest:.2} | {by_h2:.2} | {slowest:.2} |",
        case.name
    );
    for (name, ratio, floor) in [
        ("reqwest", by_reqwest, case.floors.0),
        ("the h2 crate", by_h2, case.floors.1),
    ] {
        let line = format!("{}: {ratio:.2} times {name}, at least {floor}", case.name);
        verdict.add(ratio >= floor, line);
    }
    Ok(())
}

/// How many requests per second are answered.
fn round(case: &Case, peer: Peer, server: &Answerer, seconds: f64) -> Result<f64> {
    let runtime = match case.workers {
        1 => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
        workers => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?,
    };
    let url: Arc<str> = server.url("/").into();
    runtime.block_on(async {
        let sender = Sender::new(peer, server).await?;
        let warm = Instant::now() + Duration::from_secs_f64(seconds / 4.0);
        crowd(case, &sender, &url, warm).await?;
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(seconds);
        let made = crowd(case, &sender, &url, until).await?;
        Ok(made as f64 / began.elapsed().as_secs_f64())
    })
}

async fn crowd(case: &Case, sender: &Sender, url: &Arc<str>, until: Instant) -> Result<u64> {
    let mut callers = JoinSet::new();
    for _ in 0..case.callers {
        let (mut sender, url, bytes) = (sender.clone(), url.clone(), case.bytes);
        callers.spawn(async move {
            let mut made = 0;
            while Instant::now() < until {
                let read = sender.send(&url).await?;
                ensure!(read == bytes, "{read} of {bytes} bytes");
                made += 1;
            }
            Ok(made)
        });
    }
    let mut made = 0;
    while let Some(ended) = callers.join_next().await {
        made += ended.context("a caller")??;
    }
    Ok(made)
}
