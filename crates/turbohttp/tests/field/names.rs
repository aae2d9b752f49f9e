//! Names and URLs: one normal form, and the right host.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use turbohttp::{Body, Client, ErrorKind, MockReply, MockTransport, Request, StatusCode};
use turbohttp_loopback::script::{Script, ScriptServer, Step};

use crate::support::{Peer, TestClient, read_head, soon};

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

fn server() -> ScriptServer {
    let steps = [Step::ReadHead, Step::send(OK)];
    Script::new().accept(steps).repeat_last().start().unwrap()
}

/// The head of the last request that came to `server`.
fn last_head(server: &ScriptServer) -> String {
    String::from_utf8(server.received().last().unwrap().clone()).unwrap()
}

#[tokio::test]
async fn overrides_match_every_spelling_of_a_host() {
    let server = server();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    for (given, asked) in [
        ("a.test", "a.test"),
        ("A.TEST", "a.test"),
        ("a.test.", "a.test"),
        ("a.test", "a.test."),
        ("A.Test.", "a.TEST"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("xn--bcher-kva.test", "BÜCHER.test"),
        ("BÜCHER.test.", "bücher.test"),
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.513", "192.0.2.1"),
        ("192.0.2.1", "0xc0.0.2.1"),
        ("2001:db8::1", "[2001:db8::1]"),
        ("[2001:DB8::1]", "[2001:db8:0:0:0:0:0:1]"),
        ("2001:db8:0::0:1", "[2001:db8::1]"),
    ] {
        let client = TestClient::with(|builder| builder.resolve(given, [address]));
        let url = format!("http://{asked}:{}/", server.addr().port());
        let response = soon(client.get(&url).send()).await;
        assert_eq!(response.expect(given).status(), 200, "{given} for {asked}");
    }
}

/// What looks like a guard and matches nothing is refused when the client is built.
#[test]
fn overrides_that_match_nothing_are_refused() {
    for given in [
        "",
        ".",
        "a..test",
        "a.test:80",
        "http://a.test",
        "a.test/",
        "user@a.test",
        "a test",
        "a.test\n",
        "a\0.test",
        "[::1]:80",
        "[::1",
        "*.a.test",
        "1.2.3.4.5",
    ] {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let built = Client::builder().resolve(given, [address]).build();
        let Err(error) = built else {
            // A star is a character like any other to the URL standard, and to no resolver.
            assert_eq!(given, "*.a.test");
            continue;
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{given:?}: {error}");
        assert!(error.to_string().contains("resolve"), "{error}");
    }
}

/// Limits and pauses hold whatever spelling they were given by.
#[tokio::test]
async fn limits_and_pauses_match_every_spelling_of_an_origin() {
    for (given, asked) in [
        ("http://a.test", "http://a.test/x?y"),
        ("http://A.TEST/", "http://a.test/"),
        ("http://a.test:80/", "http://a.test/"),
        ("http://a.test./", "http://a.test/"),
        ("http://a.test/", "http://a.test./"),
        ("HTTP://a.test/some/path?q#f", "http://a.test/"),
        ("http://user:word@a.test/", "http://a.test/"),
        ("https://a.test:443", "https://a.test/"),
        ("http://bücher.test", "http://xn--bcher-kva.test/"),
        ("http://[2001:db8:0::1]:80", "http://[2001:DB8::1]/"),
        ("http://127.1", "http://127.0.0.1/"),
    ] {
        let mock = MockTransport::new(MockReply::new(StatusCode::OK));
        let client = Client::builder().transport(mock).build().unwrap();
        let far = Instant::now() + Duration::from_secs(3_600);
        client.limiter().pause(given, far).unwrap();
        let waiting = client.get(asked).timeout(Duration::from_millis(20)).send();
        let error = soon(waiting).await.expect_err(asked);
        assert_eq!(
            error.phase(),
            Some(turbohttp::Phase::Pause),
            "{given}: {error:?}"
        );
        client.limiter().pause(given, Instant::now()).unwrap();
        assert_eq!(soon(client.get(asked).send()).await.unwrap().status(), 200);
        client.limiter().set_limit(given, Some(1)).unwrap();
        let _held = client.limiter().try_acquire(asked).unwrap();
        assert!(client.limiter().try_acquire(asked).is_err(), "{given}");
    }
}

#[test]
fn keys_that_are_no_origin_are_refused() {
    let client = Client::new().unwrap();
    for key in [
        "a.test",
        "a.test:80",
        "",
        "ftp://a.test",
        "http://",
        "http:// a.test",
        "http://a.test\t",
    ] {
        let error = client.limiter().pause(key, Instant::now()).expect_err(key);
        assert_eq!(error.kind(), ErrorKind::Url, "{key}");
        assert!(client.limiter().set_limit(key, Some(1)).is_err(), "{key}");
    }
}

/// Credentials that came with a URL go with it: to the next one they would be a stranger's.
#[tokio::test]
async fn credentials_of_a_url_leave_with_it() {
    let mut request = Request::new(http::Method::GET, "http://user:word@a.test/").unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "Basic dXNlcjp3b3Jk");
    assert_eq!(request.url(), "http://a.test/");
    let clone = request.try_clone().unwrap();
    for mut request in [clone, {
        request.set_url("http://b.test/").unwrap();
        assert!(!request.headers().contains_key(AUTHORIZATION));
        request.set_url("http://other:pass@b.test/").unwrap();
        request
    }] {
        assert!(request.headers().contains_key(AUTHORIZATION));
        // A URL that is refused changes nothing.
        request.set_url("nonsense").unwrap_err();
        assert!(request.headers().contains_key(AUTHORIZATION));
        request.set_url("http://c.test/").unwrap();
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }
    // What the caller has set himself stays.
    let mut request = Request::new(http::Method::GET, "http://user:word@a.test/").unwrap();
    let own = "Bearer own".parse().unwrap();
    request.headers_mut().insert(AUTHORIZATION, own);
    request.set_url("http://b.test/").unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer own");
}

/// The same rules for userinfo through every door.
#[tokio::test]
async fn userinfo_by_every_door() {
    let client = Client::new().unwrap();
    let basic = "Basic dXNlcjp3b3Jk";
    let text = "http://user:word@a.test/";
    let uri: http::Uri = text.parse().unwrap();
    let url: url::Url = text.parse().unwrap();
    let set = {
        let mut request = Request::new(http::Method::GET, "http://b.test/").unwrap();
        request.set_url(text).unwrap();
        request
    };
    let http = http::Request::get(text).body(Body::empty()).unwrap();
    for request in [
        client.get(text).build().unwrap(),
        client.get(&uri).build().unwrap(),
        client.get(url).build().unwrap(),
        Request::new(http::Method::GET, text).unwrap(),
        Request::try_from(http).unwrap(),
        set,
    ] {
        assert_eq!(request.headers()[AUTHORIZATION], basic);
        assert!(!format!("{request:?} {}", request.url()).contains("word"));
        assert!(request.headers()[AUTHORIZATION].is_sensitive());
    }
    // A field of the caller stands in its place, and not beside it.
    let request = client
        .get(text)
        .header("authorization", "Bearer x")
        .build()
        .unwrap();
    let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer x"]);
    let request = client.get(text).bearer_auth("x").build().unwrap();
    assert_eq!(request.headers().get_all(AUTHORIZATION).iter().count(), 1);
    // RFC 7617 section 2: no colon in the name, no control character anywhere.
    for text in [
        "http://us%3Aer:word@a.test/",
        "http://user:wo%0Ard@a.test/",
        "http://user%00:word@a.test/",
        "http://user:w%7Fd@a.test/",
    ] {
        let error = client.get(text).build().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Url, "{text}");
        assert!(
            error.to_string().ends_with("(in \"http://***@a.test/\")"),
            "{error}"
        );
    }
    for (user, password) in [("us:er", "word"), ("user", "wo\nrd"), ("us\0er", "")] {
        let error = client
            .get("http://a.test/")
            .basic_auth(user, Some(password))
            .build();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Request, "{user:?}");
    }
}

