//! Requests that a proxy forwards: the absolute form, credentials, and which requests go there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use turbohttp::{Client, ErrorKind, HeaderMap, NoProxy, Proxy, ProxyServer, StatusCode};
use turbohttp_loopback::script::{Script, ScriptServer, Step};
use turbohttp_loopback::{Options, Server};

use crate::support::{TestClient, read, soon};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A proxy that answers so many requests of one connection itself.
fn proxy(requests: usize) -> ScriptServer {
    let mut steps = Vec::new();
    for _ in 0..requests {
        steps.extend([Step::ReadHead, Step::send(OK)]);
    }
    steps.push(Step::Stall);
    Script::new().accept(steps).start().unwrap()
}

fn by(rule: Proxy) -> TestClient {
    TestClient::with(|builder| builder.default_headers(HeaderMap::new()).proxy(rule))
}

fn rule(proxy: &ScriptServer) -> Proxy {
    Proxy::http(&proxy.addr().to_string()).unwrap()
}

fn heads(proxy: &ScriptServer) -> String {
    let received = proxy.received();
    received
        .iter()
        .map(|bytes| String::from_utf8_lossy(bytes))
        .collect()
}

#[tokio::test]
async fn target_is_the_whole_url_and_host_its_authority() {
    let proxy = proxy(3);
    let client = by(rule(&proxy));
    let mut urls = ["/a/b?c=d#fragment", "", "/x"].into_iter();
    let mut send = async |name: Option<&'static str>| {
        let url = format!("http://user:word@name.test:81{}", urls.next().unwrap());
        let mut request = client.get(url);
        if let Some(name) = name {
            request = request.header(name, "1");
        }
        let mut response = request.send().await.unwrap();
        assert_eq!(read(&mut response).await.unwrap(), b"ok");
        assert_eq!(response.remote_addr(), Some(proxy.addr()));
    };
    send(None).await;
    send(None).await;
    send(Some("x-a")).await;
    let heads = heads(&proxy);
    let auth = "authorization: Basic dXNlcjp3b3Jk\r\n";
    for (target, field) in [("/a/b?c=d", ""), ("/", ""), ("/x", "x-a: 1\r\n")] {
        let start = format!("GET http://name.test:81{target} HTTP/1.1\r\nhost: name.test:81\r\n");
        let head = heads
            .split("\r\n\r\n")
            .find(|head| head.starts_with(start.trim_end()));
        let head = format!(
            "{}\r\n",
            head.unwrap_or_else(|| panic!("no {start} in {heads}"))
        );
        assert!(head.contains(auth) && head.contains(field), "{head}");
    }
    assert_eq!(proxy.connections(), 1, "kept alive");
}

#[tokio::test]
async fn credentials_go_to_the_proxy_with_every_request() {
    let proxy = proxy(3);
    let client = by(rule(&proxy).basic_auth("user", "pass word").unwrap());
    for index in 0..3 {
        let mut request = client.get("http://name.test/");
        if index == 1 {
            request = request.header("x-a", "1");
        }
        if index == 2 {
            request = request.header("proxy-authorization", "Bearer own");
        }
        read(&mut request.send().await.unwrap()).await.unwrap();
    }
    let heads = heads(&proxy);
    let configured = heads.matches("proxy-authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n");
    assert_eq!(configured.count(), 2, "{heads}");
    let own = heads.matches("proxy-authorization: Bearer own\r\n").count();
    assert_eq!(own, 1, "{heads}");
    let all = heads.matches("proxy-authorization").count();
    assert_eq!(
        all, 3,
        "what the request sets replaces what is configured: {heads}"
    );
}

#[tokio::test]
async fn origins_see_no_credentials_for_proxies() {
    let origin = proxy(2);
    let client = TestClient::with(|builder| {
        let canary = "Basic canary".parse().unwrap();
        builder.default_header(turbohttp::header::PROXY_AUTHORIZATION, canary)
    });
    for own in [false, true] {
        let mut request = client.get(origin.url("/"));
        if own {
            request = request
                .header("proxy-authorization", "Basic canary")
                .header("x-a", "1");
        }
        read(&mut request.send().await.unwrap()).await.unwrap();
    }
    let heads = heads(&origin);
    assert!(
        heads.contains("x-a: 1") && !heads.contains("canary"),
        "{heads}"
    );
}

#[tokio::test]
async fn default_credentials_reach_a_proxy_that_has_none() {
    let proxy = proxy(1);
    let client = TestClient::with(|builder| {
        let value = "Basic default".parse().unwrap();
        builder
            .default_header(turbohttp::header::PROXY_AUTHORIZATION, value)
            .proxy(rule(&proxy))
    });
    read(&mut client.get("http://name.test/").send().await.unwrap())
        .await
        .unwrap();
    assert!(heads(&proxy).contains("proxy-authorization: Basic default\r\n"));
}

#[tokio::test]
async fn refusal_of_a_forwarding_proxy_is_a_response() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                  proxy-authenticate: Basic realm=\"x\"\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
    let steps = [Step::ReadHead, Step::send(answer), Step::Close];
    let proxy = Script::new().accept(steps).repeat_last().start().unwrap();
    let client = TestClient::with(|builder| {
        let limits = turbohttp::Limits::default().per_host(1);
        builder.limits(limits).proxy(rule(&proxy))
    });
    for _ in 0..3 {
        let mut response = soon(client.get("http://name.test/").send()).await.unwrap();
        assert_eq!(response.status(), StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        assert_eq!(soon(read(&mut response)).await.unwrap(), b"no");
    }
}

