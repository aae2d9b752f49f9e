//! Happy Eyeballs (RFC 8305): a race of connections to the addresses of one host.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use turbohttp_core::contain;

use super::shortage::is_short;
use super::sockets::{Attempted, SocketOptions, attempt};
use crate::error::{Error, ErrorKind};
use crate::limits::NEXT_ADDRESS_MS;

/// Polls an attempt; in a runtime without its driver for sockets it panics, which is an error here.
fn poll_attempt(
    attempt: &mut Attempt<'_>,
    cx: &mut TaskContext<'_>,
) -> Poll<io::Result<Attempted>> {
    contain::catch(|| attempt.as_mut().poll(cx)).unwrap_or_else(|payload| {
        contain::discard(payload);
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::Unsupported,
            NO_IO_DRIVER,
        )))
    })
}

const NO_IO_DRIVER: &str = "tokio runtime has no driver for sockets: build it with enable_all()";

#[cold]
pub(super) fn connect_error(error: io::Error, addresses: &[SocketAddr]) -> Error {
    if error.kind() == io::ErrorKind::Unsupported && error.to_string() == NO_IO_DRIVER {
        return Error::new(ErrorKind::Runtime, NO_IO_DRIVER);
    }
    let message = match addresses {
        [only] => format!("no connection to {only}"),
        [first, rest @ ..] => format!("no connection to {first} or {} more addresses", rest.len()),
        [] => "no address to connect to".to_owned(),
    };
    Error::new(ErrorKind::Connect, message).with_source(error)
}

type Attempt<'a> = Pin<Box<dyn Future<Output = io::Result<Attempted>> + Send + 'a>>;

/// Connects to the first address that answers: each gets a head start over the next, and a refusal
/// starts the next at once (RFC 8305 section 5). The others are closed when the race is dropped.
pub(super) struct Race<'a> {
    waiting: std::slice::Iter<'a, SocketAddr>,
    sockets: &'a SocketOptions,
    /// At most as many as there are addresses: `ADDRESSES_MAX`.
    running: Vec<(IpAddr, Attempt<'a>)>,
    head_start: Pin<Box<Sleep>>,
    last_error: Option<io::Error>,
    /// The addresses whose attempts have failed.
    pub(super) refused: Vec<IpAddr>,
}

impl<'a> Race<'a> {
    pub(super) fn new(addresses: &'a [SocketAddr], sockets: &'a SocketOptions) -> Race<'a> {
        Race {
            waiting: addresses.iter(),
            sockets,
            running: Vec::new(),
            head_start: Box::pin(tokio::time::sleep(Duration::ZERO)),
            last_error: None,
            refused: Vec::new(),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Attempted>> {
        if self.running.is_empty() && self.last_error.is_none() {
            self.start_next();
        }
        loop {
            let mut index = 0;
            while index < self.running.len() {
                match poll_attempt(&mut self.running[index].1, cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(Ok(connected)) => return Poll::Ready(Ok(connected)),
                    Poll::Ready(Err(error)) => {
                        let (address, _) = self.running.swap_remove(index);
                        self.failed(address, error);
                        self.start_next();
                    }
                }
            }
            // Each failure has started the next attempt, so that there is no address left.
            if self.running.is_empty() {
                let none = || io::Error::new(io::ErrorKind::NotFound, "no address");
                return Poll::Ready(Err(self.last_error.take().unwrap_or_else(none)));
            }
            if self.waiting.len() == 0 {
                return Poll::Pending;
            }
            std::task::ready!(self.head_start.as_mut().poll(cx));
            self.start_next();
        }
    }

    #[cold]
    fn failed(&mut self, address: IpAddr, error: io::Error) {
        if !is_short(&error) {
            self.refused.push(address);
        }
        // A refusal says more of the host than an address that cannot be reached from here.
        let is_unreachable = error.kind() == io::ErrorKind::NetworkUnreachable;
        if !is_unreachable || self.last_error.is_none() {
            self.last_error = Some(error);
        }
    }

    fn start_next(&mut self) {
        if let Some(address) = self.waiting.next() {
            let attempt: Attempt<'a> = Box::pin(attempt(*address, self.sockets));
            self.running.push((address.ip(), attempt));
            let next = tokio::time::Instant::now() + Duration::from_millis(NEXT_ADDRESS_MS);
            self.head_start.as_mut().reset(next);
        }
    }
}
