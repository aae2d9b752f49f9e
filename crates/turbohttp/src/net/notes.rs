//! Telling those that wait for a connection which phase it is in.

use std::sync::Arc;

use turbohttp_core::timeline::Phase;

use crate::context::Context;

/// Whom the making of a connection tells its phases: an extension of the request that it is made for.
#[derive(Clone)]
pub(super) struct Notes(pub(super) Arc<dyn Fn(Phase) + Send + Sync>);

/// Notes that a connection enters a phase.
#[cold]
pub(super) fn enters(context: &Context, phase: Phase) {
    if let Some(Notes(note)) = context.extensions.get::<Notes>() {
        note(phase);
    }
}
