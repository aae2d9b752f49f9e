//! TLS sessions: whether a handshake resumed one, their secrets in a file, and TLS on a Unix socket.

use std::process::Command;

use turbohttp::{HeaderValue, Response, Tls, header};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

fn server(ca: &TestCa) -> Server {
    let tls = Some(ca.server_config(NAMES));
    let options = Options::default();
    Server::start(Options { tls, ..options }).unwrap()
}

fn trusting(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

async fn get(client: &TestClient, url: &str, is_last: bool) -> Response {
    let mut request = client.get(url);
    if is_last {
        request = request.header(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let mut response = soon(request.send()).await.unwrap();
    assert_eq!(read(&mut response).await.unwrap(), b"Hello, world!");
    response
}

#[tokio::test]
async fn the_timeline_says_whether_the_handshake_resumed_a_session() {
    let ca = TestCa::new();
    let server = server(&ca);
    let url = server.url("/small");
    let expected = [
        (true, Some(false)),
        (false, Some(true)),
        // On the connection of the second.
        (true, None),
        (true, Some(true)),
    ];
    let client = TestClient::with(|builder| builder.tls(trusting(&ca)));
    for (is_last, resumed) in expected {
        let response = get(&client, &url, is_last).await;
        let timeline = response.timeline();
        assert_eq!(timeline.tls_resumed(), resumed);
        assert_eq!(timeline.is_connection_reused(), resumed.is_none());
    }
    let forgetful = TestClient::with(|builder| builder.tls(trusting(&ca).resumption(false)));
    for _ in 0..2 {
        let response = get(&forgetful, &url, true).await;
        assert_eq!(response.timeline().tls_resumed(), Some(false));
    }
    let plain = Server::start(Options::default()).unwrap();
    let response = get(&client, &plain.url("/small"), true).await;
    assert_eq!(response.timeline().tls_resumed(), None, "it has no TLS");
}

/// In a process of its own, as the environment is one of all threads.
#[tokio::test]
async fn secrets_are_written_where_the_variable_says_and_only_if_asked() {
    const FILE: &str = "SSLKEYLOGFILE";
    const INSIDE: &str = "TURBOHTTP_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let name = "sessions::secrets_are_written_where_the_variable_says_and_only_if_asked";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(FILE, folder.path().join("keys"))
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "inside:\n{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let path = std::env::var_os(FILE).unwrap();
    let written = || std::fs::read_to_string(&path).unwrap_or_default();
    let ca = TestCa::new();
    let server = server(&ca);
    let url = server.url("/small");
    let silent = TestClient::with(|builder| builder.tls(trusting(&ca)));
    get(&silent, &url, true).await;
    assert_eq!(written(), "");
    let logging = TestClient::with(|builder| builder.tls(trusting(&ca).key_log()));
    get(&logging, &url, true).await;
    for label in [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET ",
        "CLIENT_TRAFFIC_SECRET_0 ",
        "SERVER_TRAFFIC_SECRET_0 ",
    ] {
        let written = written();
        let lines = written.lines().filter(|line| line.starts_with(label));
        assert_eq!(lines.count(), 1, "{label} in:\n{written}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn tls_is_spoken_on_a_unix_socket() {
    let ca = TestCa::new();
    let server = server(&ca);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let address = server.addr();
    let relay = tokio::spawn(async move {
        while let Ok((mut unix, _)) = listener.accept().await {
            let mut tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            _ = tokio::io::copy_bidirectional(&mut unix, &mut tcp).await;
        }
    });
    let client = TestClient::with(|builder| builder.tls(trusting(&ca)).unix_socket(&path));
    for (is_last, resumed) in [(false, Some(false)), (true, None), (true, Some(true))] {
        let response = get(&client, "https://localhost/small", is_last).await;
        assert_eq!(response.timeline().tls_resumed(), resumed);
        assert_eq!(response.remote_addr(), None);
    }
    // The certificate is that of the URL's host, whatever the socket.
    let error = soon(client.get("https://elsewhere.test/small").send()).await;
    assert!(error.unwrap_err().to_string().contains("elsewhere.test"));
    relay.abort();
}
