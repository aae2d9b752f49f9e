//! The work that is measured: kinds of requests, each with the way it is sent and the answer it gets.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use turbohttp::{
    Client, ClientBuilder, Error, ErrorKind, QueueOptions, Request, RequestQueue, Response, Result,
    Shutdown, StatusCode,
};

use crate::wrong_answer;

const KIB: usize = 1024;

/// Workers of a queue.
const WORKERS: usize = 64;

/// One kind of work.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in budgets and reports, which says as well whether hooks or a queue are in the way, and
    /// whether the body is taken whole.
    pub(crate) name: &'static str,
    /// The path that the loopback server answers it under.
    pub(crate) path: &'static str,
    /// Bytes of body that a POST sends; without any it is a GET.
    sent: usize,
    /// Bytes of body that the answer has.
    pub(crate) received: usize,
}

const fn kind(name: &'static str, path: &'static str, sent: usize, received: usize) -> Kind {
    Kind {
        name,
        path,
        sent,
        received,
    }
}

/// All kinds. A body is read by `chunk`, but for `bytes`, which takes it whole.
pub(crate) static KINDS: [Kind; 13] = [
    kind("get", "/small", 0, 13),
    kind("empty", "/bytes/0", 0, 0),
    kind("get_1k", "/bytes/1024", 0, KIB),
    kind("get_64k", "/bytes/65536", 0, 64 * KIB),
    kind("post", "/post", KIB, 13),
    kind("post_64k", "/post", 64 * KIB, 13),
    kind("chunked", "/chunked/16/1024", 0, 16 * KIB),
    kind("bytes", "/small", 0, 13),
    kind("bytes_1k", "/bytes/1024", 0, KIB),
    kind("bytes_64k", "/bytes/65536", 0, 64 * KIB),
    kind("layered", "/small", 0, 13),
    kind("queue", "/small", 0, 13),
    kind("queue_streamed", "/small", 0, 13),
];

/// Kinds that HTTP/2 alone has: its answers may have trailers, and a request that is given up leaves its
/// connection to the others.
static HTTP2_KINDS: [Kind; 2] = [
    kind("trailers", "/small", 0, 13),
    kind("cancelled", "/small", 0, 13),
];

/// A client, and the queue before it if there is one.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) client: Client,
    queue: Option<RequestQueue>,
}

impl Sender {
    /// Starts the queue, if there is one: in the current runtime.
    pub(crate) fn new(client: Client, queue: Option<QueueOptions>) -> Result<Sender> {
        let queue = queue.map(|options| RequestQueue::new(&client, options));
        let queue = queue.transpose()?;
        if let Some(queue) = &queue {
            queue.start()?;
        }
        Ok(Sender { client, queue })
    }

    pub(crate) async fn send(&self, request: Request) -> Result<Response> {
        match &self.queue {
            None => self.client.send(request).await,
            Some(queue) => queue.submit(request).await?.await,
        }
    }
}

/// Requests of one kind, and who sends them.
#[derive(Debug)]
pub struct Work {
    kind: &'static Kind,
    body: Bytes,
    /// Bytes of body that the caller takes away, in memory of its own; without any it looks at chunks.
    pub(crate) taken: usize,
    sender: Sender,
}

impl Work {
    /// Builds the client, with hooks if the work is `layered`, and starts the queue if there is one: in
    /// the current runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if nothing has this name; those of the client and the queue.
    pub fn new(name: &str, client: ClientBuilder) -> Result<Work> {
        // The same over HTTP/2.
        let (name, client, more) = match name.strip_prefix("h2_") {
            Some(name) => (name, client.http2_prior_knowledge(), &HTTP2_KINDS[..]),
            None => (name, client, &[][..]),
        };
        let mut kinds = KINDS.iter().chain(more);
        let Some(kind) = kinds.find(|kind| kind.name == name) else {
            let message = format!("no work is called {name}");
            return Err(Error::new(ErrorKind::Config, message));
        };
        let client = match name {
            "layered" => client.on_request(|_| ()).on_response(|_| ()),
            _ => client,
        };
        let queue = name.starts_with("queue").then(|| {
            let options = QueueOptions::default().workers(WORKERS);
            options.streamed(name == "queue_streamed")
        });
        Ok(Work {
            kind,
            body: vec![b'x'; kind.sent].into(),
            taken: match name.starts_with("bytes") {
                true => kind.received,
                false => 0,
            },
            sender: Sender::new(client.build()?, queue)?,
        })
    }

    /// Where it is sent to, at this origin.
    pub fn url(&self, origin: &str) -> String {
        format!("{}{}", origin.trim_end_matches('/'), self.kind.path)
    }

    /// Stops the queue and closes the client, and waits for both: workers let go of their client only
    /// when the runtime next has time for them, which would be while something else is counted.
    pub(crate) async fn end(self) {
        if let Some(queue) = &self.sender.queue {
            queue.stop(Shutdown::Now).await;
        }
        self.sender.client.close(Shutdown::Now).await;
    }

    /// One request: status, one header by name, and the length of the whole body are looked at; the trailer,
    /// if the work has one. The work `cancelled` gives a request up first.
    ///
    /// # Errors
    ///
    /// Those of the client, and [`ErrorKind::Transport`] if the answer is not the expected one.
    pub async fn run(&self, url: &str) -> Result<()> {
        let client = &self.sender.client;
        if self.kind.name == "cancelled" {
            give_up(client.get(url).build()?, client).await?;
        }
        let request = match self.kind.sent {
            0 => client.get(url),
            _ => client.post(url).body(self.body.clone()),
        };
        let mut response = self.sender.send(request.build()?).await?;
        let content_type = response.header("content-type");
        let right_head = response.status() == StatusCode::OK
            && content_type.is_some_and(|value| !value.is_empty());
        let name = self.kind.name;
        let (mut length, mut right_end) = (0, true);
        if self.taken > 0 {
            length = response.bytes().await?.len();
        } else {
            while let Some(chunk) = response.chunk().await? {
                length += chunk.len();
            }
            right_end = name != "trailers" || response.trailer("x-checksum").is_some();
        }
        if right_head && right_end && length == self.kind.received {
            return Ok(());
        }
        Err(wrong_answer(format!("{length} bytes of body to {name}")))
    }
}

/// Sends a request as far as it goes at once, and drops it: before its head can have come.
async fn give_up(request: Request, client: &Client) -> Result<()> {
    let mut sending = pin!(client.send(request));
    match poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await {
        Poll::Pending => Ok(()),
        Poll::Ready(answered) => Err(wrong_answer(format!("{} at once", answered?.status()))),
    }
}
