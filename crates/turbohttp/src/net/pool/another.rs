//! Making another connection to a host where those that are there are full.
//!
//! The requests that wait for its dial take what comes free meanwhile, whichever is first: a stream of a
//! connection that is there, or the new one. The dial goes on then for the next ones. Where it has failed, requests
//! wait in the line of what is there, and in the scheduler, until [a while](Pool::permit_another) has passed.

use std::sync::Arc;

use tokio::runtime;
use turbohttp_core::origin::Origin;

use super::Pool;
use super::shared::SharedConnections;
use crate::net::dial::Dial;
use crate::net::h2::{Checkout, Connection};
use crate::net::route::{Route, RouteKey};

/// The connections of one route in one runtime.
struct Group<'a> {
    first: &'a Connection,
    count: usize,
    carries: usize,
    largest: usize,
}

impl SharedConnections {
    /// Whether another connection of a route could not be made a moment ago.
    pub(super) fn is_refused(&self, key: RouteKey<'_>, here: runtime::Id) -> bool {
        let mut refused = self.refused.iter();
        refused.any(|(route, runtime)| *runtime == here && key.is_key_of(route))
    }

    /// The dials whose requests may take a stream of this connection.
    #[cold]
    pub(super) fn dials_beside(&self, connection: &Connection) -> Vec<Arc<Dial>> {
        let dials = self.dials.iter().filter(|dial| {
            dial.runtime == connection.runtime() && dial.route == *connection.route()
        });
        dials.cloned().collect()
    }

    /// How many requests the connections to an origin carry at once: for each route and runtime also the one that
    /// may be dialed next, as much as the largest that is there, as the requests that wait for it make it.
    pub(super) fn carried(&self, origin: &Origin, most: usize) -> Option<usize> {
        let mut groups = Vec::<Group<'_>>::new();
        let of_hash = self.table.iter_hash(origin.precomputed_hash());
        for entry in of_hash.filter(|entry| entry.connection.route().origin == *origin) {
            let (connection, carries) = (&entry.connection, entry.carries);
            let found = groups.iter_mut().find(|group| {
                let first = group.first;
                first.runtime() == connection.runtime() && first.route() == connection.route()
            });
            match found {
                Some(group) => {
                    group.count += 1;
                    group.carries = group.carries.saturating_add(carries);
                    group.largest = group.largest.max(carries);
                }
                None => groups.push(Group {
                    first: connection,
                    count: 1,
                    carries,
                    largest: carries,
                }),
            }
        }
        let carried = groups.iter().map(|group| {
            let (key, here) = (group.first.route().key(), group.first.runtime());
            match group.count < most && !self.is_refused(key, here) {
                true => group.carries.saturating_add(group.largest),
                false => group.carries,
            }
        });
        carried.reduce(usize::saturating_add)
    }
}

impl Pool {
    /// From now on the requests that wait for this dial are woken when a stream comes free that they may take.
    #[cold]
    pub(crate) fn dial_begins(&self, dial: &Arc<Dial>) {
        let mut state = self.lock();
        if !state.is_closed {
            state.shared.dials.push(dial.clone());
        }
    }

    /// The dial is over, or its connection is about to be shared.
    #[cold]
    pub(crate) fn dial_ends(&self, dial: &Arc<Dial>) {
        let mut state = self.lock();
        state.shared.dials.retain(|other| !Arc::ptr_eq(other, dial));
    }

    /// An exchange for a request that waits for this dial, if one has come free. The dial goes on without it.
    #[cold]
    pub(crate) fn exchange_beside(self: &Arc<Self>, dial: &Arc<Dial>) -> Option<Checkout> {
        let most = self.shared_per_route;
        let mut state = self.lock();
        let shared = &mut state.shared;
        if !shared.dials.iter().any(|other| Arc::ptr_eq(other, dial)) {
            return None;
        }
        let exchange = shared.check_out(dial.route.key(), dial.runtime, most)?;
        // Under the lock, so that a close of the pool comes before or after (lock order: the pool, then the dial).
        dial.goes_on();
        drop(state);
        Some(Checkout::new(exchange, self.clone()))
    }

    /// Another connection of this route could not be made: until [`permit_another`](Pool::permit_another) requests
    /// wait for those that are there. `false` if there is none, or no other one may be made.
    #[cold]
    pub(crate) fn refuse_another(&self, route: &Route, here: runtime::Id) -> bool {
        let mut state = self.lock();
        let shared = &mut state.shared;
        let is_another = self.shared_per_route > 1 && shared.has_some(route.key(), here);
        if is_another && !shared.is_refused(route.key(), here) {
            shared.refused.push((route.clone(), here));
            return true;
        }
        false
    }

    /// Requests dial again where the connections of this route are full.
    #[cold]
    pub(crate) fn permit_another(&self, route: &Route, here: runtime::Id) {
        let mut state = self.lock();
        let refused = &mut state.shared.refused;
        refused.retain(|(other, runtime)| *runtime != here || other != route);
    }
}
