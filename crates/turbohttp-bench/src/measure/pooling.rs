//! What pooling saves: the same work with nothing coming back to the pool.
//!
//! A pool cannot be switched off, and need not be: who keeps what was rented makes every rent a miss.

use turbohttp::pool::{BufferOptions, BufferPool, ClearPolicy, ObjectPool, Reset};
use turbohttp::{Client, ErrorKind, Result};

use super::{Bench, one_thread};
use crate::because;
use crate::meter::Reading;
use crate::mock::{ORIGIN, works};
use crate::plant::Plant;
use crate::report::{Gate, figure};

const GROUP: &str = "allocations per operation that pooling saves";

/// Operations before counting begins.
const WARM_UP: usize = 100;

/// Operations that are counted. Those without a pool keep what they rent for as long.
const COUNTED: usize = 10_000;

const BUFFER_BYTES: usize = 8 * 1024;

/// A small object that is worth pooling.
#[derive(Default)]
struct Scratch(Vec<u8>);

impl Reset for Scratch {
    fn reset(&mut self) {
        self.0.clear();
    }

    fn is_blank(&self) -> bool {
        self.0.is_empty()
    }
}

pub(crate) fn measure(bench: &Bench<'_>) -> Result<Vec<Gate>> {
    // A pool that always misses is one to which nothing comes back, on the side that should be pooled.
    let keeps = |pool| bench.plant == Plant::PoolMisses(pool);
    let figures = [
        ("client", client(keeps("client"))?, client(true)?),
        ("objects", objects(keeps("objects"))?, objects(true)?),
        ("buffers", buffers(keeps("buffers"))?, buffers(true)?),
    ];
    let gate = |(name, with, without): (&'static str, f64, f64)| {
        let detail = format!("{} with, {} without", figure(with), figure(without));
        let gate = bench.gate(GROUP, &format!("pooling_saves_min.{name}"), without - with)?;
        Ok(gate.detailed(detail))
    };
    figures.into_iter().map(gate).collect()
}

/// Allocations per operation. What it rents is dropped at once, or kept until the end.
fn allocations<T>(keeps: bool, mut operation: impl FnMut() -> Result<T>) -> Result<f64> {
    for _ in 0..WARM_UP {
        operation()?;
    }
    let mut kept = Vec::with_capacity(COUNTED);
    let before = Reading::now();
    for _ in 0..COUNTED {
        let rented = operation()?;
        if keeps {
            kept.push(rented);
        }
    }
    let seen = Reading::now().since(before);
    Ok(seen.allocations as f64 / COUNTED as f64)
}

fn client(keeps: bool) -> Result<f64> {
    let client = Client::builder().transport(works()).build()?;
    let url = format!("{ORIGIN}/small");
    let runtime = one_thread()?;
    // The response is the context that is pooled; its permit has gone home with the end of the body.
    allocations(keeps, || {
        runtime.block_on(async {
            let mut response = client.get(&url).send().await?;
            while response.chunk().await?.is_some() {}
            Ok(response)
        })
    })
}

fn objects(keeps: bool) -> Result<f64> {
    let pool = ObjectPool::new(8, Scratch::default);
    let pool = pool.map_err(because(ErrorKind::Config, "pool"))?;
    allocations(keeps, || {
        let mut scratch = pool.take();
        scratch.0.extend_from_slice(b"a line of text");
        Ok(scratch)
    })
}

fn buffers(keeps: bool) -> Result<f64> {
    let options = BufferOptions::default().clear(ClearPolicy::OnTake);
    let pool = BufferPool::new(options).map_err(because(ErrorKind::Config, "pool"))?;
    allocations(keeps, || {
        let taken = pool.take(BUFFER_BYTES);
        taken.map_err(because(ErrorKind::Config, "buffer"))
    })
}
