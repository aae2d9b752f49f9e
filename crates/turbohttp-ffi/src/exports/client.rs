//! What is about a client: its making, its end, its limits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use turbohttp::{Jar, Shutdown};

use crate::abi::{
    self, TH_OK, TH_STATE, TH_TOO_LARGE, TH_WOULD_BLOCK, ThClient, ThClientConfig, ThCloseReport,
    ThStats,
};
use crate::engine::{Closing, Engine};
use crate::exports::on_client;
use crate::fault::{Fault, Result};
use crate::guard::{guard, silence_panics};
use crate::pointers::{Lent, Room};
use crate::wait::later;
use crate::{pointers, registry};

/// Makes a client with threads of its own. `owner` is what the caller names its domain by, for
/// `th_epoch_begin`.
///
/// # Safety
///
/// `config` is null or can be read, with all texts and fields in it; `out` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_client_create(
    config: *const ThClientConfig,
    owner: u64,
    out: *mut ThClient,
) -> i32 {
    guard(|| {
        silence_panics();
        pointers::check(out.cast_const(), "out")?;
        // SAFETY: by the contract of this function.
        let config = unsafe { Lent::new(config, "config") }?;
        let handle = registry::insert(owner, |handle| Engine::new(handle, &config))?;
        // SAFETY: by the contract of this function.
        unsafe { pointers::give(out, handle, "out") }?;
        Ok(TH_OK)
    })
}

/// Begins the shutdown and returns at once: no request is accepted any more, and what is inside ends as `mode`
/// says, within `timeout_ms`. Every request says DONE. `th_close_report` says when it is over. A second call can
/// make it stricter, and never milder.
#[unsafe(no_mangle)]
pub extern "C" fn th_client_shutdown(client: ThClient, mode: u32, timeout_ms: u32) -> i32 {
    on_client(client, |engine| {
        let within = Duration::from_millis(u64::from(timeout_ms));
        let mode = match mode {
            abi::TH_SHUTDOWN_DRAIN => Shutdown::Drain { within },
            abi::TH_SHUTDOWN_CANCEL_PENDING => Shutdown::CancelPending { within },
            abi::TH_SHUTDOWN_NOW => Shutdown::Now,
            other => {
                let text = format!("mode is {other}, which is unknown");
                return Err(Fault::argument(text));
            }
        };
        engine.shut_down(mode);
        Ok(TH_OK)
    })
}

/// Ends a client, what it has under way and its threads, and blocks for that at most `timeout_ms`. Returns how
/// many exchanges are still alive, mostly 0. The handle is stale from now on, and so are its requests; views of
/// their heads and bodies end. Calls of other threads that are under way end well. Of a stale handle 0, so that
/// a second call does no harm.
#[unsafe(no_mangle)]
pub extern "C" fn th_client_destroy(client: ThClient, timeout_ms: u32) -> i32 {
    guard(|| match registry::remove(client) {
        Ok(engine) => Ok(engine.end(Duration::from_millis(u64::from(timeout_ms))) as i32),
        Err(_) => Ok(0),
    })
}

/// What the client holds right now.
///
/// # Safety
///
/// `out` is null or can be written, `struct_size` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_client_stats(client: ThClient, out: *mut ThStats) -> i32 {
    on_client(client, |engine| {
        // SAFETY: by the contract of this function.
        unsafe { pointers::fill(out, &stats(engine), "out") }?;
        Ok(TH_OK)
    })
}

fn stats(engine: &Engine) -> ThStats {
    let shared = &engine.shared;
    let stats = engine.client.stats();
    let audit = engine.client.audit().scheduler;
    let (open, idle) = stats.net.map_or((0, 0), |net| (net.open, net.idle));
    ThStats {
        struct_size: size_of::<ThStats>() as u32,
        requests: shared.requests.count() as u32,
        tasks: shared.tasks.count() as u32,
        ready: shared.events.ready() as u32,
        waiting: audit.waiting as u32,
        running: audit.running as u32,
        connections: open as u32,
        idle_connections: idle as u32,
        body_bytes: shared.memory.waiting(),
        body_peak: shared.memory.peak(),
        submitted: shared.submitted.load(Ordering::Relaxed),
        done: shared.done.load(Ordering::Relaxed),
    }
}

