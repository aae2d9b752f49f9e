//! A clock that a test sets, a server that answers from a list, and caches over both.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turbohttp::{
    Cache, Client, ClientBuilder, ErrorKind, HeaderMap, MockReply, MockTransport, Request,
    StatusCode,
};

/// Where the clock of every test begins: in 2027.
const BEGIN: u64 = 1_800_000_000;

pub(crate) const MIB: u64 = 1024 * 1024;

/// A clock that stands still until it is moved.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(BEGIN + self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn set_for(&self, cache: Cache) -> Cache {
        let clock = self.clone();
        cache.clock(move || clock.now())
    }
}

/// The date so many seconds after the begin of the clock.
pub(crate) fn date(seconds: i64) -> String {
    let time = BEGIN.checked_add_signed(seconds).unwrap();
    httpdate(UNIX_EPOCH + Duration::from_secs(time))
}

/// An IMF-fixdate (RFC 9110 section 5.6.7).
fn httpdate(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let days = seconds / 86_400;
    let (mut year, mut left) = (1970, days);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let day = DAYS[usize::try_from(days % 7).unwrap()];
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let (date, month) = (left + 1, MONTHS[month]);
    format!("{day}, {date:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

#[test]
fn dates_are_those_of_the_standard() {
    assert_eq!(
        httpdate(UNIX_EPOCH + Duration::from_secs(784_111_777)),
        "Sun, 06 Nov 1994 08:49:37 GMT"
    );
    assert_eq!(
        httpdate(UNIX_EPOCH + Duration::from_secs(951_782_400)),
        "Tue, 29 Feb 2000 00:00:00 GMT"
    );
}

/// Replaces `{SECONDS}` by dates.
pub(crate) fn dated(text: &str) -> String {
    let mut parts = text.split('{');
    let mut whole = parts.next().unwrap().to_owned();
    for part in parts {
        let (seconds, rest) = part.split_once('}').unwrap();
        whole += &date(seconds.parse().unwrap());
        whole += rest;
    }
    whole
}

/// One request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) headers: HeaderMap,
}

/// A server in memory that gives its answers one after the other, and then 500.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) mock: MockTransport,
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<VecDeque<MockReply>>>,
}

impl Server {
    /// An answer is a status, then fields, then `body=TEXT`, each behind a semicolon; or `!` for a connection
    /// that breaks.
    pub(crate) fn new(answers: &[&str]) -> Server {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let answers: VecDeque<_> = answers.iter().map(|answer| reply(&dated(answer))).collect();
        let answers = Arc::new(Mutex::new(answers));
        let (record, script) = (seen.clone(), answers.clone());
        let mock = MockTransport::with_handler(move |request: &Request| {
            record.lock().unwrap().push(Seen {
                headers: request.headers().clone(),
            });
            let next = script.lock().unwrap().pop_front();
            next.unwrap_or_else(|| MockReply::new(StatusCode::INTERNAL_SERVER_ERROR))
        });
        Server {
            mock,
            seen,
            answers,
        }
    }

    pub(crate) fn add(&self, answer: &str) {
        self.answers
            .lock()
            .unwrap()
            .push_back(reply(&dated(answer)));
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn client(&self, cache: &Cache) -> Client {
        self.client_with(cache, |builder| builder)
    }

    pub(crate) fn client_with(
        &self,
        cache: &Cache,
        options: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Client {
        let builder = Client::builder()
            .transport(self.mock.clone())
            .cache(cache.clone());
        options(builder).build().unwrap()
    }
}

fn reply(answer: &str) -> MockReply {
    if answer == "!" {
        return MockReply::failure(ErrorKind::Io, "connection reset");
    }
    let mut parts = answer.split("; ");
    let status: u16 = parts.next().unwrap().parse().unwrap();
    let mut reply = MockReply::new(StatusCode::from_u16(status).unwrap());
    for part in parts {
        reply = match (part, part.split_once(": ")) {
            ("streamed", _) => reply.streamed(),
            (_, Some((name, value))) => reply.header(name, value),
            _ => reply.body(part.strip_prefix("body=").unwrap().to_owned()),
        };
    }
    reply
}

/// A cache in memory whose clock stands still.
pub(crate) fn cache() -> (Cache, Clock) {
    let clock = Clock::default();
    (clock.set_for(Cache::memory(MIB)), clock)
}
