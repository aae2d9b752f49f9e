//! What a fresh look at credentials, policies and their interplay found.

use std::time::Duration;

use turbohttp::{
    Client, Credentials, Error, Limits, Next, Redirect, RedirectAction, RedirectPolicy, Request,
    RetryPolicy,
};

use crate::ground::{Origin, Seen, assert_idle, client, redirect, reply};

/// A middleware that asks another server when the first one fails: nothing that the client has added for
/// the first goes to the second.
#[tokio::test]
async fn what_was_added_for_one_origin_is_not_sent_to_another_by_a_middleware() {
    let second = Origin::new(|_: &Seen| reply(200, &[], "end"));
    let first = Origin::new(|seen: &Seen| match seen.path() {
        "/set" => reply(200, &["set-cookie: canary=1"], ""),
        _ => reply(503, &[], "down"),
    });
    let mirror = second.url("/");
    let client = client(|builder| {
        let builder = builder
            .credentials(first.url(""), Credentials::basic("user", "canary").unwrap())
            .with_fn(move |request: Request, next: Next<'static>| {
                let mirror = mirror.clone();
                async move {
                    let response = next.run(request).await?;
                    if response.status().as_u16() != 503 {
                        return Ok(response);
                    }
                    let mut request = response.into_request();
                    request.set_url(mirror)?;
                    next.run(request).await
                }
            });
        #[cfg(feature = "cookies")]
        let builder = builder.cookies(turbohttp::Jar::new());
        builder
    });
    client.get(first.url("/set")).send().await.unwrap();
    client.get(first.url("/")).send().await.unwrap();
    let seen = &second.seen()[0];
    assert_eq!(seen.field("authorization"), None);
    // A cookie of 127.0.0.1 is one of all its ports (RFC 6265 section 8.5), so the jar says the same anew.
    assert_idle(&client);
}

/// The same with the request that an error returns.
#[tokio::test]
async fn what_was_added_is_not_in_the_request_that_an_error_returns() {
    let second = Origin::new(|_: &Seen| reply(200, &[], "end"));
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let client =
        client(|builder| builder.credentials(&dead, Credentials::basic("user", "canary").unwrap()));
    let error: Error = client.get(&dead).send().await.unwrap_err();
    let mut request = error.into_request().expect("nothing was sent");
    request.set_url(second.url("/")).unwrap();
    client.send(request).await.unwrap();
    assert_eq!(second.seen()[0].field("authorization"), None);
}

/// A field that a middleware sets for a second run is its own, and stays through a redirect.
#[tokio::test]
async fn field_of_a_middleware_is_not_taken_for_one_of_the_client() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/" if seen.field("authorization") == Some("Own x") => redirect(302, "/next"),
        "/" => reply(503, &[], ""),
        _ => reply(200, &[], "end"),
    });
    let client = client(|builder| {
        builder
            .credentials(origin.url(""), Credentials::basic("user", "pass").unwrap())
            .with_fn(|request: Request, next: Next<'static>| async move {
                let response = next.run(request).await?;
                let mut request = response.into_request();
                request
                    .headers_mut()
                    .insert("authorization", "Own x".parse()?);
                next.run(request).await
            })
    });
    client.get(origin.url("/")).send().await.unwrap();
    let seen = origin.seen();
    assert_eq!(seen[2].path(), "/next");
    assert_eq!(seen[2].field("authorization"), Some("Own x"));
}

/// A 401 without a challenge of Digest makes no session of the former origin one of the next.
#[cfg(feature = "digest")]
#[tokio::test]
async fn digest_session_does_not_move_with_a_challenge_of_another_kind() {
    let first = Origin::new(|seen: &Seen| match seen.field("authorization") {
        Some(_) => reply(200, &[], "in"),
        None => reply(
            401,
            &["www-authenticate: Digest realm=\"r\", nonce=\"canary\", qop=\"auth\""],
            "",
        ),
    });
    let second = Origin::new(|_: &Seen| reply(401, &["www-authenticate: Basic realm=\"r\""], ""));
    let digest = Credentials::digest("user", "pass");
    let client = client(|builder| {
        builder
            .credentials(first.url(""), digest.clone())
            .credentials(second.url(""), digest)
    });
    client.get(first.url("/")).send().await.unwrap();
    client.get(second.url("/")).send().await.unwrap();
    client.get(second.url("/")).send().await.unwrap();
    for seen in second.seen() {
        assert_eq!(seen.field("authorization"), None);
    }
}

/// However long a server asks to wait, and however long the client would.
#[tokio::test]
async fn retry_after_without_an_end_and_a_policy_without_one_do_not_panic() {
    let origin = Origin::new(|_: &Seen| reply(503, &["retry-after: 18446744073709551615"], ""));
    let client =
        client(|builder| builder.retry(RetryPolicy::default().retry_after_max(Duration::MAX)));
    let sending = client
        .get(origin.url("/"))
        .timeout(Duration::from_millis(500))
        .send();
    let response = sending.await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
}