/// The URL standard removes them without a word, and reads another URL.
#[test]
fn control_characters_in_a_url_are_refused() {
    for (text, byte) in [
        ("http://a.test/x\ty", "0x09"),
        ("http://a.test/x\r\ny: z", "0x0d"),
        ("http://a.test/\nx", "0x0a"),
        ("http://a.te\nst/", "0x0a"),
        ("ht\ttp://a.test/", "0x09"),
        ("http://a.test/\0", "0x00"),
        ("http://a.test/\u{1b}[31m", "0x1b"),
        ("http://a.test/\u{7f}", "0x7f"),
        ("\thttp://a.test/", "0x09"),
        ("http://a.test/\n", "0x0a"),
        ("http://user:pa\nss@a.test/", "0x0a"),
        ("http://a.test:8\t0/", "0x09"),
    ] {
        let error = Request::new(http::Method::GET, text).expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Url, "{text:?}");
        let message = error.to_string();
        assert!(
            message.contains(byte) && message.contains("at byte"),
            "{message}"
        );
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[tokio::test]
async fn targets_are_sent_as_they_are() {
    let server = server();
    let client = TestClient::new();
    for target in [
        "/a/../b",
        "/a/./b",
        "/%2e%2e/x",
        "/a|b",
        "/{x}",
        "/a//b",
        "/?q=<\"'>",
        "/%zz",
        "/\\x",
    ] {
        let response = soon(client.get(server.url("/other")).target(target).send()).await;
        assert_eq!(response.expect(target).status(), 200);
        let head = last_head(&server);
        assert!(
            head.starts_with(&format!("GET {target} HTTP/1.1\r\n")),
            "{head}"
        );
        let clone = client
            .get(server.url("/"))
            .target(target)
            .build()
            .unwrap()
            .try_clone();
        assert!(clone.unwrap().url().ends_with(target), "{target}");
    }
    for target in [
        "",
        "a",
        "/a b",
        "/a\r\nx: y",
        "/ü",
        "/a#b",
        "*",
        "//a\tb",
        "http://b.test/",
    ] {
        let error = client
            .get(server.url("/"))
            .target(target)
            .build()
            .expect_err(target);
        assert_eq!(error.kind(), ErrorKind::Url, "{target:?}");
    }
    // The next URL has its own target.
    let mut request = client
        .get(server.url("/"))
        .target("/a/../b")
        .build()
        .unwrap();
    request.set_url(server.url("/c/../d")).unwrap();
    assert!(request.url().ends_with("/d"));
}

/// A final dot is no part of Host, of the key of limits and of what overrides match.
#[tokio::test]
async fn final_dot_is_dropped_where_it_means_nothing() {
    let server = server();
    let port = server.addr().port();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let client = TestClient::with(|builder| builder.resolve("a.test", [address]));
    for host in ["a.test", "a.test.", "A.TEST."] {
        let response = soon(client.get(format!("http://{host}:{port}/")).send()).await;
        assert_eq!(response.expect(host).status(), 200);
        assert!(
            last_head(&server).contains(&format!("\r\nhost: a.test:{port}\r\n")),
            "{host}"
        );
    }
    for url in [
        "http://./",
        "http://a../",
        "http://.a.test/",
        "http://a..b/",
    ] {
        assert!(Request::new(http::Method::GET, url).is_err(), "{url}");
    }
}

/// Addresses with a zone, as RFC 6874 and as curl write them; what is no zone is refused.
#[test]
fn zones_are_read_and_left_out_of_the_url() {
    for text in [
        "http://[fe80::1%25eth0]/x",
        "http://[fe80::1%eth0]/x",
        "http://[FE80:0::1%252]/x",
        "http://u:p@[fe80::1%25eth0.7]/x",
    ] {
        let request = Request::new(http::Method::GET, text).expect(text);
        assert_eq!(request.url(), "http://[fe80::1]/x", "{text}");
        let next = request.try_clone().unwrap();
        assert_eq!(next.url(), request.url());
    }
    for text in [
        "http://[fe80::1%25]/",
        "http://[fe80::1%]/",
        "http://[fe80::1%25a b]/",
        "http://[fe80::1%25a/b]/",
        "http://[%25eth0]/",
        "http://a.test%25eth0/",
    ] {
        assert!(Request::new(http::Method::GET, text).is_err(), "{text}");
    }
    // A bracket behind the host is no address.
    let request = Request::new(http::Method::GET, "http://a.test/[fe80::1%25eth0]").unwrap();
    assert_eq!(request.url(), "http://a.test/[fe80::1%25eth0]");
}

/// servo/rust-url #580, libwww-perl/URI #143: characters of a password that mean something in a host.
#[test]
fn brackets_of_userinfo_are_no_zone() {
    let client = Client::new().unwrap();
    for (text, userinfo, url) in [
        (
            "http://user:[p%25w]@a.test/x",
            "user:[p%w]",
            "http://a.test/x",
        ),
        (
            "http://[fe80::1%25eth0]@a.test/",
            "[fe80::1%eth0]",
            "http://a.test/",
        ),
        ("http://[a%25b]c@a.test/", "[a%b]c:", "http://a.test/"),
        (
            "http://u:[1%252]@[fe80::1%25eth0]/",
            "u:[1%2]",
            "http://[fe80::1]/",
        ),
        ("http://a@b@[fe80::1%25eth0]/", "a@b:", "http://[fe80::1]/"),
    ] {
        let request = Request::new(http::Method::GET, text).expect(text);
        let (user, password) = userinfo.split_once(':').unwrap();
        let expected = client
            .get("http://a.test/")
            .basic_auth(user, Some(password));
        let expected = expected.build().unwrap();
        assert_eq!(
            request.headers()[AUTHORIZATION],
            expected.headers()[AUTHORIZATION],
            "{text}"
        );
        assert_eq!(request.url(), url, "{text}");
    }
    for text in [
        "http://user@[fe80::1%25eth0]x/",
        "http://[fe80::1%25eth0]x:80/",
    ] {
        assert!(Request::new(http::Method::GET, text).is_err(), "{text}");
    }
    // What begins behind a backslash is a path (WHATWG).
    let request = Request::new(http::Method::GET, "http://[fe80::1%25eth0]\\@a.test/").unwrap();
    assert_eq!(request.url(), "http://[fe80::1]/@a.test/");
}

/// jetty/jetty.project #353, curl/curl #716: one connection, whatever the spelling.
#[tokio::test]
async fn spellings_of_an_origin_share_a_connection() {
    let server = Peer::start(|mut stream| {
        while read_head(&mut stream).is_some() {
            _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        }
    });
    let address: SocketAddr = server.url("")["http://".len()..].parse().unwrap();
    let client = TestClient::with(|builder| builder.resolve("bücher.test", [address]));
    for url in [
        "http://bücher.test",
        "http://BÜCHER.test:80/",
        "http://xn--bcher-kva.test./x?y#z",
        "http://user:word@xn--bcher-kva.test:080/",
        "HTTP://xn--BCHER-kva.TEST",
    ] {
        assert_eq!(client.body_of(url).await, b"", "{url}");
    }
    assert_eq!(client.net().opened, 1);
}

/// unshiftio/url-parse #191, medialize/URI.js #152, nodejs/node #1802: a password that is not coded makes
/// another URL, mostly none; what is said of it does not show the password.
#[test]
fn messages_show_no_password() {
    for text in [
        "http://example:secret?yyy@example.com/example",
        "https://scooby:secret bee!@#$%^&()-secret@ten-eleven.com",
        "http://user:secret/@a.test/",
        "http://user:secret\\@a.test/",
        "http://user:secret#@a.test:99999/",
        "http://user:secret@a.test:99999/",
        "http://user:secret@/",
        "http://user:secret@[::1/",
        "ftp://user:secret@a.test/",
        "user:secret@a.test",
        "//user:secret@a.test/",
        "http://user:secret%40a.test/",
        "http:/user:secret@a b/",
        "http://user:secret@a%00b/",
        "http://user:secret@xn--a/",
    ] {
        let error = Request::new(http::Method::GET, text).expect_err(text);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}
