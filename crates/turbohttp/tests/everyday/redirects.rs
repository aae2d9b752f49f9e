//! RFC 9110 section 15.4: which are followed, by which method, with which fields, and which are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use turbohttp::{
    Body, Client, ErrorKind, Limits, Method, MockReply, MockTransport, RedirectAction,
    RedirectPolicy, StatusCode, header,
};

use crate::ground::{Origin, Seen, assert_idle, client, drop_at_every_poll, redirect, reply};

/// Method, status, and the method and body that arrive at the target; `None` where the redirect is the
/// response.
#[tokio::test]
async fn methods_and_bodies() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        path => redirect(path[1..].parse().unwrap(), "/end"),
    });
    let client = Client::new().unwrap();
    let table = [
        ("GET", 301, Some(("GET", ""))),
        ("POST", 301, Some(("GET", ""))),
        ("PUT", 301, Some(("PUT", "content"))),
        ("POST", 302, Some(("GET", ""))),
        ("DELETE", 302, Some(("DELETE", "content"))),
        ("POST", 303, Some(("GET", ""))),
        ("PUT", 303, Some(("GET", ""))),
        ("HEAD", 303, Some(("HEAD", ""))),
        ("POST", 307, Some(("POST", "content"))),
        ("POST", 308, Some(("POST", "content"))),
        ("PATCH", 308, Some(("PATCH", "content"))),
        ("GET", 300, None),
        ("GET", 304, None),
        ("GET", 305, None),
        ("GET", 306, None),
    ];
    for (method, status, expected) in table {
        let before = origin.seen().len();
        let mut request = client
            .request(method.parse().unwrap(), origin.url(&format!("/{status}")))
            .header("content-type", "text/plain")
            .header("content-language", "de");
        if !matches!(method, "GET" | "HEAD") {
            request = request.body("content");
        }
        let response = request.send().await.unwrap();
        let seen = origin.seen().split_off(before);
        let Some((sent, body)) = expected else {
            assert_eq!(
                (response.status().as_u16(), seen.len()),
                (status, 1),
                "{method} {status}"
            );
            continue;
        };
        assert_eq!(response.status(), StatusCode::OK, "{method} {status}");
        assert_eq!(response.url(), origin.url("/end"));
        let history: Vec<_> = response
            .history()
            .iter()
            .map(|hop| hop.status().as_u16())
            .collect();
        assert_eq!(history, [status]);
        assert_eq!(
            response.history()[0].url(),
            origin.url(&format!("/{status}"))
        );
        assert_eq!(seen[1].method(), sent, "{method} {status}");
        assert_eq!(seen[1].body, body.as_bytes(), "{method} {status}");
        let has_type = seen[1].field("content-type").is_some();
        assert_eq!(
            has_type,
            !body.is_empty() || matches!(method, "GET" | "HEAD") && sent == method
        );
    }
    assert_idle(&client);
}

/// A stream was sent once: 307 is returned as it is, 303 needs no body.
#[tokio::test]
async fn streams_are_not_sent_twice() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        path => redirect(path[1..].parse().unwrap(), "/end"),
    });
    let client = Client::new().unwrap();
    for (status, end) in [(307, 307), (308, 308), (303, 200), (302, 200)] {
        let body = Body::from_reader(&b"content"[..], Some(7));
        let url = origin.url(&format!("/{status}"));
        let response = client.post(url).body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), end, "{status}");
    }
    assert_idle(&client);
}

/// A file is read again from where it stood, by redirects, retries and challenges alike; and a clone of the
/// request has it, too.
#[tokio::test]
async fn files_are_sent_again() {
    use std::io::{Seek as _, Write as _};
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        path => redirect(path[1..].parse().unwrap(), "/end"),
    });
    let client = Client::new().unwrap();
    let content = vec![b'x'; 200_000];
    for status in [307, 308] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"before").unwrap();
        file.write_all(&content).unwrap();
        file.seek(std::io::SeekFrom::Start(6)).unwrap();
        let request = client.put(origin.url(&format!("/{status}"))).body(file);
        let clone = request.try_clone().expect("a file can be sent again");
        for request in [request, clone] {
            let before = origin.seen().len();
            assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
            let seen = origin.seen().split_off(before);
            assert_eq!(seen.len(), 2);
            assert!(seen.iter().all(|seen| seen.body == content), "{status}");
        }
    }
    assert_idle(&client);
}

