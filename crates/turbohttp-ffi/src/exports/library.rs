//! What is about the library: versions, sizes, errors, what an earlier domain left.

use std::mem::size_of;
use std::time::Duration;

use crate::abi::{
    TH_ABI_VERSION, ThClientConfig, ThCloseReport, ThEvent, ThField, ThFields, ThHead, ThProgress,
    ThRequest, ThStats, ThText, ThTimeline, ThTimelineEvent,
};
use crate::fault::code_name;
use crate::guard::{guard, last_error, put_text, silence_panics};
use crate::pointers::Room;
use crate::registry;
use crate::wait::Until;

/// How long the clients that an earlier domain left may take to end.
const EPOCH_WAIT: Duration = Duration::from_secs(1);

/// The version of the ABI: the major number in the upper 16 bits, the minor in the lower.
#[unsafe(no_mangle)]
pub extern "C" fn th_abi_version() -> u32 {
    TH_ABI_VERSION
}

/// The size of a structure in bytes, to compare layouts by: 1 `ThText`, 2 `ThField`, 3 `ThFields`,
/// 4 `ThClientConfig`, 5 `ThRequest`, 6 `ThEvent`, 7 `ThHead`, 8 `ThTimeline`, 9 `ThTimelineEvent`,
/// 10 `ThStats`, 11 `ThCloseReport`, 12 `ThProgress`. Of another number 0.
#[unsafe(no_mangle)]
pub extern "C" fn th_struct_size(which: u32) -> u32 {
    let size = match which {
        1 => size_of::<ThText>(),
        2 => size_of::<ThField>(),
        3 => size_of::<ThFields>(),
        4 => size_of::<ThClientConfig>(),
        5 => size_of::<ThRequest>(),
        6 => size_of::<ThEvent>(),
        7 => size_of::<ThHead>(),
        8 => size_of::<ThTimeline>(),
        9 => size_of::<ThTimelineEvent>(),
        10 => size_of::<ThStats>(),
        11 => size_of::<ThCloseReport>(),
        12 => size_of::<ThProgress>(),
        _ => 0,
    };
    size as u32
}

/// Copies the text of this thread's last error, in UTF-8 and without a zero at its end, as much as fits.
/// Returns how many bytes it has.
///
/// # Safety
///
/// `dst` is null with `cap` 0, or `cap` bytes can be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_last_error(dst: *mut u8, cap: u32) -> u32 {
    // SAFETY: by the contract of this function.
    match unsafe { Room::new(dst, cap, "dst") } {
        Ok(mut room) => last_error(&mut room) as u32,
        Err(_) => 0,
    }
}

/// Copies the name of a code, as `TH_TIMEOUT`, without a zero at its end, as much as fits. Returns how many bytes it
/// has; of what is no code 0.
///
/// # Safety
///
/// `dst` is null with `cap` 0, or `cap` bytes can be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_code_name(code: i32, dst: *mut u8, cap: u32) -> u32 {
    // SAFETY: by the contract of this function.
    match unsafe { Room::new(dst, cap, "dst") } {
        Ok(mut room) => put_text(code_name(code), &mut room) as u32,
        Err(_) => 0,
    }
}

/// Destroys the clients that an earlier domain of this owner has left, as a managed runtime that was reloaded
/// does; to be called when the library is loaded. Returns how many there were. Blocks at most 1 s for all of them.
#[unsafe(no_mangle)]
pub extern "C" fn th_epoch_begin(owner: u64) -> i32 {
    guard(|| {
        silence_panics();
        let left = registry::remove_all(owner);
        for engine in &left {
            engine.cut_off();
        }
        let until = Until::after_at_most(EPOCH_WAIT);
        for engine in &left {
            engine.end(until.left());
        }
        Ok(left.len() as i32)
    })
}

/// How many clients the process has.
#[unsafe(no_mangle)]
pub extern "C" fn th_client_count() -> u32 {
    registry::count() as u32
}
