//! The way to an origin: the key of connections.

use turbohttp_core::origin::Origin;

use super::proxy::ProxyServer;

/// How requests reach an origin: the key of connections. Two requests share connections if and only if
/// their routes are equal.
///
/// What else is to decide, such as a choice of TLS settings, is a further field of [`Particulars`] and [`ParticularsKey`], and
/// takes part in the equality of both.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) origin: Origin,
    /// `None` for nearly all, so that two routes are compared by two words. Invariant: not empty.
    particulars: Option<Box<Particulars>>,
}

/// What is particular about a route.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Particulars {
    /// What the resolver is asked for where that is not the host of the origin: a name with its final
    /// dot, which no search list completes and which may be another host, or an address with its zone.
    name: Option<Box<str>>,
    /// The proxy that the origin is reached by.
    proxy: Option<ProxyServer>,
}

impl Route {
    pub(crate) fn new(origin: Origin, name: Option<Box<str>>, proxy: Option<ProxyServer>) -> Route {
        let is_plain = name.is_none() && proxy.is_none();
        let particulars = (!is_plain).then(|| Box::new(Particulars { name, proxy }));
        Route {
            origin,
            particulars,
        }
    }

    /// The direct route to `origin`, under its own name.
    pub(crate) fn direct(origin: &Origin) -> Route {
        Route::new(origin.clone(), None, None)
    }

    pub(crate) fn key(&self) -> RouteKey<'_> {
        RouteKey::new(&self.origin, self.own_name(), self.proxy())
    }

    /// What the resolver is asked for.
    pub(crate) fn name(&self) -> &str {
        self.own_name().unwrap_or(self.origin.host())
    }

    /// What the resolver is asked for, where that is not the host of the origin.
    pub(crate) fn own_name(&self) -> Option<&str> {
        self.particulars.as_ref()?.name.as_deref()
    }

    /// The proxy that the origin is reached by.
    pub(crate) fn proxy(&self) -> Option<&ProxyServer> {
        self.particulars.as_ref()?.proxy.as_ref()
    }

    /// The proxy that forwards requests by this route, in absolute form; not one that opens a tunnel.
    pub(crate) fn forwarder(&self) -> Option<&ProxyServer> {
        self.proxy().filter(|proxy| proxy.forwards(&self.origin))
    }
}

/// A [`Route`] as a request has it: borrowed, so that a lookup in the pool allocates nothing and counts
/// no reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteKey<'a> {
    pub(crate) origin: &'a Origin,
    particulars: Option<ParticularsKey<'a>>,
}

/// A [`Particulars`] as a request has it.
#[derive(Clone, Copy, Debug)]
struct ParticularsKey<'a> {
    name: Option<&'a str>,
    proxy: Option<&'a ProxyServer>,
}

impl<'a> RouteKey<'a> {
    /// The direct route to `origin`, under its own name.
    #[inline]
    pub(crate) fn direct(origin: &'a Origin) -> RouteKey<'a> {
        RouteKey {
            origin,
            particulars: None,
        }
    }

    pub(crate) fn new(
        origin: &'a Origin,
        name: Option<&'a str>,
        proxy: Option<&'a ProxyServer>,
    ) -> RouteKey<'a> {
        let particulars = match (name, proxy) {
            (None, None) => None,
            (name, proxy) => Some(ParticularsKey { name, proxy }),
        };
        RouteKey {
            origin,
            particulars,
        }
    }

    #[inline]
    pub(crate) fn is_key_of(self, route: &Route) -> bool {
        *self.origin == route.origin
            && match (self.particulars, &route.particulars) {
                (None, None) => true,
                (Some(own), Some(other)) => own.is_key_of(other),
                _ => false,
            }
    }

    pub(crate) fn to_route(self) -> Route {
        let own = self.particulars;
        let (name, proxy) = own.map_or((None, None), |own| (own.name, own.proxy));
        Route::new(self.origin.clone(), name.map(Box::from), proxy.cloned())
    }
}

impl ParticularsKey<'_> {
    /// Out of line, so that the look-ups of the pool stay small.
    #[cold]
    #[inline(never)]
    fn is_key_of(self, other: &Particulars) -> bool {
        self.name == other.name.as_deref() && self.proxy == other.proxy.as_ref()
    }
}

impl PartialEq for Route {
    #[inline]
    fn eq(&self, other: &Route) -> bool {
        // Both words at once: nearly always both are zero.
        let is_plain = self.particulars.is_none() & other.particulars.is_none();
        self.origin == other.origin && (is_plain || are_equal(self, other))
    }
}

impl Eq for Route {}

/// Out of line, as [`ParticularsKey::is_key_of`].
#[cold]
#[inline(never)]
fn are_equal(route: &Route, other: &Route) -> bool {
    route.particulars == other.particulars
}
