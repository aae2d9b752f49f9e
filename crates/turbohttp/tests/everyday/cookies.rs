//! A jar in a client: across redirects, clients and restarts.

use std::sync::Arc;

use turbohttp::{Client, CookieStore, Jar};

use crate::ground::{Origin, Seen, assert_idle, client, redirect, reply};

/// Sets what the query says, and says what came.
fn origin() -> Origin {
    Origin::new(|seen: &Seen| {
        let (path, query) = seen.path().split_once('?').unwrap_or((seen.path(), ""));
        let set = format!("set-cookie: {}", query.replace('+', " "));
        match path {
            "/set" => reply(200, &[&set], ""),
            "/set-and-go" => {
                let to = "location: /echo";
                reply(302, &[&set, to], "")
            }
            "/door" => match seen.field("cookie") {
                Some("seen=1") => reply(200, &[], "inside"),
                _ => reply(302, &["set-cookie: seen=1", "location: /door"], ""),
            },
            _ => reply(200, &[], seen.field("cookie").unwrap_or("none")),
        }
    })
}

async fn echo(client: &Client, origin: &Origin) -> String {
    client
        .get(origin.url("/echo"))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test]
async fn what_is_set_is_sent_and_what_a_request_says_stands() {
    let origin = origin();
    let jar = Arc::new(Jar::new());
    let client = client(|builder| builder.cookies(jar.clone()));
    assert_eq!(echo(&client, &origin).await, "none");
    client
        .get(origin.url("/set?a=1;+Path=/"))
        .send()
        .await
        .unwrap();
    assert_eq!(echo(&client, &origin).await, "a=1");
    client
        .get(origin.url("/set?b=2;+Path=/echo"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        echo(&client, &origin).await,
        "b=2; a=1",
        "the longer path first"
    );
    let own = client.get(origin.url("/echo")).header("cookie", "own=1");
    assert_eq!(own.send().await.unwrap().text().await.unwrap(), "own=1");
    client
        .get(origin.url("/set?a=;+Path=/;+Max-Age=0"))
        .send()
        .await
        .unwrap();
    assert_eq!(echo(&client, &origin).await, "b=2");
    // Another client without that jar sees nothing of it.
    let other = crate::ground::client(|builder| builder.cookies(Jar::new()));
    assert_eq!(echo(&other, &origin).await, "none");
    // One that shares it does.
    let same = crate::ground::client(|builder| builder.cookies(jar));
    assert_eq!(echo(&same, &origin).await, "b=2");
    assert_idle(&client);
}

/// A redirect sets a cookie that its target is sent, also where the target is the same URL, which is no loop
/// then; and what belongs to one origin does not go to the next.
#[tokio::test]
async fn redirects_and_cookies() {
    let origin = origin();
    let client = client(|builder| builder.cookies(Jar::new()));
    let response = client
        .get(origin.url("/set-and-go?c=3;+Path=/"))
        .send()
        .await
        .unwrap();
    assert_eq!(response.history().len(), 1);
    assert_eq!(response.text().await.unwrap(), "c=3");
    let fresh = crate::ground::client(|builder| builder.cookies(Jar::new()));
    let inside = fresh.get(origin.url("/door")).send().await.unwrap();
    assert_eq!(inside.text().await.unwrap(), "inside");
    let plain = Client::new().unwrap();
    let error = plain.get(origin.url("/door")).send().await.unwrap_err();
    assert!(error.to_string().contains("in a circle"), "{error}");
    // 127.0.0.1 and localhost are two hosts; ports are no part of a cookie's scope.
    let port = origin.address.port();
    let elsewhere = format!("http://localhost:{port}/echo");
    let away = Origin::new(move |_: &Seen| redirect(302, &elsewhere));
    let response = client.get(away.url("/")).send().await.unwrap();
    assert_eq!(away.seen()[0].field("cookie"), Some("c=3"));
    assert_eq!(response.text().await.unwrap(), "none");
}

/// Refused: a cookie for another domain, for a public suffix, `Secure` and `__Host-` from http elsewhere.
#[tokio::test]
async fn what_must_not_be_set_is_not() {
    let origin = origin();
    let client = client(|builder| {
        builder
            .cookies(Jar::new())
            .resolve("shop.example.co.uk", origin.address)
    });
    let port = origin.address.port();
    for query in [
        "x=1;+Domain=other.test",
        "x=1;+Domain=uk",
        "x=1;+Domain=co.uk",
        "x=1;+Domain=evil.example.co.uk",
        "__Host-x=1;+Path=/",
        "__Secure-x=1;+Path=/",
        "x=1;+Secure;+Path=/",
        "x=1;+Path=/;+Expires=Thu,+01+Jan+1970+00:00:00+GMT",
    ] {
        let url = format!("http://shop.example.co.uk:{port}/set?{query}");
        client.get(url).send().await.unwrap();
        let url = format!("http://shop.example.co.uk:{port}/echo");
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        assert_eq!(text, "none", "{query}");
    }
    let url = format!("http://shop.example.co.uk:{port}/set?x=1;+Path=/;+Domain=example.co.uk");
    client.get(url).send().await.unwrap();
    let url = format!("http://shop.example.co.uk:{port}/echo");
    assert_eq!(
        client.get(url).send().await.unwrap().text().await.unwrap(),
        "x=1"
    );
}

/// The list has `*.kawasaki.jp`, by which `a.kawasaki.jp` is a public suffix and `kawasaki.jp` is not.
#[test]
fn suffixes_with_a_wildcard() {
    let jar = Jar::new();
    for (host, domain, is_set) in [
        ("x.a.kawasaki.jp", "x.a.kawasaki.jp", true),
        ("x.a.kawasaki.jp", "a.kawasaki.jp", false),
        ("x.a.kawasaki.jp", "kawasaki.jp", false),
        ("x.city.kawasaki.jp", "city.kawasaki.jp", true),
        ("x.y.example.co.uk", "example.co.uk", true),
        ("x.y.example.co.uk", "co.uk", false),
    ] {
        let set = jar.insert(
            &format!("https://{host}/"),
            &format!("a=1; Domain={domain}"),
        );
        assert_eq!(set.is_ok(), is_set, "{host} {domain}: {set:?}");
    }
}

#[tokio::test]
async fn a_jar_outlives_its_client_as_a_file() {
    let origin = origin();
    let jar = Arc::new(Jar::new());
    let first = client(|builder| builder.cookies(jar.clone()));
    first
        .get(origin.url("/set?kept=1;+Path=/;+Max-Age=1000"))
        .send()
        .await
        .unwrap();
    drop(first);
    let (mut netscape, mut json) = (Vec::new(), Vec::new());
    jar.write_netscape(&mut netscape).unwrap();
    jar.write_json(&mut json).unwrap();
    for jar in [Jar::read_netscape(&netscape[..]), Jar::read_json(&json[..])] {
        let second = client(|builder| builder.cookies(jar.unwrap()));
        assert_eq!(echo(&second, &origin).await, "kept=1");
    }
    let debug = format!("{jar:?}");
    assert!(!debug.contains("kept"), "{debug}");
    assert!(jar.cookies("http://127.0.0.1/").unwrap().is_sensitive());
}
