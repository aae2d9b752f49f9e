//! What a client costs without a socket: turbohttp on its `MockTransport` beside tower's layers on a
//! service that answers at once.
//!
//! The bare service does nothing but hand out an answer that lies ready, and its requests are empty: what
//! a layer costs is its distance from that row. A request of turbohttp is a whole one, from the text of
//! its URL on; the row of the transport alone leaves out the client's limiter, and nothing else.

use anyhow::Result;

use super::load::{CROWD, ONE};
use super::mock_ways::{Alone, Bare, Buffered, ClientOnMock, Limited, LimitedInTime, QueueOnMock};
use super::table::{self, Contender, Table, contender};

const CONTENDERS: [Contender; 7] = [
    contender!("bare mock service", Bare),
    contender!("tower's ConcurrencyLimit", Limited),
    contender!("tower's Buffer", Buffered),
    contender!("tower's limit and timeout", LimitedInTime),
    contender!("turbohttp, the mock transport alone", Alone),
    contender!("turbohttp, client", ClientOnMock),
    contender!("turbohttp, client behind its queue", QueueOnMock),
];

/// Measures and prints.
pub(crate) fn run(rounds: u32) -> Result<Vec<Table>> {
    let tables = table::measure(&[ONE, CROWD], &CONTENDERS, rounds)?;
    for table in &tables {
        table::print("mock: ", table);
    }
    Ok(tables)
}
