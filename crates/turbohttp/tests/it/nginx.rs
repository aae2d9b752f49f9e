//! Against a server that others wrote, and byte for byte what curl gets from it.

#[cfg(feature = "__tls")]
use std::fs;

#[cfg(feature = "__tls")]
use turbohttp::Tls;
use turbohttp::{RedirectPolicy, StatusCode};
use turbohttp_loopback::nginx::{LARGE_BYTES, Nginx};
use turbohttp_loopback::pattern;

use crate::support::{TestClient, read};

/// Both ways to it, with a client for each.
fn ways(nginx: &Nginx) -> Vec<(String, TestClient)> {
    // curl follows none either.
    let plain = TestClient::with(|builder| builder.redirect(RedirectPolicy::none()));
    #[cfg_attr(not(feature = "__tls"), expect(unused_mut, reason = "TLS adds one"))]
    let mut ways = vec![(nginx.plain_url(""), plain)];
    #[cfg(feature = "__tls")]
    {
        let pem = fs::read(nginx.ca_file()).unwrap();
        let tls = Tls::default().root_pem(pem).only_added_roots();
        ways.push((
            nginx.tls_url(""),
            TestClient::with(|builder| builder.tls(tls).redirect(RedirectPolicy::none())),
        ));
    }
    ways
}

#[tokio::test]
async fn bodies_are_what_curl_gets() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, client) in ways(&nginx) {
        for (path, is_chunked) in [
            ("/small.txt", false),
            ("/empty.txt", false),
            ("/large.bin", false),
            ("/page.shtml", true),
            ("/missing", false),
            ("/moved", false),
            ("/gone", false),
        ] {
            let url = format!("{base}{path}");
            let expected = nginx.curl(&[&url]);
            for collect in [false, true] {
                let mut response = client.get(&url).send().await.unwrap();
                assert_eq!(response.status().as_u16(), nginx.status(&[&url]), "{url}");
                assert_eq!(
                    response.header("transfer-encoding").is_some(),
                    is_chunked,
                    "{url}"
                );
                let body = match collect {
                    true => response.bytes().await.unwrap().to_vec(),
                    false => read(&mut response).await.unwrap(),
                };
                assert!(
                    body == expected,
                    "{url}: {} of {} bytes",
                    body.len(),
                    expected.len()
                );
            }
        }
        assert_eq!(client.net().opened, 1, "keep-alive: {base}");
        client.audit();
    }
}

#[tokio::test]
async fn expected_bodies_are_the_files() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, client) in ways(&nginx) {
        assert!(client.body_of(&format!("{base}/large.bin")).await == pattern(LARGE_BYTES));
        assert_eq!(
            client.body_of(&format!("{base}/small.txt")).await,
            b"Hello, world!\n"
        );
        let page: String = (0..2_000).map(|part| format!("<p>{part}</p>\n")).collect();
        assert_eq!(
            client.body_of(&format!("{base}/page.shtml")).await,
            page.as_bytes()
        );
    }
}

#[tokio::test]
async fn conditions_are_answered_with_304() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, client) in ways(&nginx) {
        let url = format!("{base}/small.txt");
        let response = client.get(&url).send().await.unwrap();
        let etag = response.header("etag").unwrap().to_owned();
        let modified = response.header("last-modified").unwrap().to_owned();
        assert_eq!(response.bytes().await.unwrap().len(), 14);
        for (name, value) in [("if-none-match", &etag), ("if-modified-since", &modified)] {
            let response = client
                .get(&url)
                .header(name, value.as_str())
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(
                nginx.status(&["-H", &format!("{name}: {value}"), &url]),
                304
            );
            assert_eq!(response.bytes().await.unwrap(), b""[..]);
        }
        assert_eq!(client.body_of(&url).await, b"Hello, world!\n");
        assert_eq!(client.net().opened, 1);
    }
}

#[tokio::test]
async fn head_and_post_are_answered_as_to_curl() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, client) in ways(&nginx) {
        let url = format!("{base}/large.bin");
        let response = client.head(&url).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.header("content-length"),
            Some(LARGE_BYTES.to_string().as_str())
        );
        assert_eq!(response.bytes().await.unwrap(), b""[..]);
        let head = String::from_utf8(nginx.curl(&["-I", &url])).unwrap();
        assert!(
            head.to_ascii_lowercase()
                .contains(&format!("content-length: {LARGE_BYTES}"))
        );

        let small = format!("{base}/small.txt");
        let mut response = client.post(&small).body("x=y").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(nginx.status(&["-d", "x=y", &small]), 405);
        assert!(read(&mut response).await.unwrap() == nginx.curl(&["-d", "x=y", &small]));
        assert_eq!(client.body_of(&small).await, b"Hello, world!\n");
    }
}

#[tokio::test]
async fn many_requests_use_few_connections() {
    let Some(nginx) = Nginx::start() else { return };
    for (base, client) in ways(&nginx) {
        for round in 0..200 {
            let url = format!("{base}/small.txt?{round}");
            assert_eq!(client.body_of(&url).await, b"Hello, world!\n");
        }
        assert_eq!(client.net().opened, 1, "{base}");
        assert_eq!(client.net().replayed, 0);
    }
}