/// Host names the origin that was typed, and is no credential.
#[tokio::test]
async fn explicit_host_stays_at_its_origin_also_where_credentials_do_not() {
    let second = Origin::new(|_: &Seen| reply(200, &[], "end"));
    let to = second.url("/");
    let first = Origin::new(move |_: &Seen| redirect(302, &to));
    let client =
        client(|builder| builder.redirect(RedirectPolicy::default().keep_credentials(true)));
    client
        .get(first.url("/"))
        .header("host", "inner.test")
        .header("authorization", "Own x")
        .send()
        .await
        .unwrap();
    let seen = &second.seen()[0];
    assert_eq!(seen.field("authorization"), Some("Own x"));
    assert_eq!(seen.field("host"), Some(&*second.address.to_string()));
}

#[tokio::test]
async fn redirect_shown_by_a_closure_hides_userinfo_and_query() {
    let origin = Origin::new(|_: &Seen| redirect(302, "http://u:canary@127.0.0.1:1/?canary"));
    let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let out = shown.clone();
    let policy = RedirectPolicy::custom(move |redirect: &Redirect<'_>| {
        *out.lock().unwrap() = format!("{redirect:?}");
        RedirectAction::Stop
    });
    let client = client(|builder| builder.redirect(policy));
    client.get(origin.url("/")).send().await.unwrap();
    let shown = shown.lock().unwrap();
    assert!(!shown.is_empty() && !shown.contains("canary"), "{shown}");
}

/// The chain in an error is one that a person reads, however long its URLs are.
#[tokio::test]
async fn error_of_a_long_chain_is_short() {
    let origin = Origin::new(|seen: &Seen| {
        let number = seen.path().trim_start_matches('/').len();
        redirect(302, &format!("/{}", "x".repeat(number + 5_000)))
    });
    let client = client(|builder| builder);
    let error = client.get(origin.url("/")).send().await.unwrap_err();
    let message = error.to_string();
    assert!(message.contains("more than 10 redirects"), "{message}");
    assert!(message.len() < 4_096, "{} bytes", message.len());
}

#[cfg(feature = "cookies")]
#[test]
fn public_suffixes_in_punycode_take_no_cookie() {
    use turbohttp::Jar;
    for (host, domain) in [
        ("www.xn--55qx5d.cn", "xn--55qx5d.cn"),
        ("www.xn--fiqs8s", "xn--fiqs8s"),
        ("a.co.uk", "co.uk"),
        ("a.github.io", "github.io"),
        ("a.b.ck", "b.ck"),
        ("x.a.kawasaki.jp", "a.kawasaki.jp"),
        ("a.unknowntld", "unknowntld"),
        ("a.com", "com."),
        ("a.com", ".com"),
        ("a.com", "..com"),
        ("a.com", "COM"),
        ("a.com", "a.com."),
        ("192.0.2.4", "2.4"),
        ("192.0.2.4", "0.2.4"),
        ("[::1]", "1"),
    ] {
        let jar = Jar::new();
        let set = jar.insert(&format!("http://{host}/"), &format!("a=1; Domain={domain}"));
        assert!(set.is_err() && jar.is_empty(), "{host} {domain}");
    }
}

/// Where a Location leads is what the standard says, by whichever way it is read.
#[tokio::test]
async fn locations_lead_where_the_standard_says() {
    let away = Origin::new(|_: &Seen| reply(200, &[], "away"));
    for (location, path) in [
        ("/x", Some("/x")),
        ("x", Some("/a/x")),
        ("?q", Some("/a/b?q")),
        ("./../x", Some("/x")),
        ("/%2e%2e/x", Some("/x")),
        ("/x/..", Some("/")),
        ("/x y", Some("/x%20y")),
        ("/\u{fc}", Some("/%C3%BC")),
        ("//HOST/x", None),
        ("/\\HOST/x", None),
        ("\\\\HOST/x", None),
        ("http:/x", Some("/x")),
        ("http:x", Some("/a/x")),
        ("http://HOST/x", None),
        ("http://AT@HOST/x", None),
        ("http:\\\\HOST\\x", None),
        ("/x#f", Some("/x")),
    ] {
        let host = away.address.to_string();
        let to = location.replace("HOST", &host).replace("AT", "user:pass");
        let origin = Origin::new(move |seen: &Seen| match seen.path() {
            "/a/b" => redirect(302, &to),
            _ => reply(200, &[], "here"),
        });
        let before = away.seen().len();
        let client = Client::new().unwrap();
        let response = client
            .get(origin.url("/a/b"))
            .header("authorization", "Own canary")
            .send()
            .await
            .unwrap_or_else(|error| panic!("{location}: {error}"));
        match path {
            Some(path) => assert_eq!(origin.seen().last().unwrap().path(), path, "{location}"),
            None => {
                assert_eq!(
                    response.origin().unwrap().port(),
                    away.address.port(),
                    "{location}"
                );
                let seen = &away.seen()[before];
                assert_eq!(seen.path(), "/x", "{location}");
                assert_eq!(seen.field("authorization"), None, "{location}");
            }
        }
    }
}

