//! The limit without tokio: one loop over epoll, a socket per caller, prebuilt bytes.
//!
//! # Implementation
//!
//! Level-triggered and registered once: after a request was sent there is nothing to do until its
//! answer can be read, and a request is so small that it always fits the socket's buffer.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;

use super::answer::{self, BUFFER_BYTES, Finders};
use super::{Setup, Work};
use crate::case::Workload;
use crate::histogram::Histogram;
use crate::load::{Load, Share, Until};

/// Events taken at once, as many as tokio takes.
const EVENTS: usize = 1024;

/// All connections and the loop over them.
pub(super) struct LimitEpoll {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    finders: Finders,
    work: Arc<Work>,
}

/// One connection, and where its answer stands.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// Length of the head, once it is there.
    head: Option<usize>,
    /// Content that was read and is no longer in the buffer.
    passed: u64,
    sent: Instant,
    share: Share,
}

impl LimitEpoll {
    pub(super) fn new(setup: &Setup) -> Result<LimitEpoll> {
        let work = setup.work.clone();
        ensure!(
            !work.is_tls() && !work.is_collected(),
            "limit-epoll neither speaks TLS nor collects"
        );
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(setup.callers);
        for number in 0..setup.callers {
            let stream = TcpStream::connect(&work.authority)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, &stream, data, EventFlags::IN)?;
            connections.push(Connection {
                stream,
                buffer: vec![0; BUFFER_BYTES],
                filled: 0,
                head: None,
                passed: 0,
                sent: Instant::now(),
                share: Share::Requests(0),
            });
        }
        Ok(LimitEpoll {
            epoll,
            connections,
            request: answer::request(&work),
            finders: Finders::new(),
            work,
        })
    }
}

impl Load for LimitEpoll {
    fn drive(&mut self, until: Until, histogram: &Arc<Histogram>) -> Result<u64> {
        let (mut active, mut requests) = (0, 0);
        let shares = until.shares(self.connections.len());
        for (connection, share) in self.connections.iter_mut().zip(shares) {
            connection.share = share;
            connection.sent = Instant::now();
            active += u64::from(connection.go_on(&self.request)?);
        }
        let mut events = Vec::with_capacity(EVENTS);
        while active > 0 {
            epoll::wait(&self.epoll, spare_capacity(&mut events), None)?;
            for event in events.drain(..) {
                let connection = &mut self.connections[event.data.u64() as usize];
                if !connection.receive(&self.finders, &self.work)? {
                    continue;
                }
                requests += 1;
                if matches!(connection.share, Share::Until(_)) {
                    let now = Instant::now();
                    histogram.record(now - connection.sent);
                    connection.sent = now;
                }
                active -= u64::from(!connection.go_on(&self.request)?);
            }
        }
        Ok(requests)
    }
}

impl Connection {
    /// Sends the next request, if its share is not done.
    fn go_on(&mut self, request: &[u8]) -> Result<bool> {
        match &mut self.share {
            Share::Until(deadline) if self.sent >= *deadline => return Ok(false),
            Share::Until(_) => {}
            Share::Requests(0) => return Ok(false),
            Share::Requests(left) => *left -= 1,
        }
        (self.filled, self.head, self.passed) = (0, None, 0);
        let sent = self.stream.write(request)?;
        ensure!(sent == request.len(), "a request did not fit the socket");
        Ok(true)
    }

    /// Reads once; says whether the answer is whole.
    fn receive(&mut self, finders: &Finders, work: &Work) -> Result<bool> {
        let read = self.stream.read(&mut self.buffer[self.filled..])?;
        ensure!(read > 0, "the connection ended within an answer");
        self.filled += read;
        let bytes = &self.buffer[..self.filled];
        let head = match self.head.or_else(|| finders.head_length(bytes)) {
            None => return Ok(false),
            Some(head) => head,
        };
        if self.head.is_none() {
            finders.check_head(work, &bytes[..head])?;
            self.head = Some(head);
        }
        let length = match work.workload {
            Workload::Chunked => match answer::chunked_length(&bytes[head..])? {
                None => return Ok(false),
                Some(length) => length,
            },
            _ => {
                self.passed += (self.filled - head) as u64;
                self.filled = head;
                self.passed
            }
        };
        if length < work.workload.content_length() {
            return Ok(false);
        }
        work.check_length(length)?;
        Ok(true)
    }
}
