//! Real servers, good and bad ones, and what is asked of them.
//!
//! Every request has a number, and its answer is checked to the last byte: against the number where
//! the server says it back, against the pattern of its length elsewhere.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use turbohttp::{
    Client, Error, ErrorKind, Limits, Method, Origin, Priority, QueueOptions, RequestBuilder,
    RequestQueue, Response, Result, Scheme,
};
use turbohttp_loopback::{Fail, FailWith, Options, Server, pattern};

use crate::crew::poll_times;
use crate::plan::Dice;

/// Requests under route in all; less than all servers have together.
pub(crate) const TOTAL: usize = 24;

/// The limit of the server that answers late, to which no caller is impatient: its peak is exact.
pub(crate) const SLOW: usize = 3;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ask {
    /// The number, in the body.
    Id,
    /// The number, as often as fits; POST.
    Echo,
    /// The number, in a field.
    Fields,
    Chunked,
    Large,
    Head,
    NotModified,
    /// A body that the end of the connection delimits.
    Close,
    Slow,
    Drop,
    Reset,
    /// The connection ends in the middle of the body.
    Half,
    /// No answer ever, and little time.
    Never,
    /// The future is dropped at some poll.
    Leave,
}

const ASKS: [Ask; 14] = [
    Ask::Id,
    Ask::Echo,
    Ask::Fields,
    Ask::Chunked,
    Ask::Large,
    Ask::Head,
    Ask::NotModified,
    Ask::Close,
    Ask::Slow,
    Ask::Drop,
    Ask::Reset,
    Ask::Half,
    Ask::Never,
    Ask::Leave,
];

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Answered,
    /// A server that fails now and then said 503.
    Unavailable,
    /// The connection died, as that server's or that route's do.
    Broken,
    Late,
    Left,
}

/// Four servers, one client, one queue, and the accounts.
pub(crate) struct Field {
    pub(crate) servers: [Server; 4],
    pub(crate) client: Client,
    pub(crate) queue: RequestQueue,
    next: AtomicU64,
    asked: AtomicU64,
    ends: Mutex<BTreeMap<(Ask, End), u64>>,
    complaints: Mutex<Vec<String>>,
}

impl Field {
    /// Must be called in a runtime, as the queue is started.
    pub(crate) fn new() -> Field {
        let failing = |every, with| Options {
            fail: Some(Fail { every, with }),
            ..Options::default()
        };
        let late = Options {
            base_delay: Duration::from_millis(1),
            ..Options::default()
        };
        let servers = [
            Options::default(),
            late,
            failing(7, FailWith::Status503),
            failing(11, FailWith::Drop),
        ];
        let servers = servers.map(|options| Server::start(options).unwrap());
        let limits = Limits::default().per_host(16).total(TOTAL);
        let mut builder = Client::builder().limits(limits);
        for (server, limit) in servers.iter().zip([16, SLOW, 8, 8]) {
            let origin = Origin::new(Scheme::Http, "127.0.0.1", server.addr().port());
            builder = builder.host_limit(origin, limit);
        }
        let client = builder.build().unwrap();
        let options = QueueOptions::default().workers(16);
        let queue = RequestQueue::new(&client, options).unwrap();
        queue.start().unwrap();
        Field {
            servers,
            client,
            queue,
            next: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            ends: Mutex::default(),
            complaints: Mutex::default(),
        }
    }

    /// One caller, which sends requests until `is_enough` says so of their number.
    pub(crate) async fn call(&self, seed: u64, is_enough: impl Fn(u64) -> bool) {
        let mut dice = Dice::new(seed);
        loop {
            let id = self.next.fetch_add(1, Ordering::Relaxed);
            if is_enough(id) {
                return;
            }
            self.asked.fetch_add(1, Ordering::Relaxed);
            let ask = ASKS[dice.below(ASKS.len())];
            let server = dice.below(self.servers.len());
            // A caller that leaves frees its permit before the server has noticed.
            let is_patient = !matches!(ask, Ask::Never | Ask::Leave | Ask::Half);
            let server = if is_patient || server != 1 { server } else { 0 };
            let end = self.ask(id, ask, server, &mut dice).await;
            match end {
                Ok(end) => *self.ends.lock().unwrap().entry((ask, end)).or_default() += 1,
                Err(complaint) => self.complain(format!("{id}, {ask:?} at {server}: {complaint}")),
            }
        }
    }