#[tokio::test]
async fn rules_choose_in_their_order_and_exempt_hosts() {
    let server = Server::start(Options::default()).unwrap();
    let near = proxy(1);
    let far = proxy(1);
    let client = TestClient::with(|builder| {
        let exempt = NoProxy::parse("127.0.0.0/8").unwrap();
        let near = ProxyServer::parse(&near.url("")).unwrap();
        builder
            .proxy(Proxy::https("http://127.0.0.1:1").unwrap())
            .proxy(Proxy::custom(move |origin| {
                (origin.host() == "near.test").then(|| near.clone())
            }))
            .proxy(rule(&far).no_proxy(exempt))
    });
    for url in ["http://near.test/", "http://far.test/"] {
        read(&mut client.get(url).send().await.unwrap())
            .await
            .unwrap();
    }
    // Direct, as its address is exempt.
    let response = client.get(server.url("/small")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    assert!(heads(&near).starts_with("GET http://near.test/ "));
    assert!(heads(&far).starts_with("GET http://far.test/ "));
}

#[tokio::test]
async fn connections_are_shared_by_equal_proxies_only() {
    let proxies: Vec<ScriptServer> = (0..2).map(|_| proxy(2)).collect();
    let urls: Vec<String> = proxies.iter().map(|proxy| proxy.url("")).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let client = by(Proxy::custom(move |_| {
        // In turn, and read anew each time: equal in what they say.
        let index = count.fetch_add(1, Ordering::SeqCst) % 2;
        ProxyServer::parse(&urls[index]).ok()
    }));
    for _ in 0..4 {
        read(&mut client.get("http://name.test/").send().await.unwrap())
            .await
            .unwrap();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4, "once for each request");
    for proxy in &proxies {
        assert_eq!(
            (proxy.connections(), heads(proxy).matches("GET ").count()),
            (1, 2)
        );
    }
}

#[tokio::test]
async fn panic_of_a_choice_is_an_error_of_its_request() {
    let client = by(Proxy::custom(|_| panic!("chosen badly")));
    let error = client.get("http://name.test/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error:?}");
    assert!(error.to_string().contains("chosen badly"), "{error}");
}

#[tokio::test]
async fn proxy_that_refuses_is_named_and_the_request_was_not_sent() {
    let closed = Script::new().start().unwrap().addr();
    let client = by(Proxy::all(&format!("http://canary:canary@{closed}")).unwrap());
    let error = client.get("http://name.test/").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(error.is_retryable() && error.is_connect());
    let shown = format!("{error} {error:?}");
    assert!(
        shown.contains(&format!("http://{closed}")) && !shown.contains("canary"),
        "{shown}"
    );
    assert!(!format!("{client:?}", client = *client).contains("canary"));
}

#[test]
fn options_are_checked_and_show_no_secrets() {
    let rule = Proxy::all("http://canary:canary@proxy.test").unwrap();
    let builder = Client::builder().proxy(rule.clone());
    assert!(!format!("{rule:?} {builder:?}").contains("canary"));
    let builder = turbohttp::NetTransport::builder().proxy(rule.clone());
    assert!(!format!("{builder:?}").contains("canary"));
    #[cfg(unix)]
    {
        let both = Client::builder()
            .proxy(rule.clone())
            .unix_socket("/nowhere");
        assert_eq!(both.build().unwrap_err().kind(), ErrorKind::Config);
    }
    let many = (0..65).fold(Client::builder(), |builder, _| builder.proxy(rule.clone()));
    let error = many.build().unwrap_err();
    assert!(error.to_string().contains("64"), "{error}");
    let custom = Proxy::custom(|_| None).basic_auth("a", "b").unwrap_err();
    assert_eq!(custom.kind(), ErrorKind::Config);
}

/// In a process of its own, as the environment is one of all threads.
#[tokio::test]
async fn environment_is_read_only_when_asked() {
    const INSIDE: &str = "TURBOHTTP_TEST_INSIDE";
    if std::env::var_os(INSIDE).is_none() {
        let proxy = proxy(1);
        let name = "forward::environment_is_read_only_when_asked";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env("http_proxy", proxy.url(""))
            .env("no_proxy", "exempt.test")
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "inside:\n{text}"
        );
        assert!(heads(&proxy).starts_with("GET http://name.test/ HTTP/1.1\r\n"));
        return;
    }
    let server = Server::start(Options::default()).unwrap();
    let client = TestClient::new();
    let mut response = soon(client.get(server.url("/small")).send()).await.unwrap();
    assert_eq!(soon(read(&mut response)).await.unwrap(), b"Hello, world!");
    let client = TestClient::with(|builder| {
        builder
            .proxy_from_env()
            .resolve("exempt.test", server.addr())
    });
    for (url, body) in [
        ("http://name.test/", &b"ok"[..]),
        ("http://exempt.test/small", b"Hello, world!"),
    ] {
        let mut response = soon(client.get(url).send()).await.unwrap();
        assert_eq!(soon(read(&mut response)).await.unwrap(), body);
    }
}
