//! The way to an origin: the key of connections.

use turbohttp_core::origin::Origin;

use super::proxy::ProxyServer;

/// How requests reach an origin: the key of connections. Two requests share connections if and only if
/// their routes are equal.
///
/// What else is to decide, such as a choice of TLS settings, is a further field here and in
/// [`RouteKey`], and takes part in the equality of both.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) origin: Origin,
    /// What the resolver is asked for where that is not the host of the origin: a name with its final
    /// dot, which no search list completes and which may be another host, or an address with its zone.
    pub(crate) name: Option<Box<str>>,
    /// The proxy that the origin is reached by.
    pub(crate) proxy: Option<ProxyServer>,
}

impl Route {
    /// The direct route to `origin`, under its own name.
    pub(crate) fn direct(origin: &Origin) -> Route {
        Route {
            origin: origin.clone(),
            name: None,
            proxy: None,
        }
    }

    /// The proxy that forwards requests by this route, in absolute form; not one that opens a tunnel.
    pub(crate) fn forwarder(&self) -> Option<&ProxyServer> {
        let proxy = self.proxy.as_ref();
        proxy.filter(|proxy| proxy.forwards(&self.origin))
    }

    pub(crate) fn key(&self) -> RouteKey<'_> {
        RouteKey {
            origin: &self.origin,
            name: self.name.as_deref(),
            proxy: self.proxy.as_ref(),
        }
    }

    /// What the resolver is asked for.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.origin.host())
    }
}

/// A [`Route`] as a request has it: borrowed, so that a lookup in the pool allocates nothing and counts
/// no reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteKey<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) name: Option<&'a str>,
    pub(crate) proxy: Option<&'a ProxyServer>,
}

impl RouteKey<'_> {
    #[inline]
    pub(crate) fn is_key_of(self, route: &Route) -> bool {
        *self.origin == route.origin
            && is_same(self.name, route.name.as_deref())
            && is_same_proxy(self.proxy, route.proxy.as_ref())
    }

    pub(crate) fn to_route(self) -> Route {
        Route {
            origin: self.origin.clone(),
            name: self.name.map(Box::from),
            proxy: self.proxy.cloned(),
        }
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Route) -> bool {
        self.key().is_key_of(other)
    }
}

impl Eq for Route {}

/// Whether two names are the same; mostly there is none.
#[inline]
fn is_same(name: Option<&str>, other: Option<&str>) -> bool {
    match (name, other) {
        (None, None) => true,
        (Some(name), Some(other)) => are_equal(name, other),
        _ => false,
    }
}

/// Out of line, so that the look-ups of the pool stay small.
#[cold]
fn are_equal(name: &str, other: &str) -> bool {
    name == other
}

/// Whether two proxies are the same; mostly there is none.
#[inline]
fn is_same_proxy(proxy: Option<&ProxyServer>, other: Option<&ProxyServer>) -> bool {
    match (proxy, other) {
        (None, None) => true,
        (Some(proxy), Some(other)) => are_equal_proxies(proxy, other),
        _ => false,
    }
}

/// Out of line, as [`are_equal`].
#[cold]
#[inline(never)]
fn are_equal_proxies(proxy: &ProxyServer, other: &ProxyServer) -> bool {
    proxy == other
}
