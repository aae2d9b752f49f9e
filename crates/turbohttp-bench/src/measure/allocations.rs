//! What a request allocates, in steady state.

use turbohttp::{Error, ErrorKind, Result};
use turbohttp_loopback::{Options, Server};

use super::{Bench, one_thread};
use crate::meter::Reading;
use crate::mock::ORIGIN;
use crate::report::{Gate, figure};
use crate::work::{Carrier, Work};

/// Requests before counting begins: pools fill, buffers grow.
const WARM_UP: u64 = 200;

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

async fn all(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let server = Server::start(Options::default())
        .map_err(|error| Error::new(ErrorKind::Io, "loopback server").with_source(error))?;
    let (mut gates, mut bytes) = (Vec::new(), Vec::new());
    for (transport, carrier) in [("loopback", Carrier::Network), ("mock", Carrier::Mock)] {
        let origin = match carrier {
            Carrier::Network => server.url(""),
            Carrier::Mock => ORIGIN.to_owned(),
        };
        let mut worst = (0.0, "all");
        for name in Work::names() {
            let work = Work::new(name, carrier)?;
            let url = format!("{origin}{}", work.scenario().path());
            let cost = Box::pin(cost(&work, &url, bench)).await?;
            Box::pin(work.end()).await;
            // The server's share of that end is counted too, and must not be in the next figure.
            server.all_closed().await;
            if cost.worst_bytes > worst.0 {
                worst = (cost.worst_bytes, name);
            }
            let gate = bench.gate("allocations_max", name, cost.worst)?;
            let detail = format!(
                "mean {}, {} bytes",
                figure(cost.mean),
                figure(cost.worst_bytes)
            );
            gates.push(
                gate.named(GROUP, format!("{name}, {transport}"))
                    .detailed(detail),
            );
        }
        for gate in ["primary", "stretch"] {
            let gate_of_bytes = bench.gate("bytes_allocated_max", gate, worst.0)?;
            let name = format!("{gate}, {transport}");
            bytes.push(gate_of_bytes.named(GROUP_OF_BYTES, name).detailed(worst.1));
        }
    }
    gates.append(&mut bytes);
    Ok(gates)
}

/// Counts in steady state.
async fn cost(work: &Work, url: &str, bench: &Bench<'_>) -> Result<Cost> {
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
            bench.plant.allocate_with(work.name());
        }
        let seen = Reading::now().since(before);
        // A mock hands over what it has; then nothing was taken away.
        let beyond = per_request(seen.bytes) - work.scenario().bytes_taken() as f64;
        cost.mean += per_request(seen.allocations) / BLOCKS as f64;
        cost.worst = cost.worst.max(per_request(seen.allocations));
        cost.worst_bytes = cost.worst_bytes.max(beyond);
    }
    Ok(cost)
}
