//! Requests, their events, and what is known of them.

use std::collections::HashSet;

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{client::*, request::*};
use turbohttp_loopback::{Options, Protocols, Server};

use crate::host::{Host, config, fields, request, server};

#[test]
fn a_get_says_its_events_in_order_and_its_head_is_a_view() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/small");
    let id = host.try_submit(&request(&url), 77).unwrap();
    let done = host.done(id);
    assert_eq!(
        (done.code, done.status, done.value, done.user),
        (TH_OK, 200, 13, 77)
    );
    assert_eq!(
        host.kinds(id),
        [TH_EVENT_HEADERS, TH_EVENT_READABLE, TH_EVENT_DONE]
    );
    let head = host.wait(id, TH_EVENT_HEADERS);
    assert_eq!((head.status, head.value), (200, 13));
    let names: Vec<String> = host.fields(id).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"content-type".to_owned()), "{names:?}");
    assert!(names.iter().all(|name| *name == name.to_ascii_lowercase()));
    assert_eq!(host.body(id), b"Hello, world!");
    // The end stays the end.
    assert_eq!(host.read(id, 9).1, TH_EOF);
    assert_eq!(th_release(host.client, id), TH_OK);
    assert_eq!(th_release(host.client, id), TH_STALE);
    host.until(|host| host.stats().tasks == 0);
    let stats = host.stats();
    assert_eq!((stats.requests, stats.body_bytes), (0, 0));
    assert_eq!((stats.submitted, stats.done), (1, 1));
}

#[test]
fn each_of_many_requests_says_done_once_and_last() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/bytes/5000");
    let ids: Vec<u64> = (0..300).map(|_| host.get(&url)).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 300);
    for &id in &ids {
        host.done(id);
        assert_eq!(host.body(id).len(), 5_000);
    }
    // Whatever comes now would be one too many.
    assert_eq!(host.poll(0), 0);
    for &id in &ids {
        let kinds = host.kinds(id);
        let done = kinds.iter().filter(|kind| **kind == TH_EVENT_DONE).count();
        assert_eq!((done, kinds.last()), (1, Some(&TH_EVENT_DONE)));
        th_release(host.client, id);
    }
    assert_eq!(host.stats().requests, 0);
}

#[test]
fn a_request_that_is_canceled_says_so_once() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/never");
    let id = host.get(&url);
    host.until(|host| host.stats().running == 1);
    for _ in 0..3 {
        assert_eq!(th_cancel(host.client, id), TH_OK);
    }
    assert_eq!(host.done(id).code, TH_CANCELLED);
    assert!(host.error(id).contains("canceled"), "{}", host.error(id));
    // After the end it changes nothing.
    assert_eq!(th_cancel(host.client, id), TH_OK);
    assert_eq!(host.poll(0), 0);
    host.until(|host| host.stats().running == 0);
}

#[test]
fn a_released_request_says_nothing_more_and_leaves_nothing() {
    let server = server();
    let mut host = Host::new();
    let urls = [server.url("/never"), server.url("/bytes/9000000")];
    let ids: Vec<u64> = urls.iter().map(|url| host.get(url)).collect();
    host.wait(ids[1], TH_EVENT_READABLE);
    host.events.clear();
    for id in ids {
        assert_eq!(th_release(host.client, id), TH_OK);
    }
    host.until(|host| {
        let stats = host.stats();
        (stats.tasks, stats.running, stats.body_bytes) == (0, 0, 0)
    });
    assert!(host.events.is_empty(), "{:?}", host.events);
}

