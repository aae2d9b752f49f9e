//! The accountant: what the transport saw, what the callers got, and what of it cannot be.
//!
//! It counts by itself and asks nothing of the client, so that a client which is wrong about itself
//! is found out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::plan::{ALL_HOSTS, Act, HOSTS, Order, Plan, Route, Whim};

/// What became of an order: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Its own answer, read to the end.
    Answered,
    /// Its own answer, dropped unread.
    Unread,
    /// The failure that was planned.
    Failed,
    Panicked,
    /// The time was up before it had a permit.
    LateInLine,
    /// The time was up in the transport, or in a middleware.
    Late,
    /// The queue gave it up unsent.
    Expired,
    /// Canceled by its ticket; with `true` it was seen waiting right before.
    Canceled(bool),
    /// The future was dropped at a poll that was not its first.
    Left,
    /// The future was dropped before it was polled.
    Unpolled,
    /// There was no room in the queue.
    Refused,
}

/// Requests at one host, or at all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    now: usize,
    peak: usize,
}

impl Level {
    fn rise(&mut self) {
        self.now += 1;
        self.peak = self.peak.max(self.now);
    }
}

#[derive(Default)]
struct Book {
    hosts: [Level; HOSTS.len()],
    all: Level,
    /// How often each order came to the transport.
    entries: Vec<u32>,
    outcomes: Vec<Option<Outcome>>,
    entered: u64,
    left: u64,
    dropped: u64,
    slow_reads: u64,
    complaints: Vec<String>,
}

pub(crate) struct Oracle {
    plan: Arc<Plan>,
    book: Mutex<Book>,
}

/// What the transport saw, in sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) entered: u64,
    pub(crate) left: u64,
    pub(crate) dropped: u64,
    pub(crate) peak: usize,
}

