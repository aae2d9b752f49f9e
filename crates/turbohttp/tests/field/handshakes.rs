//! What is said of the TLS failures that people meet most.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use turbohttp::{ErrorKind, Phase, Tls};
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::tls::{Leaf, TestCa};

use crate::support::{Peer, TestClient, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

fn server(config: Arc<rustls::ServerConfig>) -> ScriptServer {
    Script::new()
        .accept([Step::Handshake(config), Step::ReadHead])
        .start()
        .unwrap()
}

/// The message of the error that a GET of `url` ends with.
async fn failure(url: &str, tls: Tls) -> String {
    let client = TestClient::with(|builder| builder.tls(tls));
    let error = soon(client.get(url).send()).await.expect_err(url);
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Tls, Some(Phase::Tls)),
        "{error:?}"
    );
    error.to_string()
}

fn trusting(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

#[tokio::test]
async fn certificates_that_are_refused() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    for (leaf, messages) in [
        (ca.expired_leaf(NAMES), &["it has expired", "clock"][..]),
        (
            ca.leaf(&["a.test", "b.test"]),
            &["another name than 127.0.0.1", "a.test", "b.test"],
        ),
        (
            ca.leaf(&["1.test", "2.test", "3.test", "4.test", "5.test"]),
            &["and 1 more"],
        ),
        (
            Leaf::self_signed(NAMES),
            &["issuer is not trusted", "--cacert", "intermediate"],
        ),
        (other.leaf(NAMES), &["signature"]),
    ] {
        let server = server(leaf.server_config());
        let message = failure(&format!("https://{}/", server.addr()), trusting(&ca)).await;
        for part in messages {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }
}

/// encode/httpcore #1063, dotnet/runtime #57792, python/cpython #76178: a certificate is for the name without
/// its final dot.
#[tokio::test]
async fn final_dot_is_no_part_of_the_certified_name() {
    let ca = TestCa::new();
    let config = ca.server_config(&["a.test", "xn--bcher-kva.test"]);
    for host in ["a.test", "a.test.", "A.Test.", "bücher.test."] {
        let server = server(config.clone());
        let client =
            TestClient::with(|builder| builder.resolve(host, [server.addr()]).tls(trusting(&ca)));
        // The script ends behind the head.
        let error = soon(client.get(format!("https://{host}/")).send()).await;
        assert_ne!(error.expect_err(host).kind(), ErrorKind::Tls, "{host}");
        let head = String::from_utf8(server.received()[0].clone()).unwrap();
        let expected = host.to_lowercase().replace("bücher", "xn--bcher-kva");
        let expected = format!("\r\nhost: {}\r\n", expected.trim_end_matches('.'));
        assert!(head.contains(&expected), "{head}");
    }
}

/// zowe/api-layer #2738: a session that its server ends is closed here, though TCP stays open.
#[tokio::test]
async fn idle_session_is_closed_when_its_server_ends_it() {
    let ca = TestCa::new();
    let config = ca.server_config(NAMES);
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = std::sync::Mutex::new(ended);
    let server = Peer::start(move |stream| {
        let session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::StreamOwned::new(session, stream);
        if tls.read(&mut [0; 4_096]).is_ok() {
            _ = tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            // Until the test says so.
            _ = ended.lock().unwrap().recv();
            tls.conn.send_close_notify();
            _ = tls.flush();
            // Until the client has left.
            while tls.sock.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        }
    });
    let client = TestClient::with(|builder| builder.tls(trusting(&ca)));
    let url = server.url("/").replace("http:", "https:");
    assert_eq!(client.body_of(&url).await, b"");
    assert_eq!(client.net().idle, 1, "the session's tickets leave it");
    end.send(()).unwrap();
    soon(async {
        while client.net().open > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The most frequent of all: `openssl req -x509` makes a CA, and people serve it.
#[tokio::test]
async fn certificate_of_a_ca_that_is_used_as_a_server_is_named() {
    let Some(server) = OpenSsl::start(&["-newkey", "rsa:2048"]) else {
        return;
    };
    let pem = std::fs::read(server.folder.path().join("cert.pem")).unwrap();
    let trusted = Tls::default().root_pem(pem).only_added_roots();
    let message = failure(&server.url(), trusted).await;
    assert!(
        message.contains("certificate of a CA") && message.contains("-k"),
        "{message}"
    );
    // Accepted by whom asks for it.
    let client = TestClient::with(|it| it.tls(Tls::default().danger_accept_any_certificate()));
    assert_eq!(
        soon(client.get(server.url()).send())
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn weak_key_is_named_where_certificates_are_not_checked() {
    let Some(server) = OpenSsl::start(&["-newkey", "rsa:1024"]) else {
        return;
    };
    let message = failure(
        &server.url(),
        Tls::default().danger_accept_any_certificate(),
    )
    .await;
    assert!(
        message.contains("too weak") && message.contains("2048"),
        "{message}"
    );
}

#[tokio::test]
async fn servers_that_speak_something_else() {
    let plain = Peer::start(|mut stream| {
        let mut hello = [0; 5];
        if stream.read_exact(&mut hello).is_ok() {
            _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let closing = Peer::start(|mut stream| _ = stream.read(&mut [0; 4_096]));
    // Alerts: fatal, protocol_version; fatal, handshake_failure; fatal, unrecognized_name.
    let alert = |code: u8| {
        Peer::start(move |mut stream| {
            let mut hello = [0; 4_096];
            if stream.read(&mut hello).is_ok() {
                _ = stream.write_all(&[21, 3, 3, 0, 2, 2, code]);
            }
        })
    };
    for (server, message) in [
        (plain, "does not speak TLS on this port"),
        (closing, "closed the connection in the TLS handshake"),
        (alert(70), "shares no TLS version"),
        (alert(40), "cipher suite"),
        (alert(112), "does not serve this name"),
        (alert(42), "client certificate"),
        (alert(116), "client certificate"),
    ] {
        let url = server.url("/").replace("http:", "https:");
        let found = failure(&url, Tls::default().danger_accept_any_certificate()).await;
        assert!(found.contains(message), "{found:?} lacks {message:?}");
    }
}

/// `openssl s_server` with a certificate of its own making.
struct OpenSsl {
    child: std::process::Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl OpenSsl {
    /// `None` where there is no openssl, which is said.
    fn start(key: &[&str]) -> Option<OpenSsl> {
        let folder = tempfile::tempdir().unwrap();
        let mut request = Command::new("openssl");
        request
            .args([
                "req", "-x509", "-nodes", "-days", "30", "-keyout", "key.pem", "-out", "cert.pem",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ])
            .args(key)
            .current_dir(folder.path());
        if !request.output().is_ok_and(|output| output.status.success()) {
            assert!(
                std::env::var_os("CI").is_none(),
                "no openssl, which is in the package openssl"
            );
            eprintln!("SKIPPED: no openssl, which is in the package openssl");
            return None;
        }
        let mut child = Command::new("openssl")
            .args([
                "s_server",
                "-accept",
                "127.0.0.1:0",
                "-cert",
                "cert.pem",
                "-key",
                "key.pem",
            ])
            .args(["-cipher", "DEFAULT@SECLEVEL=0", "-www"])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // `ACCEPT 127.0.0.1:PORT` once it listens.
        let mut text = String::new();
        let mut output = child.stdout.take().unwrap();
        let port = loop {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            text.push(char::from(byte[0]));
            let line = text
                .lines()
                .find(|line| line.starts_with("ACCEPT"))
                .unwrap_or_default();
            if text.ends_with('\n') && !line.is_empty() {
                break line.rsplit_once(':').unwrap().1.trim().parse().unwrap();
            }
        };
        Some(OpenSsl {
            child,
            port,
            folder,
        })
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/", self.port)
    }
}

impl Drop for OpenSsl {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
