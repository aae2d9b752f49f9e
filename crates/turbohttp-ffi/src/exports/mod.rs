//! The functions of the C ABI. Each of them stands in a guard, so that no panic leaves it.
//!
//! Unless a function says otherwise, any thread may call it at any time, and its result is `TH_OK`, a count, or
//! a negative code whose text `th_last_error` has. `TH_STALE` is the code of a client or a request that does not
//! exist, `TH_ARG` that of an argument that cannot be.

#![allow(
    unsafe_code,
    reason = "a C ABI: pointers of the caller, and names that are not mangled"
)]

pub mod body;
pub mod client;
pub mod events;
pub mod library;
pub mod request;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::abi::{TH_PANIC, ThClient, ThRequestId};
use crate::call::Call;
use crate::engine::Engine;
use crate::fault::{Fault, Result};
use crate::guard::guard;
use crate::registry;

/// Runs a function of the ABI on a client. After a panic the client refuses everything but its end.
fn on_client(handle: ThClient, function: impl FnOnce(&Arc<Engine>) -> Result<i32>) -> i32 {
    guard(|| {
        let engine = registry::get(handle)?;
        if engine.is_poisoned.load(Ordering::Relaxed) {
            return Err(Fault::new(
                TH_PANIC,
                "the client panicked before: destroy it",
            ));
        }
        let poison = Poison(&engine);
        let result = function(&engine);
        std::mem::forget(poison);
        result
    })
}

/// Poisons the engine when it is dropped by a panic.
struct Poison<'a>(&'a Engine);

impl Drop for Poison<'_> {
    fn drop(&mut self) {
        self.0.is_poisoned.store(true, Ordering::Relaxed);
    }
}

/// The same on one of its requests.
fn on_call(
    handle: ThClient,
    request: ThRequestId,
    function: impl FnOnce(&Arc<Call>) -> Result<i32>,
) -> i32 {
    on_client(handle, |engine| {
        function(&engine.shared.requests.get(request)?)
    })
}
