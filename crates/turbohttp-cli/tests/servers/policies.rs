//! Digest, content codings, cookies and proxies by the library: what is sent again, on how many connections.

use std::sync::Arc;

use turbohttp::{Client, ClientBuilder, Credentials, Jar, Proxy, StatusCode, Tls};

use crate::apache::Apache;
use crate::microsocks::Microsocks;
use crate::nginx::{Nginx, long_text};
use crate::squid::Squid;

fn client(options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    options(Client::builder()).build().unwrap()
}

fn opened(client: &Client) -> u64 {
    client.stats().net.unwrap().opened
}

#[track_caller]
fn assert_idle(client: &Client) {
    let audit = client.audit();
    assert!(audit.is_idle(), "{audit:?}");
}

#[tokio::test]
async fn digest_is_asked_for_once() {
    let Some(apache) = Apache::start() else {
        return;
    };
    let user = Credentials::digest("user", "secret");
    let client = client(|builder| builder.credentials(apache.url(""), user));
    for number in 0..3 {
        let url = apache.url(&format!("/digest/text.txt?a={number},b&c"));
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.text().await.unwrap(), long_text());
    }
    let head = client.head(apache.url("/digest/text.txt"));
    assert_eq!(head.send().await.unwrap().status(), StatusCode::OK);
    let post = client.post(apache.url("/digest/text.txt")).body("x=y");
    assert_eq!(post.send().await.unwrap().status(), StatusCode::OK);
    let expected = [
        "GET /digest/text.txt?a=0,b&c 401 -",
        "GET /digest/text.txt?a=0,b&c 200 user",
        "GET /digest/text.txt?a=1,b&c 200 user",
        "GET /digest/text.txt?a=2,b&c 200 user",
        "HEAD /digest/text.txt 200 user",
        "POST /digest/text.txt 200 user",
    ];
    assert_eq!(apache.seen(expected.len()), expected);
    assert_eq!(opened(&client), 1);
    assert_idle(&client);
}

#[tokio::test]
async fn a_wrong_digest_ends_after_one_answer() {
    let Some(apache) = Apache::start() else {
        return;
    };
    let user = Credentials::digest("user", "wrong");
    let client = client(|builder| builder.credentials(apache.url(""), user));
    let response = client
        .get(apache.url("/digest/text.txt"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(apache.seen(2).len(), 2);
    drop(response);
    assert_idle(&client);
}

#[tokio::test]
async fn digest_of_many_requests_at_once() {
    let Some(apache) = Apache::start() else {
        return;
    };
    let user = Credentials::digest("user", "secret");
    let client = client(|builder| builder.credentials(apache.url(""), user));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let request = client.get(apache.url(&format!("/digest/text.txt?{number}")));
        tasks.spawn(async move { request.send().await.unwrap().text().await.unwrap() });
    }
    for text in tasks.join_all().await {
        assert_eq!(text, long_text());
    }
    assert_idle(&client);
}

#[tokio::test]
async fn codings_are_undone() {
    let Some(apache) = Apache::start() else {
        return;
    };
    let Some(nginx) = Nginx::start() else { return };
    let client = client(|builder| builder);
    let urls = [
        apache.url("/plain/text.txt"),
        apache.url("/gzip/text.txt"),
        apache.url("/br/text.txt"),
        nginx.url("/long.txt"),
    ];
    for url in &urls {
        let response = client.get(url).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), long_text(), "{url}");
    }
    for (url, coding) in [(&urls[1], "gzip"), (&urls[2], "br")] {
        let request = client.get(url).header("accept-encoding", coding);
        let response = request.send().await.unwrap();
        assert_eq!(response.header("content-encoding"), Some(coding));
        let bytes = response.bytes().await.unwrap();
        assert!(
            bytes.len() < long_text().len() / 2,
            "{coding}: as it arrives"
        );
    }
    assert_eq!(opened(&client), 2, "one connection to each server");
    assert_idle(&client);
}

#[tokio::test]
async fn cookies_go_where_they_belong() {
    let Some(nginx) = Nginx::start() else { return };
    let jar = Arc::new(Jar::new());
    let client = client(|builder| builder.cookies(jar.clone()));
    let text = async |path: &str| {
        let response = client.get(nginx.url(path)).send().await.unwrap();
        response.text().await.unwrap()
    };
    // Longer paths come first (RFC 6265 section 5.4). This machine is as safe as TLS, to curl as well.
    assert_eq!(
        text("/cookie/set").await,
        "baseline=1; hidden=3; secure=4; new=2; up=6\n"
    );
    assert_eq!(
        text("/cookie/deep/er").await,
        "deep=8; baseline=1; hidden=3; secure=4; new=2; up=6\n"
    );
    assert!(
        text("/echo")
            .await
            .contains("cookie=secure=4; new=2; up=6\n")
    );
    assert_eq!(jar.len(), 6, "{:?}", jar.to_vec());
    assert_idle(&client);
}

#[tokio::test]
async fn a_chain_through_proxies() {
    let Some(nginx) = Nginx::start() else { return };
    let (Some(squid), Some(socks)) = (Squid::start(), Microsocks::guarded()) else {
        return;
    };
    let pem = std::fs::read(nginx.file("ca.pem")).unwrap();
    let proxies = [
        (
            format!("http://127.0.0.1:{}", squid.open),
            crate::squid::FROM,
        ),
        (
            format!("http://user:secret@127.0.0.1:{}", squid.guarded),
            crate::squid::FROM,
        ),
        (
            format!("socks5h://user:secret@127.0.0.1:{}", socks.port),
            crate::microsocks::FROM,
        ),
    ];
    let mut read = 0;
    for (url, from) in proxies {
        let tls = Tls::default().root_pem(pem.clone()).only_added_roots();
        let rule = Proxy::all(&url).unwrap();
        let client = client(|builder| builder.tls(tls).proxy(rule));
        let secure = |path| format!("https://localhost:{}{path}", nginx.tls);
        for url in [nginx.url("/chain/5"), nginx.url("/up"), secure("/chain/5")] {
            let response = client.get(url).send().await.unwrap();
            let text = response.text().await.unwrap();
            assert!(text.starts_with("GET /echo\n"), "{text}");
        }
        let post = client
            .post(secure("/body"))
            .body("a=1")
            .send()
            .await
            .unwrap();
        assert!(post.text().await.unwrap().ends_with(" a=1\n"));
        let seen = nginx.seen(&mut read);
        assert_eq!(seen.len(), 6 + 2 + 6 + 1, "{seen:#?}");
        for line in &seen {
            assert!(
                line.starts_with(from) && line.contains("proxy=\"--\""),
                "{line}"
            );
        }
        // One forwards or leads to the port of HTTP, one to that of TLS. A redirect whose body has not
        // arrived with its head costs its connection: squid often sends the two one by one.
        assert!(opened(&client) >= 2);
        assert_idle(&client);
    }
}
