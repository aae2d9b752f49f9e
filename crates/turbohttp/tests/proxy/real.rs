//! Proxies that others wrote: squid, haproxy in front of it for TLS, microsocks. Where one is not installed,
//! its tests are skipped and say so.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

#[cfg(feature = "socks")]
use turbohttp::IpVersion;
use turbohttp::{ErrorKind, Phase, Proxy, StatusCode, Tls};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Server, pattern};

use crate::support::{TestClient, read, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

/// A running program with a folder of its own; ended and removed on drop.
struct Program {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        // In order, so that squid removes its shared memory.
        let id = self.child.id().to_string();
        let told = Command::new("kill").arg(id).status();
        if !told.is_ok_and(|told| told.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Starts a program that listens on the port it is given, or says why not.
fn start(name: &str, command: impl Fn(&Path, u16) -> Command) -> Option<Program> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {name}")])
        .output();
    if !found.is_ok_and(|found| found.status.success()) {
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "{name} must be there in CI");
        eprintln!("SKIPPED: {name} is not installed (cargo xtask tools --install)");
        return None;
    }
    // Another process may take a port between its choice and its use.
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        // squid gives up root, and reads its files as another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = command(folder.path(), port)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Program {
            child,
            port,
            _folder: folder,
        };
        for _ in 0..2_000 {
            if program.child.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(program);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
    panic!("{name} does not start");
}

fn squid() -> Option<Program> {
    start("squid", |folder, port| {
        let hash = Command::new("openssl")
            .args(["passwd", "-apr1", "word"])
            .output()
            .unwrap();
        let hash = String::from_utf8(hash.stdout).unwrap();
        fs::write(folder.join("users"), format!("user:{hash}")).unwrap();
        let here = folder.display();
        let lines = format!(
            "http_port 127.0.0.1:{port}\n\
             pid_filename {here}/squid.pid\ncache_log {here}/cache.log\naccess_log none\n\
             cache_store_log none\ncoredump_dir {here}\ncache deny all\npinger_enable off\n\
             visible_hostname localhost\nshutdown_lifetime 0 seconds\n\
             auth_param basic program /usr/lib/squid/basic_ncsa_auth {here}/users\n\
             auth_param basic children 1\nacl users proxy_auth REQUIRED\n\
             http_access allow users\nhttp_access deny all\n"
        );
        let file = folder.join("squid.conf");
        fs::write(&file, lines).unwrap();
        let mut command = Command::new("squid");
        // The name is that of its shared memory.
        let name = format!("test{port}");
        command.args(["-N", "-n", &name, "-f"]).arg(file);
        command
    })
}

fn server(ca: Option<&TestCa>) -> Server {
    Server::start(Options {
        tls: ca.map(|ca| ca.server_config(NAMES)),
        ..Options::default()
    })
    .unwrap()
}

fn trusting(ca: &TestCa) -> Tls {
    Tls::default().root_pem(ca.pem()).only_added_roots()
}

fn by(url: &str, ca: &TestCa) -> TestClient {
    let rule = Proxy::all(url).unwrap();
    TestClient::with(|builder| builder.tls(trusting(ca)).proxy(rule))
}

/// Downloads and uploads by one client.
async fn exchange(client: &TestClient, server: &Server) {
    for _ in 0..2 {
        let mut response = soon(client.get(server.url("/bytes/300000")).send())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(soon(read(&mut response)).await.unwrap() == pattern(300_000));
        let upload = client.post(server.url("/echo")).body(pattern(200_000));
        let mut response = soon(upload.send()).await.unwrap();
        assert!(soon(read(&mut response)).await.unwrap() == pattern(200_000));
    }
}

#[tokio::test]
async fn squid_forwards_and_tunnels_for_those_it_knows() {
    let Some(squid) = squid() else { return };
    let ca = TestCa::new();
    let (plain, secure) = (server(None), server(Some(&ca)));
    let client = by(&format!("http://user:word@127.0.0.1:{}", squid.port), &ca);
    exchange(&client, &plain).await;
    exchange(&client, &secure).await;
    assert_eq!(client.net().opened, 2, "kept alive on both ways");
    for credentials in ["", "user:wrong@"] {
        let client = by(
            &format!("http://{credentials}127.0.0.1:{}", squid.port),
            &ca,
        );
        let mut response = soon(client.get(plain.url("/small")).send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        let _ = soon(read(&mut response)).await.unwrap();
        let error = soon(client.get(secure.url("/small")).send())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Proxy, Some(Phase::Tunnel))
        );
        assert_eq!(
            error.status(),
            Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED)
        );
        assert!(!format!("{error} {error:?}").contains("wrong"));
    }
    // Nobody is at the other end.
    let gone = format!(
        "https://127.0.0.1:{}/",
        TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    );
    let error = soon(client.get(gone).send()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Proxy);
    assert!(
        error
            .status()
            .is_some_and(|status| status.is_server_error()),
        "{error:?}"
    );
}

