//! Servers and clients that speak HTTP/2.

use std::future::Future;

use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use turbohttp::{Client, ClientBuilder, Limits};
use turbohttp_loopback::script::{Signal, Step, frames};
use turbohttp_loopback::{Http2, Options, Protocols, Server};

/// What no test takes: one that hangs fails by it.
pub(crate) const GUARD: Duration = Duration::from_secs(20);

/// A server that speaks HTTP/2 alone.
pub(crate) fn server() -> Server {
    server_with(Http2::default())
}

pub(crate) fn server_with(http2: Http2) -> Server {
    let options = Options {
        protocols: Protocols::Http2,
        http2,
        ..Options::default()
    };
    Server::start(options).unwrap()
}

pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder().http2_prior_knowledge()
}

/// What no test of the full figures takes.
pub(crate) const LONG: Duration = Duration::from_secs(1_200);

/// Runs on a runtime of one thread.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(guarded(GUARD, test))
}

/// Runs on a runtime of two workers.
pub(crate) fn run_on_two<T>(test: impl Future<Output = T>) -> T {
    run_for(GUARD, test)
}

/// The same for a test that takes this long at most.
pub(crate) fn run_for<T>(guard: Duration, test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(guarded(guard, test))
}

async fn guarded<T>(guard: Duration, test: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(guard, test).await;
    ended.expect("the test ends")
}

/// A client that sends so many requests at once to one origin.
pub(crate) fn wide_client(at_once: usize) -> Client {
    let limits = Limits::default().per_host(at_once);
    builder().limits(limits).build().unwrap()
}

/// Nothing of the client is in use any more once its connections have taken in what was still on the way.
pub(crate) async fn idles(client: &Client) {
    let wait = async {
        while !client.audit().is_idle() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(GUARD / 4, wait).await;
    assert!(waited.is_ok(), "{:?}", client.audit());
}

/// Polls as often as the future wakes its task, so many times at most: its output, if it ends by then.
pub(crate) async fn poll_times<F: Future>(
    mut future: Pin<&mut F>,
    polls: usize,
) -> Option<F::Output> {
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Polls a few times, each time when the future was woken or when all else has had a turn.
pub(crate) async fn poll_few<F: Future>(
    mut future: Pin<&mut F>,
    polls: usize,
) -> Option<F::Output> {
    for _ in 0..polls {
        let polled = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Numbers that look random, from a seed (xorshift).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The begin of a scripted connection: settings of the server, and the acknowledgement of the client's.
pub(crate) fn greeting(settings: &[(u16, u32)]) -> Vec<Step> {
    let hello = [frames::settings(settings), frames::settings_ack()].concat();
    vec![Step::ReadPreface, Step::send(hello)]
}

/// An answer of status 200 with this content.
pub(crate) fn answer(stream: u32, content: &str) -> Vec<u8> {
    let head = frames::block(&[(":status", "200")]);
    let head = frames::headers(stream, frames::END_HEADERS, &head);
    let content = frames::data(stream, frames::END_STREAM, content.as_bytes());
    [head, content].concat()
}

/// A connection that carries one request at once: it answers the first, holds the second back until the signal, and
/// answers all that follow.
pub(crate) fn one_at_once(signal: &Signal) -> Vec<Step> {
    let mut steps = greeting(&[(frames::MAX_CONCURRENT_STREAMS, 1)]);
    steps.extend([
        Step::read_frame(frames::HEADERS),
        Step::send(answer(1, "first")),
        Step::read_frame(frames::HEADERS),
        Step::Await(signal.clone()),
        Step::send(answer(3, "second")),
        answer_all(),
    ]);
    steps
}

/// Answers every request that comes.
pub(crate) fn answer_all() -> Step {
    Step::Repeat(vec![
        Step::read_frame(frames::HEADERS),
        Step::answer(|request| answer(request.stream, "hello")),
    ])
}
