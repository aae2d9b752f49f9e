//! What is asked of the client: orders drawn from a seed.

use turbohttp::Priority;

/// Hosts with their limits; the last one has that of the client.
pub(crate) const HOSTS: [(&str, usize); 4] = [("a", 1), ("b", 4), ("c", 8), ("d", 16)];

/// The sum of the limits of all hosts.
pub(crate) const ALL_HOSTS: usize = 29;

/// How often each host is called, in parts of fifteen: the small ones less, but all beyond their limits.
const SHARES: [usize; 15] = [0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3];

/// A source of numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    /// From 1 to `most`.
    pub(crate) fn some(&mut self, most: usize) -> u64 {
        1 + self.roll() % most as u64
    }
}

/// How a request gets to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Direct,
    /// Through a queue that reads the body.
    Queued,
    /// Through a queue that leaves the body to the owner of the ticket.
    Streamed,
}

/// What the other side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Answer,
    /// Answers after so many steps.
    Slow(u64),
    Fail,
    FailLate(u64),
    /// Fails at the first attempt only.
    FailOnce,
    Panic,
    /// Panics in a middleware, where there is one; answers otherwise.
    PanicAbove,
    Never,
}

/// What the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whim {
    Read,
    /// Leaves the body unread for so many steps, and reads it then.
    ReadSlowly(u64),
    /// Drops the response unread.
    DropUnread,
    /// Drops the future at this poll; with 0 before the first one.
    Leave(usize),
    /// Cancels after so many steps: the ticket, or the future by dropping it.
    Cancel(u64),
    /// Gives the request so many steps in all.
    Impatient(u64),
    /// Gives the job so many steps until it is started; sent directly, it is read.
    Expire(u64),
    /// Does not wait for room in the queue; sent directly, it is read.
    Try,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: usize,
    pub(crate) host: usize,
    pub(crate) route: Route,
    pub(crate) priority: Priority,
    pub(crate) act: Act,
    pub(crate) whim: Whim,
    /// In steps from the beginning.
    pub(crate) arrives: u64,
}

impl Order {
    fn draw(id: usize, dice: &mut Dice) -> Order {
        let whim = whim(dice);
        Order {
            id,
            host: SHARES[dice.below(SHARES.len())],
            route: [Route::Direct, Route::Direct, Route::Queued, Route::Streamed][dice.below(4)],
            priority: Priority::ALL[dice.below(Priority::COUNT)],
            act: act(dice, whim),
            whim,
            arrives: dice.below(500) as u64,
        }
    }

    pub(crate) fn is_queued(&self) -> bool {
        self.route != Route::Direct
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/{}", HOSTS[self.host].0, self.id)
    }

    /// The body that belongs to this order and to no other one.
    pub(crate) fn body(&self) -> Vec<u8> {
        let word = format!("{} at {};", self.id, HOSTS[self.host].0);
        word.into_bytes().repeat(1 + self.id % 50)
    }
}

fn whim(dice: &mut Dice) -> Whim {
    match dice.below(100) {
        0..50 => Whim::Read,
        50..60 => Whim::ReadSlowly(dice.some(6)),
        60..65 => Whim::DropUnread,
        65..74 => Whim::Leave(dice.below(5)),
        74..83 => Whim::Cancel(dice.some(2_000)),
        83..92 => Whim::Impatient(dice.some(2_000)),
        92..96 => Whim::Expire(dice.some(1_000)),
        _ => Whim::Try,
    }
}

fn act(dice: &mut Dice, whim: Whim) -> Act {
    let may_never_answer = matches!(whim, Whim::Cancel(_) | Whim::Impatient(_));
    if may_never_answer && dice.below(5) == 0 {
        return Act::Never;
    }
    match dice.below(100) {
        0..28 => Act::Answer,
        28..76 => Act::Slow(dice.some(8)),
        76..81 => Act::Fail,
        81..85 => Act::FailLate(dice.some(5)),
        85..89 => Act::FailOnce,
        89..92 => Act::Panic,
        92..94 => Act::PanicAbove,
        _ => Act::Slow(1),
    }
}

/// The orders of one run.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) orders: Vec<Order>,
    /// Whether middlewares stand before the transport.
    pub(crate) is_layered: bool,
    /// Permits in all: more than the hosts have together, or fewer.
    pub(crate) total: usize,
}

impl Plan {
    /// The two bits at the end of the seed choose the kind of client.
    pub(crate) fn draw(seed: u64, count: usize) -> Plan {
        let mut dice = Dice::new(seed);
        Plan {
            seed,
            orders: (0..count).map(|id| Order::draw(id, &mut dice)).collect(),
            is_layered: seed & 1 == 1,
            total: if seed & 2 == 2 { 20 } else { 64 },
        }
    }

    /// What all hosts together can have at once.
    pub(crate) fn peak(&self) -> usize {
        self.total.min(ALL_HOSTS)
    }
}
