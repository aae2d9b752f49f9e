//! One request for all who ask the same at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use turbohttp::{
    Client, Credentials, ErrorKind, HeaderValue, Limits, MockReply, MockTransport, Priority,
    QueueOptions, RequestQueue, Shutdown, SingleFlight, StatusCode,
};

fn shared(reply: impl Fn(usize) -> MockReply + Send + Sync + 'static) -> (Client, MockTransport) {
    let number = Arc::new(AtomicUsize::new(0));
    let mock = MockTransport::with_handler(move |_| {
        reply(number.fetch_add(1, Ordering::Relaxed)).delay(Duration::from_millis(100))
    });
    let single = SingleFlight::new().body_bytes_max(1_000);
    let client = Client::builder()
        .transport(mock.clone())
        .limits(Limits::default().per_host(1).total(1))
        .with(single)
        .build();
    (client.unwrap(), mock)
}

fn numbered(number: usize) -> MockReply {
    MockReply::new(StatusCode::OK)
        .header("x-number", number.to_string())
        .body(number.to_string())
}

async fn get(client: &Client, url: &str) -> (String, String) {
    let response = client.get(url).send().await.unwrap();
    let field = response.header("x-number").unwrap().to_owned();
    (field, response.text().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn equal_requests_share_one_answer() {
    let (client, mock) = shared(numbered);
    let all = || async {
        tokio::join!(
            get(&client, "http://a.test/"),
            get(&client, "http://a.test/"),
            get(&client, "http://a.test/")
        )
    };
    let (one, two, three) = Box::pin(all()).await;
    assert_eq!((&one, &two), (&three, &three));
    assert_eq!(mock.stats().entered, 1);
    // Nothing is kept.
    assert_eq!(get(&client, "http://a.test/").await.1, "1");
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_not_shared() {
    let (client, mock) = shared(numbered);
    let plain = get(&client, "http://a.test/");
    let other = get(&client, "http://a.test/?x");
    let field = client
        .get("http://a.test/")
        .header("authorization", "Bearer x")
        .send();
    let post = client.post("http://a.test/").send();
    let body = client.get("http://a.test/").body("x").send();
    let head = client.head("http://a.test/").send();
    let (_, _, field, post, body, head) = tokio::join!(plain, other, field, post, body, head);
    for answer in [field, post, body, head] {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(mock.stats().entered, 6);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_are_sent_for_by_each() {
    let (client, mock) = shared(|_| {
        MockReply::new(StatusCode::OK)
            .header("x-number", "1")
            .body("x".repeat(1_001))
    });
    let (one, two) = tokio::join!(
        get(&client, "http://a.test/"),
        get(&client, "http://a.test/")
    );
    assert_eq!((one.1.len(), two.1.len()), (1_001, 1_001));
    assert_eq!(mock.stats().entered, 2);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn errors_are_shared() {
    let (client, mock) = shared(|_| MockReply::failure(ErrorKind::Io, "cut"));
    let send = || client.get("http://a.test/").send();
    let (one, two) = tokio::join!(send(), send());
    let (one, two) = (one.unwrap_err(), two.unwrap_err());
    assert_eq!((one.kind(), two.kind()), (ErrorKind::Io, ErrorKind::Io));
    assert!(two.to_string().contains("that it shared"), "{two}");
    assert_eq!(two.origin().unwrap().as_str(), "http://a.test");
    assert_eq!(two.to_string().matches("http://a.test").count(), 1, "{two}");
    assert_eq!(mock.stats().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_one_sends_if_the_first_is_dropped() {
    for polls in 1..6 {
        let (client, mock) = shared(numbered);
        let mut first = Box::pin(get(&client, "http://a.test/"));
        let over = super::poll_times(&mut first, polls).await;
        let mut second = Box::pin(get(&client, "http://a.test/"));
        _ = super::poll_times(&mut second, 1).await;
        drop(first);
        let (_, body) = second.await;
        let expected = usize::from(over.is_some() || mock.stats().entered == 2);
        assert_eq!(body, expected.to_string(), "{polls}");
        assert!(client.audit().is_idle());
    }
}

/// A client whose server answers with the Authorization of the request, and wants one.
fn mirror() -> Client {
    let mock = MockTransport::with_handler(|request| {
        let reply = match request.headers().get("authorization") {
            Some(value) => MockReply::new(StatusCode::OK).body(value.as_bytes().to_vec()),
            None => MockReply::new(StatusCode::UNAUTHORIZED),
        };
        reply.delay(Duration::from_millis(100))
    });
    let client = Client::builder().transport(mock).with(SingleFlight::new());
    client.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn users_whose_credentials_are_not_known_yet_share_nothing() {
    let client = mirror();
    let get = |token: &'static str| {
        let credentials = Credentials::token_from(move || async move { Ok(token.to_owned()) });
        let request = client.get("http://a.test/").credentials(credentials);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let (one, two) = tokio::join!(get("one"), get("two"));
    assert_eq!((&*one, &*two), ("Bearer one", "Bearer two"));
}

#[tokio::test(start_paused = true)]
async fn requests_that_carry_values_for_what_is_below_share_nothing() {
    #[derive(Clone)]
    struct User(&'static str);

    let mock = MockTransport::with_handler(|request| {
        let user = request.headers()["x-user"].to_str().unwrap().to_owned();
        MockReply::new(StatusCode::OK)
            .body(user)
            .delay(Duration::from_millis(100))
    });
    let client = Client::builder()
        .transport(mock)
        .with(SingleFlight::new())
        .on_request(|request| {
            let User(name) = request.extensions().get().unwrap();
            let name = HeaderValue::from_static(name);
            request.headers_mut().insert("x-user", name);
        });
    let client = client.build().unwrap();
    let get = |name| {
        let request = client.get("http://a.test/").extension(User(name));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let (one, two) = tokio::join!(get("one"), get("two"));
    assert_eq!((&*one, &*two), ("one", "two"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_of_its_own_call_alone() {
    let (client, mock) = shared(numbered);
    let hasty = client
        .get("http://a.test/")
        .timeout(Duration::from_millis(50));
    // The first one takes the only permit, which the hasty one waits for.
    let (_, hasty, patient) = tokio::join!(
        get(&client, "http://a.test/other"),
        hasty.send(),
        get(&client, "http://a.test/")
    );
    assert_eq!(hasty.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(patient.1, "1");
    assert_eq!(mock.stats().entered, 2);
    // A leader that takes its time, and one who cannot wait for it.
    let patient = get(&client, "http://a.test/");
    let hasty = client
        .get("http://a.test/")
        .timeout(Duration::from_millis(50));
    let (patient, hasty) = tokio::join!(patient, hasty.send());
    assert_eq!(hasty.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(patient.1, "2");
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn those_who_share_an_answer_see_where_it_comes_from() {
    let mock = MockTransport::with_handler(|request| {
        let reply = match request.url().ends_with("/from") {
            true => MockReply::new(StatusCode::FOUND).header("location", "/to"),
            false => MockReply::new(StatusCode::OK).body("moved"),
        };
        reply.delay(Duration::from_millis(100))
    });
    let client = Client::builder().transport(mock.clone());
    let client = client.with(SingleFlight::new()).build().unwrap();
    let send = || client.get("http://a.test/from").send();
    let (one, two) = tokio::join!(send(), send());
    for response in [one.unwrap(), two.unwrap()] {
        assert_eq!(response.url(), "http://a.test/to");
        assert_eq!(response.history().len(), 1);
        assert_eq!(response.text().await.unwrap(), "moved");
    }
    assert_eq!(mock.stats().entered, 2);
}

#[tokio::test(start_paused = true)]
async fn those_who_share_an_error_can_tell_what_it_is() {
    let mock =
        MockTransport::new(MockReply::new(StatusCode::NOT_FOUND).delay(Duration::from_millis(100)));
    let client = Client::builder()
        .transport(mock.clone())
        .with(SingleFlight::new())
        .with_fn(|request, next| async move { next.run(request).await?.error_for_status() });
    let client = client.build().unwrap();
    let send = || client.get("http://a.test/").send();
    let (one, two) = tokio::join!(send(), send());
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND), "{error}");
        assert_eq!(error.kind(), ErrorKind::Status);
    }
    assert_eq!(mock.stats().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn a_job_of_a_queue_that_waits_holds_no_permit() {
    let (client, mock) = shared(numbered);
    let queue = RequestQueue::new(&client, QueueOptions::default().workers(2)).unwrap();
    queue.start().unwrap();
    let busy = client.get("http://a.test/other");
    let first = client.get("http://a.test/").priority(Priority::Low);
    let second = client.get("http://a.test/").priority(Priority::High);
    let all = async {
        let (busy, first, second) = tokio::join!(busy.send(), first.send(), async {
            // The first one waits for the permit by now; the job gets it before.
            queue.submit(second).await.unwrap().await
        });
        busy.unwrap();
        for response in [first.unwrap(), second.unwrap()] {
            assert_eq!(response.text().await.unwrap(), "1");
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(all.is_ok(), "the one waits for the other");
    assert_eq!(mock.stats().entered, 2);
    queue.stop(Shutdown::default()).await;
    assert!(client.audit().is_idle());
}
