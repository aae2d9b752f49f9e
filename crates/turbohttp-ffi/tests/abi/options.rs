//! Options of a client, its cookies, and how far its requests are.

use std::ptr::null_mut;

use turbohttp_ffi::abi::*;
use turbohttp_ffi::exports::{client::*, library::*, request::*};

use crate::host::{Host, config, last_error, pattern, request, server, text};

#[test]
fn a_name_is_resolved_as_the_host_says() {
    let server = server();
    let host_and_port = server.url("/small");
    let port = host_and_port.split(['/', ':']).nth(4).unwrap();
    let mut host = Host::with(&ThClientConfig {
        resolve: text("other.test=127.0.0.2;named.test=127.0.0.1,[::1]:9"),
        local_address: text("127.0.0.1"),
        ip_version: 4,
        tls_min: 13,
        lifetime_ms: 60_000,
        ping_ms: 10_000,
        h2_connections_per_host: 2,
        rate_per_host: 1_000,
        ageing_ms: 1_000,
        flags: TH_CLIENT_NO_SNI | TH_CLIENT_NO_RESUMPTION | TH_CLIENT_LENIENT_FIELDS,
        ..config()
    });
    let url = format!("http://named.test:{port}/small");
    let id = host.get(&url);
    let done = host.done(id);
    assert_eq!((done.code, done.status), (TH_OK, 200), "{}", host.error(id));
}

#[test]
fn an_option_that_cannot_be_is_named() {
    type Spoil = fn(&mut ThClientConfig);
    let table: [(&str, Spoil); 7] = [
        ("tls_min", |config| config.tls_min = 11),
        ("ip_version", |config| config.ip_version = 5),
        ("local_address", |config| {
            config.local_address = text("here")
        }),
        ("resolve", |config| config.resolve = text("a.test")),
        ("resolve", |config| config.resolve = text("a.test=here")),
        ("flags", |config| config.flags = 2_048),
        ("ping", |config| config.ping_ms = 1),
    ];
    for (name, spoil) in table {
        let mut wrong = config();
        spoil(&mut wrong);
        let mut client = 0;
        // SAFETY: both live.
        let code = unsafe { th_client_create(&wrong, 0, &mut client) };
        assert_eq!(code, TH_ARG, "{name}");
        assert!(last_error().contains(name), "{name}: {}", last_error());
    }
}

fn exported(host: &Host) -> Result<String, i32> {
    let (mut bytes, mut length) = (vec![0; 4_096], 0);
    // SAFETY: 4,096 bytes can be written, and so can the length.
    match unsafe { th_cookies_export(host.client, bytes.as_mut_ptr(), 4_096, &mut length) } {
        TH_OK => {
            bytes.truncate(length as usize);
            Ok(String::from_utf8(bytes).unwrap())
        }
        code => Err(code),
    }
}

fn import(host: &Host, cookies: &str) -> i32 {
    // SAFETY: the text lives.
    unsafe { th_cookies_import(host.client, cookies.as_ptr(), cookies.len() as u32) }
}

#[test]
fn cookies_come_in_and_go_out_as_a_file_of_netscape() {
    const LINE: &str = "127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tsession\t42";
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        flags: TH_CLIENT_COOKIES,
        ..config()
    });
    assert_eq!(import(&host, LINE), TH_OK, "{}", last_error());
    let id = host.get(&server.url("/headers"));
    host.done(id);
    let sent = String::from_utf8(host.body(id)).unwrap();
    assert!(sent.contains("cookie: session=42"), "{sent}");
    // Its age is what a jar keeps at most.
    assert!(exported(&host).unwrap().contains("\tsession\t42"));
    // The length comes without room for it.
    let mut length = 0;
    // SAFETY: no byte is written there.
    let code = unsafe { th_cookies_export(host.client, null_mut(), 0, &mut length) };
    assert_eq!(
        (code, length),
        (TH_OK, exported(&host).unwrap().len() as u32)
    );
    assert_eq!(import(&host, "no cookie"), TH_ARG);
    let without = Host::new();
    assert_eq!(import(&without, LINE), TH_STATE);
    assert_eq!(exported(&without), Err(TH_STATE));
}

fn progress(host: &Host, id: ThRequestId) -> ThProgress {
    let mut progress = ThProgress {
        struct_size: size_of::<ThProgress>() as u32,
        reserved: 0,
        sent: 0,
        to_send: 0,
        received: 0,
        to_receive: 0,
    };
    // SAFETY: it lives.
    let code = unsafe { th_progress(host.client, id, &mut progress) };
    assert_eq!(code, TH_OK, "{}", last_error());
    progress
}

#[test]
fn a_request_says_how_far_it_is() {
    const LENGTH: u64 = 300_000;
    let server = server();
    let mut host = Host::new();
    let body = pattern(LENGTH as usize);
    let id = host.submit(&ThRequest {
        method: text("POST"),
        body_kind: TH_BODY_BYTES,
        body: ThText {
            ptr: body.as_ptr(),
            len: LENGTH as u32,
            reserved: 0,
        },
        ..request(&server.url("/echo"))
    });
    host.done(id);
    let done = progress(&host, id);
    assert_eq!((done.sent, done.to_send), (LENGTH, LENGTH));
    assert_eq!(done.received, LENGTH);
    assert_eq!(host.body(id), body);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let url = server.url("/bytes/300000");
    let id = host.submit(&ThRequest {
        sink_kind: TH_SINK_FILE,
        sink_path: text(path.to_str().unwrap()),
        ..request(&url)
    });
    assert_eq!(host.done(id).code, TH_OK, "{}", host.error(id));
    let done = progress(&host, id);
    assert_eq!((done.received, done.to_receive), (LENGTH, LENGTH));
    assert_eq!((done.sent, done.to_send), (0, 0));
}

#[test]
fn every_code_has_a_name() {
    for code in -24..=2 {
        let mut name = [0; 32];
        // SAFETY: 32 bytes can be written.
        let length = unsafe { th_code_name(code, name.as_mut_ptr(), 32) };
        assert!(name[..length as usize].starts_with(b"TH_"), "{code}");
    }
    for code in [-25, 3, i32::MIN] {
        // SAFETY: no byte is written.
        assert_eq!(unsafe { th_code_name(code, null_mut(), 0) }, 0);
    }
}

#[test]
fn a_wait_in_line_ends_by_its_limit_and_a_rate_lets_all_through() {
    let server = server();
    let mut host = Host::with(&ThClientConfig {
        per_host: 1,
        permit_ms: 50,
        ..config()
    });
    let running = host.get(&server.url("/never"));
    let waiting = host.get(&server.url("/small"));
    assert_eq!(host.done(waiting).code, TH_TIMEOUT);
    assert!(
        host.error(waiting).contains("permit"),
        "{}",
        host.error(waiting)
    );
    assert_eq!(th_cancel(host.client, running), TH_OK);
    assert_eq!(host.done(running).code, TH_CANCELLED);

    let mut host = Host::with(&ThClientConfig {
        rate_per_host: 1,
        rate_ms: 10,
        ageing_ms: 5,
        ..config()
    });
    let url = server.url("/small");
    let ids: Vec<_> = (0..10).map(|_| host.get(&url)).collect();
    for id in ids {
        assert_eq!(host.done(id).code, TH_OK, "{}", host.error(id));
    }
}
