//! One connection of HTTP/1.1: read a request, answer it, and again.
//!
//! # Implementation
//!
//! The usual request of a benchmark costs one receive and one send, and no allocation: head and
//! content arrive in one read, the target equals the last one on this connection, and its answer
//! lies ready in the [`Host`].

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;
use crate::body::Kept;
use crate::head::{self, Framing, Head};
use crate::host::Host;
#[cfg(feature = "h2")]
use crate::options::Protocols;
use crate::reply::{self, Reply};
use crate::route::Route;
use crate::stream::Stream;

/// How much is read at once, and thereby the longest head and the longest chunk-size line.
const INBOX_BYTES: usize = 64 * 1024;

/// How long a refused peer may still send before the connection is cut.
const LINGER: Duration = Duration::from_secs(1);

/// Serves the connection until either side ends it.
pub(crate) async fn run(tcp: TcpStream, host: Arc<Host>) {
    let _open = host.counters.connection();
    let Ok(stream) = host.options.open(tcp).await else {
        return;
    };
    if stream.negotiated().is_some() {
        host.counters.handshake();
    }
    let mut connection = Connection {
        stream,
        inbox: BytesMut::with_capacity(INBOX_BYTES),
        host: &host,
        last: None,
    };
    #[cfg(feature = "h2")]
    match connection.wants_http2().await {
        Ok(true) => {
            let Connection { stream, inbox, .. } = connection;
            return Box::pin(crate::http2::run(stream, inbox, &host)).await;
        }
        Ok(false) => {}
        Err(_) => return,
    }
    host.counters.http1_connection();
    while let Ok(After::KeepAlive) = connection.exchange().await {}
}

/// What comes after an answer.
pub(crate) enum After {
    KeepAlive,
    Close,
}

/// What a request is answered with, decided while its head is still in the inbox.
enum Plan {
    Kept(Arc<Answer>),
    /// The head, for the routes that compute their answer.
    Routed(Vec<u8>),
}

/// The state of one connection.
pub(crate) struct Connection<'a> {
    pub(crate) stream: Box<dyn Stream>,
    /// What was read and not used yet.
    pub(crate) inbox: BytesMut,
    pub(crate) host: &'a Host,
    /// The last target that had a kept answer, and that answer.
    last: Option<(Box<[u8]>, Arc<Answer>)>,
}

impl Connection<'_> {
    /// Whether the connection speaks HTTP/2: ALPN says so, or in the clear its first bytes do, which
    /// are then in the inbox.
    ///
    /// # Errors
    ///
    /// What the stream says; `UnexpectedEof` when it ends before that is clear.
    #[cfg(feature = "h2")]
    async fn wants_http2(&mut self) -> io::Result<bool> {
        use crate::http2::PREFACE;
        match self.host.options.protocols {
            Protocols::Http1 => return Ok(false),
            Protocols::Http2 => return Ok(true),
            Protocols::Any => {}
        }
        if let Some(name) = self.stream.negotiated() {
            return Ok(name == b"h2");
        }
        loop {
            self.fill().await?;
            let length = self.inbox.len().min(PREFACE.len());
            // No request of HTTP/1.1 begins as the preface does.
            if self.inbox[..length] != PREFACE[..length] {
                return Ok(false);
            }
            if length == PREFACE.len() {
                return Ok(true);
            }
        }
    }

    async fn exchange(&mut self) -> io::Result<After> {
        let Some(length) = self.await_head().await? else {
            return Box::pin(self.refuse(431)).await;
        };
        let host = self.host;
        let (number, _in_flight) = host.counters.request();
        let Ok(head) = head::parse(&self.inbox[..length]) else {
            return Box::pin(self.refuse(400)).await;
        };
        let plan = self.plan(&head);
        let mut kept = match &plan {
            Plan::Routed(bytes) => (head.route(bytes) == Route::Echo).then(Vec::new),
            Plan::Kept(_) => None,
        };
        self.inbox.advance(length);
        match self.read_content(&head, &mut kept).await {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Box::pin(self.refuse(400)).await;
            }
            result => result?,
        }
        let reply = match plan {
            Plan::Kept(answer) => Reply::Whole(answer),
            Plan::Routed(bytes) => reply::decide(&head.request(&bytes, kept)),
        };
        match reply.settle(host, number).await {
            Reply::Whole(answer) => self.send(&answer, &head).await,
            reply => Box::pin(self.respond(head, reply)).await,
        }
    }

    /// Reads until a whole head is there; its length, or `None` if it is too long.
    async fn await_head(&mut self) -> io::Result<Option<usize>> {
        loop {
            if let Some(length) = head::find_end(&self.inbox) {
                return Ok(Some(length));
            }
            if self.inbox.len() == INBOX_BYTES {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Reads once.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the peer has closed, `OutOfMemory` when the inbox is full.
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        let room = INBOX_BYTES - self.inbox.len();
        if room == 0 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        // Once all is used, the next read begins at the front again: a short request touches one page.
        self.inbox.reserve(room);
        let mut space = (&mut self.inbox).limit(room);
        match self.stream.read_buf(&mut space).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn plan(&mut self, head: &Head) -> Plan {
        let bytes = &self.inbox[..head.length];
        let target = &bytes[head.target.clone()];
        if let Some((known, answer)) = &self.last
            && **known == *target
        {
            return Plan::Kept(answer.clone());
        }
        match self.host.kept(target) {
            Some(answer) => {
                self.last = Some((target.into(), answer.clone()));
                Plan::Kept(answer)
            }
            None => Plan::Routed(bytes.to_vec()),
        }
    }

    async fn read_content(&mut self, head: &Head, kept: &mut Kept) -> io::Result<()> {
        if head.framing == Framing::Length(0) {
            return Ok(());
        }
        // RFC 9110 §10.1.1: needless once some of the content is here.
        if head.expects_continue && self.inbox.is_empty() {
            self.stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
                .await?;
            self.stream.flush().await?;
        }
        self.read_body(head.framing, kept).await
    }

    /// Sends an answer that is there whole.
    pub(crate) async fn send(&mut self, answer: &Answer, head: &Head) -> io::Result<After> {
        if !head.keep_alive {
            return Box::pin(self.send_last(answer, head)).await;
        }
        self.send_bytes(answer, head).await?;
        Ok(After::KeepAlive)
    }

    async fn send_last(&mut self, answer: &Answer, head: &Head) -> io::Result<After> {
        self.send_bytes(&answer.closing(), head).await?;
        self.stream.shutdown().await?;
        Ok(After::Close)
    }

    async fn send_bytes(&mut self, answer: &Answer, head: &Head) -> io::Result<()> {
        let length = match head.is_head_method {
            true => answer.http1_head_length,
            false => answer.http1.len(),
        };
        self.stream.write_all(&answer.http1[..length]).await?;
        self.stream.flush().await?;
        if !head.is_head_method {
            self.host.counters.sent(answer.content.len());
        }
        Ok(())
    }

    /// Answers what cannot be understood, and ends the connection.
    async fn refuse(&mut self, status: u16) -> io::Result<After> {
        self.stream
            .write_all(&Answer::status(status).closing().http1)
            .await?;
        self.stream.shutdown().await?;
        // Unread bytes would turn the close into a reset, which can overtake the answer.
        let _ = tokio::time::timeout(LINGER, self.drain()).await;
        Ok(After::Close)
    }

    /// Reads until the peer closes, and forgets what it reads.
    pub(crate) async fn drain(&mut self) -> io::Result<()> {
        loop {
            self.inbox.clear();
            self.fill().await?;
        }
    }
}
