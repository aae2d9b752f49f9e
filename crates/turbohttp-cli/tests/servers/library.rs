//! What the command cannot show: which connections are used again, and what happens to those that a
//! server closes.

use std::fs;

use turbohttp::{
    Client, ClientBuilder, Credentials, Limits, NetStats, RedirectPolicy, RetryPolicy, StatusCode,
    Tls, header,
};
use turbohttp_loopback::pattern;

use crate::haproxy::Haproxy;
use crate::nginx::{LARGE_BYTES, Nginx};

/// Enough to tell a connection for each request from one for all.
const REQUESTS: usize = 50;

fn client(options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    options(Client::builder()).build().unwrap()
}

fn net(client: &Client) -> NetStats {
    client.stats().net.unwrap()
}

async fn text(client: &Client, url: &str) -> String {
    let response = client.get(url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{url}");
    response.text().await.unwrap()
}

#[track_caller]
fn assert_idle(client: &Client) {
    let audit = client.audit();
    assert!(audit.is_idle(), "{audit:?}");
}

#[tokio::test]
async fn a_connection_is_kept_where_the_server_keeps_it() {
    let Some(nginx) = Nginx::start() else { return };
    let client = client(|builder| builder);
    for (port, opened) in [(nginx.plain, 1), (nginx.closing, 1 + REQUESTS as u64)] {
        for _ in 0..REQUESTS {
            let url = format!("http://127.0.0.1:{port}/small.txt");
            assert_eq!(text(&client, &url).await, "Hello, world!\n");
        }
        assert_eq!((net(&client).opened, net(&client).replayed), (opened, 0));
    }
    assert_eq!((net(&client).open, net(&client).idle), (1, 1));
    assert_idle(&client);
}

#[tokio::test]
async fn haproxy_keeps_a_connection_and_one_that_it_closes_costs_no_request() {
    let Some(nginx) = Nginx::start() else { return };
    let Some(haproxy) = Haproxy::start(&nginx) else {
        return;
    };
    let client = client(|builder| builder);
    let url = |port: u16, path: &str| format!("http://127.0.0.1:{port}{path}");
    for _ in 0..REQUESTS {
        let large = client.get(url(haproxy.keeping, "/large.bin"));
        let large = large.send().await.unwrap().bytes().await.unwrap();
        assert!(large == pattern(LARGE_BYTES));
        // Since the last round, HAProxy has closed what this one would use again, or is about to.
        assert_eq!(
            text(&client, &url(haproxy.hasty, "/small.txt")).await,
            "Hello, world!\n"
        );
    }
    let opened = net(&client).opened;
    assert!(
        opened > 2,
        "one connection was kept, others were closed: {opened}"
    );
    assert_idle(&client);
}

#[tokio::test]
async fn requests_at_once_share_few_connections() {
    let Some(nginx) = Nginx::start() else { return };
    let Some(haproxy) = Haproxy::start(&nginx) else {
        return;
    };
    let client = client(|builder| builder.limits(Limits::default().per_host(4)));
    let url = format!("http://127.0.0.1:{}/page.shtml", haproxy.keeping);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..REQUESTS {
        let (client, url) = (client.clone(), url.clone());
        tasks.spawn(async move { text(&client, &url).await.len() });
    }
    let lengths = tasks.join_all().await;
    assert!(
        lengths.iter().all(|length| *length == lengths[0]),
        "{lengths:?}"
    );
    assert!(net(&client).opened <= 4, "{:?}", net(&client));
    assert_idle(&client);
}

#[tokio::test]
async fn redirects_use_one_connection() {
    let Some(nginx) = Nginx::start() else { return };
    let client = client(|builder| builder);
    assert!(
        text(&client, &nginx.url("/chain/5"))
            .await
            .starts_with("GET /echo\n")
    );
    let seen = nginx.seen(&mut 0);
    let counts = seen.iter().map(|line| line.split(' ').nth(3).unwrap());
    assert_eq!(
        counts.collect::<Vec<_>>(),
        ["1", "2", "3", "4", "5", "6"],
        "{seen:#?}"
    );
    assert_eq!(net(&client).opened, 1);
    assert_idle(&client);
}

#[tokio::test]
async fn credentials_go_to_their_origin_alone() {
    let Some(nginx) = Nginx::start() else { return };
    let user = Credentials::basic("user", "secret").unwrap();
    let client = client(|builder| builder.credentials(nginx.url(""), user));
    assert_eq!(
        text(&client, &nginx.url("/private/file.txt")).await,
        "for user alone\n"
    );
    let elsewhere = text(&client, &nginx.url("/elsewhere")).await;
    assert!(elsewhere.contains("authorization=\n"), "{elsewhere}");
    let typed = client
        .get(nginx.url("/elsewhere"))
        .header(header::AUTHORIZATION, "Basic x");
    let typed = typed.send().await.unwrap().text().await.unwrap();
    assert!(typed.contains("authorization=\n"), "{typed}");
    assert_idle(&client);
}

#[tokio::test]
async fn tls_is_left_by_a_redirect_if_it_is_permitted() {
    let Some(nginx) = Nginx::start() else { return };
    let pem = fs::read(nginx.file("ca.pem")).unwrap();
    let tls = || Tls::default().root_pem(pem.clone()).only_added_roots();
    let down = format!("https://localhost:{}/down", nginx.tls);
    let strict = client(|builder| builder.tls(tls()));
    assert!(
        text(&strict, &nginx.url("/up"))
            .await
            .starts_with("GET /echo\n")
    );
    strict.get(&down).send().await.unwrap_err();
    let lenient = RedirectPolicy::default().allow_downgrade(true);
    let lenient = client(|builder| builder.tls(tls()).redirect(lenient));
    assert!(text(&lenient, &down).await.starts_with("GET /echo\n"));
    assert_idle(&strict);
    assert_idle(&lenient);
}

#[tokio::test]
async fn a_busy_server_is_asked_as_often_as_the_policy_says() {
    let Some(nginx) = Nginx::start() else { return };
    let policy = RetryPolicy::up_to(2).base(std::time::Duration::from_millis(1));
    let client = client(|builder| builder.retry(policy));
    let mut read = 0;
    for (path, times) in [("/busy", 3), ("/missing", 1), ("/small.txt", 1)] {
        client.get(nginx.url(path)).send().await.unwrap();
        assert_eq!(nginx.seen(&mut read).len(), times, "{path}");
    }
    assert_idle(&client);
}
