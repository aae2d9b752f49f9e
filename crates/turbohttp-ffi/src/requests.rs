//! The requests of a client, by slot and generation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::{TH_QUEUE_FULL, ThClient, ThRequestId};
use crate::call::Call;
use crate::fault::{Fault, Result};

/// The most requests of a client; a slot has 20 bits.
pub(crate) const REQUESTS_MAX: u32 = 65_536;

/// Released requests that are kept for the next ones, of about 2 KiB each with what they hold.
const SPARE_MAX: usize = 256;

const SLOT_BITS: u32 = 20;
const GENERATION_BITS: u32 = 32;

/// The generation of the next request of the process: no two requests have the same, until there were 2^32.
static NEXT_GENERATION: AtomicU32 = AtomicU32::new(1);

/// A table that grows up to its limit.
#[derive(Debug)]
pub(crate) struct Requests {
    table: Mutex<Table>,
    client: ThClient,
    most: u32,
}

#[derive(Debug, Default)]
struct Table {
    /// By slot.
    calls: Vec<Option<Arc<Call>>>,
    free: Vec<u32>,
    /// Released ones that nobody holds, to be used again.
    spare: Vec<Arc<Call>>,
}

/// The entry of a request in the table: its slot, and its id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
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

    /// Puts a request into a free slot; it is made, anew or of a released one.
    pub(crate) fn insert(
        &self,
        make: impl FnOnce(Entry, Option<Arc<Call>>) -> Arc<Call>,
    ) -> Result<Arc<Call>> {
        let mut table = self.table();
        let slot = match table.free.pop() {
            Some(slot) => slot,
            None if table.calls.len() < self.most as usize => {
                table.calls.push(None);
                table.calls.len() as u32 - 1
            }
            None => {
                let text = format!("{} requests exist already: release some", self.most);
                return Err(Fault::new(TH_QUEUE_FULL, text));
            }
        };
        let id = id(self.client, slot);
        let call = make(Entry { slot, id }, table.spare.pop());
        table.calls[slot as usize] = Some(call.clone());
        Ok(call)
    }

    pub(crate) fn get(&self, id: ThRequestId) -> Result<Arc<Call>> {
        let table = self.table();
        let call = table.calls.get(slot(id) as usize).and_then(Option::as_ref);
        let call = call.filter(|call| call.id() == id);
        call.cloned().ok_or_else(|| Fault::stale("request"))
    }

    /// Takes a request out; its slot is free for the next one.
    pub(crate) fn remove(&self, id: ThRequestId) -> Result<Arc<Call>> {
        let mut table = self.table();
        let slot = slot(id);
        let call = table.calls.get_mut(slot as usize);
        let call = call.filter(|call| call.as_ref().is_some_and(|call| call.id() == id));
        let call = call.and_then(Option::take);
        let call = call.ok_or_else(|| Fault::stale("request"))?;
        table.free.push(slot);
        Ok(call)
    }

    /// Keeps a call that was removed, unless its task still has it.
    pub(crate) fn keep(&self, call: Arc<Call>) {
        if Arc::strong_count(&call) == 1 {
            let mut table = self.table();
            if table.spare.len() < SPARE_MAX {
                table.spare.push(call);
            }
        }
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Vec<Arc<Call>> {
        self.table().calls.iter().flatten().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        let table = self.table();
        table.calls.len() - table.free.len()
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        for call in self.all() {
            _ = self.remove(call.id());
        }
        let spare = std::mem::take(&mut self.table().spare);
        drop(spare);
    }
}

fn slot(id: ThRequestId) -> u32 {
    (id & ((1 << SLOT_BITS) - 1)) as u32
}

fn id(client: ThClient, slot: u32) -> ThRequestId {
    let generation = loop {
        // Generation 0 is none.
        match NEXT_GENERATION.fetch_add(1, Ordering::Relaxed) {
            0 => {}
            next => break next,
        }
    };
    // The slot of the client: a request of one client is none of another.
    let client = u64::from(client & 0xff);
    client << (SLOT_BITS + GENERATION_BITS) | u64::from(generation) << SLOT_BITS | u64::from(slot)
}
