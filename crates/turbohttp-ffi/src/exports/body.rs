//! What is about the bodies of a request.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::abi::{TH_BUSY, TH_OK, TH_STATE, TH_WOULD_BLOCK, ThClient, ThFields, ThRequestId};
use crate::call::Call;
use crate::exports::on_call;
use crate::fault::{Fault, Result};
use crate::pointers::{self, Lent, Room};
use crate::wait::Until;

/// Copies content of the response, and waits for some for at most `wait_ms`, 100 at most. `got` says how much.
///
/// `TH_WOULD_BLOCK` if there is none yet; READABLE or DONE follows. `TH_EOF` if there is none any more; if the exchange
/// has failed, its code instead. One reader at a time, of any thread: another one gets `TH_BUSY`.
///
/// # Safety
///
/// `dst` is null with `cap` 0, or `cap` bytes can be written there; `got` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_body_read(
    client: ThClient,
    request: ThRequestId,
    dst: *mut u8,
    cap: u32,
    wait_ms: u32,
    got: *mut u32,
) -> i32 {
    on_call(client, request, |call| {
        // SAFETY: by the contract of this function.
        let mut room = unsafe { Room::new(dst, cap, "dst") }?;
        // SAFETY: the same.
        unsafe { pointers::give(got, 0, "got") }?;
        let _reader = Reader::begin(call)?;
        let (read, code) = read(call, &mut room, Until::after(wait_ms))?;
        // SAFETY: the same.
        unsafe { pointers::give(got, read, "got") }?;
        Ok(code)
    })
}

fn read(call: &Call, room: &mut Room, until: Until) -> Result<(u32, i32)> {
    let mut state = call.state();
    loop {
        let consumed = state.reading.read(room.left(), |piece| room.put(piece));
        let read = consumed.bytes;
        if read > 0 {
            drop(state);
            call.consumed(consumed);
            return Ok((read as u32, TH_OK));
        }
        if room.left() == 0 {
            return Ok((0, TH_OK));
        }
        if state.reading.has_ended() {
            return state.end().map(|code| (0, code));
        }
        state.readers += 1;
        let has_waited;
        (state, has_waited) = until.wait(&call.readable, state);
        state.readers -= 1;
        if !has_waited {
            state.reading.arm();
            return Ok((0, TH_WOULD_BLOCK));
        }
    }
}

/// A view of the content that can be read at once, in one piece; it stays until `th_body_consume`, a read, or
/// `th_release`. Codes as of `th_body_read`.
///
/// # Safety
///
/// `ptr` and `len` are null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_body_peek(
    client: ThClient,
    request: ThRequestId,
    ptr: *mut *const u8,
    len: *mut u32,
) -> i32 {
    on_call(client, request, |call| {
        pointers::check(len.cast_const(), "len")?;
        let _reader = Reader::begin(call)?;
        let mut state = call.state();
        let piece = state.reading.peek();
        let (view, length) = (piece.as_ptr(), piece.len() as u32);
        // SAFETY: by the contract of this function.
        unsafe {
            pointers::give(ptr, view, "ptr")?;
            pointers::give(len, length, "len")?;
        }
        match length {
            1.. => Ok(TH_OK),
            0 if state.reading.has_ended() => state.end(),
            0 => {
                state.reading.arm();
                Ok(TH_WOULD_BLOCK)
            }
        }
    })
}

/// Takes `n` bytes off that `th_body_peek` has shown. More than it has shown are `TH_ARG`.
#[unsafe(no_mangle)]
pub extern "C" fn th_body_consume(client: ThClient, request: ThRequestId, n: u32) -> i32 {
    on_call(client, request, |call| {
        let _reader = Reader::begin(call)?;
        let mut state = call.state();
        let shown = state.reading.peek().len();
        if n as usize > shown {
            let text = format!("{n} bytes are more than the {shown} that can be read at once");
            return Err(Fault::argument(text));
        }
        let consumed = state.reading.consume(n as usize);
        drop(state);
        call.consumed(consumed);
        Ok(TH_OK)
    })
}

/// Writes content of the request, and waits for room for at most `wait_ms`, 100 at most. `took` says how much
/// was taken, which is copied. `TH_OK` if it is all; `TH_WOULD_BLOCK` if it is less, and WRITABLE or DONE follows.
/// `TH_STATE` if the body is finished or not wanted any more, as after an error status, the exchange over, or the body
/// none that is written.
///
/// # Safety
///
/// `src` is null with `len` 0, or `len` bytes can be read there; `took` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_body_write(
    client: ThClient,
    request: ThRequestId,
    src: *const u8,
    len: u32,
    wait_ms: u32,
    took: *mut u32,
) -> i32 {
    on_call(client, request, |call| {
        // SAFETY: by the contract of this function.
        let bytes = unsafe { pointers::bytes(src, len, "src") }?;
        // SAFETY: the same.
        unsafe { pointers::give(took, 0, "took") }?;
        let taken = write(call, bytes, Until::after(wait_ms))?;
        // SAFETY: the same.
        unsafe { pointers::give(took, taken as u32, "took") }?;
        match taken == bytes.len() {
            true => Ok(TH_OK),
            false => Ok(TH_WOULD_BLOCK),
        }
    })
}

fn write(call: &Call, bytes: &[u8], until: Until) -> Result<usize> {
    let mut state = call.state();
    let mut taken = 0;
    loop {
        if !state.writing.is_open() {
            return match taken {
                0 => Err(not_open()),
                taken => Ok(taken),
            };
        }
        let (more, waker) = state.writing.write(&bytes[taken..]);
        taken += more;
        if let Some(waker) = waker {
            // Outside of the lock, which the task of the connection takes. It may have made room before the lock is
            // taken again: only a write that found none under the same lock waits.
            drop(state);
            waker.wake();
            if taken == bytes.len() {
                return Ok(taken);
            }
            state = call.state();
            continue;
        }
        if taken == bytes.len() {
            return Ok(taken);
        }
        state.writers += 1;
        let has_waited;
        (state, has_waited) = until.wait(&call.writable, state);
        state.writers -= 1;
        if !has_waited {
            return Ok(taken);
        }
    }
}

/// Ends the body of the request. `trailers` may be null. `TH_STATE` if it is finished already, or none that is
/// written; what is not wanted any more can be finished.
///
/// # Safety
///
/// `trailers` is null or can be read, with all fields in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_body_finish(
    client: ThClient,
    request: ThRequestId,
    trailers: *const ThFields,
) -> i32 {
    on_call(client, request, |call| {
        let trailers = match trailers.is_null() {
            true => None,
            false => {
                // SAFETY: by the contract of this function.
                let trailers = unsafe { Lent::fields_at(trailers, "trailers") }?;
                Some(trailers.fields(|trailers| trailers)?)
            }
        };
        let mut state = call.state();
        if state.writing.is_finished() {
            return Err(not_open());
        }
        let waker = state
            .writing
            .finish(trailers.filter(|trailers| !trailers.is_empty()));
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(TH_OK)
    })
}

fn not_open() -> Fault {
    let text =
        "the body of the request takes nothing: it is finished, over, or none that is written";
    Fault::new(TH_STATE, text)
}

/// The right to read the body of a call, given back when the function is over.
struct Reader<'a>(&'a AtomicBool);

impl Reader<'_> {
    fn begin(call: &Call) -> Result<Reader<'_>> {
        match call.has_reader.swap(true, Ordering::Acquire) {
            false => Ok(Reader(&call.has_reader)),
            true => Err(Fault::new(TH_BUSY, "another thread reads this body")),
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
