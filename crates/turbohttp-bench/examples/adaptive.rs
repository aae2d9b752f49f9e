//! Limits that follow what a server bears, beside fixed ones, before a server on the loopback whose capacity falls.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example spawns its server and prints its figures"
)]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use turbohttp::{AdaptiveLimit, Client, Limits, StatusCode};

/// Works on so many requests at once, 4 ms each, and answers 503 beyond.
async fn serve(mut stream: TcpStream, inside: Arc<AtomicUsize>, bears: Arc<AtomicUsize>) {
    let mut request = [0; 4_096];
    // Each request comes in one piece.
    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
        let is_refused = inside.fetch_add(1, Relaxed) >= bears.load(Relaxed);
        if !is_refused {
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        inside.fetch_sub(1, Relaxed);
        let status = if is_refused { "503 Busy" } else { "200 OK" };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (url, bears) = (
        format!("http://{}/", listener.local_addr()?),
        Arc::<AtomicUsize>::default(),
    );
    let shared = bears.clone();
    tokio::spawn(async move {
        let inside = Arc::default();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&inside), shared.clone()));
        }
    });
    let fixed = |limit| Client::builder().limits(Limits::default().per_host(limit));
    let adaptive = |rule| Client::builder().adaptive_limit(rule);
    for (name, builder) in [
        ("fixed at 4", fixed(4)),
        ("fixed at 64", fixed(64)),
        ("aimd", adaptive(AdaptiveLimit::aimd())),
        ("gradient", adaptive(AdaptiveLimit::gradient())),
    ] {
        let client = builder.build()?;
        for capacity in [30, 6] {
            bears.store(capacity, Relaxed);
            let start = Instant::now();
            let send = || tokio::spawn(client.get(&url).send());
            let sending: Vec<_> = (0..2_000).map(|_| send()).collect();
            let (mut good, mut limit) = (0, 0);
            for sent in sending {
                let status = sent.await.expect("no task panics")?.status();
                good += u32::from(status == StatusCode::OK);
                let busy = client.audit().scheduler.busy;
                limit = busy.first().map_or(limit, |origin| origin.limit);
            }
            let rate = f64::from(good) / start.elapsed().as_secs_f64();
            println!(
                "{name:<11} server bears {capacity:>2}: {good} of 2000, {rate:.0}/s, limit {limit}"
            );
        }
    }
    Ok(())
}
