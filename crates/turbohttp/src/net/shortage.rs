//! A shortage of descriptors or local ports: a request waits for a connection of its own transport to come
//! back, instead of failing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::error::Error;

/// The requests of a transport that wait for a connection to be closed or returned.
#[derive(Default)]
pub(crate) struct Shortage {
    waiting: AtomicUsize,
    freed: Notify,
}

/// A request that waits; dropped when it goes on.
pub(crate) struct Waiting<'a>(&'a Shortage);

impl Shortage {
    /// Announces a wait. What is freed from now on is told to it.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Waiting(self)
    }

    /// A connection was closed or returned. One load while there is no shortage.
    #[inline]
    pub(crate) fn freed(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify_one();
        }
    }
}

impl Waiting<'_> {
    /// Waits until a connection was closed or returned.
    pub(crate) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // What was told to this one may be of use to the next.
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) > 1 {
            self.0.freed.notify_one();
        }
    }
}

/// Whether a connection could not be made because this process, or this machine, has no descriptor or no
/// local port left.
#[cold]
pub(crate) fn is_shortage(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let system = source.and_then(|source| source.downcast_ref::<io::Error>());
    system.is_some_and(is_short)
}

/// [`is_shortage`] of an error of the system.
#[cold]
pub(crate) fn is_short(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => true,
        _ => error.raw_os_error().is_some_and(is_no_descriptor),
    }
}

/// What made a look-up fail, if that is a shortage of descriptors: the system's resolver reads files and
/// opens sockets, and calls what fails then a name that is not known, or a failure that passes.
#[cold]
pub(crate) fn descriptor_shortage() -> Option<io::Error> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
    probe.err().filter(is_short)
}

/// The error of an attempt to connect to `address`. The system says the same of a machine without local
/// ports and of one that has no address from which it reaches `address`, such as `::1` where IPv6 is
/// switched off: the latter is no shortage, and does not pass.
#[cold]
pub(crate) fn explain(error: io::Error, address: SocketAddr) -> io::Error {
    if error.kind() == io::ErrorKind::AddrNotAvailable && !has_source_for(address) {
        return io::Error::new(io::ErrorKind::NetworkUnreachable, error);
    }
    error
}

/// Whether this machine has an address from which it can reach `address`, as far as can be told: the ports
/// of UDP are others than those of TCP, and its connect sends nothing.
fn has_source_for(address: SocketAddr) -> bool {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).is_ok_and(|probe| probe.connect(address).is_ok())
}

/// EMFILE and ENFILE; `std` has no kind for them.
fn is_no_descriptor(code: i32) -> bool {
    #[cfg(unix)]
    return code == 24 || code == 23;
    #[cfg(not(unix))]
    return code == 10_024;
}