/// What Location says, and where that leads: a path at the same origin, the response itself (`=`), or a
/// refusal whose message holds these words.
#[tokio::test]
async fn locations() {
    let long = format!("/{}", "a".repeat(1_000_000));
    let table: &[(&str, &str)] = &[
        ("location: /b", "/b"),
        ("location: b?c=d", "/b?c=d"),
        ("location:    /blanks-around   ", "/blanks-around"),
        ("location: /a b", "/a%20b"),
        ("location: /\u{e4}", "/%C3%A4"),
        ("location: /b#fragment", "/b"),
        ("location: /b?#", "/b?"),
        ("location: ?x", "/start?x"),
        ("location: ../../x/./y", "/x/y"),
        ("location: ", "="),
        ("x-nothing: 1", "="),
        ("location: /b\r\nlocation: /b", "/b"),
        ("location: /b\r\nlocation: /c", "! two Location fields"),
        ("location: file:///etc/passwd", "! scheme \"file\""),
        ("location: javascript:alert(1)", "! scheme \"javascript\""),
        ("location: ftp://127.0.0.1/", "! scheme \"ftp\""),
        ("location: http://", "! no URL"),
        ("location: http://[::1", "! no URL"),
        ("location: http://a b/", "! no URL"),
        ("location: /a\tb", "! control character (0x09)"),
        (&format!("location: {long}"), "! exceeds"),
    ];
    for (field, expected) in table {
        let field = field.to_string();
        let origin = Origin::new(move |seen: &Seen| match seen.path() {
            "/start" => reply(302, &[&field], "moved"),
            _ => reply(200, &[], "end"),
        });
        let client = client(|builder| builder.limits(Limits::default().head_bytes(2_000_000)));
        let outcome = client.get(origin.url("/start")).send().await;
        match (expected.split_once(' '), *expected, outcome) {
            (_, "=", Ok(response)) => assert_eq!(response.status().as_u16(), 302, "{expected}"),
            (Some(("!", words)), _, Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::Redirect);
                assert!(error.to_string().contains(words), "{words}: {error}");
                assert!(error.origin().is_some() && error.timeline().is_some());
            }
            (_, path, Ok(response)) => {
                assert_eq!(response.url(), origin.url(path));
                assert_eq!(origin.seen()[1].path(), path);
            }
            (.., Err(error)) => panic!("{expected}: {error}"),
        }
        assert_idle(&client);
    }
}

/// RFC 9110 section 10.2.2: a fragment goes along unless the redirect has one.
#[tokio::test]
async fn fragments_are_inherited() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/plain" => redirect(302, "/end"),
        "/absolute" => redirect(302, "end?x=1"),
        "/own" => redirect(302, "/end#own"),
        "/two" => redirect(302, "/own"),
        _ => reply(200, &[], "end"),
    });
    let client = Client::new().unwrap();
    for (path, fragment) in [
        ("/plain#a", Some("a")),
        ("/absolute#a%20b", Some("a%20b")),
        ("/own#a", Some("own")),
        ("/two#a", Some("own")),
        ("/own", Some("own")),
        ("/plain", None),
        ("/end#a", Some("a")),
    ] {
        let response = client.get(origin.url(path)).send().await.unwrap();
        assert_eq!(response.fragment(), fragment, "{path}");
        assert!(!response.url().contains('#'), "{path}");
    }
    let lines = format!("{:?}", origin.seen());
    assert!(!lines.contains('#'), "{lines}");
    assert_idle(&client);
}

