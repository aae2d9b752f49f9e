//! The same routes over HTTP/2, to the client of the crate `h2`.
#![cfg(feature = "h2")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "the runtime of a test ends with it, and with it what was spawned"
)]

mod common;

use std::future::poll_fn;

use bytes::Bytes;
use common::Peer;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use turbohttp_loopback::{Fail, FailWith, Http2, Options, Protocols, ROUTES, Server, pattern};

fn start(http2: Http2) -> Server {
    Server::start(Options {
        http2,
        ..Options::default()
    })
    .unwrap()
}

/// One connection, driven by a task beside the test's.
struct Client {
    sender: SendRequest<Bytes>,
    driver: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

struct Answer {
    head: Response<()>,
    content: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Client {
    async fn connect(server: &Server) -> Client {
        let tcp = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
        Client::over(tcp).await
    }

    async fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> Client {
        // Late frames of streams that the test has reset are no fault of the server.
        let mut client = h2::client::Builder::new();
        client.max_local_error_reset_streams(None);
        client.max_concurrent_reset_streams(100_000);
        let (sender, connection) = client.handshake(stream).await.unwrap();
        let driver = tokio::spawn(connection);
        Client { sender, driver }
    }

    async fn ask(&mut self, method: &str, path: &str) -> Result<Answer, h2::Error> {
        self.send(method, path, Bytes::new()).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        content: Bytes,
    ) -> Result<Answer, h2::Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://t{path}"))
            .header("content-type", "a/b");
        let mut sender = self.sender.clone();
        poll_fn(|context| sender.poll_ready(context)).await?;
        let is_end = content.is_empty();
        let (response, mut stream) = sender.send_request(request.body(()).unwrap(), is_end)?;
        if !is_end {
            stream.send_data(content, true)?;
        }
        let (head, mut body) = response.await?.into_parts();
        let mut content = Vec::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            content.extend_from_slice(&piece);
        }
        Ok(Answer {
            head: Response::from_parts(head, ()),
            content,
            trailers: body.trailers().await?,
        })
    }
}

fn field<'a>(received: &'a Answer, name: &str) -> Option<&'a str> {
    let value = received.head.headers().get(name)?;
    Some(value.to_str().unwrap())
}

#[test]
fn routes_answer_as_over_http1() {
    let server = start(Http2::default());
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for (path, content) in [
            ("/", ROUTES.as_bytes().to_vec()),
            ("/small", b"Hello, world!".to_vec()),
            ("/delay/1", b"Hello, world!".to_vec()),
            ("/id/x?y", b"x".to_vec()),
            ("/bytes/0", pattern(0)),
            ("/bytes/65536", pattern(65_536)),
            ("/bytes/1000000", pattern(1_000_000)),
            ("/chunked/16/1024", pattern(16 * 1024)),
            ("/chunked/3/300000", pattern(900_000)),
            ("/close/1234", pattern(1234)),
            ("/slow/25/0", pattern(25)),
            ("/slow/0/0", pattern(0)),
            (
                "/headers?q",
                b"GET /headers?q HTTP/2\r\n:authority: t\r\ncontent-type: a/b\r\n\r\n".to_vec(),
            ),
        ] {
            let received = client.ask("GET", path).await.unwrap();
            assert_eq!(received.head.status(), 200, "{path}");
            assert!(received.content == content, "{path}");
            let length = field(&received, "content-length");
            assert!(length.is_none_or(|length| length == content.len().to_string()));
            assert_eq!(field(&received, "transfer-encoding"), None);
        }
        for (path, status) in [
            ("/status/503", 503),
            ("/status/204", 204),
            ("/nothing", 404),
        ] {
            let received = client.ask("GET", path).await.unwrap();
            assert_eq!(received.head.status(), status);
        }
        let received = client.ask("GET", "/status/302").await.unwrap();
        assert_eq!(field(&received, "location"), Some("/small"));
    });
    let stats = server.stop();
    assert_eq!((stats.connections, stats.http1_connections), (1, 0));
    assert_eq!((stats.http2.connections, stats.http2.streams), (1, 17));
    assert_eq!((stats.requests, stats.http2.streams_peak), (17, 1));
    assert_eq!((stats.in_flight, stats.http2.streams_open), (0, 0));
}