impl Oracle {
    pub(crate) fn new(plan: Arc<Plan>) -> Arc<Oracle> {
        let book = Book {
            entries: vec![0; plan.orders.len()],
            outcomes: vec![None; plan.orders.len()],
            ..Book::default()
        };
        Arc::new(Oracle {
            plan,
            book: Mutex::new(book),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub(crate) fn complain(&self, complaint: String) {
        self.book().complaints.push(complaint);
    }

    /// An order has come to the transport.
    pub(crate) fn enter(self: &Arc<Self>, id: usize) -> Call {
        let order = &self.plan.orders[id];
        let mut book = self.book();
        book.entered += 1;
        book.entries[id] += 1;
        book.all.rise();
        book.hosts[order.host].rise();
        Call {
            oracle: self.clone(),
            host: order.host,
            attempt: book.entries[id],
            has_left: false,
            is_reading: false,
        }
    }

    /// A caller has an answer and keeps it unread: its permit is held as if it were in the transport.
    pub(crate) fn read_slowly(self: &Arc<Self>, id: usize) -> Call {
        let host = self.plan.orders[id].host;
        let mut book = self.book();
        book.slow_reads += 1;
        book.all.rise();
        book.hosts[host].rise();
        Call {
            oracle: self.clone(),
            host,
            attempt: 0,
            has_left: true,
            is_reading: true,
        }
    }

    /// A caller has this outcome of an order.
    pub(crate) fn settle(&self, id: usize, outcome: Outcome) {
        let mut book = self.book();
        if let Some(before) = book.outcomes[id].replace(outcome) {
            let complaint = format!("order {id} has two outcomes: {before:?}, {outcome:?}");
            book.complaints.push(complaint);
        }
    }

    pub(crate) fn outcomes(&self) -> Vec<Option<Outcome>> {
        self.book().outcomes.clone()
    }

    /// Whether as many as may have been there at once, at this host and in all.
    pub(crate) fn has_been_full(&self, host: usize) -> bool {
        let book = self.book();
        let is_host_full = book.hosts[host].peak >= HOSTS[host].1 || self.plan.total < ALL_HOSTS;
        is_host_full && book.all.peak >= self.plan.peak()
    }

    pub(crate) fn totals(&self) -> Totals {
        let book = self.book();
        Totals {
            entered: book.entered,
            left: book.left,
            dropped: book.dropped,
            peak: book.all.peak,
        }
    }

    /// How many orders of this kind had such an outcome.
    pub(crate) fn count(&self, is: impl Fn(Outcome) -> bool, of: impl Fn(&Order) -> bool) -> u64 {
        let book = self.book();
        let orders = self.plan.orders.iter().filter(|order| of(order));
        let outcomes = orders.filter_map(|order| book.outcomes[order.id]);
        outcomes.filter(|outcome| is(*outcome)).count() as u64
    }

    /// How often each kind of event was really hit: a storm in which nothing happens proves nothing.
    pub(crate) fn events(&self) -> BTreeMap<&'static str, u64> {
        let book = self.book();
        let mut events = BTreeMap::from([("slow_reads", book.slow_reads)]);
        for (order, outcome) in self.plan.orders.iter().zip(&book.outcomes) {
            let was_sent = book.entries[order.id] > 0;
            let event = match outcome {
                Some(Outcome::Canceled(_) | Outcome::Left) if !was_sent => "canceled_unsent",
                Some(Outcome::Canceled(_) | Outcome::Left) => "canceled_sent",
                Some(Outcome::LateInLine | Outcome::Late) if !was_sent => "late_unsent",
                Some(Outcome::LateInLine | Outcome::Late) => "late_sent",
                Some(Outcome::Expired) => "expired",
                Some(Outcome::Panicked) => "panicked",
                Some(Outcome::Failed) => "failed",
                Some(Outcome::Unread) => "unread",
                Some(Outcome::Refused) => "refused",
                Some(Outcome::Answered) if order.is_queued() => "answered_queued",
                Some(Outcome::Answered) => "answered_direct",
                Some(Outcome::Unpolled) => "unpolled",
                None => "lost",
            };
            *events.entry(event).or_default() += 1;
        }
        events
    }

    /// All that cannot be.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let book = self.book();
        let mut complaints = book.complaints.clone();
        self.check_peaks(&book, &mut complaints);
        self.check_sums(&book, &mut complaints);
        for order in &self.plan.orders {
            let entries = book.entries[order.id];
            match book.outcomes[order.id] {
                None => complaints.push(format!("order {} is lost: {order:?}", order.id)),
                Some(outcome) if !self.may_be(order, outcome, entries) => complaints.push(format!(
                    "{outcome:?} after {entries} attempts cannot come of {order:?}"
                )),
                Some(_) => {}
            }
        }
        complaints
    }

    /// With so much demand, each peak *is* its limit: less is a limit too low or a permit lost.
    fn check_peaks(&self, book: &Book, complaints: &mut Vec<String>) {
        // Where the total is what is scarce, a host may stay below its own limit.
        let is_scarce = self.plan.total < ALL_HOSTS;
        for (level, (host, limit)) in book.hosts.iter().zip(HOSTS) {
            if level.peak > limit || (level.peak < limit && !is_scarce) {
                complaints.push(format!("{} at once at {host}, not {limit}", level.peak));
            }
            if level.now != 0 {
                complaints.push(format!("{} are still at {host}", level.now));
            }
        }
        if book.all.peak != self.plan.peak() {
            let peak = self.plan.peak();
            complaints.push(format!("{} at once in all, not {peak}", book.all.peak));
        }
    }

    /// Sent is what was accepted, without what was given up before.
    fn check_sums(&self, book: &Book, complaints: &mut Vec<String>) {
        if book.entered != book.left + book.dropped {
            complaints.push(format!(
                "{} entered, {} left and {} were dropped",
                book.entered, book.left, book.dropped
            ));
        }
        let refused = |outcome: &&Option<Outcome>| **outcome == Some(Outcome::Refused);
        let accepted = self.plan.orders.len() - book.outcomes.iter().filter(refused).count();
        let sent = book.entries.iter().filter(|entries| **entries > 0).count();
        let unsent = self
            .plan
            .orders
            .iter()
            .filter(|order| {
                let outcome = book.outcomes[order.id];
                book.entries[order.id] == 0
                    && outcome.is_some_and(|o| self.needs_no_sending(order, o))
            })
            .count();
        if sent != accepted - unsent {
            complaints.push(format!(
                "{sent} were sent, of {accepted} accepted without {unsent} given up before"
            ));
        }
    }

    /// Whether an order with this outcome may never have come to the transport.
    fn needs_no_sending(&self, order: &Order, outcome: Outcome) -> bool {
        match outcome {
            Outcome::LateInLine
            | Outcome::Late
            | Outcome::Expired
            | Outcome::Canceled(_)
            | Outcome::Left
            | Outcome::Unpolled => true,
            Outcome::Panicked => order.act == Act::PanicAbove,
            Outcome::Answered | Outcome::Unread | Outcome::Failed | Outcome::Refused => false,
        }
    }

    /// Whether this outcome can come of the order, after so many attempts that the transport saw.
    fn may_be(&self, order: &Order, outcome: Outcome, entries: u32) -> bool {
        let is_layered = self.plan.is_layered;
        let is_tried_again = is_layered && order.act == Act::FailOnce;
        let most = if is_tried_again { 2 } else { 1 };
        let answers = match order.act {
            Act::Answer | Act::Slow(_) => true,
            Act::FailOnce => is_layered,
            Act::PanicAbove => !is_layered,
            Act::Fail | Act::FailLate(_) | Act::Panic | Act::Never => false,
        };
        let (is_possible, attempts) = match outcome {
            Outcome::Answered => (answers && order.whim != Whim::DropUnread, most..=most),
            Outcome::Unread => (answers && order.whim == Whim::DropUnread, most..=most),
            Outcome::Failed => match order.act {
                Act::Fail | Act::FailLate(_) => (true, 1..=1),
                Act::FailOnce => (!is_layered, 1..=1),
                _ => (false, 1..=1),
            },
            Outcome::Panicked => match order.act {
                Act::Panic => (true, 1..=1),
                _ => (is_layered && order.act == Act::PanicAbove, 0..=0),
            },
            Outcome::LateInLine => (matches!(order.whim, Whim::Impatient(_)), 0..=most - 1),
            // The deadline may pass while a middleware works.
            Outcome::Late => {
                let fewest = if is_layered { 0 } else { 1 };
                (matches!(order.whim, Whim::Impatient(_)), fewest..=most)
            }
            Outcome::Expired => {
                let has_time = matches!(order.whim, Whim::Impatient(_) | Whim::Expire(_));
                (order.is_queued() && has_time, 0..=0)
            }
            Outcome::Canceled(was_waiting) => {
                let has_ticket = order.is_queued();
                let cancels = matches!(order.whim, Whim::Cancel(_) | Whim::Leave(_));
                (
                    has_ticket && cancels,
                    0..=if was_waiting { 0 } else { most },
                )
            }
            Outcome::Left => {
                let leaves = matches!(order.whim, Whim::Cancel(_) | Whim::Leave(1..));
                (leaves, 0..=most)
            }
            Outcome::Unpolled => (order.whim == Whim::Leave(0), 0..=0),
            Outcome::Refused => (
                order.route != Route::Direct && order.whim == Whim::Try,
                0..=0,
            ),
        };
        is_possible && attempts.contains(&entries)
    }
}

/// One order in the transport, or one answer in the hands of a caller; gone when it is dropped.
pub(crate) struct Call {
    oracle: Arc<Oracle>,
    host: usize,
    /// From 1.
    pub(crate) attempt: u32,
    has_left: bool,
    is_reading: bool,
}

impl Call {
    /// The transport has answered.
    pub(crate) fn leave(mut self) {
        self.has_left = true;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut book = self.oracle.book();
        book.all.now -= 1;
        book.hosts[self.host].now -= 1;
        match (self.is_reading, self.has_left) {
            (true, _) => {}
            (false, true) => book.left += 1,
            (false, false) => book.dropped += 1,
        }
    }
}
