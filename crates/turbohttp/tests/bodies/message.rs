//! Whole requests as a server reads them, in either framing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::support::{Peer, read_head};

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) content: Vec<u8>,
    /// The lines behind the last chunk.
    pub(crate) trailers: Vec<String>,
}

impl Message {
    /// Reads a request to its end; `None` if the client leaves before.
    pub(crate) fn read(stream: &mut TcpStream) -> Option<Message> {
        let head = read_head(stream)?;
        let mut message = Message {
            head,
            ..Message::default()
        };
        if let Some(length) = message.field("content-length") {
            message.content = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut message.content).ok()?;
        } else if message.field("transfer-encoding").is_some() {
            message.read_chunks(stream)?;
        }
        Some(message)
    }

    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.to_owned())
    }

    fn read_chunks(&mut self, stream: &mut TcpStream) -> Option<()> {
        loop {
            let line = read_line(stream)?;
            let length = usize::from_str_radix(&line, 16).unwrap();
            if length == 0 {
                break;
            }
            let start = self.content.len();
            self.content.resize(start + length, 0);
            stream.read_exact(&mut self.content[start..]).ok()?;
            assert_eq!(read_line(stream)?, "");
        }
        loop {
            match read_line(stream)? {
                line if line.is_empty() => return Some(()),
                line => self.trailers.push(line),
            }
        }
    }
}

fn read_line(stream: &mut TcpStream) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).ok()?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    String::from_utf8(line).ok()
}

/// A server that keeps what it reads, and answers the request of each number, from 0, by `answer`.
pub(crate) struct Reader {
    peer: Peer,
    read: Arc<Mutex<Vec<Message>>>,
}

impl Reader {
    pub(crate) fn new(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Reader {
        let read = Arc::<Mutex<Vec<Message>>>::default();
        let record = read.clone();
        let peer = Peer::start(move |mut stream| {
            while let Some(message) = Message::read(&mut stream) {
                let number = {
                    let mut record = record.lock().unwrap();
                    record.push(message);
                    record.len() - 1
                };
                if stream.write_all(answer(number).as_bytes()).is_err() {
                    return;
                }
            }
        });
        Reader { peer, read }
    }

    /// A server that says yes to everything.
    pub(crate) fn pleased() -> Reader {
        Reader::new(|_| crate::ground::reply(200, &[], "ok"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.peer.url(path)
    }

    /// The requests that arrived whole.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.read.lock().unwrap().clone()
    }
}
