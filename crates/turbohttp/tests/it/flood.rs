//! More than can be done, for long: every request waits, runs or is refused, and nothing grows.

use std::time::Duration;

use tokio::task::JoinSet;
use turbohttp::{Client, ErrorKind, Limits, QueueOptions, RequestQueue, Shutdown};

use crate::lab::Lab;
use crate::support::TestClient;

/// Steps of ten milliseconds in a minute.
const STEPS: usize = 6_000;

/// Requests per step: a hundred times what two permits of 100 ms can do.
const PER_STEP: usize = 20;

const WAITING: usize = 100;

/// A producer that is a hundred times too fast, for a minute.
#[tokio::test(start_paused = true)]
async fn a_flood_is_turned_away_and_nothing_grows() {
    let limits = Limits::default().per_host(2).waiting(WAITING);
    let client = Client::builder().limits(limits).transport(Lab::default());
    let client = TestClient::from(client.build().unwrap());
    let options = QueueOptions::default().workers(2).per_priority(WAITING);
    let queue = RequestQueue::new(&client, options).unwrap();
    queue.start().unwrap();
    let mut tasks = JoinSet::new();
    let (mut done, mut refused, mut turned_away) = (0, 0, 0);
    for _ in 0..STEPS {
        for number in 0..PER_STEP {
            let request = client.get("http://a/ms/100").build().unwrap();
            if number % 2 == 0 {
                let client = Client::clone(&client);
                tasks.spawn(async move { client.send(request).await.map(drop) });
                continue;
            }
            match queue.try_submit(request) {
                Ok(ticket) => drop(tasks.spawn(async move { ticket.await.map(drop) })),
                Err(rejected) if rejected.kind() == ErrorKind::Full => turned_away += 1,
                Err(rejected) => panic!("{rejected}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        let audit = client.client_audit();
        assert!(audit.scheduler.waiting <= 2 * WAITING, "{audit:?}");
        assert!(audit.contexts <= 2 * WAITING as u64 + 50, "{audit:?}");
        while let Some(sent) = tasks.try_join_next() {
            match sent.unwrap() {
                Ok(_) => done += 1,
                Err(error) if error.kind() == ErrorKind::Full => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    queue.stop(Shutdown::default()).await;
    while let Some(sent) = tasks.join_next().await {
        sent.unwrap().unwrap();
        done += 1;
    }
    assert_eq!(done + refused + turned_away, STEPS * PER_STEP);
    // A minute of two permits, and what waited at the end of it.
    assert!((1_200..=1_200 + 2 * WAITING + 2).contains(&done), "{done}");
    assert!(
        refused > 1_000 && turned_away > 1_000,
        "{refused}, {turned_away}"
    );
    let made = client.stats().contexts.made;
    assert!(made <= 2 * WAITING as u64 + 50, "{made} contexts were made");
}
