//! What `cargo xtask gates` and `cargo xtask heap` look at from outside: so many requests of one kind,
//! and nothing else.
//!
//! ```text
//! count serve                                     a loopback server; prints its URL, ends with its input
//! count serve-http2 CONTENT_BYTES                 the same of HTTP/2, with one answer for all requests
//! count URL WORK CALLERS REQUESTS [REGRESSION]    sends exactly REQUESTS requests, CALLERS at a time
//! count allocations                               prints what each kind of request allocates
//! ```
//!
//! The works `limiter` and `limiter_crowd` send nothing: they do as many operations behind a limiter.
//! At its end it prints how much its own meter has counted, from its start.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command: its output is its purpose")]

use std::error::Error;
use std::io::Read;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use turbohttp::{Client, ConcurrencyLimiter, Limits};
use turbohttp_bench::plant::{Outside, Plant, outside};
use turbohttp_bench::{Budgets, Effort, Measurement, Work, meter, run_planted};
use turbohttp_loopback::{Answerer, AnswererOptions, Options, Server};

const USAGE: &str = "usage: count serve | count serve-http2 CONTENT_BYTES | count allocations | count URL WORK CALLERS REQUESTS [REGRESSION]";

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What strikes with every operation, if something is planted.
type Planted = Option<Arc<Outside>>;

/// How much there is to do.
#[derive(Clone, Copy)]
struct Load {
    callers: u64,
    operations: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => serve(),
        ["serve-http2", content_bytes] => serve_http2(content_bytes.parse()?),
        ["allocations"] => allocations(),
        [url, work, callers, requests, ref planted @ ..] if planted.len() < 2 => {
            let load = Load {
                callers: callers.parse()?,
                operations: requests.parse()?,
            };
            let planted = planted.first().map(|name| outside(name)).transpose()?;
            count(url, work, load, planted.map(Arc::new))
        }
        _ => Err(USAGE.into()),
    }
}

fn serve() -> Result<()> {
    let server = Server::start(Options::default())?;
    announce(&server.url(""))
}

fn serve_http2(content_bytes: usize) -> Result<()> {
    let server = Answerer::start(AnswererOptions {
        content_bytes,
        ..AnswererOptions::default()
    })?;
    announce(&server.url(""))
}

/// Prints the URL of a server, and returns when the input has ended.
fn announce(url: &str) -> Result<()> {
    println!("{url}");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn allocations() -> Result<()> {
    let budgets = Budgets::built_in()?;
    let wanted = [Measurement::Allocations];
    let report = run_planted(&wanted, &budgets, &Effort::brief(), Plant::None)?;
    for gate in report.gates {
        println!("{}\t{}\t{}", gate.id, gate.name, gate.measured);
    }
    Ok(())
}

fn count(url: &str, work: &str, load: Load, planted: Planted) -> Result<()> {
    let mut runtime = Builder::new_current_thread();
    let runtime = match work {
        // One operation at a time needs no clock.
        "limiter" => runtime.build()?,
        "limiter_crowd" => runtime.enable_time().build()?,
        _ => runtime.enable_all().build()?,
    };
    match work {
        "limiter" => runtime.block_on(limit(Load { callers: 1, ..load }, planted))?,
        "limiter_crowd" => runtime.block_on(limit(load, planted))?,
        _ => runtime.block_on(send(url, work, load, planted))?,
    }
    let meter::Reading {
        allocations, bytes, ..
    } = meter::Reading::now();
    println!("allocations {allocations} bytes {bytes}");
    Ok(())
}

/// Does so many operations behind a limit of 8, each of which lets others in between if there are any.
async fn limit(load: Load, planted: Planted) -> Result<()> {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(8))?;
    let lane = limiter.lane("http://host.test:8080")?;
    let caller = |operations| {
        let (lane, planted) = (lane.clone(), planted.clone());
        async move {
            for _ in 0..operations {
                match load.callers {
                    1 => lane.execute(std::future::ready(())).await?,
                    _ => lane.execute(tokio::task::yield_now()).await?,
                }
                planted.iter().for_each(|planted| planted());
            }
            Ok(())
        }
    };
    crowd(load, caller).await
}

async fn send(url: &str, work: &str, load: Load, planted: Planted) -> Result<()> {
    let work = Arc::new(Work::new(
        work,
        Client::builder().decoding(turbohttp::Decoding::none()),
    )?);
    let url: Arc<str> = work.url(url).into();
    let caller = |requests| {
        let (work, url, planted) = (work.clone(), url.clone(), planted.clone());
        async move {
            for _ in 0..requests {
                work.run(&url).await?;
                planted.iter().for_each(|planted| planted());
            }
            Ok(())
        }
    };
    crowd(load, caller).await
}

/// Has each caller do its share of the operations.
async fn crowd<F>(load: Load, caller: impl Fn(u64) -> F) -> Result<()>
where
    F: Future<Output = turbohttp::Result<()>> + Send + 'static,
{
    let share = |number| {
        load.operations / load.callers + u64::from(number < load.operations % load.callers)
    };
    let mut callers: JoinSet<_> = (0..load.callers).map(share).map(caller).collect();
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}
