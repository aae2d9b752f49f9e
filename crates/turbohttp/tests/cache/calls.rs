//! What a cache means for calls: permits, bodies, layers, policies, closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{
    Cache, CacheStatus, Client, ErrorKind, Limits, MockReply, MockTransport, Response, Shutdown,
    StatusCode,
};

use crate::everyday::{assert_idle, poll_times};
use crate::ground::{MIB, Server, cache};

const FRESH: &str = "200; cache-control: max-age=60; body=a";
const STALE: &str =
    "200; cache-control: max-age=1, stale-while-revalidate=600; etag: \"1\"; body=a";

async fn get(client: &Client, path: &str) -> Response {
    client
        .get(format!("http://a.test{path}"))
        .send()
        .await
        .unwrap()
}

async fn read(client: &Client, path: &str) -> (CacheStatus, String) {
    let response = get(client, path).await;
    let status = response.cache_status().unwrap();
    (status, response.text().await.unwrap())
}

/// Lets the tasks of the runtime come to rest.
async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hit_needs_no_permit_and_has_no_phase_of_the_network() {
    let server = Server::new(&[FRESH, "200; streamed; body=x"]);
    let (cache, _) = cache();
    let limits = Limits::default().per_host(1).total(1);
    let client = server.client_with(&cache, |builder| builder.limits(limits));
    read(&client, "/").await;
    let held = get(&client, "/held").await;
    let hit = poll_times(&mut Box::pin(get(&client, "/")), 1)
        .await
        .unwrap();
    assert_eq!(hit.cache_status(), Some(CacheStatus::Hit));
    assert_eq!(hit.timeline().spans().count(), 0);
    drop((held, hit));
    assert_idle(&client);
}

#[tokio::test]
async fn the_only_permit_is_enough_to_validate() {
    let server = Server::new(&[
        "200; cache-control: max-age=0, stale-if-error=9; etag: \"1\"; streamed; body=a",
        "304",
        "503; streamed; body=x",
        "200; cache-control: max-age=60; streamed; body=b",
    ]);
    let (cache, _) = cache();
    let limits = Limits::default().per_host(1).total(1);
    let client = server.client_with(&cache, |builder| builder.limits(limits));
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(read(&client, "/").await);
        assert_idle(&client);
    }
    let expected = [
        (CacheStatus::Miss, "a"),
        (CacheStatus::Revalidated, "a"),
        (CacheStatus::Stale, "a"),
        (CacheStatus::Miss, "b"),
        (CacheStatus::Hit, "b"),
    ];
    assert_eq!(
        seen,
        expected.map(|(status, body)| (status, body.to_owned()))
    );
}

#[tokio::test]
async fn hits_share_the_bytes_of_a_body() {
    let server = Server::new(&[FRESH]);
    let (cache, _) = cache();
    let client = server.client(&cache);
    read(&client, "/").await;
    let first = get(&client, "/").await.bytes().await.unwrap();
    let second = get(&client, "/").await.bytes().await.unwrap();
    assert_eq!(first.as_ptr(), second.as_ptr());
}

#[tokio::test]
async fn a_body_that_is_dropped_leaves_nothing() {
    let body = "x".repeat(100_000);
    let answer = format!("200; cache-control: max-age=60; streamed; body={body}");
    let server = Server::new(&[&answer, &answer, &answer]);
    let (cache, _) = cache();
    let client = server.client(&cache);
    drop(get(&client, "/").await);
    let mut response = get(&client, "/").await;
    assert!(response.chunk().await.unwrap().unwrap().len() < body.len());
    drop(response);
    assert_eq!(cache.stats().entries, 0);
    assert_eq!(read(&client, "/").await.1, body);
    assert_eq!(cache.stats().entries, 1);
    assert_eq!(read(&client, "/").await, (CacheStatus::Hit, body));
}

