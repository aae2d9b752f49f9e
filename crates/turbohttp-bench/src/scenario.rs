//! The work that is measured: the same for every row, and checked.

use bytes::Bytes;
use turbohttp::{Client, Error, ErrorKind, MockReply, MockTransport, Result, StatusCode};

/// Length of the body of the small answer, in bytes.
const SMALL_BYTES: usize = 13;
const CHUNKED_BYTES: usize = 16 * 1024;
const POST_BYTES: usize = 1024;

/// One kind of request, against a loopback server or a mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// A small GET, its body read by `chunk`.
    Get,
    /// A POST of 1 KiB with a small answer.
    Post,
    /// A GET of 16 chunks of 1 KiB.
    Chunked,
    /// A small GET, its body taken whole by `bytes`.
    Bytes,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 4] = [
        Scenario::Get,
        Scenario::Post,
        Scenario::Chunked,
        Scenario::Bytes,
    ];

    /// Its name in budgets and reports.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Get => "get",
            Scenario::Post => "post",
            Scenario::Chunked => "chunked",
            Scenario::Bytes => "bytes",
        }
    }

    /// The path that the loopback server answers it under.
    pub fn path(self) -> &'static str {
        match self {
            Scenario::Get | Scenario::Bytes => "/small",
            Scenario::Post => "/post",
            Scenario::Chunked => "/chunked/16/1024",
        }
    }

    /// One request: status, one header by name, and the whole body are looked at.
    ///
    /// # Errors
    ///
    /// Those of the client, and [`ErrorKind::Transport`] if the answer is not the expected one.
    pub async fn run(self, client: &Client, url: &str, body: &Bytes) -> Result<()> {
        let request = match self {
            Scenario::Post => client.post(url).body(body.clone()),
            _ => client.get(url),
        };
        let mut response = request.send().await?;
        let right_head = response.status() == StatusCode::OK
            && response
                .header("content-type")
                .is_some_and(|value| !value.is_empty());
        let length = if self == Scenario::Bytes {
            response.bytes().await?.len()
        } else {
            let mut length = 0;
            while let Some(chunk) = response.chunk().await? {
                length += chunk.len();
            }
            length
        };
        let expected = if self == Scenario::Chunked {
            CHUNKED_BYTES
        } else {
            SMALL_BYTES
        };
        if right_head && length == expected {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Transport,
            format!("wrong answer: {length} bytes of body"),
        ))
    }

    /// The body that a POST sends.
    pub fn body() -> Bytes {
        Bytes::from(vec![b'x'; POST_BYTES])
    }
}

/// A client on a mock that answers as the loopback server does.
pub(crate) fn mock_client() -> Result<Client> {
    let reply = |body: Bytes| {
        MockReply::new(StatusCode::OK)
            .header("date", "Mon, 01 Jan 2024 00:00:00 GMT")
            .header("server", "mock")
            .header("content-type", "text/plain")
            .header("content-length", body.len().to_string())
            .header("cache-control", "no-store")
            .header("x-request-id", "0123456789abcdef")
            .body(body)
    };
    let small = reply(Bytes::from_static(b"Hello, world!"));
    let chunked = reply(Bytes::from(vec![b'x'; CHUNKED_BYTES]));
    let mock = MockTransport::with_handler(move |request| {
        if request.url().ends_with("/1024") {
            chunked.clone()
        } else {
            small.clone()
        }
    });
    Client::builder().transport(mock).build()
}
