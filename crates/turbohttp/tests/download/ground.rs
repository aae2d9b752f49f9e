//! A server of files that counts its bytes and breaks off where a test says so.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use turbohttp::{Client, Limits, RetryPolicy};

/// The fields of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) line: String,
    fields: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The range that is asked for, in a file of this length.
    pub(crate) fn range(&self, length: usize) -> Option<Range<usize>> {
        let (first, last) = self
            .field("range")?
            .strip_prefix("bytes=")?
            .split_once('-')?;
        let last = last.parse().unwrap_or(length - 1).min(length - 1);
        Some(first.parse().ok()?..last + 1)
    }
}

/// What is sent for a request: a head, then bytes of a body; then the connection goes on, or is cut.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Arc<Vec<u8>>,
    pub(crate) range: Range<usize>,
    pub(crate) is_cut: bool,
}

impl Answer {
    pub(crate) fn status(status: u16, fields: &str) -> Answer {
        Answer {
            head: format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{fields}\r\n"),
            body: Arc::default(),
            range: 0..0,
            is_cut: false,
        }
    }

    /// Sends no more than so many bytes of the body, and cuts the connection.
    pub(crate) fn cut(mut self, bytes: usize) -> Answer {
        self.range.end = self.range.end.min(self.range.start + bytes);
        self.is_cut = true;
        self
    }
}

/// One version of a file as a server has it.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) content: Arc<Vec<u8>>,
    /// Lines of fields that every answer with bytes of it has.
    pub(crate) fields: String,
    pub(crate) validator: Option<String>,
}

impl Version {
    pub(crate) fn new(content: Vec<u8>, etag: &str) -> Version {
        Version {
            content: Arc::new(content),
            fields: format!("accept-ranges: bytes\r\netag: {etag}\r\n"),
            validator: Some(etag.to_owned()),
        }
    }

    /// Answers as RFC 9110 section 14 has it.
    pub(crate) fn answer(&self, seen: &Seen) -> Answer {
        let length = self.content.len();
        let is_same = match seen.field("if-range") {
            Some(asked) => self.validator.as_deref() == Some(asked),
            None => true,
        };
        match seen.range(length).filter(|_| is_same) {
            Some(range) if range.start >= length => {
                Answer::status(416, &format!("content-range: bytes */{length}\r\n"))
            }
            Some(range) => self.part(range),
            None => self.whole(),
        }
    }

    pub(crate) fn whole(&self) -> Answer {
        let length = self.content.len();
        Answer {
            head: format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{}\r\n",
                self.fields
            ),
            body: self.content.clone(),
            range: 0..length,
            is_cut: false,
        }
    }

    pub(crate) fn part(&self, range: Range<usize>) -> Answer {
        let (first, last, all) = (range.start, range.end - 1, self.content.len());
        let head = format!(
            "HTTP/1.1 206 Partial\r\ncontent-length: {}\r\ncontent-range: bytes {first}-{last}/{all}\r\n{}\r\n",
            range.len(),
            self.fields
        );
        Answer {
            head,
            body: self.content.clone(),
            range,
            is_cut: false,
        }
    }
}

type Respond = dyn Fn(&Seen, usize) -> Answer + Send + Sync;
type OnSent = dyn Fn(u64) + Send + Sync;

/// A server on a port of its own; it lives as long as the process.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Site {
    /// Answers the n-th request, from 0, by what `respond` says.
    pub(crate) fn new(respond: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Site {
        Site::watched(respond, |_| {})
    }

    /// The same; `on_sent` learns of every piece of a body before it is sent.
    pub(crate) fn watched(
        respond: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static,
        on_sent: impl Fn(u64) + Send + Sync + 'static,
    ) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (respond, on_sent): (Arc<Respond>, Arc<OnSent>) =
            (Arc::new(respond), Arc::new(on_sent));
        let record = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (respond, on_sent, record) = (respond.clone(), on_sent.clone(), record.clone());
                thread::spawn(move || serve(&stream, &*respond, &*on_sent, &record));
            }
        });
        Site { address, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/file", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, respond: &Respond, on_sent: &OnSent, record: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(seen) = read_request(&mut reader) {
        let number = {
            let mut record = record.lock().unwrap();
            record.push(seen.clone());
            record.len() - 1
        };
        let answer = respond(&seen, number);
        if writer.write_all(answer.head.as_bytes()).is_err() {
            return;
        }
        for piece in answer.body[answer.range].chunks(64 * 1024) {
            on_sent(piece.len() as u64);
            if writer.write_all(piece).is_err() {
                return;
            }
        }
        if answer.is_cut {
            _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Seen> {
    let mut seen = Seen::default();
    loop {
        let mut line = String::new();
        reader
            .read_line(&mut line)
            .ok()
            .filter(|length| *length > 0)?;
        match (line.trim_end(), line.trim_end().split_once(':')) {
            ("", _) => return Some(seen),
            (_, Some((name, value))) if !seen.line.is_empty() => {
                let name = name.to_ascii_lowercase();
                seen.fields.push((name, value.trim().to_owned()));
            }
            (line, _) => seen.line = line.to_owned(),
        }
    }
}

/// Bytes that tell where they stand, and of which version they are.
pub(crate) fn content(length: usize, version: u8) -> Vec<u8> {
    let mut bytes = vec![version; length];
    for (number, line) in bytes.chunks_mut(512).enumerate() {
        let mark = (number as u64).to_le_bytes();
        let end = line.len().min(mark.len());
        line[..end].copy_from_slice(&mark[..end]);
    }
    bytes
}

pub(crate) const MIB: usize = 1024 * 1024;

/// A file that is fetched in three pieces.
pub(crate) const LARGE: usize = 40 * MIB + 12_345;

pub(crate) fn client() -> Client {
    Client::builder()
        .limits(Limits::default().per_host(8))
        .build()
        .unwrap()
}

/// The names in the directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Compares without printing what differs.
pub(crate) fn is_same(path: &Path, content: &[u8]) -> bool {
    std::fs::read(path).unwrap() == content
}

/// A policy that tries a first request again.
pub(crate) fn retrying() -> Client {
    Client::builder()
        .retry(RetryPolicy::up_to(2))
        .build()
        .unwrap()
}
