//! Telling the scheduler how many requests the connections of an origin carry at once.

use std::sync::{Arc, Weak};

use super::connection::Connection;
use super::exchange::Home;

/// Tells the scheduler what the connections of the origin carry, this one so much: what is more waits there, in
/// the order of priorities and visibly.
#[cold]
pub(super) fn tell(connection: &Arc<Connection>, home: &Weak<dyn Home>, own: Option<usize>) {
    let scheduler = connection.wire.scheduler.get().and_then(Weak::upgrade);
    let Some(scheduler) = scheduler else { return };
    let carried = || match home.upgrade() {
        Some(home) => home.carried_with(connection, own),
        None => own,
    };
    let mut all = carried();
    loop {
        scheduler.set_capacity(&connection.route.origin, all);
        // The task of another connection may have told meanwhile: the last one to tell tells what is so.
        let now = carried();
        if now == all {
            return;
        }
        all = now;
    }
}
