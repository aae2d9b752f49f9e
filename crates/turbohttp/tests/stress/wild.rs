//! A server of HTTP/2 that misbehaves by a seed, frame by frame, and keeps the accounts of what it saw.
//!
//! # Implementation
//!
//! It reads no field block: a POST says its number in its content, a GET says none. Its answers wait, are
//! sent in another order, cut, refused or never sent; its output is split and gathered at random; its limits
//! change; and its connections go away, end or are reset at any moment. What it may blame the client for are
//! more streams or more content than it has permitted, and a number that is processed twice.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use turbohttp_loopback::script::frames::{self, Frame};

use crate::plan::Dice;

/// The window of a stream and of the connection before anything is said.
const WINDOW_AT_FIRST: i64 = 65_535;

/// What the server saw.
#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) connections: u64,
    /// The numbers of POSTs that were taken, be they answered or not.
    pub(crate) processed: HashSet<u64>,
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    pub(crate) gone: u64,
    pub(crate) complaints: Vec<String>,
}

/// A running server; it lives as long as the process.
pub(crate) struct Wild {
    address: SocketAddr,
    accounts: Arc<Mutex<Accounts>>,
}

impl Wild {
    pub(crate) fn start(seed: u64) -> Wild {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let accounts = Arc::<Mutex<Accounts>>::default();
        let shared = accounts.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let mut dice = Dice::new(seed);
                while let Ok((tcp, _)) = listener.accept().await {
                    tcp.set_nodelay(true).unwrap();
                    shared.lock().unwrap().connections += 1;
                    let connection = Connection::new(tcp, Dice::new(dice.roll()), shared.clone());
                    tokio::spawn(connection.run());
                }
            });
        });
        Wild { address, accounts }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn accounts<T>(&self, look: impl FnOnce(&Accounts) -> T) -> T {
        look(&self.accounts.lock().unwrap())
    }
}

/// A request whose answer is not whole yet.
struct Stream {
    content: Vec<u8>,
    /// What of its content is permitted.
    window: i64,
    has_ended: bool,
}

/// How a connection is to end.
enum End {
    /// All that is due is sent first.
    Later,
    Now,
    Reset,
}

struct Connection {
    tcp: TcpStream,
    dice: Dice,
    accounts: Arc<Mutex<Accounts>>,
    input: Vec<u8>,
    /// Frames that are not sent yet.
    output: Vec<u8>,
    streams: BTreeMap<u32, Stream>,
    window: i64,
    /// Settings that are in force, and those that are not acknowledged yet: streams and window.
    settings: (u64, i64),
    announced: Vec<(u64, i64)>,
    end: Option<End>,
    last_taken: u32,
}

impl Connection {
    fn new(tcp: TcpStream, dice: Dice, accounts: Arc<Mutex<Accounts>>) -> Connection {
        Connection {
            tcp,
            dice,
            accounts,
            input: Vec::new(),
            output: Vec::new(),
            streams: BTreeMap::new(),
            window: WINDOW_AT_FIRST,
            settings: (u64::MAX, WINDOW_AT_FIRST),
            announced: Vec::new(),
            end: None,
            last_taken: 0,
        }
    }

    async fn run(mut self) {
        let mut preface = [0; frames::PREFACE.len()];
        if self.tcp.read_exact(&mut preface).await.is_err() {
            return;
        }
        self.announce();
        // An error is the client's leaving.
        _ = self.serve().await;
    }

    async fn serve(&mut self) -> io::Result<()> {
        loop {
            self.write().await?;
            match self.end {
                Some(End::Now) => return self.tcp.shutdown().await,
                Some(End::Reset) => return self.tcp.set_zero_linger(),
                Some(End::Later) if self.streams.is_empty() => return self.tcp.shutdown().await,
                _ => {}
            }
            let mut piece = [0; 16_384];
            let length = self.tcp.read(&mut piece).await?;
            if length == 0 {
                return Ok(());
            }
            self.input.extend_from_slice(&piece[..length]);
            while let Some((frame, length)) = frames::first(&self.input) {
                self.input.drain(..length);
                self.take(&frame);
            }
            self.act();
        }
    }