/// Loops and chains that are too long end with the chain in the error; one step less is followed.
#[tokio::test]
async fn loops_and_long_chains() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/self" => redirect(302, "/self"),
        "/a?secret=1" => redirect(302, "/b"),
        "/b" => redirect(302, "/a?secret=1"),
        path => match path[1..].parse::<u32>() {
            Ok(0) | Err(_) => reply(200, &[], "end"),
            Ok(left) => redirect(302, &format!("/{}", left - 1)),
        },
    });
    let client = Client::new().unwrap();
    let ten = client.get(origin.url("/10")).send().await.unwrap();
    assert_eq!(
        (ten.history().len(), ten.url()),
        (10, origin.url("/0").as_str())
    );
    drop(ten);
    let opened = client.stats().net.unwrap().opened;
    assert_eq!(
        opened, 1,
        "the bodies of redirects are read, so that the connection stays"
    );
    for (path, words) in [
        ("/11", "more than 10 redirects in a row"),
        ("/self", "in a circle"),
        ("/a?secret=1", "in a circle"),
    ] {
        let error = client.get(origin.url(path)).send().await.unwrap_err();
        let text = error.to_string();
        assert!(error.is_redirect() && text.contains(words), "{text}");
        assert!(
            text.contains(" -> ") || path == "/self",
            "the chain: {text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
    assert_idle(&client);
}

#[tokio::test]
async fn policies() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        _ => redirect(302, "/end"),
    });
    let to = |policy| client(|builder| builder.redirect(policy));
    let none = to(RedirectPolicy::none());
    assert_eq!(
        none.get(origin.url("/"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        302
    );
    let stop = to(RedirectPolicy::custom(|redirect| {
        assert_eq!(redirect.status(), StatusCode::FOUND);
        assert_eq!(
            (redirect.url().path(), redirect.history().len()),
            ("/end", 1)
        );
        RedirectAction::Stop
    }));
    let stopped = stop.get(origin.url("/")).send().await.unwrap();
    assert_eq!(
        (stopped.status().as_u16(), stopped.history().len()),
        (302, 0)
    );
    assert_eq!(stopped.text().await.unwrap(), "moved");
    let refuse = to(RedirectPolicy::custom(|_| RedirectAction::Refuse));
    let error = refuse.get(origin.url("/")).send().await.unwrap_err();
    assert!(error.is_redirect(), "{error}");
    let post = to(RedirectPolicy::default().keep_post(true));
    post.post(origin.url("/")).body("x").send().await.unwrap();
    let last = origin.seen().pop().unwrap();
    assert_eq!((last.method(), last.body.as_slice()), ("POST", &b"x"[..]));
    let error = client_error(RedirectPolicy::limited(1_001));
    assert!(error.contains("redirect must be at most 1000"), "{error}");
}

/// The URL before is named where that is asked for, without what is secret, and not to http from https.
#[tokio::test]
async fn referers_are_sent_when_they_are_asked_for() {
    let mock = MockTransport::with_handler(|request| {
        let referer = request.headers().get("referer");
        let referer = referer
            .map_or("none", |value| value.to_str().unwrap())
            .to_owned();
        let moved = |to| MockReply::new(StatusCode::FOUND).header("location", to);
        match request.url() {
            "http://a.test/" => moved("/b?q#f"),
            "http://a.test/b?q" => moved("https://b.test/"),
            "https://b.test/" if referer == "http://a.test/b?q" => moved("/c"),
            "https://b.test/c" if referer == "https://b.test/" => moved("http://a.test/end"),
            _ => MockReply::new(StatusCode::OK).body(referer),
        }
    });
    let policy = RedirectPolicy::default().allow_downgrade(true);
    for (sends, end) in [(true, "none"), (false, "first")] {
        let policy = policy.clone().send_referer(sends);
        let builder = Client::builder().redirect(policy).transport(mock.clone());
        let client = builder.build().unwrap();
        let request = client
            .get("http://user:secret@a.test/")
            .header("referer", "first");
        let response = request.send().await.unwrap();
        let last = if sends {
            "http://a.test/end"
        } else {
            "https://b.test/"
        };
        assert_eq!(response.url(), last);
        assert_eq!(response.text().await.unwrap(), end);
    }
}

fn client_error(policy: RedirectPolicy) -> String {
    Client::builder()
        .redirect(policy)
        .build()
        .unwrap_err()
        .to_string()
}

/// What a request carries to another origin: none of its secrets, in none of the ways that it can have them,
/// and they do not come back on the way back.
#[tokio::test]
async fn secrets_stay_at_their_origin() {
    let second = Origin::new(|seen: &Seen| redirect(302, seen.field("x-back").unwrap()));
    let elsewhere = second.url("/second");
    let first = Origin::new(move |seen: &Seen| match seen.path() {
        "/start" => redirect(307, "/same"),
        "/same" => redirect(307, &elsewhere),
        _ => reply(200, &[], "end"),
    });
    let mut marked = header::HeaderValue::from_static("canary-marked");
    marked.set_sensitive(true);
    let policy =
        RedirectPolicy::default().secret_field(header::HeaderName::from_static("x-api-key"));
    let client = client(|builder| {
        builder
            .redirect(policy)
            .default_header(header::COOKIE, "default=canary".parse().unwrap())
            .default_header(header::HeaderName::from_static("x-marked"), marked.clone())
    });
    let host = first.address.to_string();
    let response = client
        .post(format!("http://user:canary-url@{host}/start"))
        .header("proxy-authorization", "Basic canary")
        .header("host", "canary.test")
        .header("x-api-key", "canary")
        .header("x-back", first.url("/back"))
        .header("x-plain", "kept")
        .body("content")
        .send()
        .await
        .unwrap();
    assert_eq!(response.url(), first.url("/back"));
    drop(response);
    let (seen, foreign) = (first.seen(), second.seen());
    for here in &seen[..2] {
        for name in ["authorization", "cookie", "host", "x-api-key", "x-marked"] {
            assert!(here.field(name).is_some(), "{name}: {here:?}");
        }
        assert_eq!(here.field("host"), Some("canary.test"));
    }
    for other in [&foreign[0], &seen[2]] {
        let text = format!("{other:?}");
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(other.field("x-plain"), Some("kept"));
    }
    // Userinfo in Location is passed over.
    let userinfo = format!("http://evil:canary@{}/end", first.address);
    let origin = Origin::new(move |_: &Seen| redirect(302, &userinfo));
    let response = client.get(origin.url("/")).send().await.unwrap();
    assert_eq!(response.url(), first.url("/end"));
    drop(response);
    assert!(
        first
            .seen()
            .last()
            .unwrap()
            .field("authorization")
            .is_none()
    );
    // curl's --location-trusted.
    let trusting = crate::ground::client(|builder| {
        builder.redirect(RedirectPolicy::default().keep_credentials(true))
    });
    let request = trusting
        .get(origin.url("/"))
        .header("authorization", "Bearer x");
    request.send().await.unwrap();
    assert_eq!(
        first.seen().last().unwrap().field("authorization"),
        Some("Bearer x")
    );
    assert_idle(&client);
}

/// Every way in which two origins differ, by a transport that answers for all of them: what is sent to the
/// second one, and what comes of a downgrade.
#[tokio::test]
async fn an_origin_is_scheme_host_and_port() {
    let table = [
        ("http://a.test/", "http://a.test:80/x", true),
        ("http://a.test/", "//A.TEST/x", true),
        ("https://a.test/", "https://a.test:443/x", true),
        ("http://a.test./", "/x", true),
        ("http://a.test/", "https://a.test/x", false),
        ("https://a.test/", "http://a.test/x", false),
        ("http://a.test/", "http://a.test:8080/x", false),
        ("http://a.test/", "http://www.a.test/x", false),
        ("http://www.a.test/", "http://a.test/x", false),
        ("http://a.test/", "http://a.test.evil.test/x", false),
        ("http://a.test/", "http://a.test@evil.test/x", false),
        ("http://a.test/", "http://127.0.0.1/x", false),
        ("http://[::1]/", "http://127.0.0.1/x", false),
    ];
    for (from, to, is_same) in table {
        let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (seen, location) = (sent.clone(), to.to_owned());
        let mock = MockTransport::with_handler(move |request| {
            let headers = request.headers().clone();
            let first = seen.lock().unwrap().is_empty();
            seen.lock()
                .unwrap()
                .push((request.url().to_owned(), headers));
            match first {
                true => MockReply::new(StatusCode::FOUND).header("location", &location),
                false => MockReply::new(StatusCode::OK),
            }
        });
        let policy = RedirectPolicy::default().allow_downgrade(true);
        let client = client(|builder| builder.redirect(policy).transport(mock));
        let request = client.get(from).basic_auth("canary", Some("canary"));
        let request = request
            .header("cookie", "canary=1")
            .header("host", "canary.test");
        request
            .header("proxy-authorization", "canary")
            .send()
            .await
            .unwrap();
        let sent = sent.lock().unwrap();
        assert_eq!(sent.len(), 2, "{from} {to}");
        for name in ["authorization", "cookie", "host", "proxy-authorization"] {
            assert_eq!(sent[1].1.contains_key(name), is_same, "{from} {to} {name}");
        }
    }
    let mock =
        MockTransport::new(MockReply::new(StatusCode::FOUND).header("location", "http://a.test/"));
    let client = client(|builder| builder.transport(mock));
    let error = client
        .get("https://a.test/?canary")
        .send()
        .await
        .unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("from https to http: https://a.test/ -> http://a.test/"),
        "{text}"
    );
    assert!(!text.contains("canary"), "{text}");
}

