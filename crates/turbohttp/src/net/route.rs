//! The way to an origin: the key of connections.

use std::hash::{Hash, Hasher};

use hashbrown::Equivalent;
use turbohttp_core::origin::Origin;

/// How requests reach an origin: the key of connections. Two requests share connections if and only if
/// their routes are equal.
///
/// Today the origin alone decides. What else is to decide, such as a proxy or a choice of TLS
/// settings, is a further field here and in [`RouteKey`], and takes part in `Hash` and equality of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) origin: Origin,
}

/// A [`Route`] as a request has it: borrowed, so that a lookup in the pool allocates nothing and counts
/// no reference.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteKey<'a> {
    pub(crate) origin: &'a Origin,
}

impl RouteKey<'_> {
    pub(crate) fn to_route(self) -> Route {
        Route {
            origin: self.origin.clone(),
        }
    }
}

// An origin was hashed when it was made, and gives that hash as its only write; the two impls must agree.
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
        *self.origin == route.origin
    }
}
