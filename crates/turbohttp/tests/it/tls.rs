//! TLS: what is trusted, what is said when it is not, and where a body ends.

use std::sync::Arc;
use std::time::Duration;

use turbohttp::{Client, ErrorKind, Phase, Tls};
use turbohttp_loopback::script::{Script, Signal, Step};
use turbohttp_loopback::tls::{Leaf, TestCa};
use turbohttp_loopback::{Options, Server, pattern};

use crate::support::{TestClient, expect_error, read, settle, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn server(config: Arc<rustls::ServerConfig>) -> Server {
    let tls = Some(config);
    Server::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap()
}

fn trusting(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

fn client(tls: Tls) -> TestClient {
    TestClient::with(|builder| builder.tls(tls))
}

#[tokio::test]
async fn added_root_is_trusted() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    for tls in [trusting(&ca), Tls::default().root_pem(ca.pem())] {
        let client = client(tls);
        let mut response = client
            .get(server.url("/bytes/300000"))
            .send()
            .await
            .unwrap();
        assert!(read(&mut response).await.unwrap() == pattern(300_000));
        assert!(
            response
                .timeline()
                .spans()
                .any(|span| span.phase == Phase::Tls)
        );
        let url = format!("https://localhost:{}/echo", server.addr().port());
        let mut response = client
            .post(url)
            .body(pattern(200_000))
            .send()
            .await
            .unwrap();
        assert!(read(&mut response).await.unwrap() == pattern(200_000));
    }
}

#[tokio::test]
async fn server_that_speaks_no_protocol_offered_is_refused() {
    let ca = TestCa::new();
    let mut config = (*ca.server_config(NAMES)).clone();
    config.alpn_protocols = vec![b"h3".to_vec()];
    let server = Script::new()
        .accept([Step::Handshake(Arc::new(config)), Step::ReadHead])
        .start()
        .unwrap();
    let client = client(trusting(&ca));
    let url = format!("https://{}/", server.addr());
    let error = soon(client.get(&url).send()).await.unwrap_err();
    let message = "none of the protocols offered by ALPN: h2, http/1.1";
    let at = format!("https://{}", server.addr());
    expect_error(&error, ErrorKind::Tls, Phase::Tls, message, at);
    assert_eq!(client.net().opened, 0);
}

/// Advisories 15 and 37: a check that fails sends nothing of the request, and says what failed.
#[tokio::test]
async fn wrong_certificates_are_refused_before_anything_is_sent() {
    let ca = TestCa::new();
    let other = TestCa::new();
    let leaves = [
        ("it has expired", ca.expired_leaf(NAMES)),
        (
            "it is for another name",
            ca.leaf(&["example.com", "192.0.2.1"]),
        ),
        (
            "its signature is not that of the issuer it names",
            other.leaf(NAMES),
        ),
        ("its issuer is not trusted", Leaf::self_signed(NAMES)),
    ];
    for (message, leaf) in &leaves {
        let versions: [&[&rustls::SupportedProtocolVersion]; 2] =
            [rustls::DEFAULT_VERSIONS, &[&rustls::version::TLS12]];
        for versions in versions {
            let server = Script::new()
                .accept([
                    Step::Handshake(config(leaf, versions)),
                    Step::ReadHead,
                    Step::send(OK),
                ])
                .start()
                .unwrap();
            let url = format!("https://{}/secret", server.addr());
            let client = client(trusting(&ca));
            let error = soon(client.get(&url).send()).await.unwrap_err();
            let at = format!("https://{}", server.addr());
            expect_error(&error, ErrorKind::Tls, Phase::Tls, message, at);
            assert_eq!(client.net().opened, 0);
            soon(server.all_closed()).await;
            assert_eq!(server.received(), [b""], "something was sent");
        }
        // Every certificate is accepted where the user asks for that.
        let server = server(leaf.server_config());
        let client = client(Tls::default().danger_accept_any_certificate());
        assert_eq!(
            client.body_of(&server.url("/small")).await,
            b"Hello, world!"
        );
    }
}

fn config(
    leaf: &Leaf,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.certificate_der()], leaf.key_der())
        .unwrap();
    Arc::new(config)
}

