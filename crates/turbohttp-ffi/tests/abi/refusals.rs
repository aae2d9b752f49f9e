//! What the ABI refuses: each with a code and a text, none with a crash.

use std::ptr::{null, null_mut};

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{body::*, client::*, events::*, library::*, request::*};

use crate::host::{Host, config, last_error, request, server, text};

fn create(config: &ThClientConfig) -> i32 {
    let mut client = 0;
    // SAFETY: both live.
    let code = unsafe { th_client_create(config, 0, &mut client) };
    assert_eq!(th_client_destroy(client, 1_000), 0);
    code
}

#[test]
fn options_out_of_their_bounds_name_themselves() {
    type Spoil = fn(&mut ThClientConfig);
    let cases: [(Spoil, &str); 13] = [
        (|config| config.struct_size = 3, "struct_size is 3"),
        (|config| config.flags = 1 << 30, "flags"),
        (|config| config.workers = 65, "workers is 65"),
        (|config| config.requests_max = 70_000, "requests_max"),
        (|config| config.body_window = 1, "body_window is 1"),
        (|config| config.upload_window = u32::MAX, "upload_window"),
        (|config| config.body_memory = 9, "body_memory"),
        (|config| config.total = 70_000, "total"),
        (|config| config.auth_kind = 9, "auth_kind is 9"),
        (|config| config.auth_kind = TH_AUTH_BASIC, "auth_origin"),
        (|config| config.proxy = text("no proxy"), "proxy"),
        (
            |config| {
                config.root_pem = ThText {
                    ptr: null(),
                    len: 3,
                    reserved: 0,
                }
            },
            "root_pem is null",
        ),
        (|config| config.key_pem = text("key"), "go together"),
    ];
    for (spoil, part) in cases {
        let mut config = config();
        spoil(&mut config);
        assert_eq!(create(&config), TH_ARG, "{part}");
        assert!(last_error().contains(part), "{}: {part}", last_error());
    }
    assert_eq!(create(&config()), TH_OK);
}

#[test]
fn requests_that_cannot_be_name_what_is_wrong() {
    type Spoil = fn(&mut ThRequest);
    let cases: [(Spoil, &str); 13] = [
        (|request| request.struct_size = 0, "struct_size"),
        (|request| request.flags = 1, "flags"),
        (|request| request.priority = 5, "priority is 5"),
        (|request| request.body_kind = 4, "body_kind is 4"),
        (|request| request.sink_kind = 3, "sink_kind is 3"),
        (
            |request| request.sink_kind = TH_SINK_FILE,
            "sink_path is empty",
        ),
        (|request| request.body_window = 2, "body_window is 2"),
        (|request| request.method = text("a b"), "is no method"),
        (|request| request.url = text("ftp://x/"), "ftp"),
        (|request| request.url = text(""), ""),
        (|request| request.url.ptr = null(), "url is null"),
        (
            |request| request.headers.count = 2,
            "headers.fields is null",
        ),
        (
            |request| request.headers.count = u32::MAX,
            "fields, of at most",
        ),
    ];
    let host = Host::new();
    for (spoil, part) in cases {
        let mut request = request("http://127.0.0.1:9/");
        spoil(&mut request);
        assert_eq!(host.try_submit(&request, 0), Err(TH_ARG), "{part}");
        assert!(last_error().contains(part), "{}: {part}", last_error());
    }
    let bad = [0xff_u8, 0xfe];
    let mut no_text = request("http://127.0.0.1:9/");
    no_text.url = ThText {
        ptr: bad.as_ptr(),
        len: 2,
        reserved: 0,
    };
    assert_eq!(host.try_submit(&no_text, 0), Err(TH_ARG));
    let place = ThField {
        name_off: u32::MAX,
        name_len: u32::MAX,
        ..ThField::default()
    };
    let mut outside = request("http://127.0.0.1:9/");
    outside.headers = ThFields {
        arena: bad.as_ptr(),
        fields: &place,
        arena_len: 2,
        count: 1,
    };
    assert_eq!(host.try_submit(&outside, 0), Err(TH_ARG));
    assert_eq!(last_error(), "field 0 is outside of its arena");
    assert_eq!(host.stats().requests, 0);
}

#[test]
fn null_pointers_are_arguments_that_cannot_be() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        flags: TH_CLIENT_COOKIES,
        ..config()
    });
    let url = server.url("/small");
    let id = host.get(&url);
    host.done(id);
    let client = host.client;
    // SAFETY: every pointer is null, which each of these functions allows.
    let codes = unsafe {
        [
            th_client_create(null(), 0, null_mut()),
            th_client_create(&config(), 0, null_mut()),
            th_client_stats(client, null_mut()),
            th_close_report(client, null_mut()),
            th_host_limit(client, null(), 3, 1),
            th_host_pause(client, null(), 3, 1),
            th_submit(client, null(), 0, null_mut()),
            th_submit(client, &request(&url), 0, null_mut()),
            th_poll(client, null_mut(), 3, 0),
            th_head(client, id, null_mut()),
            th_trailers(client, id, null_mut()),
            th_body_read(client, id, null_mut(), 3, 0, &mut 0),
            th_body_read(client, id, null_mut(), 0, 0, null_mut()),
            th_body_peek(client, id, null_mut(), null_mut()),
            th_body_write(client, id, null(), 3, 0, &mut 0),
            th_timeline(client, id, null_mut()),
            th_timeline_events(client, id, null_mut(), 3),
            th_progress(client, id, null_mut()),
            th_cookies_export(client, null_mut(), 3, &mut 0),
            th_cookies_export(client, null_mut(), 0, null_mut()),
            th_cookies_import(client, null(), 3),
        ]
    };
    assert_eq!(codes, [TH_ARG; 21]);
    // SAFETY: as above.
    unsafe {
        assert_eq!(th_last_error(null_mut(), 3), 0);
        assert_eq!(th_poll(client, null_mut(), 0, 0), 0);
        assert_eq!(th_request_error(client, id, null_mut(), 0), 0);
        assert_eq!(th_code_name(TH_ARG, null_mut(), 3), 0);
    }
}

