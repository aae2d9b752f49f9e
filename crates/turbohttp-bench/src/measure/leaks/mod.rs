//! The search for leaks: warm up, be silent, look; then three blocks of mixed requests, and silence
//! and a look after each.
//!
//! Where a language with a collector would collect before it looks, here silence is waited for: every
//! caller has ended, the audits of clients and queue show nothing out, the server has as many
//! connections as the client keeps idle, and the runtime has no more tasks than before. What is live
//! then is what the client holds on to. Pools and maps are full after the warm-up, so from look to look
//! nothing may be added; what rises three times in a row is a slope, however small the sum.

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

/// What there is at one look.
#[derive(Clone, Copy, Debug)]
struct Look {
    live_bytes: i64,
    live_blocks: i64,
    resident_bytes: i64,
    descriptors: i64,
    tasks: i64,
}

impl Look {
    fn now(ground: &Ground) -> Look {
        // The meter last: it does not count what looking costs, which is given back.
        let (resident_bytes, descriptors) = (resident_bytes(), descriptors());
        let tasks = ground.tasks();
        let reading = Reading::now();
        Look {
            live_bytes: reading.live_bytes(),
            live_blocks: reading.live_blocks(),
            resident_bytes,
            descriptors,
            tasks,
        }
    }
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    let runtime = one_thread()?;
    let (looks, unquiet, seen) = runtime.block_on(Box::pin(search(bench)))?;
    gates(bench, &looks, unquiet, &seen)
}

/// The looks, in how many of them a pool or a limiter was not idle, and what was sent.
async fn search(bench: &Bench<'_>) -> Result<(Vec<Look>, u64, String)> {
    let ground = Ground::new(bench.effort.quiet_within)?;
    ground.send(mix::KINDS * WARM_UP, Plant::None).await?;
    let mut unquiet = u64::from(!ground.is_silent().await?);
    let mut looks = vec![Look::now(&ground)];
    looks.reserve(BLOCKS as usize);
    let warm = ground.seen();
    for block in 0..BLOCKS {
        ground.send(bench.effort.leak_block, bench.plant).await?;
        plant_in_block(bench.plant, block, &ground).await?;
        unquiet += u64::from(!ground.is_silent().await?);
        looks.push(Look::now(&ground));
    }
    let seen = ground.seen().since(&warm);
    Ok((looks, unquiet, seen.to_string()))
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

fn gates(bench: &Bench<'_>, looks: &[Look], unquiet: u64, seen: &str) -> Result<Vec<Gate>> {
    let steps = |of: fn(&Look) -> i64| -> Vec<i64> {
        looks
            .windows(2)
            .map(|pair| of(&pair[1]) - of(&pair[0]))
            .collect()
    };
    let bytes = steps(|look| look.live_bytes);
    let blocks = steps(|look| look.live_blocks);
    let most = |of: &str| bench.bound("leaks_rise_max", of);
    let (bytes_most, blocks_most) = (most("bytes")?, most("blocks")?);
    let rose =
        |(bytes, blocks): (&i64, &i64)| *bytes as f64 > bytes_most || *blocks as f64 > blocks_most;
    let rising = bytes
        .iter()
        .zip(&blocks)
        .map(rose)
        .filter(|rose| *rose)
        .count();
    let resident = steps(|look| look.resident_bytes);
    let row = |gate: &str, measured: i64, detail: String| -> Result<Gate> {
        let held = bench.gate("leaks_max", gate, measured as f64)?;
        Ok(held.named(GROUP, gate).detailed(detail))
    };
    let each = |steps: &[i64]| -> String {
        let texts: Vec<String> = steps.iter().map(|step| format!("{step:+}")).collect();
        texts.join(" ")
    };
    let (descriptors, tasks) = (steps(|look| look.descriptors), steps(|look| look.tasks));
    let resident_kib = figure((resident.iter().sum::<i64>() / 1024) as f64);
    Ok(vec![
        row(
            "live_bytes",
            bytes.iter().sum(),
            format!("{}; resident {resident_kib} KiB", each(&bytes)),
        )?,
        row("live_blocks", blocks.iter().sum(), each(&blocks))?,
        row("rising_blocks", rising as i64, String::new())?,
        row("descriptors", descriptors.iter().sum(), each(&descriptors))?,
        row("tasks", tasks.iter().sum(), each(&tasks))?,
        row("unquiet_audits", unquiet.cast_signed(), seen.to_owned())?,
    ])
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