#[tokio::test]
async fn server_of_tls_1_2_is_spoken_to() {
    let ca = TestCa::new();
    let server = server(config(&ca.leaf(NAMES), &[&rustls::version::TLS12]));
    let client = client(trusting(&ca));
    for _ in 0..3 {
        assert_eq!(
            client.body_of(&server.url("/small")).await,
            b"Hello, world!"
        );
    }
    assert_eq!(server.stats().connections, 1);
}

#[tokio::test]
async fn client_certificate_is_shown_to_those_who_ask() {
    let (ca, client_ca) = (TestCa::new(), TestCa::new());
    let server = server(ca.leaf(NAMES).mutual_server_config(&client_ca));
    let identity = |authority: &TestCa| {
        let leaf = authority.leaf(&["someone"]);
        trusting(&ca).client_certificate_pem(leaf.certificate_pem(), leaf.key_pem())
    };
    let right = client(identity(&client_ca));
    assert_eq!(right.body_of(&server.url("/small")).await, b"Hello, world!");
    for tls in [identity(&ca), trusting(&ca)] {
        let client = client(tls);
        let error = client.get(server.url("/small")).send().await.unwrap_err();
        // With TLS 1.3 the refusal comes after the client's handshake is over.
        assert!(
            [ErrorKind::Tls, ErrorKind::Io].contains(&error.kind()),
            "{error:?}"
        );
        assert!(error.to_string().contains(&server.url("")), "{error}");
        client.audit();
        assert_eq!(client.net().open, 0);
    }
    assert_eq!(server.stats().requests, 1);
}

#[tokio::test]
async fn pem_that_is_none_is_the_callers_error() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let cases = [
        Tls::default().root_pem("no pem"),
        Tls::default().only_added_roots(),
        trusting(&ca).client_certificate_pem("no pem", "no key"),
        trusting(&ca).client_certificate_pem(ca.leaf(NAMES).certificate_pem(), "no key"),
    ];
    for tls in cases {
        // At the latest when the first connection needs it.
        let error = match Client::builder().tls(tls).build() {
            Err(error) => error,
            Ok(client) => client.get(server.url("/small")).send().await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    }
    assert_eq!(server.stats().requests, 0);
}

#[tokio::test(start_paused = true)]
async fn handshake_that_stalls_costs_the_tls_timeout() {
    let server = Script::new().accept([Step::Stall]).start().unwrap();
    let ca = TestCa::new();
    let client = client(trusting(&ca));
    let at = format!("https://{}", server.addr());
    let error = client.get(format!("{at}/")).send().await.unwrap_err();
    let message = "the TLS handshake took longer than 10s";
    expect_error(&error, ErrorKind::Timeout, Phase::Tls, message, at);
    assert_eq!(client.net().opened, 0);
}

#[tokio::test]
async fn handshake_that_ends_early_is_an_error() {
    let ca = TestCa::new();
    let cut = "127.0.0.1 closed the connection in the TLS handshake";
    for (message, steps) in [
        (cut, vec![Step::Close]),
        (cut, vec![Step::ReadExact(10), Step::Close]),
        (cut, vec![Step::ReadExact(10), Step::Reset]),
        (
            "127.0.0.1 does not speak TLS on this port",
            vec![
                Step::ReadExact(10),
                Step::send("HTTP/1.1 400 Bad Request\r\n\r\n"),
                Step::Stall,
            ],
        ),
        (
            "127.0.0.1 shares no TLS version",
            vec![
                Step::ReadExact(10),
                Step::send("\x15\x03\x03\x00\x02\x02\x28"),
                Step::Stall,
            ],
        ),
    ] {
        let server = Script::new().accept(steps).start().unwrap();
        let client = client(trusting(&ca));
        let at = format!("https://{}", server.addr());
        let error = soon(client.get(format!("{at}/")).send()).await.unwrap_err();
        expect_error(&error, ErrorKind::Tls, Phase::Tls, message, at);
        assert_eq!(client.net().opened, 0);
    }
}

