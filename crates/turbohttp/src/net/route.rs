//! The way to an origin: the key of connections.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use turbohttp_core::origin::Origin;

/// How requests reach an origin: the key of connections. Two requests share connections if and only if
/// their routes are equal.
///
/// What else is to decide, such as a proxy or a choice of TLS settings, is a further field here and in
/// [`RouteKey`], and takes part in the equality of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) origin: Origin,
    /// What the resolver is asked for where that is not the host of the origin: a name with its final
    /// dot, which no search list completes and which may be another host, or an address with its zone.
    pub(crate) name: Option<Box<str>>,
}

impl Route {
    pub(crate) fn key(&self) -> RouteKey<'_> {
        RouteKey {
            origin: &self.origin,
            name: self.name.as_deref(),
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
}

impl RouteKey<'_> {
    pub(crate) fn to_route(self) -> Route {
        Route {
            origin: self.origin.clone(),
            name: self.name.map(Box::from),
        }
    }
}

// An origin was hashed when it was made, and gives that hash as its only write; the two impls must agree.
// What else a route has differs too rarely to be worth hashing.
impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.origin.hash(state);
    }
}

impl Hash for RouteKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.origin.hash(state);
    }
}

impl Equivalent<Route> for RouteKey<'_> {
    fn equivalent(&self, route: &Route) -> bool {
        *self.origin == route.origin && self.name == route.name.as_deref()
    }
}