#[tokio::test]
async fn a_body_of_an_eighth_of_the_bound_is_stored_and_a_larger_one_is_not() {
    let cache = Cache::memory(64 * 1024);
    for (length, streamed, stored) in [
        (8192, "", 1),
        (8193, "", 0),
        (8192, "streamed; ", 1),
        (8193, "streamed; ", 0),
    ] {
        let body = "x".repeat(length);
        let server = Server::new(&[&format!(
            "200; cache-control: max-age=60; {streamed}body={body}"
        )]);
        let client = server.client(&cache);
        assert_eq!(read(&client, "/").await.1.len(), length);
        assert_eq!(cache.stats().entries, stored, "{length} {streamed}");
        cache.clear().await;
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_pushes_out_nothing() {
    let cache = Cache::memory(64 * 1024);
    let large = format!(
        "200; cache-control: max-age=60; x: {}; body=a",
        "x".repeat(64 * 1024)
    );
    let client = Server::new(&[FRESH, &large]).client(&cache);
    read(&client, "/").await;
    read(&client, "/large").await;
    assert_eq!(read(&client, "/").await.0, CacheStatus::Hit);
    assert_eq!((cache.stats().entries, cache.stats().evicted), (1, 0));
}

#[tokio::test]
async fn the_bound_holds_and_what_was_used_last_stays() {
    let cache = Cache::memory(64 * 1024);
    let body = "x".repeat(8000);
    let answer = format!("200; cache-control: max-age=60; body={body}");
    let server = Server::new(&vec![answer.as_str(); 21]);
    let client = server.client(&cache);
    read(&client, "/first").await;
    for number in 0..20 {
        read(&client, &format!("/{number}")).await;
        assert_eq!(read(&client, "/first").await.0, CacheStatus::Hit);
        assert!(cache.stats().bytes <= 64 * 1024);
    }
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.evicted, stats.stored), (7, 14, 21));
    assert_eq!(read(&client, "/19").await.0, CacheStatus::Hit);
    cache.clear().await;
    assert_eq!((cache.stats().entries, cache.stats().bytes), (0, 0));
}

#[tokio::test]
async fn bodies_on_their_way_have_a_bound_in_all() {
    const LENGTH: usize = 32 * 1024 * 1024;
    let body = turbohttp::Bytes::from(vec![b'x'; LENGTH]);
    let reply = MockReply::new(StatusCode::OK).header("cache-control", "max-age=60");
    let mock = MockTransport::new(reply.body(body).streamed());
    let cache = Cache::memory(1024 * MIB);
    let client = Client::builder()
        .transport(mock)
        .cache(cache.clone())
        .build()
        .unwrap();
    let mut open = Vec::new();
    // Two are read but for their end, and take all the room there is.
    for path in ["/1", "/2"] {
        let mut response = get(&client, path).await;
        let mut left = LENGTH;
        while left > 0 {
            left -= response.chunk().await.unwrap().unwrap().len();
        }
        open.push(response);
    }
    let mut third = get(&client, "/3").await;
    while third.chunk().await.unwrap().is_some() {}
    assert_eq!(cache.stats().entries, 0);
    for mut response in open {
        assert!(response.chunk().await.unwrap().is_none());
    }
    assert_eq!(cache.stats().entries, 2);
    let mut third = get(&client, "/3").await;
    while third.chunk().await.unwrap().is_some() {}
    assert_eq!(cache.stats().entries, 3);
}

#[test]
fn a_bound_that_is_too_small_is_a_mistake() {
    let build = |bytes| Client::builder().cache(Cache::memory(bytes)).build();
    let error = build(64 * 1024 - 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("65536"), "{error}");
    build(64 * 1024).unwrap();
}

#[tokio::test]
async fn two_equal_requests_at_once_both_go_out_and_leave_one_entry() {
    let server = Server::new(&[
        "200; cache-control: max-age=60; streamed; body=a",
        "200; cache-control: max-age=60; streamed; body=b",
    ]);
    let (cache, _) = cache();
    let client = server.client(&cache);
    let (first, second) = (get(&client, "/").await, get(&client, "/").await);
    assert_eq!(second.text().await.unwrap(), "b");
    assert_eq!(first.text().await.unwrap(), "a");
    assert_eq!((server.seen().len(), cache.stats().entries), (2, 1));
    assert_eq!(read(&client, "/").await.0, CacheStatus::Hit);
}

#[tokio::test]
async fn what_is_removed_while_its_body_arrives_is_not_stored() {
    let server = Server::new(&["200; cache-control: max-age=60; streamed; body=a", "200"]);
    let (cache, _) = cache();
    let client = server.client(&cache);
    let response = get(&client, "/").await;
    client.post("http://a.test/").send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "a");
    assert_eq!(cache.stats().entries, 0);
}

