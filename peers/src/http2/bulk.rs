//! One large content on one stream, each way, beside the better of both peers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use anyhow::{Result, ensure};
use bytes::Bytes;
use futures_core::Stream;
use turbohttp::Body;
use turbohttp_loopback::{Answerer, AnswererOptions};

use super::sender::{Peer, Sender, Target};
use super::{Plan, one_thread};
use crate::children::{CLIENT_CORE, SERVER_CORE};
use crate::load::Sender as _;
use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

const BYTES: usize = 1 << 30;

/// What each body is made of, the same memory again and again.
const PIECE_BYTES: usize = 64 * 1024;

/// As wide as ours becomes: the h2 crate does not widen its windows by itself.
const H2_STREAM_WINDOW: u32 = 4 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Up { is_length_known: bool },
}

/// Name, way, and how many times the rate of the better peer is demanded.
const CASES: [(&str, Way, f64); 3] = [
    ("1 GiB streamed, one stream", Way::Down, 0.97),
    (
        "1 GiB uploaded, one stream",
        Way::Up {
            is_length_known: true,
        },
        0.95,
    ),
    (
        "1 GiB uploaded, of unknown length",
        Way::Up {
            is_length_known: false,
        },
        0.95,
    ),
];

/// Of one peer, each round.
#[derive(Default)]
struct Rounds {
    /// 10^6 bytes per second.
    rates: Vec<f64>,
    /// Milliseconds of processor time of the client's thread.
    cpu_ms: Vec<f64>,
}

impl Rounds {
    fn push(&mut self, (rate, cpu_ms): (f64, f64)) {
        self.rates.push(rate);
        self.cpu_ms.push(cpu_ms);
    }

    fn medians(self) -> (f64, f64) {
        (median(self.rates), median(self.cpu_ms))
    }
}

pub(super) fn measure(plan: &Plan, verdict: &mut Verdict) -> Result<()> {
    let cases: Vec<_> = CASES.iter().filter(|case| plan.has(case.0)).collect();
    if cases.is_empty() {
        return Ok(());
    }
    machine::pin(CLIENT_CORE);
    println!(
        "| case | turbohttp MB/s | reqwest MB/s | h2 MB/s | of the better | CPU ms | CPU ms reqwest | CPU ms h2 |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, way, floor) in cases {
        let server = Answerer::start(AnswererOptions {
            content_bytes: if *way == Way::Down { BYTES } else { 0 },
            core: Some(SERVER_CORE),
            ..AnswererOptions::default()
        })?;
        let target = Target {
            h2_stream_window: H2_STREAM_WINDOW,
            ..Target::of(&server)
        };
        let peers = [Peer::Ours, Peer::Reqwest, Peer::H2];
        let mut rounds = [(); 3].map(|()| Rounds::default());
        for _ in 0..plan.rounds {
            for (peer, rounds) in peers.iter().zip(&mut rounds) {
                rounds.push(round(*way, *peer, &target)?);
            }
        }
        let [ours, reqwest, h2] = rounds.map(Rounds::medians);
        let ratio = ours.0 / reqwest.0.max(h2.0);
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {ratio:.2} | {:.0} | {:.0} | {:.0} |",
            ours.0, reqwest.0, h2.0, ours.1, reqwest.1, h2.1
        );
        let line = format!("{name}: {ratio:.2} times the better peer, at least {floor}");
        verdict.add(ratio >= *floor, line);
    }
    println!();
    Ok(())
}

/// 10^6 bytes per second, and what they cost in milliseconds of processor time; with the connection's begin.
fn round(way: Way, peer: Peer, target: &Target) -> Result<(f64, f64)> {
    one_thread()?.block_on(async {
        let mut sender = Sender::new(peer, target).await?;
        let (began, cpu) = (Instant::now(), machine::thread_cpu_time());
        match way {
            Way::Down => {
                let read = sender.get(&target.url).await?;
                ensure!(read == BYTES, "{read} of {BYTES} bytes");
            }
            Way::Up { is_length_known } => upload(sender, &target.url, is_length_known).await?,
        }
        let cpu = machine::thread_cpu_time() - cpu;
        let rate = BYTES as f64 / 1e6 / began.elapsed().as_secs_f64();
        Ok((rate, cpu.as_secs_f64() * 1e3))
    })
}

async fn upload(sender: Sender, url: &str, is_length_known: bool) -> Result<()> {
    let pieces = Pieces::new();
    let status = match sender {
        Sender::Ours(client) => {
            let length = is_length_known.then_some(BYTES as u64);
            let body = Body::from_stream(pieces, length);
            client.post(url).body(body).send().await?.status().as_u16()
        }
        Sender::Reqwest(client) => {
            let body = reqwest::Body::wrap_stream(pieces);
            client.post(url).body(body).send().await?.status().as_u16()
        }
        Sender::H2(sender) => upload_by_h2(sender, url, pieces).await?,
    };
    ensure!(status == 200, "status {status}");
    Ok(())
}

/// Sends as much as there is room for, and waits for room, as the h2 crate wants it.
async fn upload_by_h2(
    sender: h2::client::SendRequest<Bytes>,
    url: &str,
    pieces: Pieces,
) -> Result<u16> {
    let mut ready = sender.ready().await?;
    let request = http::Request::post(url).body(())?;
    let (response, mut stream) = ready.send_request(request, false)?;
    for mut piece in pieces {
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            let granted = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
            let Some(room) = granted.transpose()? else {
                anyhow::bail!("the stream has ended");
            };
            let part = piece.split_to(room.min(piece.len()));
            stream.send_data(part, false)?;
        }
    }
    stream.send_data(Bytes::new(), true)?;
    Ok(response.await?.status().as_u16())
}

/// The pieces of a body of [`BYTES`].
struct Pieces {
    piece: Bytes,
    left: usize,
}

impl Pieces {
    fn new() -> Pieces {
        Pieces {
            piece: vec![b'x'; PIECE_BYTES].into(),
            left: BYTES,
        }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(PIECE_BYTES)?;
        Some(self.piece.clone())
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        Poll::Ready(self.next().map(Ok))
    }
}
