//! A storm over HTTP/2: the [`wild`](crate::wild) server on one side, callers that read, leave and lose their
//! patience on the other, and the accounts of both.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use turbohttp::{Client, Error, ErrorKind, Limits, Shutdown};

use crate::HANG;
use crate::crew::poll_times;
use crate::plan::Dice;
use crate::wild::Wild;

/// Callers at once.
const CALLERS: u64 = 48;

/// Requests at once.
const PERMITS: usize = 32;

/// The patience of a caller.
const PATIENCE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    /// Reset, refused too often, or the connection was lost.
    Broken,
    Late,
    Left,
}

/// The client and its accounts.
struct Field {
    wild: Wild,
    client: Client,
    next: AtomicU64,
    ends: Mutex<BTreeMap<End, u64>>,
    complaints: Mutex<Vec<String>>,
}

impl Field {
    fn new(seed: u64) -> Field {
        let limits = Limits::default().per_host(PERMITS);
        let builder = Client::builder().http2_prior_knowledge().limits(limits);
        Field {
            wild: Wild::start(seed),
            client: builder.timeout(PATIENCE).build().unwrap(),
            next: AtomicU64::new(1),
            ends: Mutex::default(),
            complaints: Mutex::default(),
        }
    }

    async fn call(&self, seed: u64, requests: u64) {
        let mut dice = Dice::new(seed);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number > requests {
                return;
            }
            let end = self.ask(number, &mut dice).await;
            *self.ends.lock().unwrap().entry(end).or_default() += 1;
        }
    }

    async fn ask(&self, number: u64, dice: &mut Dice) -> End {
        let content = match dice.below(10) {
            0..4 => Vec::new(),
            4..8 => number.to_be_bytes().to_vec(),
            _ => number.to_be_bytes().repeat(1 + dice.below(5_000)),
        };
        let exchange = async {
            let request = match content.is_empty() {
                true => self.client.get(self.wild.url()),
                false => self.client.post(self.wild.url()).body(content.clone()),
            };
            request.send().await?.bytes().await
        };
        let read = match dice.below(12) {
            0 => match poll_times(exchange, dice.some(8) as usize).await {
                Some(read) => read,
                None => return End::Left,
            },
            _ => exchange.await,
        };
        match read {
            Ok(bytes) => {
                if bytes.strip_suffix(b".") != Some(&content[..]) {
                    self.complain(format!("{number}: {} bytes of another", bytes.len()));
                }
                End::Answered
            }
            Err(error) => self.end_of(number, &error),
        }
    }

    fn end_of(&self, number: u64, error: &Error) -> End {
        match error.kind() {
            ErrorKind::Timeout => End::Late,
            ErrorKind::Io | ErrorKind::Truncated | ErrorKind::Connect => End::Broken,
            _ => {
                self.complain(format!("{number}: {error:?}"));
                End::Broken
            }
        }
    }

    fn complain(&self, what: String) {
        self.complaints.lock().unwrap().push(what);
    }
}

/// Sends so many requests, and settles the accounts.
fn storm(seed: u64, requests: u64) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let field = Arc::new(Field::new(seed));
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let field = field.clone();
            callers.spawn(async move { field.call(seed * 1_000 + caller, requests).await });
        }
        let whole = async {
            while let Some(called) = callers.join_next().await {
                called.unwrap();
            }
        };
        tokio::time::timeout(HANG, whole).await.expect("hangs");
        settle(&field, seed, requests).await;
    });
}

async fn settle(field: &Field, seed: u64, requests: u64) {
    let closed = field.client.close(Shutdown::default()).await;
    assert_eq!(closed.accepted, 0, "seed {seed}: {closed}");
    let rests = async {
        while !field.client.audit().is_idle() || field.client.stats().net.unwrap().open > 0 {
            tokio::task::yield_now().await;
        }
    };
    let rested = tokio::time::timeout(HANG, rests).await;
    assert!(rested.is_ok(), "seed {seed}: {:?}", field.client.stats());
    let ends = field.ends.lock().unwrap().clone();
    let net = field.client.stats().net.unwrap();
    let complaints = field.complaints.lock().unwrap().clone();
    assert!(complaints.is_empty(), "seed {seed}: {complaints:#?}");
    field.wild.accounts(|seen| {
        println!(
            "seed {seed}: {ends:?}; {} connections, {} answered, {} refused, {} broken, {} gone; {} sent again",
            seen.connections, seen.answered, seen.refused, seen.broken, seen.gone, net.replayed
        );
        let some: Vec<_> = seen.complaints.iter().take(20).collect();
        assert!(some.is_empty(), "seed {seed}: {some:#?}");
        assert_eq!(ends.values().sum::<u64>(), requests, "seed {seed}: {ends:?}");
        assert!(ends[&End::Answered] <= seen.answered, "seed {seed}: {ends:?}");
        // A dial that was given up may have reached the server.
        assert!(seen.connections >= net.opened, "seed {seed}: {net:?}");
        // What can go wrong did; how many are late depends on how long their connections live.
        for end in [End::Broken, End::Left] {
            let hit = ends.get(&end).copied().unwrap_or_default();
            assert!(hit >= requests / 100, "seed {seed}: {end:?} in {ends:?}");
        }
        assert!(seen.gone > 0 && seen.refused > 0 && net.replayed > 0);
        assert!(ends[&End::Answered] > requests / 2, "seed {seed}: {ends:?}");
    });
}

#[test]
fn a_storm_over_http2_adds_up() {
    for seed in [1, 2] {
        storm(seed, 3_000);
    }
}

#[test]
#[ignore = "the full figures: a million requests"]
fn a_million_requests_over_http2_add_up() {
    for seed in 1..=4 {
        storm(seed, 250_000);
    }
}
