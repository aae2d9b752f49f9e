//! A storm of real sockets, small enough for every run of the tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use turbohttp::Shutdown;

use crate::HANG;
use crate::field::{End, Field, SLOW, TOTAL};

/// Callers at once; far more than permits.
pub(crate) const CALLERS: u64 = 96;

const REQUESTS: u64 = 3_000;

/// What must be hit at least so often, per route to end.
const FLOORS: [(End, u64); 5] = [
    (End::Answered, REQUESTS / 2),
    (End::Unavailable, REQUESTS / 100),
    (End::Broken, REQUESTS / 20),
    (End::Late, REQUESTS / 50),
    (End::Left, REQUESTS / 100),
];

/// Sends callers into the field until it is enough.
pub(crate) async fn storm(
    field: &Arc<Field>,
    seed: u64,
    is_enough: impl Fn(u64) -> bool + Clone + Send + 'static,
) {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (field, is_enough) = (field.clone(), is_enough.clone());
        callers.spawn(async move { field.call(seed * 1_000 + caller, is_enough).await });
    }
    while let Some(called) = callers.join_next().await {
        called.unwrap();
    }
}

/// The accounts at the end: every number has one end, every server had its peak, nothing is out.
pub(crate) async fn settle(field: &Field, seed: u64) {
    let complaints = field.complaints();
    let some: Vec<_> = complaints.iter().take(20).collect();
    assert!(
        complaints.is_empty(),
        "seed {seed}: {} complaints: {some:#?}",
        complaints.len()
    );
    let ends = field.ends();
    assert_eq!(
        ends.values().sum::<u64>(),
        field.asked(),
        "seed {seed}: {ends:?}"
    );
    let stopped = field.queue.stop(Shutdown::default()).await;
    assert_eq!(stopped.accepted, 0, "seed {seed}: {stopped}");
    let stats = field.client.stats();
    let ended = stats.scheduler.ended;
    assert_eq!(ended.sum(), field.asked(), "seed {seed}: {ended:?}");
    let net = field.client.stats().net.unwrap();
    assert_eq!(
        (net.open, net.opened),
        (net.idle, net.closed + net.idle),
        "seed {seed}: {net:?}"
    );
    assert_eq!(stats.scheduler.running_peak, TOTAL, "seed {seed}");
    assert_eq!(
        field.servers[1].stats().in_flight_peak,
        SLOW as u64,
        "seed {seed}"
    );
    let audit = field.client.audit();
    assert!(audit.is_idle(), "seed {seed}: {audit:?}");
    let closed = field.client.close(Shutdown::default()).await;
    assert_eq!(closed.accepted, 0, "seed {seed}: {closed}");
    for server in &field.servers {
        let all_closed = tokio::time::timeout(HANG, server.all_closed()).await;
        assert!(all_closed.is_ok(), "seed {seed}: {:?}", server.stats());
    }
}

/// What holds on the mock holds on real sockets, and every connection is closed.
#[test]
fn a_storm_of_real_sockets_adds_up() {
    for seed in [1, 2] {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let ends = runtime.block_on(async {
            let field = Arc::new(Field::new());
            let whole = storm(&field, seed, |id| id >= REQUESTS);
            tokio::time::timeout(HANG, whole).await.expect("hangs");
            settle(&field, seed).await;
            field.ends()
        });
        println!("seed {seed}: {ends:?}");
        for (end, floor) in FLOORS {
            let of_it = ends.iter().filter(|((_, other), _)| *other == end);
            let hit: u64 = of_it.map(|(_, count)| count).sum();
            assert!(
                hit >= floor,
                "seed {seed}: {end:?} hit {hit} times: {ends:?}"
            );
        }
        let asked: BTreeSet<_> = ends.keys().map(|(ask, _)| *ask).collect();
        assert_eq!(asked.len(), 14, "seed {seed}: {asked:?}");
    }
}
