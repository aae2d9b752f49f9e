//! The requests of a client, by slot and generation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::{TH_QUEUE_FULL, ThClient, ThRequestId};
use crate::call::Call;
use crate::fault::{Fault, Result};

/// The most requests of a client; a slot has 20 bits.
pub(crate) const REQUESTS_MAX: u32 = 65_536;

const SLOT_BITS: u32 = 20;
const GENERATION_BITS: u32 = 32;

/// A table that grows up to its limit. A slot that is free again has the next generation.
#[derive(Debug)]
pub(crate) struct Requests {
    table: Mutex<Table>,
    client: ThClient,
    most: u32,
}

#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    generation: u32,
    call: Option<Arc<Call>>,
}

/// The place of a request: its slot, and its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) id: ThRequestId,
}

impl Requests {
    pub(crate) fn new(client: ThClient, most: u32) -> Requests {
        Requests {
            table: Mutex::default(),
            client,
            most,
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request into a free slot.
    pub(crate) fn insert(&self, make: impl FnOnce(Place) -> Arc<Call>) -> Result<Arc<Call>> {
        let mut table = self.table();
        let slot = match table.free.pop() {
            Some(slot) => slot,
            None if table.entries.len() < self.most as usize => {
                table.entries.push(Entry {
                    generation: 1,
                    call: None,
                });
                table.entries.len() as u32 - 1
            }
            None => {
                let text = format!("{} requests exist already: release some", self.most);
                return Err(Fault::new(TH_QUEUE_FULL, text));
            }
        };
        let entry = &mut table.entries[slot as usize];
        let id = id(self.client, entry.generation, slot);
        let call = make(Place { slot, id });
        entry.call = Some(call.clone());
        Ok(call)
    }

    pub(crate) fn get(&self, id: ThRequestId) -> Result<Arc<Call>> {
        let table = self.table();
        let call = table.entry(id).and_then(|entry| entry.call.clone());
        call.filter(|call| call.id() == id)
            .ok_or_else(|| Fault::stale("request"))
    }

    /// Takes a request out; its slot is free for the next one.
    pub(crate) fn remove(&self, id: ThRequestId) -> Result<Arc<Call>> {
        let mut table = self.table();
        let slot = slot(id);
        let entry = table.entries.get_mut(slot as usize);
        let entry = entry.filter(|entry| entry.call.as_ref().is_some_and(|call| call.id() == id));
        let Some(entry) = entry else {
            return Err(Fault::stale("request"));
        };
        let call = entry.call.take().expect("it was there");
        // Generation 0 is none.
        entry.generation = entry.generation.checked_add(1).unwrap_or(1);
        table.free.push(slot);
        Ok(call)
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Vec<Arc<Call>> {
        let table = self.table();
        let calls = table.entries.iter().filter_map(|entry| entry.call.clone());
        calls.collect()
    }

    pub(crate) fn count(&self) -> usize {
        let table = self.table();
        table.entries.len() - table.free.len()
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        for call in self.all() {
            _ = self.remove(call.id());
        }
    }
}

impl Table {
    fn entry(&self, id: ThRequestId) -> Option<&Entry> {
        self.entries.get(slot(id) as usize)
    }
}

fn slot(id: ThRequestId) -> u32 {
    (id & ((1 << SLOT_BITS) - 1)) as u32
}

fn id(client: ThClient, generation: u32, slot: u32) -> ThRequestId {
    // The slot of the client: a request of one client is none of another.
    let client = u64::from(client & 0xff);
    client << (SLOT_BITS + GENERATION_BITS) | u64::from(generation) << SLOT_BITS | u64::from(slot)
}
