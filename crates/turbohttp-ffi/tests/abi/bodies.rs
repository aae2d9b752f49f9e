//! Bodies in both directions.

use std::ptr::null;

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{body::*, request::*};

use turbohttp_loopback::script::{Script, Signal, Step};

use crate::host::{Host, NONE, config, pattern, request, server, text};

const MIB: usize = 1 << 20;

#[test]
fn a_large_body_comes_whole_through_a_small_window() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        body_window: 64 * 1024,
        ..config()
    });
    let url = server.url(&format!("/bytes/{}", 4 * MIB));
    let id = host.get(&url);
    assert!(host.body(id) == pattern(4 * MIB));
    let peak = host.stats().body_peak;
    assert!((1..=64 * 1024).contains(&peak), "{peak}");
    assert_eq!(host.done(id).value, 4 * MIB as u64);
}

#[test]
fn a_body_can_be_looked_at_in_place() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/bytes/300000");
    let id = host.get(&url);
    let mut body = Vec::new();
    loop {
        let (mut ptr, mut len) = (null(), 0);
        // SAFETY: both live.
        let code = unsafe { th_body_peek(host.client, id, &mut ptr, &mut len) };
        match code {
            TH_WOULD_BLOCK => _ = host.poll(100),
            TH_EOF => break,
            code => {
                assert_eq!(code, TH_OK);
                // SAFETY: the view stays until it is consumed.
                body.extend_from_slice(unsafe { std::slice::from_raw_parts(ptr, len as usize) });
                assert_eq!(th_body_consume(host.client, id, 1 << 20), TH_ARG);
                assert_eq!(th_body_consume(host.client, id, len), TH_OK);
            }
        }
    }
    assert!(body == pattern(300_000));
}

#[test]
fn bodies_that_nobody_reads_take_no_more_than_the_client_allows() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        body_memory: MIB as u32,
        ..config()
    });
    let url = server.url("/bytes/700000");
    let ids: Vec<u64> = (0..20).map(|_| host.get(&url)).collect();
    for &id in &ids {
        host.wait(id, TH_EVENT_HEADERS);
    }
    // What is shared, and a first block of each.
    let most = MIB as u64 + 20 * 16 * 1024;
    host.until(|host| host.stats().body_bytes > most - 64 * 1024);
    assert!(host.stats().body_bytes <= most);
    // Read one after the other, all of them come, although those that are not read have taken what is shared.
    for &id in ids.iter().rev() {
        assert!(host.body(id) == pattern(700_000));
        assert_eq!(host.done(id).value, 700_000);
        th_release(host.client, id);
    }
    host.until(|host| host.stats().tasks == 0);
    assert_eq!(host.stats().body_bytes, 0);
}

#[test]
fn a_thread_may_wait_inside_a_read() {
    let server = server();
    let host = Host::new();
    let url = server.url("/slow/100000/2");
    let id = host.get(&url);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut body = Vec::new();
            loop {
                let (bytes, code) = host.read_within(id, 7_000, 1_000);
                body.extend(bytes);
                match code {
                    TH_OK | TH_WOULD_BLOCK => {}
                    TH_EOF => return body,
                    code => panic!("{code}"),
                }
            }
        });
        assert!(reader.join().unwrap() == pattern(100_000));
    });
}

#[test]
fn a_body_is_written_as_the_network_takes_it() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        upload_window: 16 * 1024,
        ..config()
    });
    for length in [TH_UNKNOWN, MIB as u64] {
        let sent = pattern(MIB);
        let url = server.url("/echo");
        let id = host.submit(&ThRequest {
            method: text("POST"),
            body_kind: TH_BODY_STREAM,
            body_length: length,
            ..request(&url)
        });
        let (mut at, mut body) = (0, Vec::new());
        while at < sent.len() {
            let mut took = 0;
            let rest = &sent[at..];
            // SAFETY: the bytes live.
            let code = unsafe {
                th_body_write(
                    host.client,
                    id,
                    rest.as_ptr(),
                    rest.len() as u32,
                    0,
                    &mut took,
                )
            };
            at += took as usize;
            match code {
                TH_OK => assert_eq!(at, sent.len()),
                code => {
                    assert_eq!(code, TH_WOULD_BLOCK);
                    // The echo comes while the body goes on.
                    body.extend(host.read(id, 100_000).0);
                    host.poll(100);
                }
            }
        }
        // SAFETY: no trailers.
        let finish = || unsafe { th_body_finish(host.client, id, null()) };
        assert_eq!(finish(), TH_OK);
        assert_eq!(finish(), TH_STATE);
        body.extend(host.body(id));
        assert!(body == sent);
        assert_eq!(host.done(id).code, TH_OK);
    }
}

#[test]
fn a_body_that_the_network_does_not_take_blocks_its_writer_until_it_does() {
    let goes_on = Signal::default();
    let steps = [
        Step::ReadHead,
        Step::Await(goes_on.clone()),
        Step::ReadToEnd,
    ];
    let script = Script::new().accept(steps).start().unwrap();
    let mut host = Host::with(&ThClientConfig {
        upload_window: 16 * 1024,
        ..config()
    });
    let url = script.url("/");
    let id = host.submit(&ThRequest {
        method: text("POST"),
        body_kind: TH_BODY_STREAM,
        body_length: TH_UNKNOWN,
        ..request(&url)
    });
    let bytes = vec![0; 64 << 20];
    let mut took = 0;
    let mut write = |host: &Host| {
        // SAFETY: the bytes live.
        unsafe { th_body_write(host.client, id, bytes.as_ptr(), 64 << 20, 0, &mut took) }
    };
    // More than the buffers of the system hold: at some point nothing moves any more.
    let mut last = (0, 0);
    while last.1 < 20 {
        assert_eq!(write(&host), TH_WOULD_BLOCK);
        host.poll(1);
        let said = host.kinds(id).len();
        last = if said == last.0 {
            (said, last.1 + 1)
        } else {
            (said, 0)
        };
    }
    goes_on.set();
    host.until(|host| host.kinds(id).len() > last.0);
    assert_eq!(host.kinds(id).last(), Some(&TH_EVENT_WRITABLE));
    th_cancel(host.client, id);
    assert_eq!(host.done(id).code, TH_CANCELLED);
}

