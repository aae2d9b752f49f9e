//! What the system is asked for with every connection: its options, and what this end is bound to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

use super::shortage;
use crate::context::Addresses;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{INTERFACE_BYTES_MAX, KEEPALIVE_SECONDS_MAX, USER_TIMEOUT_MS_MAX};

const CAN_BIND_TO_INTERFACE: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// A connection, and its two ends.
pub(super) type Attempted = (TcpStream, Addresses);

/// What the system is asked to do for every connection.
#[derive(Clone, Debug)]
pub(crate) struct SocketOptions {
    /// After how long of silence, and how often then, the peer is probed (SO_KEEPALIVE).
    pub(crate) keepalive: Option<Duration>,
    /// How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT, RFC 5482).
    pub(crate) user_timeout: Option<Duration>,
    /// The families of addresses that are connected to.
    pub(crate) version: IpVersion,
    /// What this end of the connection is bound to.
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) local_ports: Option<RangeInclusive<u16>>,
    pub(crate) interface: Option<Box<str>>,
}

/// Which addresses of a host are connected to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "complete: there are two families")]
pub enum IpVersion {
    /// Those of both families, in turn (RFC 8305).
    #[default]
    Any,
    /// IPv4 only.
    V4Only,
    /// IPv6 only.
    V6Only,
}

impl SocketOptions {
    /// Keep-alive as curl has it.
    pub(crate) const DEFAULT: SocketOptions = SocketOptions {
        keepalive: Some(Duration::from_secs(60)),
        user_timeout: None,
        version: IpVersion::Any,
        local_address: None,
        local_ports: None,
        interface: None,
    };

    /// Refuses what the system cannot be told, and would refuse for every connection: it counts keep-alive
    /// in whole seconds, and the user timeout in milliseconds.
    pub(crate) fn check(&self) -> Result<()> {
        let (second, most) = (
            Duration::from_secs(1),
            Duration::from_secs(KEEPALIVE_SECONDS_MAX),
        );
        if let Some(time) = self.keepalive
            && !(second..=most).contains(&time)
        {
            let bound = format!("{second:?}..={most:?}");
            return Err(Error::config("tcp_keepalive", &bound, format!("{time:?}")));
        }
        let (least, most) = (
            Duration::from_millis(1),
            Duration::from_millis(USER_TIMEOUT_MS_MAX),
        );
        if let Some(limit) = self.user_timeout
            && !(least..=most).contains(&limit)
        {
            let bound = format!("{least:?}..={most:?}");
            return Err(Error::config(
                "tcp_user_timeout",
                &bound,
                format!("{limit:?}"),
            ));
        }
        self.check_local()
    }

    fn check_local(&self) -> Result<()> {
        if let Some(ports) = &self.local_ports
            && (ports.is_empty() || *ports.start() == 0)
        {
            let bound = "a range of ports from 1 on, not empty";
            return Err(Error::config("local_port", bound, format!("{ports:?}")));
        }
        if self.local_address.is_some_and(|own| !self.version.has(own)) {
            let bound = "an address of the family that ip_version permits";
            let own = self
                .local_address
                .map_or(String::new(), |own| own.to_string());
            return Err(Error::config("local_address", bound, own));
        }
        let Some(name) = &self.interface else {
            return Ok(());
        };
        if !CAN_BIND_TO_INTERFACE {
            let message =
                "interface: this system binds no socket to an interface; Linux and Android do";
            return Err(Error::new(ErrorKind::Config, message));
        }
        if name.is_empty() || name.len() > INTERFACE_BYTES_MAX || name.contains(['\0', '/']) {
            let bound = format!("a name of 1..={INTERFACE_BYTES_MAX} bytes");
            return Err(Error::config("interface", &bound, format!("{name:?}")));
        }
        Ok(())
    }

