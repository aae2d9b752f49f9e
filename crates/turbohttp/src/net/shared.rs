//! The parts of a [`NetTransport`](super::NetTransport).

use std::sync::Arc;

use super::connect::Connector;
use super::dial::Dials;
use super::pool::Pool;
use super::wire::Wire;
use crate::config::Settings;

/// What the transport shares with the attempts that it sends.
pub(crate) struct Shared {
    pub(super) pool: Arc<Pool>,
    pub(super) wire: Arc<Wire>,
    pub(super) connector: Connector,
    pub(super) dials: Dials,
    /// For requests that no client has sent.
    pub(super) settings: Settings,
}
