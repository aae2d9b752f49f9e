//! The end of clients.

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{client::*, events::*, library::*, request::*};

use crate::host::{Host, config, request, server, text};

fn report(host: &Host) -> Option<ThCloseReport> {
    let mut report = ThCloseReport {
        struct_size: size_of::<ThCloseReport>() as u32,
        ..ThCloseReport::default()
    };
    // SAFETY: it lives.
    match unsafe { th_close_report(host.client, &mut report) } {
        TH_OK => Some(report),
        code => {
            assert_eq!(code, TH_WOULD_BLOCK);
            None
        }
    }
}

#[test]
fn a_drain_lets_what_is_inside_end() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/delay/20");
    let ids: Vec<u64> = (0..5).map(|_| host.get(&url)).collect();
    host.until(|host| host.stats().running == 5);
    assert_eq!(
        th_client_shutdown(host.client, TH_SHUTDOWN_DRAIN, 30_000),
        TH_OK
    );
    assert_eq!(host.try_submit(&request(&url), 0), Err(TH_SHUTDOWN));
    for id in ids {
        assert_eq!(host.done(id).code, TH_OK);
        assert_eq!(host.body(id), b"Hello, world!");
    }
    host.until(|host| report(host).is_some());
    let report = report(&host).unwrap();
    assert_eq!((report.accepted, report.completed), (5, 5));
    // What is over stays over.
    assert_eq!(th_client_shutdown(host.client, TH_SHUTDOWN_NOW, 0), TH_OK);
}

#[test]
fn a_shutdown_can_be_made_stricter() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/never");
    let id = host.get(&url);
    host.until(|host| host.stats().running == 1);
    for mode in [TH_SHUTDOWN_DRAIN, TH_SHUTDOWN_NOW] {
        assert_eq!(th_client_shutdown(host.client, mode, 600_000), TH_OK);
    }
    assert_eq!(host.done(id).code, TH_SHUTDOWN);
    host.until(|host| report(host).is_some());
}

#[test]
fn what_is_cut_off_says_done_although_nobody_reads_it() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        per_host: 4,
        ..config()
    });
    let (never, large) = (server.url("/never"), server.url("/bytes/90000000"));
    let running: Vec<u64> = [&never, &large, &large, &never]
        .map(|url| host.get(url))
        .to_vec();
    host.wait(running[2], TH_EVENT_READABLE);
    host.until(|host| host.stats().running == 4);
    let waiting: Vec<u64> = (0..16).map(|_| host.get(&never)).collect();
    assert_eq!(th_client_shutdown(host.client, TH_SHUTDOWN_NOW, 0), TH_OK);
    for id in running.into_iter().chain(waiting) {
        let code = host.done(id).code;
        assert!(code == TH_SHUTDOWN, "{code}: {}", host.error(id));
    }
    host.until(|host| host.stats().tasks == 0 && report(host).is_some());
    let report = report(&host).unwrap();
    assert_eq!(
        report.accepted,
        report.canceled + report.aborted + report.completed
    );
}

#[test]
fn a_client_can_be_destroyed_while_others_use_it() {
    let server = server();
    let url = server.url("/bytes/50000");
    for round in 0..10 {
        let host = Host::new();
        let client = host.client;
        for _ in 0..20 {
            host.get(&url);
        }
        std::thread::scope(|scope| {
            let poller = scope.spawn(|| {
                let mut events = [ThEvent::default(); 4];
                loop {
                    // SAFETY: 4 events can be written.
                    let count = unsafe { th_poll(client, events.as_mut_ptr(), 4, 50) };
                    if count < 0 {
                        return count;
                    }
                }
            });
            let submitter = scope.spawn(|| {
                loop {
                    if let Err(code) = host.try_submit(&request(&url), 0)
                        && code != TH_QUEUE_FULL
                    {
                        return code;
                    }
                }
            });
            if round % 2 == 0 {
                std::thread::yield_now();
            }
            assert_eq!(th_client_destroy(client, 5_000), 0);
            assert_eq!(poller.join().unwrap(), TH_STALE);
            let code = submitter.join().unwrap();
            assert!(
                matches!(code, TH_STALE | TH_SHUTDOWN | TH_RUNTIME),
                "{code}"
            );
        });
        assert_eq!(th_client_destroy(client, 0), 0);
    }
}

#[test]
fn an_epoch_ends_what_an_earlier_domain_has_left() {
    let server = server();
    let url = server.url("/never");
    const OWNER: u64 = 4_711;
    let mut left = Vec::new();
    for _ in 0..3 {
        let mut client = 0;
        // SAFETY: both live.
        let code = unsafe { th_client_create(&config(), OWNER, &mut client) };
        assert_eq!(code, TH_OK);
        let host = std::mem::ManuallyDrop::new(Host {
            client,
            events: Default::default(),
        });
        host.get(&url);
        left.push(client);
    }
    let other = Host::new();
    assert_eq!(th_epoch_begin(OWNER), 3);
    assert_eq!(th_epoch_begin(OWNER), 0);
    assert!(left.iter().all(|client| th_wake(*client) == TH_STALE));
    assert_eq!(th_wake(other.client), TH_OK);
    assert!(th_client_count() >= 1);
}

#[test]
fn a_drain_waits_for_a_body_that_is_read_late() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        body_window: 4 * 1024,
        ..config()
    });
    let url = server.url("/bytes/8000");
    let id = host.get(&url);
    host.wait(id, TH_EVENT_READABLE);
    // The client has all of it by then, and the host a half.
    host.until(|host| host.stats().running == 0);
    th_client_shutdown(host.client, TH_SHUTDOWN_DRAIN, 60_000);
    assert_eq!(host.body(id).len(), 8_000);
    assert_eq!(host.done(id).code, TH_OK);
    host.until(|host| report(host).is_some());
}

#[test]
fn a_drain_lets_downloads_begin_that_were_accepted() {
    let server = server();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut host = Host::new();
    let url = server.url("/bytes/3000000");
    let id = host.submit(&ThRequest {
        sink_kind: TH_SINK_FILE,
        sink_path: text(path.to_str().unwrap()),
        ..request(&url)
    });
    th_client_shutdown(host.client, TH_SHUTDOWN_DRAIN, 60_000);
    assert_eq!(host.done(id).code, TH_OK, "{}", host.error(id));
    assert_eq!(std::fs::read(&path).unwrap().len(), 3_000_000);
}

#[test]
fn no_request_of_a_client_is_one_of_the_next() {
    let server = server();
    let url = server.url("/never");
    let first = Host::new();
    let old = first.get(&url);
    drop(first);
    for _ in 0..300 {
        let host = Host::new();
        let new = host.get(&url);
        assert_ne!(old, new);
        assert_eq!(th_release(host.client, old), TH_STALE);
    }
}