/// Asks for credentials, sends around by a cookie, is busy once, and answers in gzip.
#[cfg(all(
    feature = "digest",
    feature = "cookies",
    feature = "gzip",
    feature = "brotli",
    feature = "zstd"
))]
fn demanding() -> Origin {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    Origin::new(|seen: &Seen| -> Vec<u8> {
        let challenge =
            "www-authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256";
        let (authorization, cookie) = (seen.field("authorization"), seen.field("cookie"));
        match (seen.path(), authorization, cookie) {
            (_, None, _) => reply(401, &[challenge], "who").into(),
            ("/start", ..) => reply(307, &["location: /mid", "set-cookie: a=1"], "go").into(),
            ("/mid", _, Some("a=1")) => {
                reply(503, &["set-cookie: b=2", "retry-after: 0"], "later").into()
            }
            ("/mid", _, Some("a=1; b=2")) => redirect(308, "/end?x").into(),
            ("/end?x", _, Some("a=1; b=2")) => {
                let mut gz = GzEncoder::new(Vec::new(), Compression::default());
                let content = [&seen.body[..], b"fine"].concat();
                gz.write_all(&content).unwrap();
                crate::ground::coded("gzip", &gz.finish().unwrap())
            }
            other => reply(400, &[], &format!("{other:?}")).into(),
        }
    })
}

/// Redirect, cookie, retry, digest and decoding in one call, by every way to send it, with one permit; then
/// each is dropped somewhere on its way.
#[cfg(all(
    feature = "digest",
    feature = "cookies",
    feature = "gzip",
    feature = "brotli",
    feature = "zstd"
))]
#[tokio::test]
async fn all_policies_in_one_call() {
    for way in 0..6 {
        let origin = demanding();
        let client = client(|builder| {
            let retry = RetryPolicy::default().base(Duration::from_millis(1));
            let builder = builder
                .credentials(origin.url(""), Credentials::digest("user", "pass"))
                .cookies(turbohttp::Jar::new())
                .retry(retry.any_method(true))
                .limits(Limits::default().per_host(1).total(1));
            match way % 3 {
                0 => builder,
                1 => builder.on_request(|_: &mut Request| {}),
                _ => builder.with_fn(|request: Request, next: Next<'static>| async move {
                    next.run(request).await
                }),
            }
        });
        let calls = (0..8).map(|n| {
            let request = client.put(origin.url("/start")).body(format!("{n}:"));
            tokio::spawn(async move {
                let response = request.send().await.unwrap();
                assert_eq!(response.status().as_u16(), 200);
                assert_eq!(response.history().len(), 2);
                assert_eq!(response.text().await.unwrap(), format!("{n}:fine"));
            })
        });
        for call in calls.collect::<Vec<_>>() {
            if way < 3 {
                let ended = tokio::time::timeout(Duration::from_secs(20), call).await;
                ended.expect("no deadlock").unwrap();
            } else {
                tokio::task::yield_now().await;
                call.abort();
                _ = call.await;
            }
        }
        assert_idle(&client);
    }
}

/// A source whose token is to be had at the origin that wants it: its own request waits for no token.
#[tokio::test]
async fn source_may_ask_the_origin_that_wants_its_token() {
    use std::sync::{Arc, OnceLock};

    let origin = Origin::new(
        |seen: &Seen| match (seen.path(), seen.field("authorization")) {
            ("/token", None) => reply(200, &[], "t2"),
            ("/", Some("Bearer t2")) => reply(200, &[], "in"),
            _ => reply(401, &["www-authenticate: Bearer"], ""),
        },
    );
    let own = Arc::<OnceLock<Client>>::default();
    let (same, url) = (own.clone(), origin.url("/token"));
    let source = move || {
        let asking = same.get().unwrap().get(&url).send();
        async move { asking.await?.text().await }
    };
    let client = client(|builder| {
        builder
            .credentials(origin.url(""), Credentials::token_from(source))
            .limits(Limits::default().per_host(1).total(1))
    });
    own.set(client.clone()).unwrap();
    let sending = client.get(origin.url("/")).send();
    let response = tokio::time::timeout(Duration::from_secs(20), sending).await;
    assert_eq!(
        response
            .expect("no deadlock")
            .unwrap()
            .text()
            .await
            .unwrap(),
        "in"
    );
    assert_idle(&client);
}

#[tokio::test]
async fn idle_connections_are_closed_on_demand_and_others_go_on() {
    let origin = Origin::new(|_: &Seen| reply(200, &[], "end"));
    let client = client(|builder| builder);
    for _ in 0..2 {
        let get = || client.get(origin.url("/")).send();
        let (one, two) = tokio::join!(get(), get());
        let (one, two) = (one.unwrap(), two.unwrap());
        drop((one.text().await.unwrap(), two.text().await.unwrap()));
        assert_eq!(client.close_idle_connections(), 2);
        assert_eq!(client.close_idle_connections(), 0);
    }
    let net = client.stats().net.unwrap();
    assert_eq!((net.opened, net.open, net.idle), (4, 0, 0));
}
