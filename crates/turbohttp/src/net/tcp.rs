//! Writes of several slices to a TCP socket that raise no SIGPIPE.
//!
//! A write to a connection that its peer has reset raises the signal where the host of this library has not turned
//! it off, as a program in C has not, and ends it. The standard library keeps it from writes of one slice, and not
//! from those of several, which are `writev` there.

use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// The flag of a send that raises no signal (POSIX `send`). Where there is none, sockets are made so that they raise
/// none.
const MSG_NOSIGNAL: i32 = match cfg!(any(target_os = "linux", target_os = "android")) {
    true => 0x4000,
    false => match cfg!(any(target_os = "freebsd", target_os = "dragonfly")) {
        true => 0x2_0000,
        false => 0,
    },
};

/// Writes of the slices what the socket takes at once.
pub(crate) fn poll_write_vectored(
    tcp: &TcpStream,
    cx: &mut TaskContext<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    loop {
        let send = || SockRef::from(tcp).send_vectored_with_flags(slices, MSG_NOSIGNAL);
        match tcp.try_io(Interest::WRITABLE, send) {
            // Waited for only then: mostly the socket takes it at once.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(tcp.poll_write_ready(cx))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => return Poll::Ready(written),
        }
    }
}
