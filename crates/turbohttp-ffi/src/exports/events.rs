//! What is about events.

use crate::abi::{TH_OK, ThClient, ThEvent};
use crate::exports::on_client;
use crate::pointers;
use crate::wait::Until;

/// Takes at most `cap` events, and waits for the first one for at most `wait_ms`, 100 at most. Returns how many
/// there are. One thread at a time: another one gets `TH_BUSY`.
///
/// Of one request the events come in order: HEADERS, READABLE, WRITABLE, DONE. Each accepted request says DONE
/// once, and nothing after it; a request that was released says nothing more.
///
/// # Safety
///
/// `out` is null with `cap` 0, or `cap` events can be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_poll(
    client: ThClient,
    out: *mut ThEvent,
    cap: u32,
    wait_ms: u32,
) -> i32 {
    on_client(client, |engine| {
        if cap > 0 {
            pointers::check(out.cast_const(), "out")?;
        }
        let most = cap.min(i32::MAX as u32) as usize;
        let until = Until::after(wait_ms);
        let mut given = 0;
        let count = engine.shared.events.poll(most, until, |event| {
            // SAFETY: `poll` gives at most `cap` events, which can be written by the contract of this function.
            unsafe { out.add(given).write(event) };
            given += 1;
        })?;
        Ok(count as i32)
    })
}

/// Ends the wait of the poll that is under way, or of the next one.
#[unsafe(no_mangle)]
pub extern "C" fn th_wake(client: ThClient) -> i32 {
    on_client(client, |engine| {
        engine.shared.events.wake();
        Ok(TH_OK)
    })
}
