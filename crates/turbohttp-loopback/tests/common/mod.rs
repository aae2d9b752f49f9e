//! A client that is nothing but a socket.
#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc
)]
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::future::Future;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub struct Peer {
    stream: BufReader<TcpStream>,
}

impl Peer {
    pub fn connect(addr: SocketAddr) -> Peer {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer {
            stream: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub fn read_head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(
                self.stream.read_line(&mut head).unwrap(),
                0,
                "cut within {head:?}"
            );
        }
        head
    }

    /// Reads an answer that is delimited by its length.
    pub fn read_answer(&mut self) -> (String, Vec<u8>) {
        let head = self.read_head();
        let mut content = vec![0; content_length(&head).unwrap()];
        self.stream.read_exact(&mut content).unwrap();
        (head, content)
    }

    pub fn read_exact(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Head and content of an answer that the end of its connection ended.
pub fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a whole head")
        + 4;
    (
        String::from_utf8(answer[..end].to_vec()).unwrap(),
        answer[end..].to_vec(),
    )
}

/// The content without its framing, which is checked.
pub fn body(head: &str, content: Vec<u8>) -> Vec<u8> {
    if head.contains("transfer-encoding: chunked\r\n") {
        return unchunk(&content);
    }
    if let Some(length) = content_length(head) {
        assert_eq!(content.len(), length);
    }
    content
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn content_length(head: &str) -> Option<usize> {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    Some(line.parse().unwrap())
}

fn unchunk(mut framed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    loop {
        let mut line = String::new();
        framed.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim_end(), 16).unwrap();
        content.extend_from_slice(&framed[..size]);
        assert_eq!(&framed[size..size + 2], b"\r\n");
        framed = &framed[size + 2..];
        if size == 0 {
            assert!(framed.is_empty());
            return content;
        }
    }
}
