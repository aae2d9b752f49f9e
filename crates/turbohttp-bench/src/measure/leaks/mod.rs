//! The search for leaks: warm up, be silent, look; then three blocks of mixed requests, and silence
//! and a look after each.
//!
//! Where a language with a collector would collect before it looks, here silence is waited for: every
//! caller has ended, the audits of clients and queue show nothing out, the server has as many
//! connections as the client keeps idle, and the runtime has no more tasks than before. What is live
//! then is what the client holds on to. Pools and maps are full after the warm-up, so from look to look
//! nothing may be added; what rises three times in a row is a slope, however small the sum.

use std::array::from_fn;

use tokio::runtime::Handle;
use turbohttp::Result;

use super::{Bench, one_thread};
use crate::meter::Reading;
use crate::plant::{Plant, lose};
use crate::report::{Gate, figure};
use ground::Ground;

mod ground;
mod mix;

/// Requests of each kind before the first look.
const WARM_UP: u64 = 100;

/// Blocks between looks.
const BLOCKS: u64 = 3;

const GROUP: &str = "growth over 3 blocks of mixed requests, each ended by silence";

/// What may not grow.
const FIGURES: [&str; 4] = ["live_bytes", "live_blocks", "descriptors", "tasks"];

/// What there is at one look.
struct Look {
    figures: [i64; FIGURES.len()],
    resident_bytes: i64,
}

impl Look {
    fn now() -> Look {
        // The meter last: it does not count what looking costs, which is given back.
        let (resident_bytes, descriptors) = (resident_bytes(), descriptors());
        let tasks = Handle::current().metrics().num_alive_tasks() as i64;
        let reading = Reading::now();
        let (bytes, blocks) = (reading.live_bytes(), reading.live_blocks());
        Look {
            figures: [bytes, blocks, descriptors, tasks],
            resident_bytes,
        }
    }
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    one_thread()?.block_on(Box::pin(search(bench)))
}

async fn search(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let ground = Ground::new(bench.effort.quiet_within)?;
    ground.send(mix::KINDS * WARM_UP, Plant::None).await?;
    let mut unquiet = i64::from(!ground.is_silent().await?);
    let mut looks = vec![Look::now()];
    looks.reserve(BLOCKS as usize);
    ground.seen().values_mut().for_each(|count| *count = 0);
    for block in 0..BLOCKS {
        ground.send(bench.effort.leak_block, bench.plant).await?;
        plant_in_block(bench.plant, block, &ground).await?;
        unquiet += i64::from(!ground.is_silent().await?);
        looks.push(Look::now());
    }
    let seen = ground.seen();
    let seen: Vec<String> = seen.iter().map(|(end, n)| format!("{n} {end}")).collect();
    gates(bench, &looks, unquiet, seen.join(", "))
}

/// What a planted leak loses in a block, beside what it loses with each request.
async fn plant_in_block(plant: Plant, block: u64, ground: &Ground) -> Result<()> {
    match plant {
        Plant::LeakPerBlock(bytes) => lose(bytes),
        Plant::LeakOnce(bytes) if block == 0 => lose(bytes),
        Plant::LeakDescriptor => {
            if let Ok(file) = std::fs::File::open("/dev/null") {
                std::mem::forget(file);
            }
        }
        Plant::LeakTask => drop(Handle::current().spawn(std::future::pending::<()>())),
        Plant::LeakResponse => std::mem::forget(ground.response().await?),
        _ => {}
    }
    Ok(())
}

/// The looks beside their bounds, in how many of them something was not idle, and what was sent.
fn gates(bench: &Bench<'_>, looks: &[Look], unquiet: i64, seen: String) -> Result<Vec<Gate>> {
    let added = |pair: &[Look]| from_fn(|of| pair[1].figures[of] - pair[0].figures[of]);
    let steps: Vec<[i64; FIGURES.len()]> = looks.windows(2).map(added).collect();
    let bytes_most = bench.bound("leaks_rise_max.bytes")?;
    let blocks_most = bench.bound("leaks_rise_max.blocks")?;
    let rises = |[bytes, blocks, ..]: &&[i64; FIGURES.len()]| {
        *bytes as f64 > bytes_most || *blocks as f64 > blocks_most
    };
    let rising = steps.iter().filter(rises).count() as i64;
    let mut rows = Vec::new();
    for (of, name) in FIGURES.into_iter().enumerate() {
        let each: Vec<String> = steps.iter().map(|step| format!("{:+}", step[of])).collect();
        let sum: i64 = steps.iter().map(|step| step[of]).sum();
        rows.push((name, sum, each.join(" ")));
    }
    let resident_bytes = looks[looks.len() - 1].resident_bytes - looks[0].resident_bytes;
    let resident_kib = figure((resident_bytes / 1024) as f64);
    rows[0].2 += &format!("; resident {resident_kib} KiB");
    rows.insert(2, ("rising_blocks", rising, String::new()));
    rows.push(("unquiet_audits", unquiet, seen));
    let gate = |(name, measured, detail)| {
        let gate = bench.gate(GROUP, &format!("leaks_max.{name}"), measured as f64)?;
        Ok(gate.detailed(detail))
    };
    rows.into_iter().map(gate).collect()
}

/// Memory that the system has given to the process, in bytes; 0 where it does not say.
fn resident_bytes() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<i64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Open descriptors of the process; 0 where the system does not say.
fn descriptors() -> i64 {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as i64)
}
