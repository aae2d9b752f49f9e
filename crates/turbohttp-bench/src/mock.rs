//! Clients without a network.

use std::sync::Arc;

use bytes::Bytes;
use turbohttp::{
    Client, Error, ErrorKind, MockReply, MockTransport, Request, Response, Result, StatusCode,
    Transport,
};

use crate::scenario::Scenario;

/// Where mocks pretend to be.
pub(crate) const ORIGIN: &str = "http://mock.test";

/// Different answers of an [`Echo`]: more than requests are ever under way at once.
const IDS: usize = 1024;

/// Digits of an id.
const ID_DIGITS: usize = 6;

/// An answer with as many fields as a small one of a real server has.
fn reply(body: Bytes) -> MockReply {
    MockReply::new(StatusCode::OK)
        .header("date", "Mon, 01 Jan 2024 00:00:00 GMT")
        .header("server", "mock")
        .header("content-type", "text/plain")
        .header("content-length", body.len().to_string())
        .header("cache-control", "no-store")
        .header("x-request-id", "0123456789abcdef")
        .body(body)
}

/// A transport that answers every scenario as the loopback server does.
pub(crate) fn scenarios() -> MockTransport {
    let answers = Scenario::ALL.map(|scenario| {
        let length = scenario.bytes_received();
        (scenario.path(), reply(vec![b'x'; length].into()))
    });
    MockTransport::with_handler(move |request| {
        let mut answers = answers.iter();
        let answer = answers.find(|(path, _)| request.url().ends_with(path));
        answer.map_or_else(
            || MockReply::new(StatusCode::NOT_FOUND),
            |(_, reply)| reply.clone(),
        )
    })
}

/// A mock that answers `/id/N` with N, and what to ask it for.
pub(crate) struct Echo {
    pub(crate) transport: MockTransport,
    urls: Arc<[String]>,
    answers: Arc<[Bytes]>,
}

impl Echo {
    /// `before` is called with each request.
    pub(crate) fn new(before: impl Fn(&Request) + Send + Sync + 'static) -> Echo {
        let ids: Bytes = (0..IDS)
            .map(|id| format!("{id:0ID_DIGITS$}"))
            .collect::<String>()
            .into();
        let answers: Arc<[Bytes]> = (0..IDS)
            .map(|id| ids.slice(id * ID_DIGITS..(id + 1) * ID_DIGITS))
            .collect();
        let replies: Vec<MockReply> = answers.iter().cloned().map(reply).collect();
        let transport = MockTransport::with_handler(move |request| {
            before(request);
            let id = request
                .url()
                .rsplit('/')
                .next()
                .and_then(|id| id.parse::<usize>().ok());
            let reply = id.and_then(|id| replies.get(id));
            reply
                .cloned()
                .unwrap_or_else(|| MockReply::new(StatusCode::NOT_FOUND))
        });
        let urls = (0..IDS)
            .map(|id| format!("{ORIGIN}/id/{id:0ID_DIGITS$}"))
            .collect();
        Echo {
            transport,
            urls,
            answers,
        }
    }

    /// The request of this number.
    pub(crate) fn request(&self, client: &Client, number: u64) -> Result<Request> {
        client.get(&self.urls[number as usize % IDS]).build()
    }

    /// Checks that a response is the one to the request of this number.
    pub(crate) async fn check(&self, response: Response, number: u64) -> Result<()> {
        let answer = response.bytes().await?;
        if answer == self.answers[number as usize % IDS] {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Transport,
            "an answer to another request",
        ))
    }
}

/// A transport that answers at once, or lets others run before, as a network would.
#[derive(Clone)]
pub(crate) enum Answering {
    AtOnce(MockTransport),
    InTurn(MockTransport),
}

impl Transport for Answering {
    async fn send(&self, request: Request) -> Result<Response> {
        match self {
            Answering::AtOnce(mock) => mock.send(request).await,
            Answering::InTurn(mock) => {
                tokio::task::yield_now().await;
                mock.send(request).await
            }
        }
    }
}
