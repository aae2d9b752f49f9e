//! What a request allocates, in steady state.

use turbohttp::{Client, ErrorKind, Result};
use turbohttp_loopback::{Answerer, AnswererOptions};

use super::{Bench, one_thread, server};
use crate::because;
use crate::meter::Reading;
use crate::mock::{ORIGIN, works};
use crate::report::{Gate, figure};
use crate::work::{KINDS, Work};

/// Requests before counting begins: pools fill, buffers grow, and HTTP/2 remembers 512 streams that were reset.
const WARM_UP: u64 = 600;

/// Blocks that are counted one by one: a mean could hide one that is worse.
const BLOCKS: u64 = 10;

const GROUP: &str = "allocations per request, worst of ten blocks";
const GROUP_OF_BYTES: &str =
    "bytes allocated per request beyond the body taken away, worst block of all";

/// Allocations of one request.
#[derive(Default)]
struct Cost {
    mean: f64,
    worst: f64,
    worst_bytes: f64,
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    one_thread()?.block_on(Box::pin(all(bench)))
}

/// The works that go over HTTP/2, and the bytes of their answers.
const OVER_HTTP2: [(&str, usize); 7] = [
    ("h2_get", 13),
    ("h2_empty", 0),
    ("h2_get_64k", 64 * 1024),
    ("h2_post", 13),
    ("h2_bytes", 13),
    ("h2_trailers", 13),
    ("h2_cancelled", 13),
];

/// Over HTTP/2, beside a server that allocates nothing for a request.
async fn over_http2(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let mut gates = Vec::new();
    for (name, content_bytes) in OVER_HTTP2 {
        let server = Answerer::start(AnswererOptions {
            content_bytes,
            has_trailers: name == "h2_trailers",
            ..AnswererOptions::default()
        });
        let server =
            server.map_err(because(ErrorKind::Runtime, "starting the server of HTTP/2"))?;
        let work = Work::new(name, Client::builder())?;
        let cost = Box::pin(cost(&work, name, &server.url("/"), bench)).await?;
        Box::pin(work.end()).await;
        let gate = bench.gate(GROUP, &format!("allocations_max.{name}"), cost.worst)?;
        let detail = format!("mean {}", figure(cost.mean));
        gates.push(gate.on("loopback").detailed(detail));
    }
    Ok(gates)
}

async fn all(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let server = server()?;
    let (mut gates, mut bytes) = (Vec::new(), Vec::new());
    for transport in ["loopback", "mock"] {
        let mut worst = (0.0, "all");
        for name in KINDS.each_ref().map(|kind| kind.name) {
            let (client, origin) = match transport {
                "mock" => (Client::builder().transport(works()), ORIGIN.to_owned()),
                _ => (Client::builder(), server.url("")),
            };
            let work = Work::new(name, client)?;
            let url = work.url(&origin);
            let cost = Box::pin(cost(&work, name, &url, bench)).await?;
            Box::pin(work.end()).await;
            // The server's share of that end is counted too, and must not be in the next figure.
            server.all_closed().await;
            if cost.worst_bytes > worst.0 {
                worst = (cost.worst_bytes, name);
            }
            let (mean, of_bytes) = (figure(cost.mean), figure(cost.worst_bytes));
            let gate = bench.gate(GROUP, &format!("allocations_max.{name}"), cost.worst)?;
            let detail = format!("mean {mean}, {of_bytes} bytes");
            gates.push(gate.on(transport).detailed(detail));
        }
        for gate in ["primary", "stretch"] {
            let id = format!("bytes_allocated_max.{gate}");
            let gate = bench.gate(GROUP_OF_BYTES, &id, worst.0)?;
            bytes.push(gate.on(transport).detailed(worst.1.to_owned()));
        }
    }
    gates.append(&mut Box::pin(over_http2(bench)).await?);
    gates.append(&mut bytes);
    Ok(gates)
}

/// Counts in steady state.
async fn cost(work: &Work, name: &str, url: &str, bench: &Bench<'_>) -> Result<Cost> {
    let block = bench.effort.allocation_block;
    for _ in 0..WARM_UP {
        work.run(url).await?;
    }
    let per_request = |count: u64| count as f64 / block as f64;
    let mut cost = Cost::default();
    for _ in 0..BLOCKS {
        let before = Reading::now();
        for _ in 0..block {
            work.run(url).await?;
            bench.plant.allocate_with(name);
        }
        let seen = Reading::now().since(before);
        // A mock hands over what it has; then nothing was taken away.
        let beyond = per_request(seen.bytes) - work.taken as f64;
        cost.mean += per_request(seen.allocations) / BLOCKS as f64;
        cost.worst = cost.worst.max(per_request(seen.allocations));
        cost.worst_bytes = cost.worst_bytes.max(beyond);
    }
    Ok(cost)
}