/// With one permit per host, and one in total, two origins that send to each other do not stop each other.
#[tokio::test]
async fn one_permit_is_enough_for_a_chain_across_origins() {
    let hops = Arc::new(AtomicU32::new(0));
    let to = Arc::new(std::sync::Mutex::new(String::new()));
    let other_way = to.clone();
    let counted = hops.clone();
    let second = Origin::new(move |_: &Seen| {
        counted.fetch_add(1, Ordering::Relaxed);
        redirect(302, &other_way.lock().unwrap())
    });
    let url = second.url("/");
    let first = Origin::new(move |seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        _ => redirect(302, &url),
    });
    *to.lock().unwrap() = first.url("/end");
    let client = client(|builder| builder.limits(Limits::default().per_host(1).total(1)));
    let calls: Vec<_> = (0..50)
        .map(|_| tokio::spawn(client.get(first.url("/")).send()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::OK);
    }
    assert_eq!(hops.load(Ordering::Relaxed), 50);
    assert_idle(&client);
}

/// A middleware sees the call once, a queue's job is followed too, and what is dropped leaves nothing.
#[tokio::test]
async fn seen_by_layers_once_and_dropped_at_every_poll() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/end" => reply(200, &[], "end"),
        path => redirect(302, if path == "/" { "/2" } else { "/end" }),
    });
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let layered = client(|builder| {
        builder.with_fn(move |request, next| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move { next.run(request).await }
        })
    });
    let response = layered.get(origin.url("/")).send().await.unwrap();
    assert_eq!(
        (response.history().len(), runs.load(Ordering::Relaxed)),
        (2, 1)
    );
    drop(response);
    assert_idle(&layered);
    for client in [&layered, &Client::new().unwrap()] {
        drop_at_every_poll(client, || client.get(origin.url("/")).send()).await;
    }
}

#[tokio::test]
async fn close_and_deadline_end_a_chain() {
    let client = Client::new().unwrap();
    let closing = client.clone();
    let origin = Origin::new(move |seen: &Seen| {
        if seen.path() == "/close" {
            closing.close_now();
        }
        let next = match seen.path() {
            "/" => "/2",
            "/2" => "/close",
            _ => "/end",
        };
        redirect(302, next)
    });
    let error = client
        .request(Method::GET, origin.url("/"))
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_idle(&client);
}
