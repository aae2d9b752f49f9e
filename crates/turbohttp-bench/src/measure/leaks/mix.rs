//! The mix of requests: what a client meets in a long life, all of it deterministic by number.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use turbohttp::{
    ErrorKind, MockReply, MockTransport, Priority, RequestBuilder, Response, Result, StatusCode,
};

use super::ground::Ground;
use crate::wrong_answer;

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
    let (client, network) = (&ground.mock, &ground.network);
    match number % KINDS {
        0..4 => {
            let priority = Priority::ALL[number as usize % Priority::COUNT];
            let request = client.get(mock("ok")).priority(priority);
            whole(Box::pin(request.send()).await?, "ok").await
        }
        4 => {
            let ticket = ground.queue.submit(client.get(mock("ok"))).await?;
            whole(ticket.await?, "queued").await
        }
        5 => {
            let ticket = ground.queue.submit(client.get(mock("never"))).await?;
            tokio::task::yield_now().await;
            // Where it is: waiting, or sent already.
            ticket.cancel();
            failed(ticket.await, ErrorKind::Canceled)
        }
        6 => failing(client.get(mock("failure")), ErrorKind::Transport).await,
        7 => {
            let response = Box::pin(client.get(mock("500")).send()).await?;
            failed(response.error_for_status(), ErrorKind::Status)
        }
        8 => dropped(client.get(mock("never"))).await,
        9 => failing(client.get(mock("never")).timeout(SOON), ErrorKind::Timeout).await,
        10 => panicked(client.get(mock("panic"))).await,
        11 => read(ground, &url("/small"), u64::MAX).await,
        12 => read(ground, &url("/slow/4000/1"), u64::MAX).await,
        13 => read(ground, &url("/slow/4000/1"), 2).await,
        14 => dropped(network.get(url("/never"))).await,
        _ => failing(network.post(url("/reset")).body("x"), ErrorKind::Io).await,
    }
}

async fn failing(request: RequestBuilder, kind: ErrorKind) -> Result<&'static str> {
    failed(Box::pin(request.send()).await, kind)
}

fn failed<T>(sent: Result<T>, kind: ErrorKind) -> Result<&'static str> {
    match sent {
        Err(error) if error.kind() == kind => Ok(kind.name()),
        Err(error) => Err(error),
        Ok(_) => Err(wrong_answer(format!("one instead of {kind}"))),
    }
}

/// Polled until it waits, and dropped.
async fn dropped(request: RequestBuilder) -> Result<&'static str> {
    let mut sending = Box::pin(request.send());
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

/// A task that the panic ends, which the runtime catches.
async fn panicked(request: RequestBuilder) -> Result<&'static str> {
    match Handle::current().spawn(request.send()).await {
        Err(_) => Ok("panicked"),
        Ok(sent) => failed(sent, ErrorKind::Panicked),
    }
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

/// Reads the answer of the mock.
async fn whole(response: Response, end: &'static str) -> Result<&'static str> {
    match response.bytes().await?.len() {
        13 => Ok(end),
        length => Err(wrong_answer(format!("{length} bytes of body"))),
    }
}