#[tokio::test]
async fn each_hop_of_a_redirect_is_answered_by_its_own_url() {
    for streamed in ["", "streamed; "] {
        let moved = format!("301; cache-control: max-age=60; location: /to; {streamed}body=moved");
        let server = Server::new(&[&moved, FRESH, FRESH]);
        let (cache, clock) = cache();
        let client = server.client(&cache);
        assert_eq!(
            read(&client, "/from").await,
            (CacheStatus::Miss, "a".to_owned())
        );
        let response = get(&client, "/from").await;
        assert_eq!(response.cache_status(), Some(CacheStatus::Hit));
        assert_eq!(response.url(), "http://a.test/to");
        assert_eq!(response.history().len(), 1);
        assert_eq!(read(&client, "/to").await.0, CacheStatus::Hit);
        assert_eq!(server.seen().len(), 2);
        clock.advance(60);
        server.add(FRESH);
        assert_eq!(read(&client, "/to").await.0, CacheStatus::Miss);
    }
}

#[tokio::test]
async fn layers_see_what_the_cache_answers() {
    let server = Server::new(&[FRESH]);
    let (cache, _) = cache();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = seen.clone();
    let client = server.client_with(&cache, |builder| {
        builder.on_response(move |response: &mut Response| {
            assert!(response.cache_status().is_some());
            counted.fetch_add(1, Ordering::Relaxed);
        })
    });
    for _ in 0..3 {
        read(&client, "/").await;
    }
    assert_eq!((seen.load(Ordering::Relaxed), server.seen().len()), (3, 1));
}

#[tokio::test]
async fn default_fields_select() {
    let answer = "200; cache-control: max-age=60; vary: user-agent; body=a";
    let server = Server::new(&[answer, answer]);
    let (cache, _) = cache();
    let one = server.client_with(&cache, |builder| builder.user_agent("one"));
    let two = server.client_with(&cache, |builder| builder.user_agent("two"));
    for (client, expected) in [
        (&one, CacheStatus::Miss),
        (&two, CacheStatus::Miss),
        (&one, CacheStatus::Hit),
        (&two, CacheStatus::Hit),
    ] {
        assert_eq!(read(client, "/").await.0, expected);
    }
}

#[tokio::test]
async fn a_request_is_as_it_was_after_its_validation() {
    let server = Server::new(&[
        "200; cache-control: max-age=0; etag: \"1\"; last-modified: {-9}; body=a",
        "304",
        "!",
        "200; body=b",
    ]);
    let (cache, _) = cache();
    let client = server.client(&cache);
    read(&client, "/").await;
    let request = get(&client, "/").await.into_request();
    let sent = &server.seen()[1].headers;
    assert_eq!(sent["if-none-match"], "\"1\"");
    assert!(sent.contains_key("if-modified-since"));
    for request in [
        Some(request),
        client
            .get("http://a.test/")
            .send()
            .await
            .unwrap_err()
            .into_request(),
    ] {
        let Some(request) = request else { continue };
        assert!(!request.headers().contains_key("if-none-match"));
        assert!(!request.headers().contains_key("if-modified-since"));
    }
    let request = get(&client, "/").await.into_request();
    assert!(!request.headers().contains_key("if-none-match"));
}

#[cfg(feature = "cookies")]
#[tokio::test]
async fn a_hit_sets_no_cookie_again_and_a_304_does() {
    let server = Server::new(&[
        "200; cache-control: max-age=60; etag: \"1\"; set-cookie: a=1; body=a",
        "200; set-cookie: a=2",
        "304; set-cookie: a=3",
        "200",
    ]);
    let (cache, clock) = cache();
    let client = server.client_with(&cache, |builder| builder.cookies(turbohttp::Jar::default()));
    read(&client, "/").await;
    read(&client, "/other").await;
    assert_eq!(read(&client, "/").await.0, CacheStatus::Hit);
    clock.advance(60);
    assert_eq!(read(&client, "/").await.0, CacheStatus::Revalidated);
    read(&client, "/other").await;
    let sent: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| seen.headers.get("cookie").cloned())
        .collect();
    let sent: Vec<_> = sent.iter().flatten().collect();
    assert_eq!(sent, ["a=1", "a=2", "a=3"]);
}

