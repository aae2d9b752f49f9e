//! How servers are reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::values::{Resolve, duration, ports, resolve};

/// Proxies
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Proxies")]
pub(crate) struct ProxyArgs {
    /// Send requests by this proxy: http (also without a scheme), https, socks5, or socks5h, which looks the
    /// names up itself; '' uses none
    ///
    /// Without it, the variables http_proxy, https_proxy and all_proxy name one, and no_proxy the hosts
    /// that need none, as in curl.
    #[arg(short = 'x', long, value_name = "[SCHEME://]HOST[:PORT]")]
    pub(crate) proxy: Option<String>,

    /// User and password of the proxy
    #[arg(short = 'U', long, value_name = "USER:PASSWORD")]
    pub(crate) proxy_user: Option<String>,

    /// The same as --proxy socks5://HOST
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["proxy", "socks5_hostname"])]
    pub(crate) socks5: Option<String>,

    /// The same as --proxy socks5h://HOST
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "proxy")]
    pub(crate) socks5_hostname: Option<String>,

    /// Hosts, with commas between them, that are reached without a proxy: names with all below them,
    /// addresses, networks as 192.0.2.0/24; * is all. In place of no_proxy
    #[arg(long, value_name = "HOSTS")]
    pub(crate) noproxy: Option<String>,
}

/// Connections
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Connections")]
pub(crate) struct NetworkArgs {
    /// Go to ADDRESS for HOST and PORT instead of asking for the addresses of the name (repeatable)
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = resolve)]
    pub(crate) resolve: Vec<Resolve>,

    /// Connect to HOST2:PORT2 for HOST1:PORT1, without another change (repeatable); an empty part stands
    /// for any, or for the same
    #[arg(long, value_name = "HOST1:PORT1:HOST2:PORT2")]
    pub(crate) connect_to: Vec<String>,

    /// Connect to this Unix socket, whatever the host
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_socket: Option<PathBuf>,

    /// Connect by this network interface, or from this address
    #[arg(long, value_name = "NAME|ADDRESS")]
    pub(crate) interface: Option<String>,

    /// Connect from this local port, or one of these
    #[arg(long, value_name = "PORT[-PORT]", value_parser = ports)]
    pub(crate) local_port: Option<(u16, u16)>,

    /// Connect to IPv4 addresses only
    #[arg(short = '4', long, overrides_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Connect to IPv6 addresses only
    #[arg(short = '6', long, overrides_with = "ipv4")]
    pub(crate) ipv6: bool,

    /// Probe the peer of a silent connection after this time [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) keepalive_time: Option<Duration>,

    /// Never probe the peer of a silent connection
    #[arg(long, conflicts_with = "keepalive_time")]
    pub(crate) no_keepalive: bool,
}

impl NetworkArgs {
    /// The address that --interface names, where it is one.
    pub(crate) fn local_address(&self) -> Option<IpAddr> {
        let given = self.interface.as_deref()?;
        given.trim_start_matches("host!").parse().ok()
    }
}

/// Which version of HTTP is spoken; of several that are typed the last one holds
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Connections")]
pub(crate) struct VersionArgs {
    /// Speak HTTP/1.1, and offer servers nothing else
    #[arg(long = "http1.1", overrides_with_all = ["http2", "http2_prior_knowledge"])]
    pub(crate) http1_1: bool,

    /// Offer HTTP/2 and HTTP/1.1 to servers of https, which choose; this is the default. Those of http are
    /// spoken to by HTTP/1.1: HTTP/2 is not asked for by Upgrade
    #[arg(long, overrides_with_all = ["http1_1", "http2_prior_knowledge"])]
    pub(crate) http2: bool,

    /// Speak HTTP/2 without asking, also to servers of http
    #[arg(long, overrides_with_all = ["http1_1", "http2"])]
    pub(crate) http2_prior_knowledge: bool,
}

impl VersionArgs {
    /// Whether requests for this URL go by HTTP/1.1 whatever servers choose, and proxies forward.
    pub(crate) fn are_http1(&self, url: &str) -> bool {
        self.http1_1 || (!self.http2_prior_knowledge && !url.starts_with("https:"))
    }
}

/// TLS
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Trust the certificates in this PEM file instead of the platform's
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// Show this certificate chain (PEM) to servers that ask for one
    #[arg(short = 'E', long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// The private key (PEM) of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,

    /// Accept any certificate: anybody on the way can read and change everything
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,

    /// Accept a server only if its public key is one of these
    #[arg(long, value_name = "sha256//BASE64[;sha256//BASE64]...")]
    pub(crate) pinnedpubkey: Option<String>,

    /// Use TLS 1.2 or later, which is the default
    #[arg(long = "tlsv1.2")]
    pub(crate) tlsv1_2: bool,

    /// Use TLS 1.3 or later
    #[arg(long = "tlsv1.3")]
    pub(crate) tlsv1_3: bool,

    /// Use this version of TLS or an earlier one
    #[arg(long, value_name = "VERSION", value_parser = ["1.2", "1.3", "default"])]
    pub(crate) tls_max: Option<String>,
}
