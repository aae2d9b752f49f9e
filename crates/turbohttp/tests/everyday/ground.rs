//! A server that answers by a function of the request, and clients whose accounts are checked.

use std::future::{Future, poll_fn};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;

use turbohttp::{Client, ClientBuilder};

/// One request as the server saw it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }
}

type Answer = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// A server on a port of its own; it lives as long as the process.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    /// Answers each request by what `answer` says; an empty answer closes the connection.
    pub(crate) fn new<A: Into<Vec<u8>>>(
        answer: impl Fn(&Seen) -> A + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let answer: Arc<Answer> = Arc::new(move |seen| answer(seen).into());
        let record = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, record) = (answer.clone(), record.clone());
                thread::spawn(move || serve(&stream, &*answer, &record));
            }
        });
        Origin { address, seen }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, answer: &Answer, record: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read_request(&mut reader) {
        let bytes = answer(&seen);
        record.lock().unwrap().push(seen);
        let mut writer = stream;
        if bytes.is_empty() || writer.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut seen = Seen::default();
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|length| *length > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            Some((name, value)) if !seen.line.is_empty() => {
                let name = name.to_ascii_lowercase();
                seen.fields.push((name, value.trim().to_owned()));
            }
            _ => seen.line = line.to_owned(),
        }
    }
    let length = seen
        .field("content-length")
        .map_or(0, |length| length.parse().unwrap());
    seen.body = vec![0; length];
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// An answer with a body, on a connection that stays.
pub(crate) fn reply(status: u16, fields: &[&str], body: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    head + "\r\n" + body
}

pub(crate) fn redirect(status: u16, to: &str) -> String {
    reply(status, &[&format!("location: {to}")], "moved")
}

/// A client whose options are those of `options`.
pub(crate) fn client(options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
    options(Client::builder()).build().unwrap()
}

/// Polls as often as the future wakes its task, so many times at most: its output, if it ends by then.
pub(crate) async fn poll_times<F: Future + Unpin>(
    future: &mut F,
    polls: usize,
) -> Option<F::Output> {
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match Pin::new(&mut *future).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// More polls than any call here takes.
pub(crate) const POLLS_MAX: usize = 1_000;

/// Drops what `send` makes after its first poll, its second and so on, until one comes to its end.
pub(crate) async fn drop_at_every_poll<F: Future>(client: &Client, send: impl Fn() -> F) {
    for polls in 1..POLLS_MAX {
        let ended = poll_times(&mut Box::pin(send()), polls).await.is_some();
        assert_idle(client);
        if ended {
            return;
        }
    }
    panic!("no call ends within {POLLS_MAX} polls");
}

/// Nothing of the client is in use any more.
pub(crate) fn assert_idle(client: &Client) {
    let audit = client.audit();
    assert!(audit.is_idle(), "{audit:?}");
}

/// An answer whose body is in this coding.
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
pub(crate) fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