#[test]
fn head_has_the_fields_and_no_content() {
    let server = start(Http2::default());
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for path in ["/bytes/9", "/bytes/1000000", "/slow/9/1000", "/trailers/9"] {
            let received = client.ask("HEAD", path).await.unwrap();
            assert_eq!(received.content, b"");
            assert!(received.trailers.is_none());
            let is_known = !path.contains("trailers");
            assert_eq!(field(&received, "content-length").is_some(), is_known);
        }
    });
    assert_eq!(server.stats().body_bytes_sent, 0);
}

#[test]
fn content_is_echoed_and_counted() {
    let server = start(Http2 {
        stream_window_bytes: Some(1000),
        connection_window_bytes: Some(70_000),
        ..Http2::default()
    });
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for length in [1, 5000, 1_000_000] {
            let content = Bytes::from(pattern(length));
            let received = client.send("POST", "/echo", content.clone()).await.unwrap();
            assert_eq!(received.content, content);
            assert_eq!(field(&received, "content-type"), Some("a/b"));
        }
        let received = client
            .send("POST", "/post", Bytes::from("x"))
            .await
            .unwrap();
        assert_eq!(received.content, b"Hello, world!");
    });
    let stats = server.stats();
    assert_eq!(stats.body_bytes_received, 1_005_002);
    // No frame was longer than the window of its stream.
    assert!(stats.http2.data_received >= 1006);
}

#[test]
fn content_is_credited_at_exhaustion_if_wanted() {
    let server = start(Http2 {
        stream_window_bytes: Some(10_000),
        connection_window_bytes: Some(1_000_000),
        credits_at_exhaustion: true,
        ..Http2::default()
    });
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        // The window is known once an answer has come.
        client.ask("GET", "/small").await.unwrap();
        let content = Bytes::from(pattern(100_000));
        let answer = client.send("POST", "/echo", content.clone()).await.unwrap();
        assert_eq!(answer.content, content);
    });
    // Each frame fills the window. No frame is longer, and none is cut by credit that came early.
    assert_eq!(server.stats().http2.data_received, 10);
}

#[test]
fn resets_are_no_attack() {
    let server = start(Http2::default());
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for _ in 0..3000 {
            let mut sender = client.sender.clone();
            poll_fn(|context| sender.poll_ready(context)).await.unwrap();
            let request = Request::get("http://t/small").body(()).unwrap();
            let (_, mut stream) = sender.send_request(request, true).unwrap();
            stream.send_reset(h2::Reason::CANCEL);
        }
        client.ask("GET", "/small").await.unwrap();
        for _ in 0..2000 {
            assert!(client.ask("GET", "/reset").await.is_err());
        }
        client.ask("GET", "/small").await.unwrap();
    });
    assert_eq!(server.stats().http2.goaways_sent, 0);
}

#[test]
fn trailers_follow_the_content_over_both() {
    let server = start(Http2::default());
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for length in [0, 9] {
            let path = format!("/trailers/{length}");
            let received = client.ask("GET", &path).await.unwrap();
            assert_eq!(received.content, pattern(length));
            assert_eq!(received.trailers.unwrap()["x-trailer"], "here");
        }
    });
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /trailers/2 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
    let (_, content) = common::split(&peer.read_to_end().unwrap());
    assert_eq!(content, b"2\r\n\x00\x01\r\n0\r\nx-trailer: here\r\n\r\n");
}