#[test]
fn handles_that_are_stale_or_made_up_are_refused() {
    let server = server();
    let (host, other) = (Host::new(), Host::new());
    let url = server.url("/never");
    let id = host.get(&url);
    for (client, request) in [
        (0, id),
        (host.client, 0),
        (host.client, u64::MAX),
        (host.client ^ 1 << 31, id),
        (u32::MAX, id),
        // A request of one client is none of another.
        (other.client, id),
        (host.client, id ^ 1 << 19),
        (host.client, id ^ 1 << 40),
    ] {
        assert_eq!(
            th_cancel(client, request),
            TH_STALE,
            "{client:x} {request:x}"
        );
        assert_eq!(th_release(client, request), TH_STALE);
        assert_eq!(th_set_priority(client, request, 1), TH_STALE);
        assert_eq!(th_body_consume(client, request, 0), TH_STALE);
    }
    assert_eq!(th_wake(0), TH_STALE);
    assert_eq!(th_client_shutdown(0, 0, 0), TH_STALE);
    assert_eq!(th_client_close_idle(7), TH_STALE);
    assert_eq!(th_client_destroy(0, 0), 0);
    assert_eq!(th_client_shutdown(host.client, 9, 0), TH_ARG);
    assert_eq!(th_cancel(host.client, id), TH_OK);
}

#[test]
fn calls_that_come_too_early_say_so() {
    let server = server();
    let host = Host::new();
    let url = server.url("/never");
    let id = host.get(&url);
    // SAFETY: zero is a value of each of its members.
    let mut head: ThHead = unsafe { std::mem::zeroed() };
    // SAFETY: it lives.
    assert_eq!(unsafe { th_head(host.client, id, &mut head) }, TH_STATE);
    // SAFETY: it lives.
    assert_eq!(unsafe { th_trailers(host.client, id, &mut head) }, TH_STATE);
    assert_eq!(host.read(id, 10), (Vec::new(), TH_WOULD_BLOCK));
    let mut report = ThCloseReport {
        struct_size: size_of::<ThCloseReport>() as u32,
        ..ThCloseReport::default()
    };
    // SAFETY: it lives.
    let code = unsafe { th_close_report(host.client, &mut report) };
    assert_eq!(code, TH_STATE);
}

#[test]
fn what_cannot_be_a_download_is_refused_at_once() {
    let host = Host::new();
    type Spoil = fn(&mut ThRequest);
    let cases: [(Spoil, &str); 5] = [
        (
            |request| request.method = text("POST"),
            "GET without a body",
        ),
        (
            |request| request.body_kind = TH_BODY_STREAM,
            "GET without a body",
        ),
        (|request| request.connections = 17, "connections is 17"),
        (|request| request.checksum = text("crc:7"), "checksum"),
        (|request| request.url = text("nowhere"), ""),
    ];
    for (spoil, part) in cases {
        let mut request = ThRequest {
            sink_kind: TH_SINK_FILE,
            sink_path: text("never-written"),
            ..request("http://127.0.0.1:9/")
        };
        spoil(&mut request);
        assert_eq!(host.try_submit(&request, 0), Err(TH_ARG), "{part}");
        assert!(last_error().contains(part), "{}: {part}", last_error());
    }
    let pipe = ThRequest {
        method: text("PUT"),
        body_kind: TH_BODY_FILE,
        body: text("/dev/zero"),
        ..request("http://127.0.0.1:9/")
    };
    assert_eq!(host.try_submit(&pipe, 0), Err(TH_REQUEST_BODY));
    assert!(last_error().contains("no regular file"));
}

#[test]
fn a_host_of_a_later_version_may_know_more_as_long_as_it_asks_for_nothing_of_it() {
    #[repr(C)]
    struct Later {
        known: ThClientConfig,
        more: u64,
    }
    let mut later = Later {
        known: config(),
        more: 0,
    };
    later.known.struct_size = size_of::<Later>() as u32;
    for (more, expected) in [(0, TH_OK), (1, TH_ARG)] {
        later.more = more;
        let mut client = 0;
        // SAFETY: as many bytes can be read as the structure says.
        let code = unsafe { th_client_create((&raw const later).cast(), 0, &mut client) };
        assert_eq!(code, expected, "{}", last_error());
        th_client_destroy(client, 1_000);
    }
    assert!(last_error().contains("more than this version"));
}

#[test]
fn the_library_says_what_it_is() {
    assert_eq!(th_abi_version() >> 16, 1);
    assert_eq!(th_struct_size(6), 40);
    assert_eq!(th_struct_size(0), 0);
    assert_eq!(th_struct_size(13), 0);
}

#[test]
fn a_request_that_is_refused_says_nothing() {
    let mut host = Host::new();
    for url in ["http://[", "nowhere", ""] {
        let stream = ThRequest {
            method: text("POST"),
            body_kind: TH_BODY_STREAM,
            body_length: TH_UNKNOWN,
            ..request(url)
        };
        assert_eq!(host.try_submit(&stream, 7), Err(TH_ARG), "{url}");
    }
    assert_eq!(host.poll(0), 0);
}
