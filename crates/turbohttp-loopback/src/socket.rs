//! What std and tokio do not offer for sockets and threads.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

/// Connections the system may hold before they are accepted. std's 128 is less than the callers of
/// a benchmark that all begin at once, and a SYN beyond it is repeated only after a second.
const BACKLOG: i32 = 4096;

/// Listens on `address`, ready for tokio.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Windows this option would let another process take the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    #[cfg(target_os = "linux")]
    choose_congestion_control(&socket);
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Best effort. Where the system's default is bbr, its pacing holds large transfers over loopback
/// to a fraction of what a plain window reaches. Accepted sockets inherit the choice.
#[cfg(target_os = "linux")]
fn choose_congestion_control(socket: &Socket) {
    for algorithm in ["cubic", "reno"] {
        if socket.set_tcp_congestion(algorithm.as_bytes()).is_ok() {
            return;
        }
    }
}

/// Makes the coming close of `stream` a reset (RST) instead of an orderly end (FIN).
pub(crate) fn reset_on_close(stream: &tokio::net::TcpStream) {
    // Fails only for a socket that is gone already, which is what was wanted.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Pins the calling thread to `core`. Best effort.
#[cfg(target_os = "linux")]
pub(crate) fn pin_thread(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if core < CpuSet::MAX_CPU {
        let mut cores = CpuSet::new();
        cores.set(core);
        let _ = sched_setaffinity(None, &cores);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn pin_thread(_core: usize) {}
