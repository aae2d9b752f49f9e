//! The ways to a mock that are compared. Each makes a request and checks of the answer what the peers
//! check: status, one field by name, length.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Result, ensure};
use bytes::Bytes;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::timeout::Timeout;
use tower::{Service, ServiceExt};
use turbohttp::{
    Client, Limits, MockReply, MockTransport, QueueOptions, RequestQueue, Response, StatusCode,
    Transport,
};

use super::ways::{Way, Work};

const URL: &str = "http://mock.test/small";
const CONTENT_TYPE: &str = "text/plain";
const CONTENT: &[u8] = b"Hello, world!";
/// Far beyond what any request takes, as timeouts are.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than there are tasks.
const WAITING: usize = 1 << 16;

/// An answer as small as one can be.
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    content: Bytes,
}

impl Reply {
    fn check(&self) -> Result<()> {
        check(self.status, Some(self.content_type), self.content.len())
    }
}

fn check(status: u16, content_type: Option<&str>, length: usize) -> Result<()> {
    ensure!(status == 200, "status {status}");
    ensure!(
        content_type.is_some_and(|value| !value.is_empty()),
        "no content type"
    );
    ensure!(length == CONTENT.len(), "{length} bytes of content");
    Ok(())
}

/// Answers when the work is done.
pub(super) struct Answering(Work);

impl Future for Answering {
    type Output = Result<Reply, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = Pin::new(&mut self.0).poll(cx);
        done.map_ok(|()| Reply {
            status: 200,
            content_type: CONTENT_TYPE,
            content: Bytes::from_static(CONTENT),
        })
    }
}

/// The bare service.
#[derive(Clone)]
pub(super) struct Bare;

impl Service<Work> for Bare {
    type Response = Reply;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, work: Work) -> Answering {
        Answering(work)
    }
}

impl Way for Bare {
    fn make(keys: usize, _: usize) -> Result<Vec<Bare>> {
        Ok(vec![Bare; keys])
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        self.ready().await?.call(work).await?.check()
    }
}

/// Behind tower's limit.
#[derive(Clone)]
pub(super) struct Limited(ConcurrencyLimit<Bare>);

impl Way for Limited {
    fn make(keys: usize, permits: usize) -> Result<Vec<Limited>> {
        let make = |_| Limited(ConcurrencyLimit::new(Bare, permits));
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        self.0.ready().await?.call(work).await?.check()
    }
}

/// Behind tower's buffer, which has as many places as the others have permits.
#[derive(Clone)]
pub(super) struct Buffered(Buffer<Work, Answering>);

impl Way for Buffered {
    fn make(keys: usize, permits: usize) -> Result<Vec<Buffered>> {
        let make = |_| Buffered(Buffer::new(Bare, permits));
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        let ready = self.0.ready().await.map_err(anyhow::Error::from_boxed)?;
        let reply = ready.call(work).await.map_err(anyhow::Error::from_boxed)?;
        reply.check()
    }
}

/// Behind tower's limit and its timeout.
#[derive(Clone)]
pub(super) struct LimitedInTime(Timeout<ConcurrencyLimit<Bare>>);

impl Way for LimitedInTime {
    fn make(keys: usize, permits: usize) -> Result<Vec<LimitedInTime>> {
        let make = |_| {
            let limited = ConcurrencyLimit::new(Bare, permits);
            LimitedInTime(Timeout::new(limited, PATIENCE))
        };
        Ok((0..keys).map(make).collect())
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        let ready = self.0.ready().await.map_err(anyhow::Error::from_boxed)?;
        let reply = ready.call(work).await.map_err(anyhow::Error::from_boxed)?;
        reply.check()
    }
}

fn mock() -> MockTransport {
    let reply = MockReply::new(StatusCode::OK).header("content-type", CONTENT_TYPE);
    // Streamed, so that a response holds its permit during the work, as one on a connection does.
    MockTransport::new(reply.body(Bytes::from_static(CONTENT)).streamed())
}

fn client(permits: usize) -> Result<Client> {
    let limits = Limits::default()
        .per_host(permits)
        .total(permits)
        .waiting(WAITING)
        .waiting_per_host(WAITING);
    Ok(Client::builder().limits(limits).transport(mock()).build()?)
}

/// Does the work while the response keeps its permit, which goes home at the end of the content.
async fn read(mut response: Response, work: Work) -> Result<()> {
    work.await?;
    let mut length = 0;
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len();
    }
    let content_type = response.header("content-type");
    check(response.status().as_u16(), content_type, length)
}

/// turbohttp's request and response, without a client between them and the mock.
#[derive(Clone)]
pub(super) struct Alone {
    client: Client,
    mock: MockTransport,
}

impl Way for Alone {
    fn make(_: usize, permits: usize) -> Result<Vec<Alone>> {
        Ok(vec![Alone {
            client: client(permits)?,
            mock: mock(),
        }])
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        let request = self.client.get(URL).build()?;
        read(self.mock.send(request).await?, work).await
    }
}

/// turbohttp's client.
#[derive(Clone)]
pub(super) struct ClientOnMock(Client);

impl Way for ClientOnMock {
    fn make(_: usize, permits: usize) -> Result<Vec<ClientOnMock>> {
        Ok(vec![ClientOnMock(client(permits)?)])
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        read(self.0.get(URL).send().await?, work).await
    }
}

/// The same behind a queue whose responses hold their permits as those of a client do.
#[derive(Clone)]
pub(super) struct QueueOnMock {
    client: Client,
    queue: RequestQueue,
}

impl Way for QueueOnMock {
    fn make(_: usize, permits: usize) -> Result<Vec<QueueOnMock>> {
        let client = client(permits)?;
        let options = QueueOptions::default()
            .workers(permits)
            .streamed(true)
            .submitters(WAITING);
        let queue = RequestQueue::new(&client, options)?;
        queue.start()?;
        Ok(vec![QueueOnMock { client, queue }])
    }

    async fn run(&mut self, work: Work) -> Result<()> {
        let request = self.client.get(URL).build()?;
        let submitted = self.queue.submit(request).await;
        let ticket = submitted.map_err(turbohttp::Error::from)?;
        read(ticket.await?, work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::load::{CROWD, ONE, nanos_of_few};

    /// Every way gets through both loads, alone and in a crowd.
    #[test]
    fn every_way_answers_alone_and_in_a_crowd() {
        for load in [ONE, CROWD] {
            nanos_of_few::<Bare>(&load).unwrap();
            nanos_of_few::<Limited>(&load).unwrap();
            nanos_of_few::<Buffered>(&load).unwrap();
            nanos_of_few::<LimitedInTime>(&load).unwrap();
            nanos_of_few::<Alone>(&load).unwrap();
            nanos_of_few::<ClientOnMock>(&load).unwrap();
            nanos_of_few::<QueueOnMock>(&load).unwrap();
        }
    }

    #[test]
    fn permit_of_the_client_is_held_during_the_work() {
        let client = client(1).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let held = client.get(URL).send().await.unwrap();
            let second = client.get(URL).timeout(Duration::from_millis(5)).send();
            assert!(second.await.is_err());
            read(held, Work { is_done: true }).await.unwrap();
            assert!(client.get(URL).send().await.is_ok());
        });
    }
}
