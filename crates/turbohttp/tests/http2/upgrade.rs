//! HTTP/2 has no upgrade: a request for another protocol goes by HTTP/1.1, also to a server that offers both.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turbohttp::{Client, ErrorKind, StatusCode, Tls, Version};
use turbohttp_loopback::script::{Script, Step};
use turbohttp_loopback::tls::TestCa;

use super::ground::{answer_all, client, greeting, idles, run, server};

const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

/// A connection of HTTP/2, and one that is upgraded.
fn connections(ca: &TestCa) -> (Vec<Step>, Vec<Step>) {
    let both = ca.server_config_with_alpn(&["127.0.0.1"], &["h2", "http/1.1"]);
    let shared = [
        vec![Step::Handshake(both.clone())],
        greeting(&[]),
        vec![answer_all()],
    ]
    .concat();
    let upgraded = vec![
        Step::Handshake(both),
        Step::ReadHead,
        Step::send(SWITCHED),
        Step::ReadExact(4),
        Step::send("pong"),
    ];
    (shared, upgraded)
}

fn trusting(ca: &TestCa) -> Client {
    let tls = Tls::default().root_pem(ca.pem()).only_added_roots();
    Client::builder().tls(tls).build().unwrap()
}

async fn get(client: &Client, url: &str) {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.text().await.unwrap(), "hello");
}

async fn upgrade(client: &Client, url: &str) {
    let response = client.get(url).upgrade("echo").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let mut stream = response.upgrade().unwrap();
    stream.write_all(b"ping").await.unwrap();
    stream.flush().await.unwrap();
    let mut pong = [0; 4];
    stream.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"pong");
}

#[test]
fn an_upgrade_goes_by_http1_beside_a_shared_connection() {
    for is_upgrade_first in [false, true] {
        let ca = TestCa::new();
        let (shared, upgraded) = connections(&ca);
        let script = match is_upgrade_first {
            true => Script::new().accept(upgraded).accept(shared),
            false => Script::new().accept(shared).accept(upgraded),
        };
        let server = script.start().unwrap();
        let url = format!("https://{}/", server.addr());
        run(async {
            let client = trusting(&ca);
            if is_upgrade_first {
                upgrade(&client, &url).await;
                get(&client, &url).await;
            } else {
                get(&client, &url).await;
                upgrade(&client, &url).await;
            }
            get(&client, &url).await;
            idles(&client).await;
        });
        assert_eq!(server.connections(), 2);
    }
}

#[test]
fn a_response_of_http2_cannot_be_upgraded_and_says_so() {
    let server = server();
    run(async {
        let client = client();
        let response = client
            .get(server.url("/bytes/500000"))
            .send()
            .await
            .unwrap();
        let error = response.upgrade().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status);
        drop(error);
        idles(&client).await;
        let next = client.get(server.url("/small")).send().await.unwrap();
        assert_eq!(next.text().await.unwrap(), "Hello, world!");
    });
}
