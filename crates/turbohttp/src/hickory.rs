//! Names to addresses by DNS itself, with the crate hickory.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::error::{Error, ErrorKind, Result};
use crate::limits::DNS_KEPT_SECONDS;
use crate::net::Resolve;

/// Answers that are remembered: a name has two, one for each family. The least used one makes room.
const ANSWERS_MAX: u64 = 8_192;

/// How long an answer is remembered at most, in seconds, even if its lifetime is longer: an address that moves is found
/// within the hour.
const ANSWER_SECONDS_MAX: u64 = 3_600;

/// Name servers that are asked, each over connections of its own.
const NAME_SERVERS_MAX: usize = 16;

/// Asks name servers over UDP and TCP (RFC 1035), in place of the system's resolver; for programs with
/// thousands of names.
///
/// Up to 8,192 answers are remembered, each for as long as it says and an hour at most; that a name does not exist is remembered for half a minute at most. No look-up
/// occupies a thread. A clone shares what is remembered, so that several clients can.
///
/// What the system's resolver knows beside DNS, such as the names of a VPN, of the local network or of
/// other services of `nsswitch.conf`, is not found. A TCP connection to a name server is driven by a task of the runtime
/// that made it, and closed with the resolver or the runtime.
///
/// # Examples
///
/// ```
/// use turbohttp::{Client, HickoryResolver};
///
/// # fn main() -> turbohttp::Result<()> {
/// let resolver = HickoryResolver::with_name_servers([([127, 0, 0, 53], 53).into()])?;
/// let client = Client::builder().resolver(resolver).build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct HickoryResolver {
    resolver: TokioResolver,
}

impl HickoryResolver {
    /// Asks the name servers of the system, and looks into its hosts file first: `/etc/resolv.conf` with its search list
    /// and options, and `/etc/hosts`; on Windows and Apple's systems, what takes their place there. Both are read
    /// now, once, by blocking calls.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the configuration cannot be read or names no server.
    pub fn from_system() -> Result<HickoryResolver> {
        let builder = TokioResolver::builder_tokio().map_err(|error| {
            let message = "the name servers of the system cannot be told";
            Error::new(ErrorKind::Config, message).with_source(error)
        })?;
        HickoryResolver::new(builder)
    }

    /// Asks these name servers and looks into no file; each is asked by UDP, and by TCP where an answer does not
    /// fit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for no name server, or more than 16.
    pub fn with_name_servers(
        servers: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<HickoryResolver> {
        // One more than there may be says that there are too many.
        let servers = servers.into_iter().take(NAME_SERVERS_MAX + 1);
        let servers: Vec<_> = servers.map(name_server).collect();
        if servers.is_empty() || servers.len() > NAME_SERVERS_MAX {
            let bound = format!("from 1 to {NAME_SERVERS_MAX}");
            let given = match servers.is_empty() {
                true => "none",
                false => "more",
            };
            return Err(Error::config("name servers", &bound, given));
        }
        let config = ResolverConfig::from_name_servers(servers);
        let provider = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, provider);
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        HickoryResolver::new(builder)
    }

    fn new(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<HickoryResolver> {
        bound(builder.options_mut());
        let resolver = builder.build().map_err(|error| {
            Error::new(ErrorKind::Config, "the resolver cannot be made").with_source(error)
        })?;
        Ok(HickoryResolver { resolver })
    }
}

fn bound(options: &mut ResolverOpts) {
    options.cache_size = ANSWERS_MAX;
    options.positive_max_ttl = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
    options.negative_max_ttl = Some(Duration::from_secs(DNS_KEPT_SECONDS));
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

impl Resolve for HickoryResolver {
    /// # Cancel safety
    ///
    /// Dropping the future forgets the question; an answer that comes later is not remembered.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // Boxed, as its steps are large and few of them run.
        let lookup = Box::pin(self.resolver.lookup_ip(name));
        let found = lookup.await.map_err(explain)?;
        Ok(found.iter().collect())
    }
}

#[cold]
fn explain(error: NetError) -> io::Error {
    let kind = match &error {
        error if error.is_no_records_found() => io::ErrorKind::NotFound,
        NetError::Timeout => io::ErrorKind::TimedOut,
        NetError::Io(system) => match system.raw_os_error() {
            // Its code says whether this is a shortage, which passes.
            Some(code) => return io::Error::from_raw_os_error(code),
            None => system.kind(),
        },
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

impl fmt::Debug for HickoryResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HickoryResolver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_of_name_servers_is_bounded() {
        let servers = |count| {
            let server = SocketAddr::from(([127, 0, 0, 1], 53));
            HickoryResolver::with_name_servers(std::iter::repeat_n(server, count))
        };
        for (count, is_accepted) in [
            (0, false),
            (1, true),
            (NAME_SERVERS_MAX, true),
            (NAME_SERVERS_MAX + 1, false),
        ] {
            match servers(count) {
                Ok(_) => assert!(is_accepted, "{count}"),
                Err(error) => {
                    assert!(!is_accepted, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Config);
                }
            }
        }
        assert!(servers(usize::MAX).is_err(), "it is not collected");
    }

    #[test]
    fn code_of_the_system_stays() {
        const NO_DESCRIPTOR: i32 = 24;
        let system = io::Error::from_raw_os_error(NO_DESCRIPTOR);
        let explained = explain(NetError::from(system));
        assert_eq!(explained.raw_os_error(), Some(NO_DESCRIPTOR));
        assert_eq!(explain(NetError::Timeout).kind(), io::ErrorKind::TimedOut);
        assert_eq!(explain(NetError::Busy).kind(), io::ErrorKind::Other);
    }
}