/// Without close_notify anybody on the way could have cut the stream: only a length says that all of
/// it has come.
#[tokio::test]
async fn cut_stream_is_no_end_of_a_body() {
    let ca = TestCa::new();
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf";
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let cases = [
        (close, Step::Truncate, None),
        (length, Step::Truncate, None),
        (chunked, Step::Truncate, None),
        (length, Step::Close, None),
        (chunked, Step::Close, None),
        (close, Step::Close, Some("half")),
        (OK, Step::Truncate, Some("ok")),
        (OK, Step::Close, Some("ok")),
    ];
    for (answer, end, body) in cases {
        for collect in [false, true] {
            let steps = [
                Step::Handshake(ca.server_config(NAMES)),
                Step::ReadHead,
                Step::send(answer),
                end.clone(),
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = client(trusting(&ca));
            let at = format!("https://{}", server.addr());
            let mut response = client.get(format!("{at}/")).send().await.unwrap();
            let read = async {
                match collect {
                    true => response.bytes().await.map(|bytes| bytes.to_vec()),
                    false => read(&mut response).await,
                }
            };
            match (soon(read).await, body) {
                (Ok(read), Some(body)) => assert_eq!(read, body.as_bytes()),
                (Err(error), None) => {
                    expect_error(
                        &error,
                        ErrorKind::Truncated,
                        Phase::Receive,
                        "connection",
                        at,
                    );
                }
                (outcome, _) => panic!("{outcome:?} after {answer:?} and {end:?}"),
            }
        }
    }
}

#[tokio::test]
async fn stream_cut_before_the_answer_is_an_error() {
    let ca = TestCa::new();
    for part in ["", "HTTP/1.1 200 OK\r\nconte"] {
        for end in [Step::Truncate, Step::Close, Step::Reset] {
            let steps = [
                Step::Handshake(ca.server_config(NAMES)),
                Step::ReadHead,
                Step::send(part),
                end,
            ];
            let server = Script::new().accept(steps).start().unwrap();
            let client = client(trusting(&ca));
            let url = format!("https://{}/", server.addr());
            let error = soon(client.get(url).send()).await.unwrap_err();
            let kinds = [ErrorKind::Truncated, ErrorKind::Io];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert_eq!(error.phase(), Some(Phase::Wait));
            assert_eq!(client.net().open, 0);
        }
    }
}

#[tokio::test]
async fn dribbled_records_give_the_same_body() {
    let ca = TestCa::new();
    let answer =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let steps = [
        Step::Handshake(ca.server_config(NAMES)),
        Step::ReadHead,
        Step::send_split(answer, 1),
        Step::ReadHead,
        Step::send(OK),
    ];
    let server = Script::new().accept(steps).start().unwrap();
    let client = client(trusting(&ca));
    let url = format!("https://{}/", server.addr());
    assert_eq!(client.body_of(&url).await, b"abcde");
    assert_eq!(client.body_of(&url).await, b"ok");
    assert_eq!(server.connections(), 1);
}

/// Tickets come after the handshake, and are no unasked answer.
#[tokio::test]
async fn session_tickets_do_not_cost_an_idle_connection() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let client = client(trusting(&ca));
    for _ in 0..5 {
        assert_eq!(
            client.body_of(&server.url("/small")).await,
            b"Hello, world!"
        );
        settle().await;
    }
    let stats = server.stats();
    assert_eq!((stats.connections, stats.requests), (1, 5));
}

