//! The queues of idle connections, by route.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::{Entry, Queue};
use crate::limits::IDLE_ORIGINS_MAX;
use crate::net::route::{Route, RouteKey};

/// A table of queues, asked by the hash that the origin of a route was made with. An empty queue is kept for
/// its room: the next return of its route allocates nothing.
#[derive(Default)]
pub(super) struct Queues(HashTable<(Route, Queue)>);

impl Queues {
    /// The queue of the route that a request has.
    #[inline(always)] // The look-up of every request.
    pub(super) fn of_key(&mut self, key: RouteKey<'_>) -> Option<&mut Queue> {
        let hash = key.origin.precomputed_hash();
        let found = self.0.find_mut(hash, |(route, _)| key.is_key_of(route));
        found.map(|(_, queue)| queue)
    }

    /// The same, where it is asked for seldom.
    #[cold]
    #[inline(never)]
    pub(super) fn of_way(&mut self, key: RouteKey<'_>) -> Option<&mut Queue> {
        let hash = key.origin.precomputed_hash();
        let found = self.0.find_mut(hash, |(route, _)| key.is_key_of(route));
        found.map(|(_, queue)| queue)
    }

    /// The queue of the route of a connection that is returned.
    #[inline(always)] // The look-up of every return.
    pub(super) fn of_returned(&mut self, route: &Route) -> Option<&mut Queue> {
        let hash = route.origin.precomputed_hash();
        let found = self.0.find_mut(hash, |(other, _)| other == route);
        found.map(|(_, queue)| queue)
    }

    /// The queue of a route, where it is asked for seldom.
    #[cold]
    pub(super) fn of(&mut self, route: &Route) -> Option<&mut Queue> {
        let hash = route.origin.precomputed_hash();
        let found = self.0.find_mut(hash, |(other, _)| other == route);
        found.map(|(_, queue)| queue)
    }

    /// Files an entry as the newest of its route.
    #[cold]
    pub(super) fn push(&mut self, route: Route, entry: Entry) {
        if let Some(queue) = self.of(&route) {
            return queue.push_back(entry);
        }
        if self.0.len() >= IDLE_ORIGINS_MAX {
            // At most as many are in use as connections may be idle; the empty ones were kept for their room.
            self.0.retain(|(_, queue)| !queue.is_empty());
        }
        let hash = route.origin.precomputed_hash();
        let rehash = |(route, _): &(Route, Queue)| route.origin.precomputed_hash();
        let queue = VecDeque::from([entry]);
        self.0.insert_unique(hash, (route, queue), rehash);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.0.iter_mut().map(|(_, queue)| queue)
    }
}