/// How the shutdown ended. `TH_WOULD_BLOCK` as long as it has not, `TH_STATE` if none was begun.
///
/// # Safety
///
/// `out` is null or can be written, `struct_size` set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_close_report(client: ThClient, out: *mut ThCloseReport) -> i32 {
    on_client(client, |engine| {
        pointers::check(out.cast_const(), "out")?;
        let report = match &*engine.closing() {
            Closing::No => return Err(Fault::new(TH_STATE, "no shutdown was begun")),
            Closing::Begun => return Ok(TH_WOULD_BLOCK),
            Closing::Over(report) => ThCloseReport {
                struct_size: size_of::<ThCloseReport>() as u32,
                failures: report.failures.len() as u32,
                accepted: report.accepted,
                completed: report.ended.completed,
                canceled: report.ended.canceled,
                expired: report.ended.expired,
                aborted: report.ended.aborted,
                elapsed_ns: report.elapsed.as_nanos() as u64,
            },
        };
        // SAFETY: by the contract of this function.
        unsafe { pointers::fill(out, &report, "out") }?;
        Ok(TH_OK)
    })
}

/// Closes the connections that are idle, as after a change of network. Returns how many.
#[unsafe(no_mangle)]
pub extern "C" fn th_client_close_idle(client: ThClient) -> i32 {
    on_client(client, |engine| {
        Ok(engine.client.close_idle_connections() as i32)
    })
}

/// Copies the cookies of a client in the format of Netscape, which curl and browsers read, as much as fits. `len` says
/// how many bytes they have. `TH_STATE` if the client keeps none.
///
/// # Safety
///
/// `dst` is null with `cap` 0, or `cap` bytes can be written there; `len` is null or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_cookies_export(
    client: ThClient,
    dst: *mut u8,
    cap: u32,
    len: *mut u32,
) -> i32 {
    on_client(client, |engine| {
        // SAFETY: by the contract of this function.
        let mut room = unsafe { Room::new(dst, cap, "dst") }?;
        let mut text = Vec::new();
        jar(engine)?.write_netscape(&mut text)?;
        let length = u32::try_from(text.len());
        let length = length.map_err(|_| Fault::new(TH_TOO_LARGE, "more than 4 GiB of cookies"))?;
        room.put(&text[..text.len().min(room.left())]);
        // SAFETY: the same.
        unsafe { pointers::give(len, length, "len") }?;
        Ok(TH_OK)
    })
}

/// Adds cookies to those of a client, in the format of Netscape. A cookie of the same name, domain and path is
/// replaced. `TH_STATE` if the client keeps none.
///
/// # Safety
///
/// `text` is null with `len` 0, or so many bytes can be read there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_cookies_import(client: ThClient, text: *const u8, len: u32) -> i32 {
    on_client(client, |engine| {
        // SAFETY: by the contract of this function.
        let text = unsafe { pointers::bytes(text, len, "text") }?;
        let jar = jar(engine)?;
        jar.extend(Jar::read_netscape(text)?.to_vec());
        Ok(TH_OK)
    })
}

fn jar(engine: &Engine) -> Result<&Jar> {
    let why = || Fault::new(TH_STATE, "the client keeps no cookies: TH_CLIENT_COOKIES");
    engine.jar.as_deref().ok_or_else(why)
}

/// Gives the host of a URL a limit of its own; 0 gives it the client's again.
///
/// # Safety
///
/// `url` is null with `url_len` 0, or so many bytes can be read there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_host_limit(
    client: ThClient,
    url: *const u8,
    url_len: u32,
    limit: u32,
) -> i32 {
    on_client(client, |engine| {
        // SAFETY: by the contract of this function.
        let url = unsafe { read_url(url, url_len) }?;
        let limit = (limit > 0).then_some(limit as usize);
        engine.client.limiter().set_limit(url, limit)?;
        Ok(TH_OK)
    })
}

/// Starts no request to the host of a URL for so many milliseconds.
///
/// # Safety
///
/// As `th_host_limit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn th_host_pause(
    client: ThClient,
    url: *const u8,
    url_len: u32,
    ms: u32,
) -> i32 {
    on_client(client, |engine| {
        // SAFETY: by the contract of this function.
        let url = unsafe { read_url(url, url_len) }?;
        let until = later(u64::from(ms));
        engine.client.limiter().pause(url, until)?;
        Ok(TH_OK)
    })
}

/// # Safety
///
/// As [`pointers::bytes()`].
unsafe fn read_url<'a>(ptr: *const u8, len: u32) -> Result<&'a str> {
    // SAFETY: by the contract of this function.
    unsafe { pointers::text(ptr, len, "url") }
}
