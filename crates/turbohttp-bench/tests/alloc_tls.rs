//! What a request over TLS allocates, and how much of it is ours: the same exchange is made on a bare
//! rustls stream, and what the client allocates beyond that is the client's share.
//!
//! One test in one process, as all threads are counted: the server's allocations too, which are the
//! same in both runs.

#![allow(
    clippy::unwrap_used,
    clippy::large_futures,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use turbohttp::{Client, Tls};
use turbohttp_bench::{Work, meter};
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Options, Server};

#[global_allocator]
static ALLOCATOR: meter::Meter = meter::Meter;

const WARM_UP: u64 = 200;
const COUNTED: u64 = 2_000;

/// Allocations per run of `work`, once it is warm.
async fn allocations(mut work: impl AsyncFnMut()) -> f64 {
    for _ in 0..WARM_UP {
        work().await;
    }
    let before = meter::Reading::now();
    for _ in 0..COUNTED {
        work().await;
    }
    meter::Reading::now().since(before).allocations as f64 / COUNTED as f64
}

async fn bare(server: &Server, ca: &TestCa) -> f64 {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(ca.roots())
        .with_no_client_auth();
    let tcp = TcpStream::connect(server.addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .unwrap();
    let request =
        b"GET /small HTTP/1.1\r\nhost: localhost\r\nuser-agent: bare\r\naccept: */*\r\n\r\n";
    let mut buffer = vec![0; 8 * 1024];
    allocations(async || {
        stream.write_all(request).await.unwrap();
        stream.flush().await.unwrap();
        let mut length = 0;
        while !buffer[..length].ends_with(b"Hello, world!") {
            length += stream.read(&mut buffer[length..]).await.unwrap();
        }
    })
    .await
}

async fn ours(server: &Server, ca: &TestCa) -> f64 {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    let client = Client::builder()
        .tls(tls)
        .resolve("localhost", vec![server.addr()]);
    let url = format!("https://localhost:{}/small", server.addr().port());
    let work = Work::new("get", client).unwrap();
    allocations(async || work.run(&url).await.unwrap()).await
}

#[test]
fn a_request_over_tls_allocates_nothing_beyond_the_tls_library() {
    assert!(
        meter::proves_itself(),
        "the counting allocator does not count"
    );
    let ca = TestCa::new();
    let options = Options {
        tls: Some(ca.server_config(&["localhost"])),
        ..Options::default()
    };
    let server = Server::start(options).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (bare, ours) =
        runtime.block_on(async { (bare(&server, &ca).await, ours(&server, &ca).await) });
    println!("allocations per request over TLS, both sides: bare {bare:.3}, client {ours:.3}");
    assert!(
        bare > 0.0,
        "a TLS library that allocates nothing was measured"
    );
    assert!(
        ours - bare <= 0.01,
        "the client adds {:.3} allocations",
        ours - bare
    );
}
