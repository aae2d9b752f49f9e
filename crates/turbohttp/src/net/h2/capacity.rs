//! Telling the scheduler how many requests the connections of an origin carry at once.

use std::sync::{Arc, Weak};

use turbohttp_core::origin::Origin;

use super::connection::Connection;
use super::exchange::Home;
use crate::net::wire::Wire;

/// Tells the scheduler what the connections of the origin carry, this one so much.
#[cold]
pub(super) fn tell(connection: &Arc<Connection>, home: &Weak<dyn Home>, own: Option<usize>) {
    let (wire, origin) = (&connection.wire, &connection.route.origin);
    if let Some(home) = home.upgrade() {
        own.into_iter()
            .for_each(|own| home.carries(connection, own));
        tell_of(wire, origin, &*home);
    } else if let Some(scheduler) = wire.scheduler.get().and_then(Weak::upgrade) {
        scheduler.set_capacity(origin, own);
    }
}

/// Tells the scheduler what the connections of an origin carry: what is more waits there, in the order of
/// priorities and visibly.
#[cold]
pub(crate) fn tell_of(wire: &Wire, origin: &Origin, home: &dyn Home) {
    let scheduler = wire.scheduler.get().and_then(Weak::upgrade);
    let Some(scheduler) = scheduler else { return };
    let mut all = home.carried(origin);
    loop {
        scheduler.set_capacity(origin, all);
        // The task of another connection may have told meanwhile: the last one to tell tells what is so.
        let now = home.carried(origin);
        if now == all {
            return;
        }
        all = now;
    }
}