/// As on a plain connection: bytes nobody asked for, and an end while idle.
#[tokio::test]
async fn idle_connection_that_says_something_is_not_used() {
    let ca = TestCa::new();
    let config = ca.server_config(NAMES);
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let second = vec![
        Step::Handshake(config.clone()),
        Step::ReadHead,
        Step::send(OK),
    ];
    for then in [Step::send(evil), Step::Close, Step::Truncate, Step::Reset] {
        let go = Signal::new();
        let mut first = vec![
            Step::Handshake(config.clone()),
            Step::ReadHead,
            Step::send(OK),
        ];
        first.extend([Step::Await(go.clone()), then]);
        let server = Script::new()
            .accept(first)
            .accept(second.clone())
            .start()
            .unwrap();
        let client = client(trusting(&ca));
        let url = format!("https://{}/", server.addr());
        assert_eq!(client.body_of(&url).await, b"ok");
        go.set();
        soon(server.all_closed()).await;
        settle().await;
        let mut response = soon(client.post(&url).body("x").send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!((server.connections(), client.net().replayed), (2, 0));
    }
}

/// Advisories 13 and 15: the same host and port without TLS is another origin.
#[tokio::test]
async fn plain_request_does_not_go_over_a_tls_connection() {
    let ca = TestCa::new();
    let server = Script::new()
        .accept([
            Step::Handshake(ca.server_config(&["a.test"])),
            Step::ReadHead,
            Step::send(OK),
            Step::Stall,
        ])
        .accept([Step::ReadHead, Step::send(OK)])
        .start()
        .unwrap();
    let client = TestClient::with(|it| it.tls(trusting(&ca)).resolve("a.test", [server.addr()]));
    assert_eq!(client.body_of("https://a.test/").await, b"ok");
    assert_eq!(client.body_of("http://a.test:443/").await, b"ok");
    assert_eq!(server.connections(), 2);
}

/// Advisory 13: who trusts less does not profit from who trusts more.
#[tokio::test]
async fn clients_with_other_tls_settings_share_nothing() {
    let (ca, client_ca) = (TestCa::new(), TestCa::new());
    let server = server(ca.leaf(NAMES).mutual_server_config(&client_ca));
    let leaf = client_ca.leaf(&["someone"]);
    let known = Tls::default()
        .danger_accept_any_certificate()
        .client_certificate_pem(leaf.certificate_pem(), leaf.key_pem());
    let known = client(known);
    assert_eq!(known.body_of(&server.url("/small")).await, b"Hello, world!");
    assert_eq!(known.net().idle, 1);
    for tls in [
        Tls::default().danger_accept_any_certificate(),
        trusting(&client_ca),
        Tls::default(),
    ] {
        let stranger = client(tls);
        let sent = stranger.get(server.url("/small")).send().await;
        assert!(sent.is_err(), "{sent:?}");
    }
    assert_eq!(server.stats().requests, 1);
    let again = Client::clone(&known);
    assert_eq!(
        again
            .get(server.url("/small"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

/// A request dropped in the handshake leaves nothing.
#[tokio::test]
async fn handshake_may_be_dropped_at_any_poll() {
    let ca = TestCa::new();
    let server = server(ca.server_config(NAMES));
    let client = client(trusting(&ca));
    let mut polls = 0;
    loop {
        let body = crate::support::poll_times(client.body_of(&server.url("/id/x")), polls).await;
        client.audit();
        if let Some(body) = body {
            assert_eq!(body, b"x");
            break;
        }
        // So that the next one has a handshake of its own.
        assert_eq!(client.net().idle, 0);
        polls += 1;
    }
    assert!(polls > 3, "{polls}");
    assert_eq!(client.body_of(&server.url("/id/y")).await, b"y");
}

#[tokio::test]
async fn request_timeout_covers_the_handshake() {
    let ca = TestCa::new();
    let server = Script::new()
        .accept([Step::Stall])
        .repeat_last()
        .start()
        .unwrap();
    let client = client(trusting(&ca));
    let request = client.get(format!("https://{}/", server.addr()));
    let error = request
        .timeout(Duration::from_millis(200))
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Timeout, Some(Phase::Tls))
    );
    assert!(
        error
            .to_string()
            .contains("the request took longer than 200ms"),
        "{error}"
    );
}