#[test]
fn both_protocols_are_spoken_on_one_port_in_the_clear() {
    let server = start(Http2::default());
    let mut peer = Peer::connect(server.addr());
    // A method that begins as the preface does.
    peer.send("PRI");
    peer.send("NT /small HTTP/1.1\r\nhost: t\r\n\r\n");
    assert_eq!(peer.read_answer().1, b"Hello, world!");
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        client.ask("GET", "/small").await.unwrap();
    });
    let stats = server.stop();
    assert_eq!((stats.http1_connections, stats.http2.connections), (1, 1));
}

#[test]
fn one_protocol_can_be_demanded() {
    let only = |protocols| {
        Server::start(Options {
            protocols,
            ..Options::default()
        })
        .unwrap()
    };
    let server = only(Protocols::Http1);
    let mut peer = Peer::connect(server.addr());
    peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let (head, _) = common::split(&peer.read_to_end().unwrap());
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    let server = only(Protocols::Http2);
    let mut peer = Peer::connect(server.addr());
    peer.send("GET /small HTTP/1.1\r\nhost: t\r\n\r\n");
    // What comes is SETTINGS, GOAWAY or the end, and no answer.
    let bytes = peer.read_to_end().unwrap_or_default();
    assert!(!bytes.windows(8).any(|eight| eight == b"HTTP/1.1"));
    assert_eq!(server.stats().requests, 0);
}

#[test]
fn drop_closes_the_connection_without_or_within_the_answer() {
    let server = start(Http2::default());
    common::block_on(async {
        for (path, arrives) in [("/drop", 0), ("/drop/300000", 150_000)] {
            let client = Client::connect(&server).await;
            let mut sender = client.sender;
            let request = Request::get(format!("http://t{path}")).body(()).unwrap();
            let (response, _) = sender.send_request(request, true).unwrap();
            let mut content = 0;
            if let Ok(response) = response.await {
                assert_eq!(response.headers()["content-length"], "300000");
                let mut body = response.into_body();
                while let Some(Ok(piece)) = body.data().await {
                    body.flow_control().release_capacity(piece.len()).unwrap();
                    content += piece.len();
                }
            }
            assert_eq!(content, arrives);
            drop(sender);
            // The end is one of the connection: an error of it, or none at all.
            let ended = client.driver.await.unwrap();
            assert!(ended.err().is_none_or(|error| error.is_io()));
        }
        server.all_closed().await;
    });
    assert_eq!(server.stats().http2.resets_sent.total(), 0);
}

#[test]
fn reset_ends_the_stream_with_the_code() {
    let server = start(Http2::default());
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for (path, code) in [("/reset", 2), ("/reset/7", 7)] {
            let error = client.ask("GET", path).await.err().unwrap();
            assert!(error.is_reset() && error.is_remote());
            assert_eq!(error.reason(), Some(h2::Reason::from(code)));
        }
        client.ask("GET", "/small").await.unwrap();
    });
    let resets = server.stop().http2.resets_sent;
    assert_eq!((resets.with(2), resets.with(7), resets.total()), (1, 1, 2));
}

