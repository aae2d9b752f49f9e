//! What is about a request: its submit, its end, what is known of it.

use std::time::Duration;

use turbohttp::{Phase, Timeline};

use crate::abi::{
    TH_CANCELLED, TH_FLAG_REUSED, TH_OK, TH_STATE, ThClient, ThHead, ThProgress, ThRequest,
    ThRequestId, ThTimeline, ThTimelineEvent,
};
use crate::call::State;
use crate::exports::{on_call, on_client};
use crate::fault::{Fault, Result};
use crate::guard::put_text;
use crate::pointers::{self, Lent, Room};
use crate::{registry, submit};

/// Puts a request in line and returns at once. `user` comes back with its events. All that
/// `request` refers to is copied. A URL, a method or a field that cannot be is `TH_ARG`; as many requests as
/// may exist are `TH_QUEUE_FULL`; after the shutdown `TH_SHUTDOWN`. What was accepted says DONE once, and is
/// there until `th_release`.
///
/// # Safety
///
/// `request` is null or can be read, with all texts and fields in it; `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_submit(
    client: ThClient,
    request: *const ThRequest,
    user: u64,
    out: *mut ThRequestId,
) -> i32 {
    on_client(client, |engine| {
        pointers::check(out.cast_const(), "out")?;
        // SAFETY: by the contract of this function.
        let request = unsafe { Lent::new(request, "request") }?;
        let id = engine.submit(&request, user)?;
        // SAFETY: by the contract of this function.
        unsafe { pointers::give(out, id, "out") }?;
        Ok(TH_OK)
    })
}

/// Ends a request, which says DONE with `TH_CANCELLED` unless it is over already. Any number of times.
#[unsafe(no_mangle)]
pub extern "C" fn th_cancel(client: ThClient, request: ThRequestId) -> i32 {
    on_call(client, request, |call| {
        call.cancel(TH_CANCELLED);
        Ok(TH_OK)
    })
}

/// Changes the priority of a request that waits in line; it keeps its age. `TH_STATE` once it does not
/// wait any more. Of a download it is that of its first request.
#[unsafe(no_mangle)]
pub extern "C" fn th_set_priority(client: ThClient, request: ThRequestId, priority: u32) -> i32 {
    on_call(client, request, |call| {
        let priority = submit::priority(priority)?;
        let mut state = call.state();
        let is_set = match &state.place {
            // It leaves the line when its task runs.
            _ if call.cancel_code().is_some() => false,
            Some(place) => place.set_priority(priority),
            // A download that is not in line yet.
            None if state.head.is_none() && !state.reading.has_ended() => {
                state.wanted = Some(priority);
                true
            }
            None => false,
        };
        match is_set {
            true => Ok(TH_OK),
            false => Err(Fault::new(TH_STATE, "the request does not wait any more")),
        }
    })
}

/// Lets go of a request, and cancels it if it is under way. Its id is stale from now on, and so are the views
/// of its head and body.
#[unsafe(no_mangle)]
pub extern "C" fn th_release(client: ThClient, request: ThRequestId) -> i32 {
    on_client(client, |engine| {
        engine.release(request)?;
        Ok(TH_OK)
    })
}

/// A view of the head of the response, which stays until `th_release`. `TH_STATE` before HEADERS.
///
/// # Safety
///
/// `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_head(client: ThClient, request: ThRequestId, out: *mut ThHead) -> i32 {
    on_call(client, request, |call| {
        let view = call.state().arrived_head()?.view();
        // SAFETY: by the contract of this function.
        unsafe { pointers::give(out, view, "out") }?;
        Ok(TH_OK)
    })
}

/// A view of the trailers of the response, as of its head; without any its `count` is 0. `TH_STATE` before
/// DONE.
///
/// # Safety
///
/// `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_trailers(
    client: ThClient,
    request: ThRequestId,
    out: *mut ThHead,
) -> i32 {
    on_call(client, request, |call| {
        let state = call.state();
        if !state.reading.has_ended() {
            return Err(Fault::new(TH_STATE, "the response is not over"));
        }
        let view = match &state.trailers {
            Some(trailers) => trailers.view(),
            None => crate::head::Head::default().view(),
        };
        // SAFETY: by the contract of this function.
        unsafe { pointers::give(out, view, "out") }?;
        Ok(TH_OK)
    })
}

