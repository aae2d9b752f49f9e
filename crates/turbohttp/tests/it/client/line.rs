//! Requests that stand in line before they are sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use turbohttp::{
    Client, ErrorKind, Limits, MockReply, MockTransport, Phase, Priority, Request, Shutdown,
    StatusCode, Waiting,
};

const URL: &str = "http://line.test/";

/// One request at a time, of 10 ms each.
fn mock() -> MockTransport {
    MockTransport::new(MockReply::new(StatusCode::OK).delay(Duration::from_millis(10)))
}

fn client(mock: &MockTransport) -> Client {
    let limits = Limits::default().per_host(1).waiting(3);
    Client::builder()
        .limits(limits)
        .transport(mock.clone())
        .build()
        .unwrap()
}

fn request(client: &Client, name: &str) -> Request {
    client.get(format!("{URL}{name}")).build().unwrap()
}

fn line_up(client: &Client, name: &str) -> Waiting {
    client.line_up(request(client, name)).unwrap()
}

/// Sends all of them, the last one first; in which order they were answered.
async fn order_of(waiting: Vec<(&'static str, Waiting)>) -> Vec<&'static str> {
    let order = Arc::new(Mutex::new(Vec::new()));
    let tasks: Vec<_> = waiting
        .into_iter()
        .rev()
        .map(|(name, waiting)| {
            let order = order.clone();
            tokio::spawn(async move {
                drop(waiting.send().await.unwrap());
                order.lock().unwrap().push(name);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let order = order.lock().unwrap();
    order.clone()
}

#[tokio::test(start_paused = true)]
async fn the_place_is_that_of_the_call_and_not_of_the_first_poll() {
    let client = client(&mock());
    let lined = ["a", "b", "c"].map(|name| (name, line_up(&client, name)));
    let places: Vec<_> = lined.iter().map(|(_, one)| one.place()).collect();
    assert_eq!(
        places
            .iter()
            .map(|place| place.position())
            .collect::<Vec<_>>(),
        [None, Some(0), Some(1)]
    );
    assert_eq!(
        places
            .iter()
            .map(|one| one.is_waiting())
            .collect::<Vec<_>>(),
        [false, true, true]
    );
    assert_eq!(order_of(lined.into()).await, ["a", "b", "c"]);
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn a_priority_can_be_changed_as_long_as_it_waits() {
    let client = client(&mock());
    let lined = ["a", "b", "c"].map(|name| (name, line_up(&client, name)));
    let [a, b, c] = [0, 1, 2].map(|index| lined[index].1.place());
    assert!(c.set_priority(Priority::High));
    assert_eq!((c.position(), b.position()), (Some(0), Some(1)));
    assert!(!a.set_priority(Priority::Low), "it has its permit");
    assert_eq!(order_of(lined.into()).await, ["a", "c", "b"]);
    assert!(!b.set_priority(Priority::High), "it is over");
    assert!(client.audit().is_idle());
}

#[tokio::test(start_paused = true)]
async fn one_that_is_dropped_leaves_the_line_and_releases_its_permit() {
    let client = client(&mock());
    let [first, second, third] = ["a", "b", "c"].map(|name| line_up(&client, name));
    let place = third.place();
    drop(second);
    assert_eq!(place.position(), Some(0));
    drop(first);
    drop(third.send().await.unwrap());
    // Dropped unpolled.
    drop(line_up(&client, "d").send());
    assert!(client.audit().is_idle(), "{:?}", client.audit());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_gives_the_request_back() {
    let client = client(&mock());
    let waiting = ["a", "b", "c", "d"].map(|name| line_up(&client, name));
    let full = client.line_up(request(&client, "e")).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    assert!(full.into_request().is_some());
    client.close_now();
    let closed = client.line_up(request(&client, "f")).unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
    assert!(closed.into_request().is_some());
    for waiting in waiting {
        let error = waiting.send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    }
    assert!(client.audit().is_idle(), "{:?}", client.audit());
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_what_stands_in_line() {
    let mock = mock();
    let client = client(&mock);
    let waiting = ["a", "b"].map(|name| line_up(&client, name));
    let closing = tokio::spawn({
        let client = client.clone();
        async move {
            let within = Duration::from_secs(60);
            client.close(Shutdown::Drain { within }).await
        }
    });
    tokio::task::yield_now().await;
    assert!(client.is_closed());
    for waiting in waiting {
        assert_eq!(waiting.send().await.unwrap().status(), StatusCode::OK);
    }
    let report = closing.await.unwrap();
    assert_eq!(report.ended.completed, 2, "{report}");
}

#[tokio::test(start_paused = true)]
async fn the_clock_of_a_request_runs_in_line() {
    let client = client(&mock());
    let first = line_up(&client, "a");
    let second = client.get(URL).timeout(Duration::from_millis(50));
    let second = client.line_up(second.build().unwrap()).unwrap();
    let third = line_up(&client, "c");
    tokio::time::advance(Duration::from_millis(60)).await;
    let late = second.send().await.unwrap_err();
    assert!(late.is_timeout(), "{late}");
    assert!(late.into_request().is_some());
    drop(first.send().await.unwrap());
    let response = third.send().await.unwrap();
    let waited = response.timeline().duration(Phase::HostPermit);
    assert!(waited >= Duration::from_millis(60), "{waited:?}");
    drop(response);
    assert!(client.audit().is_idle(), "{:?}", client.audit());
}

#[tokio::test(start_paused = true)]
async fn middlewares_run_once_it_has_its_permit() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mock = mock();
    let client = Client::builder()
        .limits(Limits::default().per_host(1))
        .transport(mock.clone())
        .on_request(move |request: &mut Request| {
            log.lock().unwrap().push(request.url().to_string());
        })
        .build()
        .unwrap();
    let lined = ["a", "b"].map(|name| (name, line_up(&client, name)));
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(order_of(lined.into()).await, ["a", "b"]);
    let expected = ["a", "b"].map(|name| format!("{URL}{name}"));
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(mock.stats().peak, 1);
    assert!(client.audit().is_idle(), "{:?}", client.audit());
}

#[tokio::test(start_paused = true)]
async fn the_time_before_it_is_sent_is_none_of_the_exchange() {
    let client = client(&mock());
    let waiting = line_up(&client, "a");
    tokio::time::advance(Duration::from_secs(10)).await;
    let response = waiting.send().await.unwrap();
    let timeline = response.timeline();
    let spent: Duration = timeline.spans().map(|span| span.end - span.start).sum();
    assert!(spent < Duration::from_secs(1), "{timeline:?}");
    assert!(timeline.total() >= Duration::from_secs(10), "{timeline:?}");
}

#[tokio::test(start_paused = true)]
async fn one_with_a_permit_comes_back_from_a_close_too() {
    let client = client(&mock());
    let waiting = line_up(&client, "a");
    client.close_now();
    let error = waiting.send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.into_request().is_some());
    assert!(client.audit().is_idle(), "{:?}", client.audit());
}
