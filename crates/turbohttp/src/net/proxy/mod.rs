//! Proxies: which request goes by which, and how one is asked for the way.
//!
//! `server.rs` reads the URL of a proxy, `exempt.rs` the list of hosts that need none, `environment.rs` the
//! variables that name both. `tunnel.rs` speaks CONNECT, `socks.rs` SOCKS5.

use std::fmt;
use std::sync::Arc;

use turbohttp_core::origin::{Origin, Scheme};

use crate::error::{Error, ErrorKind, Result, contain};
use crate::limits::PROXY_RULES_MAX;

mod environment;
mod exempt;
mod server;
#[cfg(feature = "socks")]
mod socks;
mod tunnel;

pub use exempt::NoProxy;
pub(crate) use server::ProxyScheme;
pub use server::ProxyServer;
pub(crate) use tunnel::open_tunnel;

/// A rule that sends requests by a proxy: which requests, by which proxy, and which hosts are exempt.
///
/// Rules are asked in the order in which they were added
/// ([`ClientBuilder::proxy`](crate::ClientBuilder::proxy)); the first one that gives a proxy holds, and
/// without any the request goes to its origin directly. The limits of an origin hold for it whatever the
/// way. Requests to an http origin are forwarded by an HTTP proxy (RFC 9112 section 3.2.2); those to an
/// https origin go through a tunnel (RFC 9110 section 9.3.6), of which the proxy sees host and port only.
///
/// # Examples
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Client, NoProxy, Proxy};
///
/// let client = Client::builder()
///     .proxy(
///         Proxy::all("http://proxy.test:3128")?
///             .basic_auth("user", "password")?
///             .no_proxy(NoProxy::parse("localhost, .internal.test, 192.0.2.0/24")?),
///     )
///     .build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Proxy {
    requests: Requests,
    choice: Choice,
    exempt: NoProxy,
}

/// The requests that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requests {
    Of(Scheme),
    All,
}

#[derive(Clone)]
enum Choice {
    Server(ProxyServer),
    Custom(Arc<Custom>),
}

type Custom = dyn Fn(&Origin) -> Option<ProxyServer> + Send + Sync;

impl Proxy {
    /// Sends requests to http origins by the proxy at `url`, which is read as by [`ProxyServer::parse`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `url` is no URL of a proxy.
    pub fn http(url: &str) -> Result<Proxy> {
        Proxy::by(Requests::Of(Scheme::Http), url)
    }

    /// Sends requests to https origins by the proxy at `url`, which is read as by [`ProxyServer::parse`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `url` is no URL of a proxy.
    pub fn https(url: &str) -> Result<Proxy> {
        Proxy::by(Requests::Of(Scheme::Https), url)
    }

    /// Sends all requests by the proxy at `url`, which is read as by [`ProxyServer::parse`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if `url` is no URL of a proxy.
    pub fn all(url: &str) -> Result<Proxy> {
        Proxy::by(Requests::All, url)
    }

    /// Asks `choose` for the proxy of each request, by its origin; `None` leaves it to the rules behind this
    /// one. It is asked with every request, so it must not block; a panic is an error of the request
    /// ([`ErrorKind::Panicked`]). Connections are shared by requests of the same origin for which equal
    /// proxies were chosen.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::{Proxy, ProxyServer};
    ///
    /// let near = ProxyServer::parse("http://near.test:3128")?;
    /// let rule = Proxy::custom(move |origin| origin.host().ends_with(".test").then(|| near.clone()));
    /// # drop(rule);
    /// # Ok(())
    /// # }
    /// ```
    pub fn custom(
        choose: impl Fn(&Origin) -> Option<ProxyServer> + Send + Sync + 'static,
    ) -> Proxy {
        Proxy {
            requests: Requests::All,
            choice: Choice::Custom(Arc::new(choose)),
            exempt: NoProxy::default(),
        }
    }

    /// The rules that environment variables name, in the order in which they are to be added, of a `lookup`
    /// that gives the value of a variable; see
    /// [`ClientBuilder::proxy_from_env`](crate::ClientBuilder::proxy_from_env) for which variables.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the variable whose value cannot be read; never its userinfo.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// let rules = turbohttp::Proxy::from_variables(|name| match name {
    ///     "https_proxy" => Some("proxy.test:3128".to_owned()),
    ///     "no_proxy" => Some("localhost".to_owned()),
    ///     _ => None,
    /// })?;
    /// assert_eq!(rules.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_variables(lookup: impl Fn(&str) -> Option<String>) -> Result<Vec<Proxy>> {
        environment::rules(lookup)
    }

    /// Shows the proxy this user name and password: by HTTP as Basic credentials (RFC 7617), by SOCKS as RFC
    /// 1929 has it. They take the place of those in the URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the scheme of the proxy cannot carry them, or for a rule that
    /// [`custom`](Proxy::custom) made: its servers have credentials of their own
    /// ([`ProxyServer::basic_auth`]).
    pub fn basic_auth(mut self, user: &str, password: &str) -> Result<Proxy> {
        let Choice::Server(server) = self.choice else {
            let message = "credentials for a custom proxy: give them to its ProxyServer";
            return Err(Error::new(ErrorKind::Config, message));
        };
        self.choice = Choice::Server(server.basic_auth(user, password)?);
        Ok(self)
    }

    /// Exempts hosts from this rule, in addition to those that were exempt before.
    #[must_use]
    pub fn no_proxy(mut self, exempt: NoProxy) -> Proxy {
        self.exempt.extend(exempt);
        self
    }

    fn by(requests: Requests, url: &str) -> Result<Proxy> {
        Ok(Proxy {
            requests,
            choice: Choice::Server(ProxyServer::parse(url)?),
            exempt: NoProxy::default(),
        })
    }

    fn choose(&self, origin: &Origin) -> Option<ProxyServer> {
        let is_meant = match self.requests {
            Requests::Of(scheme) => origin.scheme() == scheme,
            Requests::All => true,
        };
        if !is_meant || self.exempt.matches(origin.host(), origin.port()) {
            return None;
        }
        match &self.choice {
            Choice::Server(server) => Some(server.clone()),
            Choice::Custom(choose) => choose(origin),
        }
    }
}

impl fmt::Debug for Proxy {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Proxy");
        debug.field("requests", &self.requests);
        match &self.choice {
            Choice::Server(server) => debug.field("server", server),
            Choice::Custom(_) => debug.field("server", &"custom"),
        };
        debug.field("exempt", &self.exempt).finish()
    }
}

/// The rules of a transport. Invariant: at most [`PROXY_RULES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Proxies(Box<[Proxy]>);

impl Proxies {
    pub(crate) fn new(rules: Vec<Proxy>) -> Result<Proxies> {
        if rules.len() > PROXY_RULES_MAX {
            let bound = format!("at most {PROXY_RULES_MAX} rules");
            return Err(Error::config("proxy", &bound, rules.len()));
        }
        Ok(Proxies(rules.into()))
    }

    /// The proxy for requests to `origin`, if there is one.
    #[cold]
    #[inline(never)]
    pub(crate) fn choose(&self, origin: &Origin) -> Result<Option<ProxyServer>> {
        contain("choice of a proxy", || {
            self.0.iter().find_map(|rule| rule.choose(origin))
        })
    }
}
