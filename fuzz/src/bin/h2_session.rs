//! Scripts of operations of a client and a server of the `h2` crate in memory: the server finds no fault with
//! what the client writes, and both read what the other has sent.
#![no_main]

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::{Connection, Handshake, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turbohttp_fuzz::http2::Client;

fuzz_target!(|script: &[u8]| {
    let mut session = Session::new();
    for operation in script.chunks_exact(2).take(400) {
        session.run(operation[0], operation[1]);
        session.client.check();
    }
    session.end();
});

/// Both directions of a connection.
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Ways>>);

#[derive(Default)]
struct Ways {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = &mut self.0.lock().expect("one thread").to_server;
        if bytes.is_empty() {
            return Poll::Pending;
        }
        let length = bytes.len().min(buffer.remaining());
        for byte in bytes.drain(..length) {
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let to_client = &mut self.0.lock().expect("one thread").to_client;
        to_client.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

enum Server {
    Greeting(Handshake<Pipe, Bytes>),
    Serving(Connection<Pipe, Bytes>),
    Gone,
}

/// A request as the server has it.
struct Served {
    body: RecvStream,
    respond: Option<SendResponse<Bytes>>,
    stream: Option<SendStream<Bytes>>,
    received: usize,
    /// The content, as it was handed to the library.
    sent: Vec<u8>,
    has_ended: bool,
    was_reset: bool,
}

struct Session {
    client: Client,
    pipe: Pipe,
    server: Server,
    served: BTreeMap<u32, Served>,
}

impl Session {
    fn new() -> Session {
        let pipe = Pipe::default();
        let mut builder = h2::server::Builder::new();
        builder
            .max_concurrent_streams(3)
            .initial_window_size(5_000)
            .max_header_list_size(16_384)
            .max_concurrent_reset_streams(1_000)
            // A client that gives up many requests at once keeps to the protocol; that this server has a limit to it
            // is a policy.
            .max_pending_accept_reset_streams(1_000);
        let handshake = builder.handshake(pipe.clone());
        Session {
            client: Client::new(),
            pipe,
            server: Server::Greeting(handshake),
            served: BTreeMap::new(),
        }
    }

    fn run(&mut self, operation: u8, value: u8) {
        let at = usize::from(value % 8);
        let bytes = usize::from(value) * 97;
        let (kind, ends) = (operation % 16, operation & 0x80 != 0);
        match kind {
            0 | 1 if self.client.requests.len() < 8 => self.client.begin(ends),
            2 | 3 => self.client.poll(at),
            4 | 5 => {
                self.client
                    .send(usize::from(operation >> 4) % 8, &vec![7; bytes], ends);
            }
            6 => self.client.give_up(at),
            7 | 8 => self.write(),
            9 => self.read(usize::from(value) * 64 + 1),
            10 => self.respond(at, ends),
            11 | 12 => self.send(usize::from(operation >> 4) % 8, bytes, ends),
            13 => self.take(at),
            14 => self.reset(at),
            15 => self.settings(value, ends),
            _ => self.exchange(),
        }
    }

    /// The client writes, and the server reads all of it.
    fn write(&mut self) {
        let output = self.client.output();
        self.pipe
            .0
            .lock()
            .expect("one thread")
            .to_server
            .extend(output);
        self.serve();
    }

    /// The client reads some bytes of the server.
    fn read(&mut self, most: usize) {
        let bytes: Vec<u8> = {
            let to_client = &mut self.pipe.0.lock().expect("one thread").to_client;
            let length = most.min(to_client.len());
            to_client.drain(..length).collect()
        };
        self.client.receive(&bytes);
        assert_eq!(self.client.fault, None, "the server keeps to the protocol");
    }

    fn exchange(&mut self) {
        self.write();
        self.read(usize::MAX);
    }

    fn serve(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        if let Server::Greeting(handshake) = &mut self.server {
            match Pin::new(handshake).poll(cx) {
                Poll::Pending => return,
                Poll::Ready(connection) => {
                    self.server = Server::Serving(connection.expect("the preface is right"));
                }
            }
        }
        let Server::Serving(connection) = &mut self.server else {
            return;
        };
        // Accepting drives the connection; a second time for what its own answers have set off.
        for _ in 0..2 {
            while let Poll::Ready(accepted) = connection.poll_accept(cx) {
                let Some(accepted) = accepted else {
                    self.server = Server::Gone;
                    return;
                };
                let (request, respond) = accepted.expect("the client keeps to the protocol");
                let id = respond.stream_id().as_u32();
                let served = Served {
                    body: request.into_body(),
                    respond: Some(respond),
                    stream: None,
                    received: 0,
                    sent: Vec::new(),
                    has_ended: false,
                    was_reset: false,
                };
                assert!(self.served.insert(id, served).is_none());
            }
        }
    }

    fn nth(&mut self, at: usize) -> Option<&mut Served> {
        let mut open = self
            .served
            .values_mut()
            .filter(|served| !served.has_ended && !served.was_reset);
        open.nth(at)
    }

    fn respond(&mut self, at: usize, ends: bool) {
        let Some(served) = self.nth(at) else { return };
        let Some(mut respond) = served.respond.take() else {
            return;
        };
        let response = http::Response::builder().header("x-name", "value").body(());
        if let Ok(stream) = respond.send_response(response.expect("it is sound"), ends) {
            served.stream = Some(stream);
            served.has_ended = ends;
        }
        self.serve();
    }

    fn send(&mut self, at: usize, bytes: usize, ends: bool) {
        let Some(served) = self.nth(at) else { return };
        let Some(stream) = &mut served.stream else {
            return;
        };
        let content = vec![served.sent.len() as u8; bytes];
        let sent = match ends && bytes % 3 == 0 {
            true => {
                let trailers = [(http::header::ETAG, "1".parse().expect("it is sound"))];
                stream.send_trailers(trailers.into_iter().collect())
            }
            false => {
                let sent = stream.send_data(content.clone().into(), ends);
                if sent.is_ok() {
                    served.sent.extend_from_slice(&content);
                }
                sent
            }
        };
        served.has_ended = ends && sent.is_ok();
        self.serve();
    }

    /// The server reads content of a request.
    fn take(&mut self, at: usize) {
        let cx = &mut Context::from_waker(Waker::noop());
        let Some(served) = self.served.values_mut().nth(at) else {
            return;
        };
        while let Poll::Ready(Some(Ok(content))) = served.body.poll_data(cx) {
            assert!(content.iter().all(|byte| *byte == 7));
            served.received += content.len();
            _ = served.body.flow_control().release_capacity(content.len());
        }
        self.serve();
    }

    fn reset(&mut self, at: usize) {
        let Some(served) = self.nth(at) else { return };
        match (&mut served.stream, &mut served.respond) {
            (Some(stream), _) => stream.send_reset(Reason::INTERNAL_ERROR),
            (_, Some(respond)) => respond.send_reset(Reason::REFUSED_STREAM),
            _ => return,
        }
        served.was_reset = true;
        self.serve();
    }

    fn settings(&mut self, value: u8, goes_away: bool) {
        let Server::Serving(connection) = &mut self.server else {
            return;
        };
        match (goes_away && value > 250, value % 2) {
            (true, _) => connection.graceful_shutdown(),
            // A second change before the first is acknowledged is refused by the library.
            (false, 0) => _ = connection.set_initial_window_size(u32::from(value) * 100),
            (false, _) => connection.set_target_window_size(65_535 + u32::from(value) * 100),
        }
        self.serve();
    }

    /// All that can go on does, and what arrived is what was sent.
    fn end(&mut self) {
        for _ in 0..100 {
            self.exchange();
            (0..8).for_each(|at| self.client.poll(at));
            (0..self.served.len()).for_each(|at| self.take(at));
        }
        self.client.check();
        for request in &self.client.requests {
            let Some(served) = self.served.get(&request.id) else {
                assert!(!request.has_ended, "nobody has answered");
                continue;
            };
            assert!(
                served.sent.starts_with(&request.content),
                "what was not sent"
            );
            assert!(served.received <= request.sent, "what was not sent");
            if request.failure.is_some() || served.was_reset {
                continue;
            }
            assert_eq!(served.received, request.sent, "all of it arrives");
            if served.has_ended {
                assert_eq!(request.content, served.sent, "all of it arrives");
                assert!(request.has_ended);
            }
            if served.stream.is_some() {
                assert_eq!(request.head, Some((200, 1)));
            }
        }
        self.client.close();
        self.exchange();
    }
}
