//! Basic, bearer and tokens: where they go, and what a 401 does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use turbohttp::{Client, Credentials, Error, ErrorKind, Limits, RetryPolicy};

use crate::ground::{Origin, POLLS_MAX, Seen, assert_idle, client, poll_times, redirect, reply};

#[tokio::test]
async fn credentials_go_to_their_origin_only() {
    let second = Origin::new(|_: &Seen| reply(200, &[], "end"));
    let to = second.url("/");
    let first = Origin::new(move |seen: &Seen| match seen.path() {
        "/away" => redirect(302, &to),
        _ => reply(200, &[], "end"),
    });
    let basic = Credentials::basic("user", "pass").unwrap();
    let bearer = Credentials::bearer("second-token").unwrap();
    let client = client(|builder| {
        builder
            .credentials(first.url("/any"), basic)
            .credentials(second.url(""), bearer)
    });
    client.get(first.url("/away")).send().await.unwrap();
    assert_eq!(
        first.seen()[0].field("authorization"),
        Some("Basic dXNlcjpwYXNz")
    );
    assert_eq!(
        second.seen()[0].field("authorization"),
        Some("Bearer second-token")
    );
    // What the request says itself stands.
    client
        .get(first.url("/"))
        .header("authorization", "Own x")
        .send()
        .await
        .unwrap();
    assert_eq!(first.seen()[1].field("authorization"), Some("Own x"));
    // A request's own go to the origin of its URL, and no redirect takes them along.
    let plain = Client::new().unwrap();
    let own = Credentials::bearer("own-token").unwrap();
    plain
        .get(first.url("/away"))
        .credentials(own)
        .send()
        .await
        .unwrap();
    assert_eq!(
        first.seen()[2].field("authorization"),
        Some("Bearer own-token")
    );
    assert_eq!(second.seen()[1].field("authorization"), None);
    assert_idle(&client);
}

#[test]
fn nothing_shows_secrets() {
    let canaries = [
        Credentials::basic("canary", "canary").unwrap(),
        Credentials::bearer("canary").unwrap(),
        Credentials::token_from(|| async { Ok("canary".to_owned()) }),
    ];
    let text = format!("{canaries:?}");
    assert!(
        !text.contains("canary") && !text.contains("Y2FuYXJ5"),
        "{text}"
    );
    for error in [
        Credentials::bearer("canary\r\nx: y").unwrap_err(),
        Credentials::basic("canary:x", "canary").unwrap_err(),
        Credentials::basic("x", "canary\0").unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Config);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// A server that accepts one token only, and a source whose tokens are numbered.
fn tokens(accepted: &'static str) -> (Origin, Credentials, Arc<AtomicU32>) {
    let origin = Origin::new(move |seen: &Seen| match seen.field("authorization") {
        Some(token) if token == accepted => reply(200, &[], "fine"),
        _ => reply(401, &["www-authenticate: Bearer"], "who are you"),
    });
    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let credentials = Credentials::token_from(move || {
        let number = counted.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            tokio::task::yield_now().await;
            Ok(format!("t{number}"))
        }
    });
    (origin, credentials, asked)
}

/// 50 requests at once with one permit: the source is asked once before the first of them and once because
/// of 401, for all of them.
#[tokio::test]
async fn one_refresh_for_all() {
    let (origin, credentials, asked) = tokens("Bearer t2");
    for layered in [false, true] {
        let credentials = credentials.clone();
        let client = client(|builder| {
            let builder = builder
                .credentials(origin.url(""), credentials)
                .limits(Limits::default().per_host(1).total(1));
            match layered {
                true => builder.on_request(|_: &mut turbohttp::Request| {}),
                false => builder,
            }
        });
        let calls: Vec<_> = (0..50)
            .map(|_| tokio::spawn(client.get(origin.url("/")).send()))
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().status().as_u16(), 200);
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_idle(&client);
    }
}

/// A server that refuses every token: one refresh for each call, then the 401 is the response.
#[tokio::test]
async fn refusal_without_end() {
    let (origin, credentials, asked) = tokens("Bearer never");
    let client = client(|builder| {
        builder
            .credentials(origin.url(""), credentials)
            .retry(RetryPolicy::default())
    });
    for call in 1..=3 {
        let response = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 401);
        assert_eq!(response.text().await.unwrap(), "who are you");
        assert_eq!(asked.load(Ordering::Relaxed), call + 1);
    }
    // A stream cannot be sent again.
    let before = origin.seen().len();
    let body = turbohttp::Body::from_reader(&b"x"[..], Some(1));
    let response = client.put(origin.url("/")).body(body).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), origin.seen().len() - before),
        (401, 1)
    );
    drop(response);
    assert_idle(&client);
}

/// A server of Digest that takes the nonce of the day, and nothing older.
#[cfg(feature = "digest")]
fn digest(nonces: &'static [&'static str]) -> Origin {
    let day = AtomicU32::new(0);
    Origin::new(move |seen: &Seen| {
        let today = nonces[day.load(Ordering::Relaxed) as usize % nonces.len()];
        let authorization = seen.field("authorization").unwrap_or_default();
        if seen.path() == "/next-day" {
            day.fetch_add(1, Ordering::Relaxed);
            return reply(204, &[], "");
        }
        if authorization.contains(&format!("nonce=\"{today}\"")) && seen.path() != "/never" {
            return reply(200, &[], authorization);
        }
        let is_stale = !authorization.is_empty() && seen.path() != "/never";
        let field = format!(
            "www-authenticate: Digest realm=\"r\", qop=\"auth\", nonce=\"{today}\", stale={is_stale}"
        );
        reply(401, &[&field], "who are you")
    })
}