    async fn ask(&self, id: u64, ask: Ask, server: usize, dice: &mut Dice) -> Result<End, String> {
        let builder = self.request(id, ask, server);
        let builder = builder.priority(Priority::ALL[dice.below(Priority::COUNT)]);
        let is_queued = dice.below(2) == 0;
        let whole = async {
            let sent = match is_queued {
                false => builder.send().await,
                true => match self.queue.submit(builder.build().unwrap()).await {
                    Ok(ticket) => ticket.await,
                    Err(rejected) => Err(Error::from(rejected)),
                },
            };
            match sent {
                Ok(response) => self.receive(id, ask, response).await,
                Err(error) => Err(error),
            }
        };
        let ended = match ask {
            Ask::Leave => match poll_times(whole, 1 + dice.below(4)).await {
                None => return Ok(End::Left),
                Some(ended) => ended,
            },
            _ => whole.await,
        };
        let breaks = matches!(ask, Ask::Drop | Ask::Reset | Ask::Half) || server == 3;
        match ended {
            Ok(Answer::Own) => Ok(End::Answered),
            Ok(Answer::Unavailable) if server == 2 => Ok(End::Unavailable),
            Ok(Answer::Unavailable) => Err("answered 503".to_owned()),
            Ok(Answer::Other(status, bytes)) => Err(format!(
                "answered {status} with {bytes} bytes of another one"
            )),
            Err(error) => match error.kind() {
                ErrorKind::Truncated | ErrorKind::Io if breaks => Ok(End::Broken),
                ErrorKind::Timeout | ErrorKind::ExpiredInQueue if ask == Ask::Never => {
                    Ok(End::Late)
                }
                _ => Err(format!("{error:?}")),
            },
        }
    }

    fn request(&self, id: u64, ask: Ask, server: usize) -> RequestBuilder {
        let path = match ask {
            Ask::Id | Ask::Leave => format!("/id/{id}"),
            Ask::Echo => "/echo".to_owned(),
            Ask::Fields => "/headers".to_owned(),
            Ask::Chunked => "/chunked/16/1000".to_owned(),
            Ask::Large => format!("/bytes/{LARGE}"),
            Ask::Head => "/bytes/1000".to_owned(),
            Ask::NotModified => "/status/304".to_owned(),
            Ask::Close => "/close/500".to_owned(),
            Ask::Slow => "/slow/1000/1".to_owned(),
            Ask::Drop => "/drop".to_owned(),
            Ask::Reset => "/reset".to_owned(),
            Ask::Half => "/drop/9000".to_owned(),
            Ask::Never => "/never".to_owned(),
        };
        let method = match ask {
            Ask::Echo => Method::POST,
            Ask::Head => Method::HEAD,
            _ => Method::GET,
        };
        let builder = self.client.request(method, self.servers[server].url(&path));
        match ask {
            Ask::Echo => builder.body(numbered(id)),
            Ask::Fields => builder.header("x-id", id.to_string()),
            Ask::Never => builder.timeout(Duration::from_millis(1 + id % 20)),
            _ => builder,
        }
    }

    /// Reads the answer, and says whether it belongs to the number.
    async fn receive(&self, id: u64, ask: Ask, response: Response) -> Result<Answer> {
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        if status == 503 {
            return Ok(Answer::Unavailable);
        }
        let is_own = match ask {
            Ask::Id | Ask::Leave => body == id.to_string(),
            Ask::Echo => body == numbered(id),
            Ask::Fields => {
                let line = format!("x-id: {id}\r\n");
                body.windows(line.len())
                    .any(|window| window == line.as_bytes())
            }
            Ask::Chunked => body == pattern(16_000),
            Ask::Large => body == pattern(LARGE),
            Ask::Head => body.is_empty(),
            Ask::NotModified => status == 304 && body.is_empty(),
            Ask::Close => body == pattern(500),
            Ask::Slow => body == pattern(1_000),
            Ask::Drop | Ask::Reset | Ask::Half | Ask::Never => false,
        };
        match is_own {
            true => Ok(Answer::Own),
            false => Ok(Answer::Other(status, body.len())),
        }
    }

    fn complain(&self, complaint: String) {
        self.complaints.lock().unwrap().push(complaint);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap().clone()
    }

    pub(crate) fn ends(&self) -> BTreeMap<(Ask, End), u64> {
        self.ends.lock().unwrap().clone()
    }

    /// Requests that were made.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

const LARGE: usize = 300_000;

enum Answer {
    /// What was asked for.
    Own,
    Unavailable,
    /// Something else, of this status and length.
    Other(u16, usize),
}

/// A body that belongs to a number, from small to larger than a buffer.
fn numbered(id: u64) -> Vec<u8> {
    let times = 1 + id as usize % 2_000;
    format!("{id};").into_bytes().repeat(times)
}
