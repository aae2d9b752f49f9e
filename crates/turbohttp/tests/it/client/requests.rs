//! Requests as they are sent: verbs, fields, credentials, and what is refused before.

use turbohttp::{ErrorKind, HeaderMap, HeaderValue, Method, header};

use super::{seen, server};
use crate::support::TestClient;

#[tokio::test]
async fn verbs_are_sent_as_they_are_called() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers?a=b");
    let custom = Method::from_bytes(b"PROPFIND").unwrap();
    let requests = [
        (client.get(&url), "GET"),
        (client.post(&url), "POST"),
        (client.put(&url), "PUT"),
        (client.patch(&url), "PATCH"),
        (client.delete(&url), "DELETE"),
        (client.options(&url), "OPTIONS"),
        (client.request(custom, &url), "PROPFIND"),
    ];
    for (request, verb) in requests {
        let head = seen(&client, request).await;
        let first = format!(
            "{verb} /headers?a=b HTTP/1.1\r\nhost: {}\r\n",
            server.addr()
        );
        assert!(head.starts_with(&first), "{head}");
        // RFC 9110 section 8.6: a method that is expected to carry a body says that it has none.
        let says_none = head.contains("content-length: 0\r\n");
        assert_eq!(
            says_none,
            ["POST", "PUT", "PATCH"].contains(&verb),
            "{head}"
        );
    }
    let response = client.head(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.header("content-length").is_some());
    assert_eq!(response.bytes().await.unwrap(), b""[..]);
    assert_eq!(client.net().opened, 1);
}

#[tokio::test]
async fn fields_keep_their_order_and_defaults_give_way() {
    let server = server();
    let client = TestClient::with(|builder| {
        builder
            .default_header(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"))
            .default_header(header::ACCEPT, HeaderValue::from_static("text/plain"))
    });
    let url = server.url("/headers");
    let head = seen(&client, client.get(&url)).await;
    assert!(head.contains("\r\nuser-agent: turbohttp/"), "{head}");
    assert!(head.contains("\r\naccept: text/plain\r\n"), "{head}");
    assert!(head.contains("\r\naccept-language: en\r\n"), "{head}");

    let request = client
        .get(&url)
        .header("X-First", "1")
        .header("accept", "image/png")
        .header("x-twice", "a")
        .header("X-Last", "2")
        .header("x-twice", "b");
    let head = seen(&client, request).await;
    let fields: Vec<&str> = head
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect();
    let places: Vec<_> = [
        "host: ",
        "x-first: 1",
        "accept: image/png",
        "x-twice: a",
        "x-last: 2",
    ]
    .iter()
    .map(|field| fields.iter().position(|line| line.starts_with(field)))
    .collect();
    assert!(
        places.is_sorted() && places.iter().all(Option::is_some),
        "{head}"
    );
    assert_eq!(
        fields
            .iter()
            .filter(|line| line.starts_with("accept:"))
            .count(),
        1,
        "{head}"
    );
    assert_eq!(
        fields
            .iter()
            .filter(|line| line.starts_with("x-twice:"))
            .count(),
        2,
        "{head}"
    );
    assert!(head.contains("accept-language: en"), "{head}");
}

#[tokio::test]
async fn headers_replaces_fields_of_the_same_names() {
    let server = server();
    let client = TestClient::new();
    let mut fields = HeaderMap::new();
    fields.append("x-a", HeaderValue::from_static("new"));
    fields.append("x-a", HeaderValue::from_static("newer"));
    let request = client
        .get(server.url("/headers"))
        .header("x-a", "old")
        .header("x-b", "kept");
    let head = seen(&client, request.headers(fields)).await;
    assert!(
        head.contains("x-a: new\r\n") && head.contains("x-a: newer\r\n"),
        "{head}"
    );
    assert!(
        !head.contains("old") && head.contains("x-b: kept\r\n"),
        "{head}"
    );
}

/// The Host field is the caller's; which connection is used is not decided by it.
#[tokio::test]
async fn host_override_does_not_change_the_connection() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    let head = seen(&client, client.get(&url).header("host", "other.test")).await;
    assert!(head.contains("\r\nhost: other.test\r\n"), "{head}");
    assert!(!head.contains(&server.addr().to_string()), "{head}");
    let head = seen(&client, client.get(&url)).await;
    assert!(!head.contains("other.test"), "advisory 10: {head}");
    assert_eq!(server.stats().connections, 1);
}

#[tokio::test]
async fn credentials_go_out_in_one_field() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    let basic = "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    let head = seen(
        &client,
        client.get(&url).basic_auth("Aladdin", Some("open sesame")),
    )
    .await;
    assert!(head.contains(basic), "{head}");
    let head = seen(&client, client.get(&url).bearer_auth("t0k3n")).await;
    assert!(head.contains("authorization: Bearer t0k3n\r\n"), "{head}");
    // Userinfo becomes the field; it is asked of nobody as part of the host (advisory 8).
    let with_userinfo = url.replace("http://", "http://Aladdin:open%20sesame@");
    let head = seen(&client, client.get(&with_userinfo)).await;
    assert!(head.contains(basic), "{head}");
    assert!(
        head.contains(&format!("host: {}\r\n", server.addr())),
        "{head}"
    );
    let response = client.get(&with_userinfo).send().await.unwrap();
    assert_eq!(response.url(), url);
    drop(response);
    // The request after has none of it (advisory 17).
    let head = seen(&client, client.get(&url)).await;
    assert!(!head.contains("authorization"), "{head}");
    let error = client
        .get(&url)
        .basic_auth("a:b", Some("c"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    let error = client
        .get(&url)
        .bearer_auth("a\r\nb: c")
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
}

/// Advisory 34: nothing of the caller's ends a line.
#[tokio::test]
async fn injection_is_refused_before_anything_is_sent() {
    let server = server();
    let client = TestClient::new();
    let url = server.url("/headers");
    for bad in ["a\rb", "a\nb", "a\r\nx: y", "a\0b", "\x7f"] {
        let error = client.get(&url).header("x", bad).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{bad:?}");
        let error = client.get(&url).header(bad, "x").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{bad:?}");
        // In a URL such a byte is an error or is coded, never sent as it is.
        match client.get(format!("{url}?q={bad}")).send().await {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Url, "{bad:?}"),
            Ok(response) => {
                let head = response.text().await.unwrap();
                assert!(!head.contains(bad) && !head.contains("\r\nx: y"), "{head}");
            }
        }
    }
    for (name, value) in [
        ("transfer-encoding", "chunked"),
        ("content-length", "7"),
        ("upgrade", "websocket"),
    ] {
        let error = client
            .get(&url)
            .header(name, value)
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{name}");
    }
    let error = client
        .request(Method::CONNECT, &url)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    client.audit();
}

#[tokio::test]
async fn urls_that_cannot_be_asked_are_the_callers_error() {
    let client = TestClient::new();
    for url in [
        "",
        "no url",
        "ftp://a.test/",
        "file:///etc/passwd",
        "http://",
        "http://a b/",
        "//a",
    ] {
        let error = client.get(url).send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Url, "{url}");
        assert!(client.get(url).build().is_err());
    }
    client.audit();
}
