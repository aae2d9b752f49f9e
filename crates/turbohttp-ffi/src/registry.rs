//! The clients of the process, by slot and generation.

use std::sync::{Arc, PoisonError, RwLock};

use crate::abi::ThClient;
use crate::engine::Engine;
use crate::fault::{Fault, Result};

/// The most clients of a process.
pub(crate) const CLIENTS_MAX: usize = 256;

const SLOT_BITS: u32 = 8;
const GENERATION_MAX: u32 = (1 << 24) - 1;

static CLIENTS: [RwLock<Entry>; CLIENTS_MAX] = [const { RwLock::new(Entry::EMPTY) }; CLIENTS_MAX];

#[derive(Debug)]
struct Entry {
    generation: u32,
    owner: u64,
    state: Occupant,
}

#[derive(Debug)]
enum Occupant {
    Nobody,
    /// A client is being made.
    Reserved,
    Client(Arc<Engine>),
}

impl Entry {
    const EMPTY: Entry = Entry {
        generation: 0,
        owner: 0,
        state: Occupant::Nobody,
    };
}

/// Makes a client in a free slot.
pub(crate) fn insert(
    owner: u64,
    make: impl FnOnce(ThClient) -> Result<Engine>,
) -> Result<ThClient> {
    let (index, handle) = reserve(owner)?;
    let reserved = Reserved {
        index,
        generation: handle >> SLOT_BITS,
    };
    let engine = Arc::new(make(handle)?);
    let mut slot = write(index);
    if slot.generation != handle >> SLOT_BITS {
        drop(slot);
        let text = "the domain of the client has ended while it was made";
        return Err(Fault::new(crate::abi::TH_SHUTDOWN, text));
    }
    slot.state = Occupant::Client(engine);
    drop(slot);
    std::mem::forget(reserved);
    Ok(handle)
}

fn reserve(owner: u64) -> Result<(usize, ThClient)> {
    for index in 0..CLIENTS_MAX {
        let mut slot = write(index);
        if matches!(slot.state, Occupant::Nobody) {
            // Never 0: a handle of 0 is none.
            slot.generation = slot.generation % GENERATION_MAX + 1;
            slot.owner = owner;
            slot.state = Occupant::Reserved;
            return Ok((index, slot.generation << SLOT_BITS | index as u32));
        }
    }
    let text = format!("{CLIENTS_MAX} clients exist already: destroy some");
    Err(Fault::new(crate::abi::TH_QUEUE_FULL, text))
}

/// Frees the slot where making its client failed, or panicked.
struct Reserved {
    index: usize,
    generation: u32,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let mut slot = write(self.index);
        // Another one has it already where the domain has ended meanwhile.
        if slot.generation == self.generation {
            slot.state = Occupant::Nobody;
        }
    }
}

/// The client of a handle. It lives at least until the call that asked is over.
pub(crate) fn get(handle: ThClient) -> Result<Arc<Engine>> {
    let slot = &CLIENTS[(handle & 0xff) as usize];
    let slot = slot.read().unwrap_or_else(PoisonError::into_inner);
    match &slot.state {
        Occupant::Client(engine) if slot.generation == handle >> SLOT_BITS => Ok(engine.clone()),
        _ => Err(Fault::stale("client")),
    }
}

/// Takes a client out: from now on its handle is stale.
pub(crate) fn remove(handle: ThClient) -> Result<Arc<Engine>> {
    let mut slot = write((handle & 0xff) as usize);
    if slot.generation != handle >> SLOT_BITS {
        return Err(Fault::stale("client"));
    }
    take(&mut slot).ok_or_else(|| Fault::stale("client"))
}

/// Takes all clients of an owner out.
pub(crate) fn remove_all(owner: u64) -> Vec<Arc<Engine>> {
    let mut clients = Vec::new();
    for index in 0..CLIENTS_MAX {
        let mut slot = write(index);
        if slot.owner == owner {
            clients.extend(take(&mut slot));
            if matches!(slot.state, Occupant::Reserved) {
                // Who makes it finds another generation, and lets it go.
                slot.generation = slot.generation % GENERATION_MAX + 1;
                slot.state = Occupant::Nobody;
            }
        }
    }
    clients
}

pub(crate) fn count() -> usize {
    let slots = CLIENTS.iter().map(|slot| {
        let slot = slot.read().unwrap_or_else(PoisonError::into_inner);
        matches!(slot.state, Occupant::Client(_))
    });
    slots.filter(|is_one| *is_one).count()
}

fn take(slot: &mut Entry) -> Option<Arc<Engine>> {
    match std::mem::replace(&mut slot.state, Occupant::Nobody) {
        Occupant::Client(engine) => Some(engine),
        other => {
            slot.state = other;
            None
        }
    }
}

fn write(index: usize) -> std::sync::RwLockWriteGuard<'static, Entry> {
    CLIENTS[index]
        .write()
        .unwrap_or_else(PoisonError::into_inner)
}
