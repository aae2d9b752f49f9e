//! Coded bodies, redirects and proxies, beside reqwest with the same features.
//!
//! A server in a thread of its own on one core, a client on another, 64 callers. Rounds are interleaved;
//! the result is medians and their ratio.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::children::{CLIENT_CORE, SERVER_CORE};
use crate::load::{self, Crowd, Rate};
use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

const CALLERS: usize = 64;
const HOPS: usize = 5;
const TEXT_BYTES: usize = 64 * 1024;

/// What is asked for, and how many times reqwest's rate ours must reach.
struct Case {
    name: &'static str,
    path: &'static str,
    by_proxy: bool,
    bytes: usize,
    floor: f64,
}

const CASES: [Case; 3] = [
    Case {
        name: "gzip, 64 KiB decoded",
        path: "/gzip",
        by_proxy: false,
        bytes: TEXT_BYTES,
        floor: 1.2,
    },
    Case {
        name: "5 redirects",
        path: "/hop/5",
        by_proxy: false,
        bytes: 13,
        floor: 1.8,
    },
    Case {
        name: "GET through an HTTP proxy",
        path: "/hop/0",
        by_proxy: true,
        bytes: 13,
        floor: 1.8,
    },
];

/// One of the two clients, for one case.
#[derive(Clone)]
enum Sender {
    Ours(turbohttp::Client),
    Reqwest(reqwest::Client),
}

impl Sender {
    fn ours(proxy: Option<SocketAddr>) -> Result<Sender> {
        let mut builder = turbohttp::Client::builder();
        if let Some(proxy) = proxy {
            builder = builder.proxy(turbohttp::Proxy::all(&format!("http://{proxy}"))?);
        }
        Ok(Sender::Ours(builder.build()?))
    }

    fn reqwest(proxy: Option<SocketAddr>) -> Result<Sender> {
        let mut builder = reqwest::Client::builder().no_proxy();
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::all(format!("http://{proxy}"))?);
        }
        let builder = builder.tls_backend_preconfigured(crate::peers::tls::client_config(None)?);
        Ok(Sender::Reqwest(builder.build()?))
    }
}

impl load::Sender for Sender {
    async fn get(&mut self, url: &str) -> Result<usize> {
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
        }
        Ok(bytes)
    }
}

/// Measures and prints; says whether each floor was reached.
pub(crate) fn run(rounds: u32, seconds: f64) -> Result<Verdict> {
    ensure!(rounds > 0, "at least one round");
    let server = serve()?;
    machine::pin(CLIENT_CORE);
    let mut verdict = Verdict::default();
    println!(
        "| case | turbohttp/s | reqwest/s | ratio | floor | CPU us | CPU us reqwest | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for case in &CASES {
        let (mut ours, mut theirs) = (Rates::default(), Rates::default());
        let proxy = case.by_proxy.then_some(server);
        let url = match case.by_proxy {
            true => format!("http://origin.test{}", case.path),
            false => format!("http://{server}{}", case.path),
        };
        for _ in 0..rounds {
            ours.push(round(Sender::ours(proxy)?, &url, case.bytes, seconds)?);
            theirs.push(round(Sender::reqwest(proxy)?, &url, case.bytes, seconds)?);
        }
        let (ours, our_cpu) = ours.medians();
        let (theirs, their_cpu) = theirs.medians();
        let (ratio, floor) = (ours / theirs, case.floor);
        let by_cpu = their_cpu / our_cpu;
        println!(
            "| {} | {ours:.0} | {theirs:.0} | {ratio:.2} | {floor} | {our_cpu:.2} | {their_cpu:.2} | {by_cpu:.2} |",
            case.name
        );
        let line = format!("{}: {ratio:.2} times reqwest, at least {floor}", case.name);
        verdict.add(ratio >= floor, line);
    }
    Ok(verdict)
}

/// Of each round.
#[derive(Default)]
struct Rates {
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
}

impl Rates {
    fn push(&mut self, rate: Rate) {
        self.per_second.push(rate.per_second);
        self.cpu_us.push(rate.cpu_us);
    }

    fn medians(self) -> (f64, f64) {
        (median(self.per_second), median(self.cpu_us))
    }
}

fn round(sender: Sender, url: &str, bytes: usize, seconds: f64) -> Result<Rate> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let crowd = Crowd {
        callers: CALLERS,
        url: url.into(),
        bytes,
    };
    runtime.block_on(crowd.measure(&sender, seconds))
}

/// A server that ends with the process.
fn serve() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let answers = Arc::new(Answers::new()?);
    std::thread::spawn(move || {
        machine::pin(SERVER_CORE);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let accept = async move {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer(stream, answers.clone()));
            }
        };
        let ended: Result<()> = runtime
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(accept));
        if let Err(error) = ended {
            eprintln!("server: {error}");
        }
    });
    Ok(address)
}

struct Answers {
    gzip: Vec<u8>,
    /// By the redirects that are left.
    hops: Vec<Vec<u8>>,
}

impl Answers {
    fn new() -> Result<Answers> {
        // Text that shrinks to about a third, as markup does.
        let words = [
            "stream",
            "<div class=\"row\">",
            "value",
            "</div>\n",
            "0123456789",
            " the ",
        ];
        let mut text = Vec::new();
        let mut state = 1u64;
        while text.len() < TEXT_BYTES {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.extend_from_slice(words[(state >> 60) as usize % words.len()].as_bytes());
            text.extend_from_slice(format!("{:x}", state >> 52).as_bytes());
        }
        text.truncate(TEXT_BYTES);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&text)?;
        let coded = encoder.finish()?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            coded.len()
        );
        let end = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, world!";
        let hop = |left: usize| {
            format!("HTTP/1.1 302 Found\r\nlocation: /hop/{left}\r\ncontent-length: 5\r\n\r\nmoved")
        };
        let hops = (0..=HOPS).map(|left| match left {
            0 => end.as_bytes().to_vec(),
            left => hop(left - 1).into_bytes(),
        });
        Ok(Answers {
            gzip: [head.as_bytes(), &coded].concat(),
            hops: hops.collect(),
        })
    }

    fn to(&self, head: &[u8]) -> &[u8] {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        match line.windows(5).position(|window| window == b"/hop/") {
            Some(at) => &self.hops[usize::from(line[at + 5] - b'0').min(HOPS)],
            None => &self.gzip,
        }
    }
}

async fn answer(mut stream: TcpStream, answers: Arc<Answers>) {
    let mut buffer = vec![0; 8 * 1024];
    let mut filled = 0;
    _ = stream.set_nodelay(true);
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        // One request at a time: neither client sends a second one before the answer.
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            if stream
                .write_all(answers.to(&buffer[..filled]))
                .await
                .is_err()
            {
                return;
            }
            filled = 0;
        }
    }
}
