//! The mix of requests: what a client meets in a long life, all of it deterministic by number.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use turbohttp::{Error, ErrorKind, MockReply, MockTransport, Priority, Result, StatusCode};

use super::ground::Ground;

/// How many kinds there are.
pub(super) const KINDS: u64 = 16;

/// Hosts that the mock pretends to be.
const HOSTS: u64 = 8;

/// Long enough that nobody waits for its end.
const NEVER: Duration = Duration::from_secs(3_600);

/// The least that the runtime's timer tells apart.
const SOON: Duration = Duration::from_millis(1);

/// A mock that answers, fails, dawdles and panics, as the path says.
pub(super) fn mock() -> MockTransport {
    let ok = MockReply::new(StatusCode::OK)
        .header("content-type", "text/plain")
        .body("Hello, world!")
        .streamed();
    let error = MockReply::new(StatusCode::INTERNAL_SERVER_ERROR).body("no");
    let failure = MockReply::failure(ErrorKind::Transport, "planned");
    let never = ok.clone().delay(NEVER);
    MockTransport::with_handler(move |request| match request.url().rsplit('/').next() {
        Some("500") => error.clone(),
        Some("failure") => failure.clone(),
        Some("never") => never.clone(),
        // Unwinds like a panic, but is not reported as one: it is planned.
        Some("panic") => std::panic::resume_unwind(Box::new("planned")),
        _ => ok.clone(),
    })
}

/// Sends the request of this number, and checks that it ends as its kind does.
pub(super) async fn one(ground: &Ground, number: u64) -> Result<&'static str> {
    let host = number / KINDS % HOSTS;
    let mock = |path: &str| format!("http://host{host}.test/{path}");
    let url = |path: &str| ground.server.url(path);
    match number % KINDS {
        0..4 => answered(ground, &mock("ok"), number).await,
        4 => queued(ground, &mock("ok")).await,
        5 => canceled(ground, &mock("never")).await,
        6 => failed(
            ground.mock.get(mock("failure")).send().await,
            ErrorKind::Transport,
        ),
        7 => {
            let response = ground.mock.get(mock("500")).send().await?;
            failed(response.error_for_status(), ErrorKind::Status)
        }
        8 => dropped(Box::pin(ground.mock.get(mock("never")).send())).await,
        9 => {
            let request = ground.mock.get(mock("never")).timeout(SOON);
            failed(Box::pin(request.send()).await, ErrorKind::Timeout)
        }
        10 => panicked(Box::pin(ground.mock.get(mock("panic")).send())).await,
        11 => read(ground, &url("/small"), u64::MAX).await,
        12 => read(ground, &url("/slow/4000/1"), u64::MAX).await,
        13 => read(ground, &url("/slow/4000/1"), 2).await,
        14 => dropped(Box::pin(ground.network.get(url("/never")).send())).await,
        _ => {
            let sent = Box::pin(ground.network.post(url("/reset")).body("x").send()).await;
            failed(sent, ErrorKind::Io)
        }
    }
}

async fn answered(ground: &Ground, url: &str, number: u64) -> Result<&'static str> {
    let priority = match number % 4 {
        0 => Priority::Critical,
        1 => Priority::High,
        2 => Priority::Normal,
        _ => Priority::Low,
    };
    let body = ground
        .mock
        .get(url)
        .priority(priority)
        .send()
        .await?
        .bytes()
        .await?;
    whole(body.len(), 13).map(|()| "ok")
}

async fn queued(ground: &Ground, url: &str) -> Result<&'static str> {
    let submitted = ground.queue.submit(ground.mock.get(url).build()?).await;
    let ticket = submitted.map_err(|refused| Error::new(refused.kind(), "refused"))?;
    whole(ticket.await?.bytes().await?.len(), 13).map(|()| "queued")
}

/// Submitted, and canceled where it is: waiting, or sent already.
async fn canceled(ground: &Ground, url: &str) -> Result<&'static str> {
    let submitted = ground.queue.submit(ground.mock.get(url).build()?).await;
    let ticket = submitted.map_err(|refused| Error::new(refused.kind(), "refused"))?;
    tokio::task::yield_now().await;
    ticket.cancel();
    failed(ticket.await, ErrorKind::Canceled).map(|_| "canceled")
}

fn failed<T>(sent: Result<T>, kind: ErrorKind) -> Result<&'static str> {
    match sent {
        Err(error) if error.kind() == kind => Ok(kind.name()),
        Err(error) => Err(error),
        Ok(_) => Err(Error::new(
            ErrorKind::Transport,
            format!("answered instead of {kind}"),
        )),
    }
}

/// A request under way, as its caller holds it.
type Sending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Polled until it waits, and dropped.
async fn dropped<T>(mut sending: Sending<T>) -> Result<&'static str> {
    // A connection is made in a few turns of the runtime; what answers never waits after them.
    for _ in 0..4 {
        let polled = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await;
        if let Poll::Ready(sent) = polled {
            return failed(sent, ErrorKind::Canceled);
        }
        tokio::task::yield_now().await;
    }
    Ok("dropped")
}

/// Polled until it panics, which is caught here as a runtime would.
async fn panicked<T>(mut sending: Sending<T>) -> Result<&'static str> {
    let outcome = poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| sending.as_mut().poll(cx)));
        match polled {
            Err(_) => Poll::Ready(Ok("panicked")),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(sent)) => Poll::Ready(failed(sent, ErrorKind::Panicked)),
        }
    });
    outcome.await
}

/// Reads so many chunks at most, and drops the rest.
async fn read(ground: &Ground, url: &str, chunks: u64) -> Result<&'static str> {
    let mut response = Box::pin(ground.network.get(url).send()).await?;
    for _ in 0..chunks {
        if response.chunk().await?.is_none() {
            return Ok("read");
        }
    }
    Ok("read in part")
}

fn whole(length: usize, expected: usize) -> Result<()> {
    if length == expected {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Transport,
        format!("a body of {length} bytes"),
    ))
}