    /// Whether `address` is connected to.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let is_of_family = |own: IpAddr| own.is_ipv4() == address.is_ipv4();
        self.version.has(address) && self.local_address.is_none_or(is_of_family)
    }

    /// What [`has`](SocketOptions::has) leaves, in words.
    pub(crate) fn family(&self) -> &'static str {
        match (self.version, self.local_address) {
            (IpVersion::V4Only, _) | (_, Some(IpAddr::V4(_))) => "IPv4 address",
            (IpVersion::V6Only, _) | (_, Some(IpAddr::V6(_))) => "IPv6 address",
            _ => "address",
        }
    }

    fn is_bound(&self) -> bool {
        self.local_address.is_some() || self.local_ports.is_some() || self.interface.is_some()
    }

    /// A connection from the address, port and interface that the options name.
    async fn connect_bound(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let (socket, any): (_, IpAddr) = match address {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, Ipv4Addr::UNSPECIFIED.into()),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, Ipv6Addr::UNSPECIFIED.into()),
        };
        self.bind_to_interface(&socket)?;
        let own = self.local_address.unwrap_or(any);
        match &self.local_ports {
            Some(ports) => bind_in(&socket, own, ports.clone())?,
            None if self.local_address.is_some() => bind(&socket, (own, 0).into())?,
            None => {}
        }
        socket.connect(address).await
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn bind_to_interface(&self, socket: &TcpSocket) -> io::Result<()> {
        match &self.interface {
            Some(name) => {
                let bound = SockRef::from(socket).bind_device(Some(name.as_bytes()));
                bound.map_err(|error| {
                    let message = format!("cannot connect from interface {name}: {error}");
                    io::Error::new(error.kind(), message)
                })
            }
            None => Ok(()),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    #[expect(clippy::unused_self, reason = "as on Linux")]
    fn bind_to_interface(&self, _socket: &TcpSocket) -> io::Result<()> {
        Ok(())
    }

    fn apply(&self, stream: &TcpStream) -> io::Result<()> {
        // A request leaves in one write: waiting for more would only delay it.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(stream);
        if let Some(time) = self.keepalive {
            let keepalive = TcpKeepalive::new().with_time(time).with_interval(time);
            socket.set_tcp_keepalive(&keepalive)?;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Some(limit) = self.user_timeout {
            socket.set_tcp_user_timeout(Some(limit))?;
        }
        Ok(())
    }
}

impl IpVersion {
    fn has(self, address: IpAddr) -> bool {
        match self {
            IpVersion::Any => true,
            IpVersion::V4Only => address.is_ipv4(),
            IpVersion::V6Only => address.is_ipv6(),
        }
    }
}

fn bind(socket: &TcpSocket, own: SocketAddr) -> io::Result<()> {
    socket.bind(own).map_err(|error| match error.kind() {
        // Of a kind of its own: no port comes free by waiting.
        io::ErrorKind::AddrNotAvailable => {
            let message = format!(
                "cannot connect from {}: no address of this machine",
                own.ip()
            );
            io::Error::new(io::ErrorKind::InvalidInput, message)
        }
        _ => error,
    })
}

/// Binds to the first port that is free.
fn bind_in(socket: &TcpSocket, own: IpAddr, ports: RangeInclusive<u16>) -> io::Result<()> {
    for port in ports.clone() {
        match bind(socket, (own, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            bound => return bound,
        }
    }
    // As a machine without local ports: the request waits for one of them.
    let message = format!("all local ports of {ports:?} are in use");
    Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message))
}

/// Connects to one address.
pub(super) async fn attempt(address: SocketAddr, sockets: &SocketOptions) -> io::Result<Attempted> {
    let connected = match sockets.is_bound() {
        true => Box::pin(sockets.connect_bound(address)).await,
        false => TcpStream::connect(address).await,
    };
    let stream = connected.map_err(|error| shortage::explain(error, address))?;
    sockets.apply(&stream)?;
    // Asked once, so that a response can tell them without a system call.
    let addresses = Addresses {
        remote: stream.peer_addr()?,
        local: stream.local_addr()?,
    };
    // Where nobody listens on a local port, the system may choose that very port for this end, and TCP
    // connects the socket to itself (RFC 9293 section 3.5, simultaneous open).
    if addresses.remote == addresses.local {
        let message = "nobody listens there: the socket was connected to itself";
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, message));
    }
    Ok((stream, addresses))
}
