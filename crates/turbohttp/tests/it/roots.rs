//! The platform's roots, with and without those that are added.

use std::process::Command;
use std::sync::Arc;

use turbohttp::{Client, ErrorKind, Phase, Tls};
use turbohttp_loopback::tls::{Leaf, TestCa};
use turbohttp_loopback::{Options, Server};

use crate::support::{expect_error, read, soon};

const NAMES: &[&str] = &["localhost", "127.0.0.1"];

/// Where the processes inside find the certificate of an authority that the platform does not know.
const OTHER: &str = "TURBOHTTP_TEST_OTHER_ROOT";

/// Where they find the servers of the platform's authority, of the other, and of none.
const SERVERS: &str = "TURBOHTTP_TEST_SERVERS";

fn server(config: Arc<rustls::ServerConfig>) -> Server {
    let options = Options::default();
    let tls = Some(config);
    Server::start(Options { tls, ..options }).unwrap()
}

async fn get(tls: Tls, url: &str) -> turbohttp::Result<Vec<u8>> {
    // Not audited: the error keeps the request for longer than the client lives.
    let client = Client::builder().tls(tls).build()?;
    let mut response = soon(client.get(format!("{url}/small")).send()).await?;
    read(&mut response).await
}

/// In a process of its own, as the environment says where the platform has its roots: on Linux, SSL_CERT_FILE
/// does.
#[tokio::test]
async fn roots_of_the_platform_hold_beside_added_ones_or_not_at_all() {
    let Some(other) = std::env::var_os(OTHER) else {
        return run_inside();
    };
    let other = std::fs::read(other).unwrap();
    let urls = std::env::var(SERVERS).unwrap();
    let urls: Vec<&str> = urls.split(' ').collect();
    let added = || Tls::default().root_pem(other.clone());
    // By server: the platform's authority, the other, and none.
    for (tls, accepted) in [
        (Tls::default(), [true, false, false]),
        (added(), [true, true, false]),
        (added().only_added_roots(), [false, true, false]),
    ] {
        for (url, is_accepted) in urls.iter().zip(accepted) {
            let outcome = get(tls.clone(), url).await;
            if is_accepted {
                assert_eq!(outcome.unwrap(), b"Hello, world!");
                continue;
            }
            let error = outcome.unwrap_err();
            // Of an unknown issuer, or, as both authorities have the same name, with another's signature.
            let message = "certificate of 127.0.0.1 was refused";
            expect_error(&error, ErrorKind::Tls, Phase::Tls, message, url.to_string());
        }
    }
}

fn run_inside() {
    let (platform, other) = (TestCa::new(), TestCa::new());
    let servers = [
        server(platform.server_config(NAMES)),
        server(other.server_config(NAMES)),
        server(Leaf::self_signed(NAMES).server_config()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let urls = servers.each_ref().map(|server| server.url("")).join(" ");
    let name = "roots::roots_of_the_platform_hold_beside_added_ones_or_not_at_all";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("SSL_CERT_FILE", write("platform", platform.pem()))
        .env_remove("SSL_CERT_DIR")
        .env(OTHER, write("other", other.pem()))
        .env(SERVERS, urls)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "inside:\n{text}"
    );
}
