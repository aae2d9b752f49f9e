//! Tunnels by CONNECT: the bytes, the answers, and every wait.

use std::time::Duration;

use turbohttp::{Client, Error, ErrorKind, Phase, Proxy, StatusCode, Timeouts, Tls};
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::tls::TestCa;

use crate::support::{TestClient, poll_times, read, settle, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ESTABLISHED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";
const URL: &str = "https://name.test/path";

fn tls(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

fn by(proxy: &ScriptServer, ca: &TestCa) -> TestClient {
    let rule = Proxy::all(&proxy.url("")).unwrap();
    TestClient::with(|builder| builder.tls(tls(ca)).proxy(rule))
}

/// A proxy that answers CONNECT with this, and plays the origin behind it.
fn tunnel(ca: &TestCa, answer: impl Into<Vec<u8>>) -> ScriptServer {
    let steps = [
        Step::ReadHead,
        Step::send(answer),
        Step::Handshake(ca.server_config(&["name.test"])),
        Step::ReadHead,
        Step::send(OK),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    Script::new().accept(steps).start().unwrap()
}

/// A proxy that answers CONNECT with these steps, on every connection.
fn answering(steps: impl IntoIterator<Item = Step>) -> ScriptServer {
    let all: Vec<Step> = [Step::ReadHead].into_iter().chain(steps).collect();
    Script::new().accept(all).repeat_last().start().unwrap()
}

async fn error_of(steps: impl IntoIterator<Item = Step>) -> Error {
    let proxy = answering(steps);
    let rule = Proxy::all(&proxy.url("")).unwrap();
    // Not audited here: the error has the request, which was not sent.
    let client = Client::builder().proxy(rule).build().unwrap();
    let error = soon(client.get(URL).send()).await.unwrap_err();
    assert_eq!(error.phase(), Some(Phase::Tunnel), "{error:?}");
    assert_eq!(
        client.stats().requests,
        usize::from(error.is_retryable()) as u64
    );
    assert!(error.timeline().is_some() && error.origin().is_some());
    let head = String::from_utf8(proxy.received().remove(0)).unwrap();
    assert!(!head.contains("/path"), "nothing of the request: {head}");
    error
}

#[tokio::test]
async fn tunnel_is_asked_for_by_host_and_port_and_kept() {
    let ca = TestCa::new();
    let proxy = tunnel(&ca, ESTABLISHED);
    let rule = Proxy::https(&proxy.url("")).unwrap();
    let rule = rule.basic_auth("user", "word").unwrap();
    let client = TestClient::with(|builder| builder.tls(tls(&ca)).proxy(rule));
    for _ in 0..2 {
        let request = client
            .get(URL)
            .header("proxy-authorization", "Basic canary");
        let mut response = soon(request.send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!(response.remote_addr(), Some(proxy.addr()));
    }
    let received = String::from_utf8_lossy(&proxy.received()[0]).into_owned();
    let connect = "CONNECT name.test:443 HTTP/1.1\r\nhost: name.test:443\r\n\
                   proxy-authorization: Basic dXNlcjp3b3Jk\r\n\r\nGET /path HTTP/1.1\r\nhost: name.test\r\n";
    assert!(received.starts_with(connect), "{received}");
    assert_eq!(received.matches("GET /path").count(), 2, "one tunnel");
    let secrets = received.matches("roxy-authorization").count();
    assert!(secrets == 1 && !received.contains("canary"), "{received}");
}

#[tokio::test]
async fn phases_of_a_tunnel_are_in_the_timeline() {
    let ca = TestCa::new();
    let proxy = tunnel(&ca, ESTABLISHED);
    let client = by(&proxy, &ca);
    let mut response = soon(client.get(URL).send()).await.unwrap();
    read(&mut response).await.unwrap();
    let phases: Vec<Phase> = response.timeline().spans().map(|span| span.phase).collect();
    let expected = [
        Phase::Connect,
        Phase::Tunnel,
        Phase::Tls,
        Phase::Send,
        Phase::Wait,
    ];
    assert!(phases.starts_with(&expected), "{phases:?}");
}

/// RFC 9110 section 9.3.6: a success has no body, and Content-Length or Transfer-Encoding mean nothing.
#[tokio::test]
async fn success_has_no_body_whatever_its_fields_say() {
    for fields in [
        "content-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "transfer-encoding: chunked\r\n",
        "connection: close\r\n",
    ] {
        let ca = TestCa::new();
        let proxy = tunnel(&ca, format!("HTTP/1.1 201 Fine\r\n{fields}\r\n"));
        let client = by(&proxy, &ca);
        let mut response = soon(client.get(URL).send()).await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok", "{fields}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over_and_bounded() {
    let ca = TestCa::new();
    let interims = "HTTP/1.1 102 Processing\r\n\r\n".repeat(16);
    let proxy = tunnel(&ca, format!("{interims}{ESTABLISHED}"));
    let client = by(&proxy, &ca);
    let mut response = soon(client.get(URL).send()).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
    let flood = Step::Flood(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    let error = error_of([flood]).await;
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert!(error.to_string().contains("16 interim"), "{error}");
}

#[tokio::test]
async fn refusals_have_the_status_of_the_proxy() {
    for (status, is_retryable) in [
        (407, false),
        (301, false),
        (400, false),
        (403, false),
        (405, false),
        (429, false),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
    ] {
        let answer = format!(
            "HTTP/1.1 {status} No\r\nlocation: http://other.test/\r\ncontent-length: 3\r\n\r\nno!"
        );
        let error = error_of([Step::send(answer), Step::Close]).await;
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert_eq!(error.is_retryable(), is_retryable, "{status}");
        assert!(error.is_connect() && !error.is_status());
        let text = error.to_string();
        assert!(
            text.contains(&format!("answered {status}")) && text.ends_with("(https://name.test)"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_of_the_proxy() {
    let garbage = Step::send([0, 1, 2, 3, 255, 254].repeat(20));
    for (steps, part) in [
        (vec![garbage], "HTTP/1."),
        (
            vec![Step::send("SSH-2.0-OpenSSH\r\n"), Step::Stall],
            "HTTP/1.",
        ),
        (vec![Step::Close], "no answer"),
        (vec![Step::send("HTTP/1.1 20"), Step::Close], "no answer"),
        (vec![Step::Reset], "failed"),
        (
            vec![Step::send("HTTP/1.1 101 Switching\r\n\r\n"), Step::Stall],
            "101",
        ),
        (
            vec![Step::send(format!("{ESTABLISHED}hello")), Step::Stall],
            "5 bytes",
        ),
        (
            vec![
                Step::send("HTTP/1.1 200 OK\r\nx: "),
                Step::Flood(vec![b'a'; 4096]),
            ],
            "65536",
        ),
        (
            vec![
                Step::send(format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(129))),
                Step::Stall,
            ],
            "128 fields",
        ),
    ] {
        let error = error_of(steps).await;
        assert_eq!(
            (error.kind(), error.status()),
            (ErrorKind::Proxy, None),
            "{error:?}"
        );
        assert!(error.is_retryable(), "nothing was sent: {error}");
        assert!(error.to_string().contains(part), "{error} lacks {part}");
    }
}

#[tokio::test]
async fn answer_in_pieces_is_read() {
    let ca = TestCa::new();
    let steps = [
        Step::ReadHead,
        Step::send_split(ESTABLISHED, 1),
        Step::Handshake(ca.server_config(&["name.test"])),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let proxy = Script::new().accept(steps).start().unwrap();
    let client = by(&proxy, &ca);
    let mut response = soon(client.get(URL).send()).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"ok");
}

#[tokio::test]
async fn certificate_is_the_origins_and_its_error_too() {
    let ca = TestCa::new();
    let steps = [
        Step::ReadHead,
        Step::send(ESTABLISHED),
        Step::Handshake(ca.server_config(&["other.test"])),
    ];
    let proxy = Script::new().accept(steps).start().unwrap();
    let client = by(&proxy, &ca);
    let error = soon(client.get(URL).send()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Tls, Some(Phase::Tls))
    );
    assert!(error.to_string().contains("name.test"), "{error}");
}

/// TLS to the proxy: around a forwarded request, and around a tunnel with TLS of its own.
#[tokio::test]
async fn proxy_by_tls_forwards_and_tunnels() {
    let ca = TestCa::new();
    let own = ca.server_config(&["127.0.0.1"]);
    let forwarding = [
        Step::Handshake(own.clone()),
        Step::ReadHead,
        Step::send(OK),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let tunneling = [
        Step::Handshake(own),
        Step::ReadHead,
        Step::send(ESTABLISHED),
        Step::Handshake(ca.server_config(&["name.test"])),
        Step::ReadHead,
        Step::send(OK),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let proxy = Script::new()
        .accept(forwarding)
        .accept(tunneling)
        .start()
        .unwrap();
    let rule = Proxy::all(&format!("https://{}", proxy.addr())).unwrap();
    let client = TestClient::with(|builder| builder.tls(tls(&ca)).proxy(rule));
    for url in ["http://name.test/", URL] {
        for _ in 0..2 {
            let mut response = soon(client.get(url).send()).await.unwrap();
            assert_eq!(read(&mut response).await.unwrap(), b"ok");
        }
    }
    let received: Vec<String> = proxy
        .received()
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert_eq!(received.len(), 2, "a connection each");
    assert!(received[0].starts_with("GET http://name.test/ HTTP/1.1\r\n"));
    assert!(received[1].starts_with("CONNECT name.test:443 HTTP/1.1\r\n"));
    assert_eq!(received[1].matches("GET /path").count(), 2);
}

/// Every wait on the way ends: by its own limit, or with the request. The limit is longer than the steps
/// before the wait take on a busy machine; the waits are side by side.
#[tokio::test]
async fn every_wait_is_bounded() {
    const LIMIT: Duration = Duration::from_millis(800);
    let half = "HTTP/1.1 200";
    let silent: [(Vec<Step>, &str, Phase); 4] = [
        (vec![Step::Stall], "http", Phase::Tunnel),
        (
            vec![Step::ReadHead, Step::send(half), Step::Stall],
            "http",
            Phase::Tunnel,
        ),
        (vec![Step::Stall], "https", Phase::Tunnel),
        (
            vec![Step::ReadHead, Step::send(ESTABLISHED), Step::Stall],
            "http",
            Phase::Tls,
        ),
    ];
    let mut waits = tokio::task::JoinSet::new();
    for (steps, scheme, phase) in silent {
        for is_deadline in [false, true] {
            let steps = steps.clone();
            waits.spawn(async move {
                let proxy = Script::new().accept(steps).start().unwrap();
                let timeouts = match is_deadline {
                    true => Timeouts::default().request(LIMIT),
                    false => Timeouts::default().connect(LIMIT).tls(LIMIT),
                };
                let rule = Proxy::all(&format!("{scheme}://{}", proxy.addr())).unwrap();
                let tls = tls(&TestCa::new());
                let client =
                    TestClient::with(|builder| builder.tls(tls).timeouts(timeouts).proxy(rule));
                let error = soon(client.get(URL).send()).await.unwrap_err();
                let met = (error.kind(), error.phase());
                assert_eq!(met, (ErrorKind::Timeout, Some(phase)), "{error:?}");
                assert!(error.is_connect());
            });
        }
    }
    while let Some(done) = waits.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn refusals_release_the_permit_of_the_origin() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let proxy = answering([Step::send(answer), Step::Close]);
    let rule = Proxy::all(&proxy.url("")).unwrap();
    let client = TestClient::with(|builder| {
        let limits = turbohttp::Limits::default().per_host(1).total(1);
        builder.limits(limits).proxy(rule)
    });
    for _ in 0..4 {
        let error = soon(client.get(URL).send()).await.unwrap_err();
        assert_eq!(
            error.status(),
            Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)
        );
    }
    let mut burst = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client: Client = (*client).clone();
        burst.spawn(async move { client.get(URL).send().await.unwrap_err().kind() });
    }
    while let Some(kind) = soon(burst.join_next()).await {
        assert_eq!(kind.unwrap(), ErrorKind::Proxy);
    }
}

#[tokio::test]
async fn drop_at_every_poll_leaves_nothing_open() {
    let ca = TestCa::new();
    let steps = [
        Step::ReadHead,
        Step::send_split(ESTABLISHED, 7),
        Step::Handshake(ca.server_config(&["name.test"])),
        Step::ReadHead,
        Step::send(OK),
        Step::Stall,
    ];
    let proxy = Script::new().accept(steps).repeat_last().start().unwrap();
    for polls in 1..64 {
        let client = by(&proxy, &ca);
        let sent = poll_times(client.get(URL).send(), polls).await;
        let is_over = sent.is_some();
        drop(sent);
        settle().await;
        client.audit();
        drop(client);
        soon(proxy.all_closed()).await;
        if is_over {
            assert!(polls > 3, "the way has several waits");
            return;
        }
    }
    panic!("64 polls are not enough");
}

/// A canary in the credentials is in nothing that can be printed.
#[tokio::test]
async fn credentials_are_in_no_error() {
    let refusal = "HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n";
    for answer in [refusal, "garbage garbage garbage\r\n\r\n", ""] {
        let proxy = answering([Step::send(answer), Step::Close]);
        let rule = Proxy::all(&format!("http://canary:canary@{}", proxy.addr())).unwrap();
        let client = TestClient::with(|builder| builder.proxy(rule));
        let error = soon(client.get(URL).send()).await.unwrap_err();
        let mut shown = format!("{error} {error:?} {:?}", *client);
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            shown += &format!("{inner} {inner:?}");
            source = inner.source();
        }
        assert!(
            !shown.contains("canary") && !shown.contains("Y2FuYXJ5"),
            "{shown}"
        );
    }
}