    /// Sends what is due, in pieces of any size.
    async fn write(&mut self) -> io::Result<()> {
        let output = std::mem::take(&mut self.output);
        let mut rest = &output[..];
        while !rest.is_empty() {
            let length = match self.dice.below(4) {
                0 => self.dice.some(20) as usize,
                1 => self.dice.some(2_000) as usize,
                _ => rest.len(),
            };
            let (piece, behind) = rest.split_at(length.min(rest.len()));
            self.tcp.write_all(piece).await?;
            rest = behind;
            if self.dice.below(3) == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    fn complain(&self, what: String) {
        self.accounts.lock().unwrap().complaints.push(what);
    }

    /// Says new settings.
    fn announce(&mut self) {
        let streams = self.dice.some(24);
        let window = [0, 10, 3_000, 65_535, 200_000][self.dice.below(5)];
        self.announced.push((streams, window));
        let pairs = [
            (frames::MAX_CONCURRENT_STREAMS, streams as u32),
            (frames::INITIAL_WINDOW_SIZE, window as u32),
        ];
        self.output.extend(frames::settings(&pairs));
    }

    fn take(&mut self, frame: &Frame) {
        match frame.kind {
            frames::HEADERS => self.opened(frame),
            frames::DATA => self.content(frame),
            frames::RST_STREAM => {
                self.streams.remove(&frame.stream);
            }
            frames::SETTINGS if !frame.has(frames::ACK) => {
                self.output.extend(frames::settings_ack());
            }
            frames::SETTINGS => self.acknowledged(),
            // Now and then nobody is there.
            frames::PING if !frame.has(frames::ACK) && self.dice.below(500) > 0 => {
                let payload = frame.payload[..].try_into().unwrap();
                self.output.extend(frames::ping(true, payload));
            }
            frames::GOAWAY if frame.number(4) != Some(0) => {
                let said = format!("GOAWAY with {:?}", frame.number(4));
                self.complain(said);
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self) {
        if self.announced.is_empty() {
            return self.complain("SETTINGS acknowledged that were not sent".to_owned());
        }
        let new = self.announced.remove(0);
        for stream in self.streams.values_mut() {
            stream.window += new.1 - self.settings.1;
        }
        self.settings = new;
    }

    fn opened(&mut self, frame: &Frame) {
        if matches!(self.end, Some(End::Later)) {
            // It was said that this stream is not taken.
            return;
        }
        let has_ended = frame.has(frames::END_STREAM);
        let stream = Stream {
            content: Vec::new(),
            window: self.settings.1,
            has_ended,
        };
        self.streams.insert(frame.stream, stream);
        let (open, limit) = (self.streams.len() as u64, self.settings.0);
        if open > limit {
            self.complain(format!("{open} streams at once, {limit} are permitted"));
        }
    }

    fn content(&mut self, frame: &Frame) {
        let length = frame.payload.len() as i64;
        if length > self.window.max(0) {
            let window = self.window;
            self.complain(format!("{length} bytes, {window} in the window of all"));
        }
        self.window -= length;
        if let Some(stream) = self.streams.get_mut(&frame.stream) {
            let window = stream.window.max(0);
            stream.window -= length;
            stream.content.extend_from_slice(&frame.payload);
            stream.has_ended = frame.has(frames::END_STREAM);
            if length > window {
                self.complain(format!(
                    "{length} bytes, {window} in the window of a stream"
                ));
            }
        }
    }

    /// Gives credit, answers, and what else comes to its mind.
    fn act(&mut self) {
        self.credit();
        let ready: Vec<u32> = (self.streams.iter())
            .filter(|(_, stream)| stream.has_ended)
            .map(|(id, _)| *id)
            .collect();
        // The last one first, sometimes.
        let is_backward = self.dice.below(2) == 0;
        for at in 0..ready.len() {
            let at = if is_backward {
                ready.len() - 1 - at
            } else {
                at
            };
            self.settle(ready[at]);
        }
        match self.dice.below(400) {
            0..8 => self.announce(),
            8..14 if self.end.is_none() => self.go_away(),
            14 => self.end = Some(End::Now),
            15 => self.end = Some(End::Reset),
            _ => {}
        }
    }

    fn credit(&mut self) {
        if self.window < WINDOW_AT_FIRST / 2 {
            self.window += WINDOW_AT_FIRST;
            let bytes = WINDOW_AT_FIRST as u32;
            self.output.extend(frames::window_update(0, bytes));
        }
        for (id, stream) in &mut self.streams {
            if !stream.has_ended && stream.window <= 0 {
                let bytes = (1 - stream.window) + self.dice.below(30_000) as i64;
                stream.window += bytes;
                self.output.extend(frames::window_update(*id, bytes as u32));
            }
        }
    }

    /// Takes no stream above the highest one that was taken, and answers those that were.
    fn go_away(&mut self) {
        let last = self.last_taken;
        self.accounts.lock().unwrap().gone += 1;
        self.output.extend(frames::goaway(last, 0, b"enough"));
        self.streams.retain(|id, _| *id <= last);
        self.end = Some(End::Later);
    }

    /// Decides about a request that is here whole.
    fn settle(&mut self, id: u32) {
        let fate = self.dice.below(100);
        if fate < 5 && self.end.is_none() {
            self.streams.remove(&id);
            self.accounts.lock().unwrap().refused += 1;
            return self.output.extend(frames::rst(id, 7));
        }
        let Some(stream) = self.streams.remove(&id) else {
            return;
        };
        self.last_taken = self.last_taken.max(id);
        let number = stream.content.first_chunk::<8>();
        if let Some(number) = number.map(|bytes| u64::from_be_bytes(*bytes))
            && !self.accounts.lock().unwrap().processed.insert(number)
        {
            self.complain(format!("{number} was processed twice"));
        }
        let block = frames::block(&[(":status", "200")]);
        let head = frames::headers(id, frames::END_HEADERS, &block);
        match fate {
            5..10 => {
                self.accounts.lock().unwrap().broken += 1;
                let code = [2, 8, 11][self.dice.below(3)];
                self.output.extend(frames::rst(id, code));
            }
            10..13 => {
                self.accounts.lock().unwrap().broken += 1;
                self.output.extend(head);
                self.output.extend(frames::data(id, 0, b"half an"));
                self.output.extend(frames::rst(id, 2));
            }
            // Never: the client loses its patience.
            13..15 => {}
            _ => {
                self.accounts.lock().unwrap().answered += 1;
                self.output.extend(head);
                for piece in stream.content.chunks(self.dice.some(16_384) as usize) {
                    self.output.extend(frames::data(id, 0, piece));
                }
                self.output
                    .extend(frames::data(id, frames::END_STREAM, b"."));
            }
        }
    }
}
