//! What `cargo xtask gates` counts: so many requests of one scenario, and nothing else.
//!
//! ```text
//! count serve                              a loopback server; prints its URL, ends with its input
//! count URL SCENARIO CALLERS REQUESTS      sends exactly REQUESTS requests, CALLERS at a time
//! ```
//!
//! The scenarios `limiter` and `limiter_crowd` send nothing: they do as many operations behind a limiter.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a command: its output is its purpose")]

use std::error::Error;
use std::io::Read;

use tokio::task::JoinSet;
use turbohttp::{Client, ConcurrencyLimiter, Limits};
use turbohttp_bench::Scenario;
use turbohttp_loopback::{Options, Server};

const USAGE: &str = "usage: count serve | count URL SCENARIO CALLERS REQUESTS";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve"] => serve(),
        [_, "limiter", _, operations] => {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(limit(1, operations.parse()?))
        }
        [_, "limiter_crowd", callers, operations] => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()?;
            runtime.block_on(limit(callers.parse()?, operations.parse()?))
        }
        [url, scenario, callers, requests] => {
            let scenario = Scenario::named(scenario).ok_or(USAGE)?;
            let url = format!("{}{}", url.trim_end_matches('/'), scenario.path());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(send(url, scenario, callers.parse()?, requests.parse()?))
        }
        _ => Err(USAGE.into()),
    }
}

fn serve() -> Result<()> {
    let server = Server::start(Options::default())?;
    println!("{}", server.url(""));
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Does so many operations behind a limit of 8, each of which lets others in between if there are any.
async fn limit(callers: u64, operations: u64) -> Result<()> {
    let limiter = ConcurrencyLimiter::new(&Limits::default().per_host(8))?;
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let lane = limiter.lane("http://host.test:8080")?;
        let share = operations / callers + u64::from(caller < operations % callers);
        tasks.spawn(async move {
            for _ in 0..share {
                match callers {
                    1 => lane.execute(std::future::ready(())).await?,
                    _ => lane.execute(tokio::task::yield_now()).await?,
                }
            }
            Ok::<(), turbohttp::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn send(url: String, scenario: Scenario, callers: u64, requests: u64) -> Result<()> {
    let client = Client::new()?;
    let body = scenario.body();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (client, url, body) = (client.clone(), url.clone(), body.clone());
        let share = requests / callers + u64::from(caller < requests % callers);
        tasks.spawn(async move {
            for _ in 0..share {
                scenario.run(&client, &url, &body).await?;
            }
            Ok::<(), turbohttp::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