#[test]
fn what_fails_says_which_part_and_why() {
    let mut host = Host::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let refused = host.get(&format!("http://127.0.0.1:{port}/"));
    assert_eq!(host.done(refused).code, TH_CONNECT);
    assert!(
        host.error(refused).contains("127.0.0.1"),
        "{}",
        host.error(refused)
    );
    let server = server();
    let url = server.url("/drop/1000");
    let cut = host.get(&url);
    let done = host.done(cut);
    assert_eq!((done.code, done.status), (TH_IO, 200));
    // What has come is read first, then the error.
    assert_eq!(host.read(cut, 4_000), (crate::host::pattern(500), TH_OK));
    assert_eq!(host.read(cut, 4_000).1, TH_IO);
    let url = server.url("/never");
    let late = host.submit(&ThRequest {
        timeout_ms: 20,
        ..request(&url)
    });
    assert_eq!(host.done(late).code, TH_TIMEOUT);
}

#[test]
fn more_requests_than_may_exist_are_refused_until_some_are_released() {
    let server = server();
    let host = Host::with(&ThClientConfig {
        requests_max: 2,
        ..config()
    });
    let url = server.url("/never");
    let first = host.get(&url);
    host.get(&url);
    assert_eq!(host.try_submit(&request(&url), 0), Err(TH_QUEUE_FULL));
    th_release(host.client, first);
    let third = host.get(&url);
    // The same slot, and yet another request.
    assert_ne!(first, third);
    assert_eq!(th_cancel(host.client, first), TH_STALE);
}

#[test]
fn an_urgent_request_passes_those_that_wait() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        per_host: 1,
        ..config()
    });
    let (never, small) = (server.url("/never"), server.url("/small"));
    let first = host.get(&never);
    host.until(|host| host.stats().running == 1);
    let low = ThRequest {
        priority: TH_PRIORITY_LOW,
        ..request(&small)
    };
    let (late, urgent) = (host.submit(&low), host.submit(&low));
    assert_eq!(
        th_set_priority(host.client, urgent, TH_PRIORITY_CRITICAL),
        TH_OK
    );
    assert_eq!(th_set_priority(host.client, urgent, 9), TH_ARG);
    th_cancel(host.client, first);
    host.done(urgent);
    host.done(late);
    let all: Vec<_> = [urgent, late]
        .map(|id| timeline(&host, id))
        .map(|all| all.total_permit_ns + all.host_permit_ns)
        .to_vec();
    assert!(all[0] > 0 && all[1] > all[0], "{all:?}");
    assert_eq!(
        th_set_priority(host.client, urgent, TH_PRIORITY_LOW),
        TH_STATE
    );
}

fn timeline(host: &Host, id: u64) -> ThTimeline {
    let mut timeline = ThTimeline {
        struct_size: size_of::<ThTimeline>() as u32,
        ..ThTimeline::default()
    };
    // SAFETY: it lives.
    let code = unsafe { th_timeline(host.client, id, &mut timeline) };
    assert_eq!(code, TH_OK);
    timeline
}

#[test]
fn a_timeline_says_where_the_time_went() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/delay/30");
    let id = host.get(&url);
    let mut none = ThTimeline {
        struct_size: size_of::<ThTimeline>() as u32,
        ..ThTimeline::default()
    };
    // SAFETY: it lives.
    let early = unsafe { th_timeline(host.client, id, &mut none) };
    assert!(early == TH_STATE || early == TH_OK);
    host.done(id);
    let all = timeline(&host, id);
    assert_eq!(all.attempts, 1);
    assert!(
        all.wait_ns > 20_000_000 && all.total_ns >= all.wait_ns + all.connect_ns,
        "{all:?}"
    );
    // SAFETY: no event is written.
    let count = unsafe { th_timeline_events(host.client, id, std::ptr::null_mut(), 0) };
    let mut spans = vec![ThTimelineEvent::default(); count as usize];
    // SAFETY: as many can be written.
    let given = unsafe { th_timeline_events(host.client, id, spans.as_mut_ptr(), count as u32) };
    assert_eq!(given, count);
    assert!(
        spans
            .iter()
            .all(|span| span.start_ns <= span.end_ns && span.phase < 12)
    );
    assert!(spans.iter().any(|span| span.phase == 10));
}