/// One 401 for the first request, none for those that follow, one for a nonce that has grown old, and one for
/// a password that is wrong; with one permit.
#[cfg(feature = "digest")]
#[tokio::test]
async fn digest_answers_challenges() {
    let origin = digest(&["monday", "tuesday"]);
    let credentials = Credentials::digest("user", "canary");
    let client = client(|builder| {
        builder
            .credentials(origin.url(""), credentials)
            .limits(Limits::default().per_host(1).total(1))
    });
    let get = async |path: &str| client.get(origin.url(path)).send().await.unwrap();
    let first = get("/a?b=c").await.text().await.unwrap();
    assert!(
        first.contains("uri=\"/a?b=c\"") && first.contains("nc=00000001"),
        "{first}"
    );
    let second = get("/a").await.text().await.unwrap();
    assert!(second.contains("nc=00000002"), "{second}");
    assert_eq!(origin.seen().len(), 3);
    get("/next-day").await;
    let third = get("/a").await.text().await.unwrap();
    assert!(
        third.contains("tuesday") && third.contains("nc=00000001"),
        "{third}"
    );
    assert_eq!(origin.seen().len(), 6);
    // Refused without end: one answer for each call, and the 401 is the response.
    let refused = get("/never").await;
    assert_eq!(refused.status().as_u16(), 401);
    drop(refused);
    let text = format!("{:?}", origin.seen());
    assert!(!text.contains("canary"), "{text}");
    let calls: Vec<_> = (0..50)
        .map(|_| tokio::spawn(client.get(origin.url("/")).send()))
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().status().as_u16(), 200);
    }
    assert_idle(&client);
}

/// What one origin was told is not sent to another, though the same credentials are given for both.
#[cfg(feature = "digest")]
#[tokio::test]
async fn digest_sessions_belong_to_one_origin() {
    let (first, second) = (digest(&["first"]), digest(&["second"]));
    let credentials = Credentials::digest("user", "password");
    let client = Client::new().unwrap();
    for origin in [&first, &second, &first] {
        let request = client.get(origin.url("/")).credentials(credentials.clone());
        assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    }
    for seen in second.seen() {
        assert!(!format!("{seen:?}").contains("first"), "{seen:?}");
    }
}

/// Dropped at every poll, and closed at every poll, a call that waits for a token or answers a challenge leaves
/// nothing.
#[tokio::test]
async fn dropped_and_closed_at_every_poll() {
    let (origin, tokens, _) = tokens("Bearer t2");
    for is_closed in [false, true] {
        let mut has_ended = false;
        for polls in 1..POLLS_MAX {
            let credentials = tokens.clone();
            let client = client(|builder| builder.credentials(origin.url(""), credentials));
            let mut sending = Box::pin(client.get(origin.url("/")).send());
            let ended = poll_times(&mut sending, polls).await.is_some();
            has_ended |= ended;
            if is_closed && !ended {
                client.close_now();
                let error = sending.await.unwrap_err();
                assert_eq!(
                    error.kind(),
                    ErrorKind::Closed,
                    "after {polls} polls: {error}"
                );
            } else {
                drop(sending);
            }
            assert_idle(&client);
            if ended {
                break;
            }
        }
        assert!(has_ended, "no call ends within {POLLS_MAX} polls");
    }
}

/// A deadline ends the wait for a source that does not answer.
#[tokio::test(start_paused = true)]
async fn deadline_ends_the_wait_for_a_token() {
    let silent = Credentials::token_from(std::future::pending);
    let mock = turbohttp::MockTransport::new(turbohttp::MockReply::new(turbohttp::StatusCode::OK));
    let client = client(|builder| {
        builder
            .credentials("http://a.test/", silent)
            .transport(mock)
            .timeout(std::time::Duration::from_secs(3))
    });
    let error = client.get("http://a.test/").send().await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.phase(), Some(turbohttp::Phase::Backoff));
    assert_idle(&client);
}

/// The source uses the same client, whose only permit the call gives up meanwhile; and a source that fails is
/// not asked once for each of those that wait.
#[tokio::test]
async fn source_may_use_the_same_client_and_may_fail() {
    let origin = Origin::new(|seen: &Seen| match seen.path() {
        "/token" => reply(200, &[], "t1"),
        _ => reply(200, &[], "fine"),
    });
    let slot = Arc::new(std::sync::OnceLock::<Client>::new());
    let (inner, url) = (slot.clone(), origin.url("/token"));
    let api = Origin::new(|_: &Seen| reply(200, &[], "fine"));
    let credentials = Credentials::token_from(move || {
        let request = inner.get().unwrap().get(&url);
        async move { request.send().await?.text().await }
    });
    let client = client(|builder| {
        builder
            .credentials(api.url(""), credentials)
            .limits(Limits::default().per_host(1).total(1))
    });
    slot.set(client.clone()).unwrap();
    client.get(api.url("/")).send().await.unwrap();
    assert_eq!(api.seen()[0].field("authorization"), Some("Bearer t1"));

    let asked = Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let failing = Credentials::token_from(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::task::yield_now().await;
            Err(Error::new(ErrorKind::Transport, "login is down"))
        }
    });
    let client = crate::ground::client(|builder| builder.credentials(api.url(""), failing));
    let calls: Vec<_> = (0..20).map(|_| client.get(api.url("/")).send()).collect();
    let calls: Vec<_> = calls.into_iter().map(tokio::spawn).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("no token"), "{error}");
        assert!(error.origin().is_some());
    }
    assert!(asked.load(Ordering::Relaxed) < 20, "{asked:?}");
    assert_eq!(api.seen().len(), 1, "nothing was sent without a token");
    assert_idle(&client);
}