#[test]
fn bytes_and_files_are_sent() {
    let server = server();
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("up");
    std::fs::write(&path, pattern(100_000)).unwrap();
    let url = server.url("/echo");
    let cases = [
        (TH_BODY_BYTES, text("some bytes"), b"some bytes".to_vec()),
        (TH_BODY_BYTES, NONE, Vec::new()),
        (TH_BODY_FILE, text(path.to_str().unwrap()), pattern(100_000)),
    ];
    for (body_kind, body, sent) in cases {
        let id = host.submit(&ThRequest {
            method: text("PUT"),
            body_kind,
            body,
            ..request(&url)
        });
        assert!(host.body(id) == sent);
        let mut took = 0;
        // SAFETY: the bytes live.
        let code = unsafe { th_body_write(host.client, id, b"x".as_ptr(), 1, 0, &mut took) };
        assert_eq!(code, TH_STATE);
    }
    let missing = host.try_submit(
        &ThRequest {
            method: text("PUT"),
            body_kind: TH_BODY_FILE,
            body: text("/no/such/file"),
            ..request(&url)
        },
        0,
    );
    assert_eq!(missing, Err(TH_REQUEST_BODY));
}

#[test]
fn a_download_goes_to_its_file_and_is_checked() {
    let server = server();
    let mut host = Host::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let url = server.url("/bytes/100000");
    let download = |host: &Host, checksum: &str| {
        host.submit(&ThRequest {
            sink_kind: TH_SINK_FILE,
            sink_path: text(path.to_str().unwrap()),
            checksum: text(checksum),
            ..request(&url)
        })
    };
    let id = download(&host, "");
    let done = host.done(id);
    assert_eq!(
        (done.code, done.status, done.value),
        (TH_OK, 200, 100_000),
        "{}",
        host.error(id)
    );
    assert!(std::fs::read(&path).unwrap() == pattern(100_000));
    let id = download(&host, &format!("sha256:{}", "0".repeat(64)));
    assert_eq!(host.done(id).code, TH_CHECKSUM);
    let id = host.submit(&ThRequest {
        sink_kind: TH_SINK_FILE,
        sink_path: text("/no/such/directory/file"),
        ..request(&url)
    });
    assert_eq!(host.done(id).code, TH_OUTPUT);
}

#[test]
fn a_dropped_body_is_counted_and_not_kept() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/bytes/3000000");
    let id = host.submit(&ThRequest {
        sink_kind: TH_SINK_DROP,
        ..request(&url)
    });
    assert_eq!(host.done(id).value, 3_000_000);
    assert_eq!(host.kinds(id), [TH_EVENT_HEADERS, TH_EVENT_DONE]);
    assert_eq!((host.read(id, 10).1, host.stats().body_peak), (TH_EOF, 0));
    th_release(host.client, id);
}

#[test]
fn a_writer_is_told_when_nobody_wants_its_body() {
    // An answer with an error status before the body has come, and a response that nobody reads.
    let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 5000000\r\n\r\n".to_vec();
    let steps = [
        Step::ReadHead,
        Step::Send(answer),
        Step::Send(vec![b'x'; 5_000_000]),
        Step::Deaf,
    ];
    let script = Script::new().accept(steps).start().unwrap();
    let mut host = Host::with(&ThClientConfig {
        upload_window: 4 * 1024,
        body_window: 4 * 1024,
        ..config()
    });
    let url = script.url("/");
    let id = host.submit(&ThRequest {
        method: text("POST"),
        body_kind: TH_BODY_STREAM,
        body_length: TH_UNKNOWN,
        ..request(&url)
    });
    let bytes = [0; 100_000];
    let mut refused = TH_OK;
    for _ in 0..1_000 {
        let mut took = 0;
        // SAFETY: the bytes live.
        let code = unsafe { th_body_write(host.client, id, bytes.as_ptr(), 100_000, 0, &mut took) };
        refused = code;
        if code != TH_WOULD_BLOCK {
            break;
        }
        host.poll(100);
    }
    assert_eq!(refused, TH_STATE);
    assert_eq!(host.wait(id, TH_EVENT_HEADERS).status, 413);
    assert!(!host.kinds(id).contains(&TH_EVENT_DONE));
}

#[test]
fn an_upload_that_still_waits_can_be_canceled() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        per_host: 1,
        ..config()
    });
    let url = server.url("/never");
    let running = host.get(&url);
    host.until(|host| host.stats().running == 1);
    let upload = ThRequest {
        method: text("POST"),
        body_kind: TH_BODY_STREAM,
        body_length: TH_UNKNOWN,
        ..request(&url)
    };
    let [canceled, released] = [(); 2].map(|()| host.submit(&upload));
    assert_eq!(host.stats().waiting, 2);
    assert_eq!(th_cancel(host.client, canceled), TH_OK);
    assert_eq!(th_release(host.client, released), TH_OK);
    assert_eq!(th_set_priority(host.client, canceled, 1), TH_STATE);
    assert_eq!(host.done(canceled).code, TH_CANCELLED);
    host.until(|host| host.stats().waiting == 0);
    assert_eq!(th_cancel(host.client, running), TH_OK);
    assert_eq!(host.done(running).code, TH_CANCELLED);
}