#[test]
fn fields_of_a_request_go_out_as_they_are() {
    let server = server();
    let mut host = Host::new();
    let arena = b"x-amulti1two";
    let places = [
        ThField {
            name_off: 0,
            name_len: 8,
            value_off: 8,
            value_len: 1,
        },
        ThField {
            name_off: 0,
            name_len: 8,
            value_off: 9,
            value_len: 3,
        },
    ];
    let url = server.url("/headers");
    let id = host.submit(&ThRequest {
        headers: ThFields {
            arena: arena.as_ptr(),
            fields: places.as_ptr(),
            arena_len: arena.len() as u32,
            count: 2,
        },
        ..request(&url)
    });
    host.done(id);
    let head = String::from_utf8(host.body(id))
        .unwrap()
        .to_ascii_lowercase();
    assert!(
        head.contains("x-amulti: 1\r\n") && head.contains("x-amulti: two\r\n"),
        "{head}"
    );
}

#[test]
fn http2_and_trailers_are_seen() {
    let server = Server::start(Options {
        protocols: Protocols::Http2,
        ..Options::default()
    });
    let server = server.unwrap();
    let mut host = Host::with(&ThClientConfig {
        flags: TH_CLIENT_HTTP2_PRIOR_KNOWLEDGE,
        ..config()
    });
    let url = server.url("/trailers/10");
    let id = host.get(&url);
    host.done(id);
    assert_eq!(
        host.wait(id, TH_EVENT_HEADERS).flags & TH_FLAG_HTTP2,
        TH_FLAG_HTTP2
    );
    assert_eq!(host.body(id).len(), 10);
    // SAFETY: zero is a value of each of its members.
    let mut trailers: ThHead = unsafe { std::mem::zeroed() };
    // SAFETY: it lives.
    let code = unsafe { th_trailers(host.client, id, &mut trailers) };
    assert_eq!(code, TH_OK);
    assert_eq!(fields(&trailers)[0].0, "x-trailer");
}

#[test]
fn a_paused_host_is_sent_nothing_and_a_limit_holds() {
    let server = server();
    let mut host = Host::new();
    let url = server.url("/never");
    // SAFETY: the text lives.
    let limited = unsafe { th_host_limit(host.client, url.as_ptr(), url.len() as u32, 1) };
    assert_eq!(limited, TH_OK);
    let ids = [host.get(&url), host.get(&url)];
    host.until(|host| host.stats().running == 1);
    assert_eq!(host.stats().running, 1);
    for id in ids {
        th_release(host.client, id);
    }
    let small = server.url("/small");
    // SAFETY: the text lives.
    let paused = unsafe { th_host_pause(host.client, small.as_ptr(), small.len() as u32, 40) };
    assert_eq!(paused, TH_OK);
    let id = host.get(&small);
    host.done(id);
    let timeline = timeline(&host, id);
    assert!(timeline.pause_ns > 0, "{timeline:?}");
    let wrong = "no url";
    // SAFETY: the text lives.
    let code = unsafe { th_host_limit(host.client, wrong.as_ptr(), 6, 1) };
    assert_eq!(code, TH_ARG);
}

#[test]
fn nothing_of_a_released_request_shows_in_the_next() {
    let server = server();
    let mut host = Host::new();
    let (large, small) = (server.url("/bytes/50000"), server.url("/small"));
    for _ in 0..20 {
        let first = host.get(&large);
        host.done(first);
        host.read(first, 3_000);
        th_release(host.client, first);
        host.until(|host| host.stats().tasks == 0);
        let second = host.get(&small);
        host.done(second);
        assert_eq!(host.body(second), b"Hello, world!");
        let fields = host.fields(second);
        let length = fields.iter().find(|(name, _)| name == "content-length");
        assert_eq!(length.map(|(_, value)| &**value), Some("13"));
        assert_eq!(host.error(second), "");
        th_release(host.client, second);
    }
    host.until(|host| host.stats().tasks == 0);
    assert_eq!(host.stats().body_bytes, 0);
}
