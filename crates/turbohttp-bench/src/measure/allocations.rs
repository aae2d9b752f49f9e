//! What a request allocates, in steady state.

use bytes::Bytes;
use turbohttp::{Client, Error, ErrorKind, QueueOptions, RequestQueue, Result};
use turbohttp_loopback::{Options, Server};

use super::{Bench, one_thread};
use crate::meter::Reading;
use crate::mock::{ORIGIN, scenarios};
use crate::report::{Gate, figure};
use crate::scenario::Scenario;

/// Requests before counting begins: pools fill, buffers grow.
const WARM_UP: u64 = 200;

/// Blocks that are counted one by one: a mean could hide one that is worse.
const BLOCKS: u64 = 10;

const GROUP: &str = "allocations per request, worst of ten blocks";
const GROUP_OF_BYTES: &str =
    "bytes allocated per request beyond the body taken away, worst block of all";

/// The ways by which a request can be sent.
enum Way {
    Direct(Client),
    Queue(Client, RequestQueue),
}

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
    for transport in ["loopback", "mock"] {
        let is_mock = transport == "mock";
        let origin = if is_mock {
            ORIGIN.to_owned()
        } else {
            server.url("")
        };
        let mut worst = (0.0, "all");
        for (name, scenario, way) in rows(is_mock)? {
            let url = format!("{origin}{}", scenario.path());
            let cost = Box::pin(way.cost(name, scenario, &url, bench)).await?;
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

/// What is measured on one transport: every scenario sent directly, and one by every other way.
fn rows(is_mock: bool) -> Result<Vec<(&'static str, Scenario, Way)>> {
    let plain = || match is_mock {
        true => Client::builder().transport(scenarios()).build(),
        false => Client::new(),
    };
    let layered = match is_mock {
        true => Client::builder()
            .map_request(|_| ())
            .map_response(|_| ())
            .transport(scenarios())
            .build(),
        false => Client::builder()
            .map_request(|_| ())
            .map_response(|_| ())
            .build(),
    }?;
    let queue = |streamed| -> Result<Way> {
        let client = plain()?;
        let options = QueueOptions::default().workers(4).streamed(streamed);
        let queue = RequestQueue::new(&client, options)?;
        queue.start()?;
        Ok(Way::Queue(client, queue))
    };
    let client = plain()?;
    let direct = |scenario: Scenario| (scenario.name(), scenario, Way::Direct(client.clone()));
    let mut rows: Vec<_> = Scenario::ALL.map(direct).into();
    rows.push(("layered", Scenario::Get, Way::Direct(layered)));
    rows.push(("queue", Scenario::Get, queue(false)?));
    rows.push(("queue_streamed", Scenario::Get, queue(true)?));
    Ok(rows)
}

impl Way {
    async fn cost(
        &self,
        name: &str,
        scenario: Scenario,
        url: &str,
        bench: &Bench<'_>,
    ) -> Result<Cost> {
        let (body, block) = (scenario.body(), bench.effort.allocation_block);
        for _ in 0..WARM_UP {
            self.send(scenario, url, &body).await?;
        }
        let per_request = |count: u64| count as f64 / block as f64;
        let mut cost = Cost::default();
        for _ in 0..BLOCKS {
            let before = Reading::now();
            for _ in 0..block {
                self.send(scenario, url, &body).await?;
                bench.plant.allocate_with(name);
            }
            let seen = Reading::now().since(before);
            // A mock hands over what it has; then nothing was taken away.
            let beyond = per_request(seen.bytes) - scenario.bytes_taken() as f64;
            cost.mean += per_request(seen.allocations) / BLOCKS as f64;
            cost.worst = cost.worst.max(per_request(seen.allocations));
            cost.worst_bytes = cost.worst_bytes.max(beyond);
        }
        Ok(cost)
    }

    async fn send(&self, scenario: Scenario, url: &str, body: &Bytes) -> Result<()> {
        match self {
            Way::Direct(client) => scenario.run(client, url, body).await,
            Way::Queue(client, queue) => {
                let request = scenario.request(client, url, body)?;
                let submitted = queue.submit(request).await;
                let ticket = submitted.map_err(|refused| Error::new(refused.kind(), "refused"))?;
                scenario.read(ticket.await?).await
            }
        }
    }
}