/// squid behind the TLS of haproxy: an https proxy, and TLS in TLS.
#[tokio::test]
async fn proxy_behind_tls_forwards_and_tunnels() {
    let Some(squid) = squid() else { return };
    let ca = TestCa::new();
    let leaf = ca.leaf(NAMES);
    let haproxy = start("haproxy", |folder, port| {
        let pem = folder.join("both.pem");
        fs::write(&pem, leaf.certificate_pem() + &leaf.key_pem()).unwrap();
        let (pem, behind) = (pem.display(), squid.port);
        let lines = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             listen tls\n bind 127.0.0.1:{port} ssl crt {pem}\n server squid 127.0.0.1:{behind}\n"
        );
        let file = folder.join("haproxy.cfg");
        fs::write(&file, lines).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(file);
        command
    });
    let Some(haproxy) = haproxy else { return };
    let (plain, secure) = (server(None), server(Some(&ca)));
    let client = by(
        &format!("https://user:word@localhost:{}", haproxy.port),
        &ca,
    );
    exchange(&client, &plain).await;
    exchange(&client, &secure).await;
    assert_eq!(client.net().opened, 2, "kept alive on both ways");
    // What is not trusted is not spoken to, and is named as the proxy.
    let stranger = by(
        &format!("https://user:canary@localhost:{}", haproxy.port),
        &TestCa::new(),
    );
    let error = soon(stranger.get(plain.url("/small")).send())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.phase()),
        (ErrorKind::Tls, Some(Phase::Tls))
    );
    let text = error.to_string();
    assert!(
        text.starts_with("on the way to https://localhost:") && !text.contains("canary"),
        "{text}"
    );
}

#[cfg(feature = "socks")]
#[tokio::test]
async fn microsocks_opens_connections() {
    let started = start("microsocks", |_, port| {
        let mut command = Command::new("microsocks");
        let port = port.to_string();
        command.args(["-i", "127.0.0.1", "-p", &port, "-u", "user", "-P", "word"]);
        command
    });
    let Some(socks) = started else { return };
    let ca = TestCa::new();
    let (plain, secure) = (server(None), server(Some(&ca)));
    for scheme in ["socks5", "socks5h"] {
        let url = |word: &str| format!("{scheme}://user:{word}@127.0.0.1:{}", socks.port);
        let client = by(&url("word"), &ca);
        exchange(&client, &plain).await;
        exchange(&client, &secure).await;
        let rule = Proxy::all(&url("word")).unwrap();
        let named = TestClient::with(|builder| builder.proxy(rule).ip_version(IpVersion::V4Only));
        let url_by_name = format!("http://localhost:{}/small", plain.addr().port());
        let mut response = soon(named.get(url_by_name).send()).await.unwrap();
        assert_eq!(soon(read(&mut response)).await.unwrap(), b"Hello, world!");
        let wrong = by(&url("canary"), &ca);
        let error = soon(wrong.get(plain.url("/small")).send())
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.phase()),
            (ErrorKind::Proxy, Some(Phase::Tunnel))
        );
        assert!(!format!("{error:?}").contains("canary"));
        drop((error, wrong));
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = soon(client.get(format!("http://{closed}/")).send())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Proxy, "{error:?}");
    }
}
