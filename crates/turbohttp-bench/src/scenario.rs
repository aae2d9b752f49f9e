//! The work that is measured: the same for every row, and checked.

use bytes::Bytes;
use turbohttp::{Client, Error, ErrorKind, Request, Response, Result, StatusCode};

const KIB: usize = 1024;

/// One kind of request, against a loopback server or a mock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scenario {
    /// A small GET, its body read by `chunk`.
    Get,
    /// A GET without a body.
    Empty,
    /// A GET of 1 KiB, read by `chunk`.
    Get1k,
    /// A GET of 64 KiB, read by `chunk`.
    Get64k,
    /// A POST of 1 KiB with a small answer.
    Post,
    /// A POST of 64 KiB with a small answer.
    Post64k,
    /// A GET of 16 chunks of 1 KiB.
    Chunked,
    /// A small GET, its body taken whole by `bytes`.
    Bytes,
    /// A GET of 1 KiB, its body taken whole by `bytes`.
    Bytes1k,
    /// A GET of 64 KiB, its body taken whole by `bytes`.
    Bytes64k,
}

/// What a scenario is made of.
struct Shape {
    name: &'static str,
    path: &'static str,
    sent: Option<usize>,
    received: usize,
    is_taken_whole: bool,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 10] = [
        Scenario::Get,
        Scenario::Empty,
        Scenario::Get1k,
        Scenario::Get64k,
        Scenario::Post,
        Scenario::Post64k,
        Scenario::Chunked,
        Scenario::Bytes,
        Scenario::Bytes1k,
        Scenario::Bytes64k,
    ];

    fn shape(self) -> Shape {
        let (name, path, sent, received) = match self {
            Scenario::Get => ("get", "/small", None, 13),
            Scenario::Empty => ("empty", "/bytes/0", None, 0),
            Scenario::Get1k => ("get_1k", "/bytes/1024", None, KIB),
            Scenario::Get64k => ("get_64k", "/bytes/65536", None, 64 * KIB),
            Scenario::Post => ("post", "/post", Some(KIB), 13),
            Scenario::Post64k => ("post_64k", "/post", Some(64 * KIB), 13),
            Scenario::Chunked => ("chunked", "/chunked/16/1024", None, 16 * KIB),
            Scenario::Bytes => ("bytes", "/small", None, 13),
            Scenario::Bytes1k => ("bytes_1k", "/bytes/1024", None, KIB),
            Scenario::Bytes64k => ("bytes_64k", "/bytes/65536", None, 64 * KIB),
        };
        let is_taken_whole = name.starts_with("bytes");
        Shape {
            name,
            path,
            sent,
            received,
            is_taken_whole,
        }
    }

    /// Its name in budgets and reports.
    pub fn name(self) -> &'static str {
        self.shape().name
    }

    /// The scenario of this name.
    pub fn named(name: &str) -> Option<Scenario> {
        Scenario::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The path that the loopback server answers it under.
    pub fn path(self) -> &'static str {
        self.shape().path
    }

    /// The body that the request sends: to be made once, and lent to every run.
    pub fn body(self) -> Bytes {
        self.shape()
            .sent
            .map_or_else(Bytes::new, |length| vec![b'x'; length].into())
    }

    /// Bytes of body that the answer has.
    pub(crate) fn bytes_received(self) -> usize {
        self.shape().received
    }

    /// Bytes of body that the caller takes away in memory of its own.
    pub(crate) fn bytes_taken(self) -> usize {
        match self.shape() {
            Shape {
                is_taken_whole: true,
                received,
                ..
            } => received,
            _ => 0,
        }
    }

    /// One request: status, one header by name, and the length of the whole body are looked at.
    ///
    /// # Errors
    ///
    /// Those of the client, and [`ErrorKind::Transport`] if the answer is not the expected one.
    pub async fn run(self, client: &Client, url: &str, body: &Bytes) -> Result<()> {
        let response = client.send(self.request(client, url, body)?).await?;
        self.read(response).await
    }

    /// The request alone.
    pub(crate) fn request(self, client: &Client, url: &str, body: &Bytes) -> Result<Request> {
        match self.shape().sent {
            Some(_) => client.post(url).body(body.clone()).build(),
            None => client.get(url).build(),
        }
    }

    /// Reads an answer, and checks it.
    pub(crate) async fn read(self, mut response: Response) -> Result<()> {
        let shape = self.shape();
        let right_head = response.status() == StatusCode::OK
            && response
                .header("content-type")
                .is_some_and(|value| !value.is_empty());
        let length = if shape.is_taken_whole {
            response.bytes().await?.len()
        } else {
            let mut length = 0;
            while let Some(chunk) = response.chunk().await? {
                length += chunk.len();
            }
            length
        };
        if right_head && length == shape.received {
            return Ok(());
        }
        let message = format!("wrong answer to {}: {length} bytes of body", shape.name);
        Err(Error::new(ErrorKind::Transport, message))
    }
}