#[cfg(feature = "cookies")]
#[tokio::test]
async fn cookies_of_a_jar_select() {
    let answer = "200; cache-control: max-age=60; vary: cookie; body=";
    let server = Server::new(&[
        &format!("{answer}a"),
        "200; set-cookie: a=1",
        &format!("{answer}b"),
    ]);
    let (cache, _) = cache();
    let client = server.client_with(&cache, |builder| builder.cookies(turbohttp::Jar::default()));
    assert_eq!(read(&client, "/").await.1, "a");
    read(&client, "/login").await;
    assert_eq!(read(&client, "/").await.1, "b");
    assert_eq!(read(&client, "/").await, (CacheStatus::Hit, "b".to_owned()));
}

#[tokio::test]
async fn one_entry_is_validated_behind_once_at_a_time() {
    let server = Server::new(&[STALE, "304"]);
    let (cache, clock) = cache();
    let client = server.client(&cache);
    read(&client, "/").await;
    clock.advance(2);
    // Both are answered before the task has its turn.
    for _ in 0..2 {
        let answered = poll_times(&mut Box::pin(read(&client, "/")), 1).await;
        assert_eq!(answered.unwrap().0, CacheStatus::Stale);
    }
    settle().await;
    assert_eq!(server.seen().len(), 2);
    assert_eq!(read(&client, "/").await.0, CacheStatus::Hit);
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn so_many_are_validated_behind_and_one_more_before_it_is_used() {
    const REFRESHES_MAX: usize = 64;
    let first = Arc::new(AtomicUsize::new(0));
    let reply = MockReply::new(StatusCode::OK)
        .header("etag", "\"1\"")
        .body("a");
    let stale = reply.header("cache-control", "max-age=1, stale-while-revalidate=600");
    let mock = MockTransport::with_handler(move |_| {
        match first.fetch_add(1, Ordering::Relaxed) > REFRESHES_MAX {
            false => stale.clone(),
            true => MockReply::new(StatusCode::NOT_MODIFIED).delay(Duration::from_secs(9)),
        }
    });
    let (cache, clock) = cache();
    let builder = Client::builder()
        .transport(mock.clone())
        .cache(cache.clone());
    let client = builder
        .limits(Limits::default().per_host(100).total(100))
        .build()
        .unwrap();
    for number in 0..=REFRESHES_MAX {
        read(&client, &format!("/{number}")).await;
    }
    clock.advance(2);
    for number in 0..REFRESHES_MAX {
        assert_eq!(
            read(&client, &format!("/{number}")).await.0,
            CacheStatus::Stale
        );
    }
    let last = read(&client, &format!("/{REFRESHES_MAX}")).await;
    assert_eq!(last.0, CacheStatus::Revalidated);
    settle().await;
    assert_eq!(mock.stats().peak, REFRESHES_MAX as u64 + 1);
    assert_idle(&client);
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_what_is_validated_behind() {
    let stale = MockReply::new(StatusCode::OK)
        .header("cache-control", "max-age=1, stale-while-revalidate=600");
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).delay(Duration::from_secs(9)));
    mock.script(stale.body("a"));
    let (cache, clock) = cache();
    let client = Client::builder()
        .transport(mock.clone())
        .cache(cache.clone())
        .build()
        .unwrap();
    read(&client, "/").await;
    clock.advance(2);
    assert_eq!(read(&client, "/").await.0, CacheStatus::Stale);
    settle().await;
    assert_eq!(mock.stats().entered, 2);
    client.close(Shutdown::Now).await;
    settle().await;
    assert_eq!((mock.stats().dropped, mock.stats().closed), (1, 1));
    assert_idle(&client);
}

#[tokio::test]
async fn a_client_that_is_gone_is_not_kept_by_its_cache() {
    let server = Server::new(&[STALE]);
    let (cache, clock) = cache();
    let client = server.client(&cache);
    read(&client, "/").await;
    clock.advance(2);
    let answered = poll_times(&mut Box::pin(read(&client, "/")), 1).await;
    assert_eq!(answered.unwrap().0, CacheStatus::Stale);
    drop(client);
    settle().await;
    assert_eq!((server.seen().len(), server.mock.stats().closed), (1, 1));
}