/// How long each phase took. `TH_STATE` before HEADERS and DONE.
///
/// # Safety
///
/// `out` is null or can be written, `struct_size` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_timeline(
    client: ThClient,
    request: ThRequestId,
    out: *mut ThTimeline,
) -> i32 {
    on_call(client, request, |call| {
        pointers::check(out.cast_const(), "out")?;
        let durations = durations(recorded(&call.state())?);
        // SAFETY: by the contract of this function.
        unsafe { pointers::fill(out, &durations, "out") }?;
        Ok(TH_OK)
    })
}

/// The spans of the timeline, at most `cap`. Returns how many were given; with `cap` 0 how many there are.
///
/// # Safety
///
/// `out` is null with `cap` 0, or `cap` spans can be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_timeline_events(
    client: ThClient,
    request: ThRequestId,
    out: *mut ThTimelineEvent,
    cap: u32,
) -> i32 {
    on_call(client, request, |call| {
        let state = call.state();
        let spans = recorded(&state)?.spans();
        if cap == 0 {
            return Ok(spans.len() as i32);
        }
        pointers::check(out.cast_const(), "out")?;
        let mut given = 0;
        for span in spans.take(cap as usize) {
            let event = ThTimelineEvent {
                phase: span.phase as u32,
                reserved: 0,
                start_ns: span.start.as_nanos() as u64,
                end_ns: span.end.as_nanos() as u64,
            };
            // SAFETY: fewer than `cap` were given, and `cap` can be written by the contract of this function.
            unsafe { out.add(given).write(event) };
            given += 1;
        }
        Ok(given as i32)
    })
}

fn recorded(state: &State) -> Result<&Timeline> {
    let why = || {
        Fault::new(
            TH_STATE,
            "nothing is recorded before the head of the response",
        )
    };
    state.timeline.as_ref().ok_or_else(why)
}

fn durations(timeline: &Timeline) -> ThTimeline {
    let nanoseconds = |duration: Duration| duration.as_nanos() as u64;
    let of = |phase| nanoseconds(timeline.duration(phase));
    ThTimeline {
        struct_size: size_of::<ThTimeline>() as u32,
        flags: match timeline.is_connection_reused() {
            true => TH_FLAG_REUSED,
            false => 0,
        },
        attempts: timeline.attempts(),
        dropped_events: timeline.dropped_events(),
        connection_id: timeline.connection_id().unwrap_or_default(),
        total_ns: nanoseconds(timeline.total()),
        backoff_ns: of(Phase::Backoff),
        pause_ns: of(Phase::Pause),
        host_permit_ns: of(Phase::HostPermit),
        total_permit_ns: of(Phase::TotalPermit),
        dns_ns: of(Phase::Dns),
        connect_ns: of(Phase::Connect),
        tunnel_ns: of(Phase::Tunnel),
        tls_ns: of(Phase::Tls),
        send_ns: of(Phase::Send),
        wait_ns: of(Phase::Wait),
        receive_ns: of(Phase::Receive),
    }
}

/// How far a request is, at any time until its release.
///
/// # Safety
///
/// `out` is null or can be written, `struct_size` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_progress(
    client: ThClient,
    request: ThRequestId,
    out: *mut ThProgress,
) -> i32 {
    on_call(client, request, |call| {
        // SAFETY: by the contract of this function.
        unsafe { pointers::fill(out, &call.progress.read(), "out") }?;
        Ok(TH_OK)
    })
}

/// Copies the text of what ended a request, in UTF-8 and without a zero at its end, as much as fits. Returns how
/// many bytes it has: 0 where nothing went wrong, nothing is over yet, or there is no such request.
///
/// # Safety
///
/// `dst` is null with `cap` 0, or `cap` bytes can be written there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_request_error(
    client: ThClient,
    request: ThRequestId,
    dst: *mut u8,
    cap: u32,
) -> u32 {
    let mut length = 0;
    crate::guard::guard(|| {
        let call = registry::get(client)?.shared.requests.get(request)?;
        // SAFETY: by the contract of this function.
        let mut room = unsafe { Room::new(dst, cap, "dst") }?;
        if let Some(outcome) = &call.state().outcome {
            length = put_text(&outcome.text, &mut room);
        }
        Ok(TH_OK)
    });
    length as u32
}
