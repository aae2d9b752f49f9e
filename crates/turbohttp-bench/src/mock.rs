//! Clients without a network.

use std::time::Duration;

use bytes::Bytes;
use turbohttp::{
    Client, MockReply, MockTransport, Request, Response, Result, StatusCode, Transport,
};

use crate::plant::be_slow;
use crate::work::KINDS;
use crate::wrong_answer;

/// Where mocks pretend to be.
pub(crate) const ORIGIN: &str = "http://mock.test";

/// Different answers of an [`Echo`]: more than requests are ever under way at once.
const IDS: usize = 1024;

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

/// A transport that answers every kind of work as the loopback server does.
pub(crate) fn works() -> MockTransport {
    let answers = KINDS
        .each_ref()
        .map(|kind| (kind.path, reply(vec![b'x'; kind.received].into())));
    MockTransport::with_handler(move |request| {
        let mut answers = answers.iter();
        let answer = answers.find(|(path, _)| request.url().ends_with(path));
        answer.map_or_else(not_found, |(_, reply)| reply.clone())
    })
}

fn not_found() -> MockReply {
    MockReply::new(StatusCode::NOT_FOUND)
}

/// A mock that answers `/id/N` with N, and what to ask it for.
pub(crate) struct Echo {
    pub(crate) transport: MockTransport,
    /// URLs, and the answers to them.
    ids: Vec<(String, Bytes)>,
}

impl Echo {
    /// Each answer takes so long.
    pub(crate) fn new(slowness: Duration) -> Echo {
        let id = |id| {
            let id = format!("{id:06}");
            (format!("{ORIGIN}/id/{id}"), Bytes::from(id))
        };
        let ids: Vec<(String, Bytes)> = (0..IDS).map(id).collect();
        let replies: Vec<MockReply> = ids.iter().map(|(_, id)| reply(id.clone())).collect();
        let transport = MockTransport::with_handler(move |request| {
            be_slow(slowness);
            let id = request.url().rsplit('/').next();
            let id = id.and_then(|id| id.parse::<usize>().ok());
            let reply = id.and_then(|id| replies.get(id));
            reply.cloned().unwrap_or_else(not_found)
        });
        Echo { transport, ids }
    }

    /// The request of this number.
    pub(crate) fn request(&self, client: &Client, number: u64) -> Result<Request> {
        client.get(&self.ids[number as usize % IDS].0).build()
    }

    /// Checks that a response is the one to the request of this number.
    pub(crate) async fn check(&self, response: Response, number: u64) -> Result<()> {
        match response.bytes().await? == self.ids[number as usize % IDS].1 {
            true => Ok(()),
            false => Err(wrong_answer("that to another request")),
        }
    }
}

/// A transport that answers at once, or lets others run before, as a network would.
#[derive(Clone)]
pub(crate) struct Answering {
    pub(crate) mock: MockTransport,
    pub(crate) in_turn: bool,
}

impl Transport for Answering {
    async fn send(&self, request: Request) -> Result<Response> {
        if self.in_turn {
            tokio::task::yield_now().await;
        }
        self.mock.send(request).await
    }
}