#[test]
fn reset_of_the_client_ends_the_answer_and_is_counted() {
    let server = start(Http2::default());
    common::block_on(async {
        let client = Client::connect(&server).await;
        for path in [
            "/never",
            "/delay/600000",
            "/slow/100/600000",
            "/bytes/10000000",
        ] {
            let mut sender = client.sender.clone();
            poll_fn(|context| sender.poll_ready(context)).await.unwrap();
            let request = Request::get(format!("http://t{path}")).body(()).unwrap();
            let (response, mut stream) = sender.send_request(request, true).unwrap();
            while server.stats().in_flight == 0 {
                tokio::task::yield_now().await;
            }
            stream.send_reset(h2::Reason::CANCEL);
            drop(response);
            while server.stats().in_flight > 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let stats = server.stop();
    assert_eq!(stats.http2.resets_received.with(8), 4);
    assert_eq!((stats.http2.streams, stats.http2.streams_open), (4, 0));
}

#[test]
fn streams_at_once_are_counted_and_limited() {
    let server = start(Http2 {
        max_concurrent_streams: Some(3),
        ..Http2::default()
    });
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        // The limit is known once an answer has come.
        client.ask("GET", "/small").await.unwrap();
        assert_eq!(client.sender.current_max_send_streams(), 3);
        let delays: Vec<_> = (0..9)
            .map(|_| {
                let mut client = Client {
                    sender: client.sender.clone(),
                    driver: tokio::spawn(std::future::ready(Ok(()))),
                };
                tokio::spawn(async move { client.ask("GET", "/delay/1").await.map(drop) })
            })
            .collect();
        for delay in delays {
            delay.await.unwrap().unwrap();
        }
    });
    assert_eq!(server.stats().http2.streams_peak, 3);
}

#[test]
fn connection_ends_in_order_after_so_many_requests() {
    let server = start(Http2 {
        goaway_after: Some(2),
        ..Http2::default()
    });
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for _ in 0..2 {
            client.ask("GET", "/small").await.unwrap();
        }
        client.driver.await.unwrap().unwrap();
        server.all_closed().await;
    });
    let stats = server.stats();
    assert_eq!((stats.requests, stats.connections), (2, 1));
    assert!(stats.http2.goaways_sent >= 1);
}

#[test]
fn every_nth_request_fails() {
    let fails = |with| {
        Server::start(Options {
            fail: Some(Fail { every: 2, with }),
            ..Options::default()
        })
        .unwrap()
    };
    let server = fails(FailWith::Status503);
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        for status in [200, 503, 200, 503] {
            let received = client.ask("GET", "/small").await.unwrap();
            assert_eq!(received.head.status(), status);
        }
    });
    let server = fails(FailWith::Drop);
    common::block_on(async {
        let mut client = Client::connect(&server).await;
        client.ask("GET", "/small").await.unwrap();
        assert!(client.ask("GET", "/small").await.is_err());
    });
}

#[cfg(feature = "tls")]
#[test]
fn alpn_chooses_the_protocol() {
    use std::sync::Arc;
    use tokio_rustls::TlsConnector;
    use turbohttp_loopback::tls::TestCa;

    let ca = TestCa::new();
    for (offered, wanted, chosen) in [
        (&["h2", "http/1.1"][..], &["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], &["h2", "http/1.1"], Some("http/1.1")),
        (&["h2"], &["h2"], Some("h2")),
        (&["h2", "http/1.1"], &["http/1.1"], Some("http/1.1")),
        (&["h2", "http/1.1"], &[], None),
    ] {
        let server = Server::start(Options {
            tls: Some(ca.server_config_with_alpn(&["localhost"], offered)),
            ..Options::default()
        })
        .unwrap();
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(ca.roots())
            .with_no_client_auth();
        config.alpn_protocols = wanted.iter().map(|name| name.as_bytes().to_vec()).collect();
        common::block_on(async {
            let tcp = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let mut tls = connector.connect(name, tcp).await.unwrap();
            let alpn = tls.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            assert_eq!(alpn.as_deref(), chosen.map(str::as_bytes));
            if chosen == Some("h2") {
                let mut client = Client::over(tls).await;
                let received = client.ask("GET", "/bytes/100000").await.unwrap();
                assert_eq!(received.content, pattern(100_000));
            } else {
                use tokio::io::{AsyncReadExt, AsyncWriteExt};
                let text = b"GET /small HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
                tls.write_all(text).await.unwrap();
                let mut answer = String::new();
                tls.read_to_string(&mut answer).await.unwrap();
                assert!(answer.ends_with("Hello, world!"));
            }
        });
        let stats = server.stop();
        let is_http2 = u64::from(chosen == Some("h2"));
        assert_eq!(stats.handshakes, 1);
        assert_eq!(stats.http2.connections, is_http2);
        assert_eq!(stats.http1_connections, 1 - is_http2);
    }
}
