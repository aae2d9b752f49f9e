//! A download from its first request to the name of its file.

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::SystemTime;

use http::StatusCode;
use turbohttp_core::timeline::Timeline;

use super::checksum::Checksum;
use super::journal::{self, Journal};
use super::part::{self, Found, Part, Sink};
use super::pieces::{Pieces, Worker};
use super::validator::Validator;
use super::writer::{blocking, joined, output};
use super::{Downloaded, OnProgress, Options};
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::download::{JOURNAL_BYTES_MIN, PARALLEL_BYTES_MIN};
use crate::policy::RetryPolicy;
use crate::request::Request;
use crate::response::Response;

/// Downloads what `request` asks for to `path`; `first` is the answer to its first request, if that has been
/// sent.
pub(super) async fn run(
    client: Client,
    request: Request,
    options: Options,
    on_progress: Option<OnProgress>,
    first: Option<Response>,
    path: &Path,
) -> Result<Downloaded> {
    let (target, is_durable) = (path.to_owned(), options.is_durable);
    let found = match first.as_ref().is_some_and(is_small) {
        // Looked for when it is written: nothing is left to refuse before that.
        true => Ok(Found::nothing(target)),
        false => joined(blocking(move || part::look(&target, is_durable))?).await?,
    };
    let found = found.map_err(|error| output(path, error).at(request.origin()))?;
    let known = found
        .known
        .filter(|known| known.url == journal::hash(request.url()));
    let fetch = Fetch {
        client,
        request,
        options,
        target: found.target,
        part: Mutex::new(found.part),
        state: Mutex::default(),
        on_progress: Mutex::new(on_progress),
    };
    if first.is_some() {
        let mut state = fetch.state();
        (state.requests, state.is_answered) = (1, true);
    }
    Box::pin(fetch.run(known, first)).await
}

/// One download. All of it runs in one task: the locks make it shareable, and are never waited for.
pub(super) struct Fetch {
    pub(super) client: Client,
    pub(super) request: Request,
    pub(super) options: Options,
    pub(super) target: PathBuf,
    /// `None` until a byte of a file that is not small has come, or something was there.
    pub(super) part: Mutex<Option<Part>>,
    state: Mutex<State>,
    pub(super) on_progress: Mutex<Option<OnProgress>>,
}

/// What is known by now.
#[derive(Default)]
pub(super) struct State {
    /// `None` where the length is not known.
    pub(super) pieces: Option<Pieces>,
    pub(super) validator: Option<Validator>,
    pub(super) takes_ranges: bool,
    pub(super) is_answered: bool,
    /// Bytes of the version that is being written.
    pub(super) bytes: u64,
    pub(super) resumed: u64,
    /// Answers in a row that broke off, with no byte in between.
    pub(super) failures: u32,
    pub(super) requests: u32,
    pub(super) restarts: u32,
    pub(super) url: String,
    /// What the server says that the file hashes to.
    pub(super) checksums: Vec<Checksum>,
    pub(super) last_modified: Option<SystemTime>,
    /// All of a file that is written at once.
    pub(super) small: Option<Vec<u8>>,
    pub(super) timeline: Option<Box<Timeline>>,
    /// Why a connection beside the first one was given up.
    pub(super) given_up: Option<Error>,
}

/// Why a connection of a download stops.
pub(super) enum Stop {
    /// The download has failed.
    Failed(Error),
    /// It goes on where this answer has ended.
    Broken(Error),
    /// It begins anew: the server has another version, or takes no ranges.
    Anew(Error),
    /// This connection is given up, and the others go on.
    GivenUp(Error),
}

/// What the first answer of a version brings.
pub(super) enum First {
    /// A file that is written at once, when it is there.
    Small(Response),
    /// A file of known length.
    Pieces(Answer),
    /// A file that ends with its answer.
    Stream(Answer),
}

/// An answer that brings the bytes of the file from `at` to `end`; of a length that is not known, `None`.
pub(super) struct Answer {
    pub(super) response: Response,
    pub(super) at: u64,
    pub(super) end: Option<u64>,
}

impl Fetch {
    async fn run(
        &self,
        mut known: Option<Journal>,
        mut first: Option<Response>,
    ) -> Result<Downloaded> {
        loop {
            match Box::pin(self.pass(known.take(), first.take())).await {
                Ok(()) => break,
                Err(Stop::Failed(error) | Stop::GivenUp(error)) => return Err(error),
                Err(Stop::Anew(error)) => {
                    self.back_off_between_passes(error).await?;
                    self.state().restarts += 1;
                }
                // A server that does not speak of ranges may take them all the same.
                Err(Stop::Broken(error)) => {
                    self.back_off_between_passes(error).await?;
                    known = self.known();
                    self.state().restarts += u32::from(known.is_none());
                }
            }
        }
        self.finish().await
    }

    /// Waits before the next pass; bytes that were thrown away by one before are no progress.
    async fn back_off_between_passes(&self, error: Error) -> Result<()> {
        {
            let mut state = self.state();
            state.failures = state.failures.max(state.restarts);
        }
        self.back_off(error).await
    }

    /// What is there of the version that broke off, if it can be gone on with.
    fn known(&self) -> Option<Journal> {
        let state = self.state();
        let mut pieces = state.pieces.clone()?;
        pieces.release(0);
        Some(Journal {
            url: journal::hash(self.request.url()),
            validator: state.validator.clone()?,
            boot: journal::boot(),
            pieces,
        })
    }

    /// One version of the file, from its first answer to its last byte.
    async fn pass(&self, known: Option<Journal>, first: Option<Response>) -> Result<(), Stop> {
        let answer = match Box::pin(self.first(known, first)).await? {
            First::Small(response) => return self.receive_small(response).await,
            First::Stream(answer) => return self.receive_to_the_end(answer).await,
            First::Pieces(answer) => answer,
        };
        let mut workers = vec![Box::pin(self.work(0, Some(answer)))];
        for worker in 1..self.connections() {
            workers.push(Box::pin(self.work(worker, None)));
        }
        self.all(workers).await
    }

    fn connections(&self) -> usize {
        // A small rest is not worth the connections, and a range is sound only of a version that If-Range can name.
        let state = self.state();
        let is_large = state
            .pieces
            .as_ref()
            .is_some_and(|pieces| pieces.length() - pieces.bytes_done() >= PARALLEL_BYTES_MIN);
        match is_large && state.takes_ranges && state.validator.is_some() {
            true => self.options.connections,
            false => 1,
        }
    }

    /// Drives the workers until the file is whole, none is left, or one of them fails.
    async fn all<F>(&self, mut workers: Vec<Pin<Box<F>>>) -> Result<(), Stop>
    where
        F: Future<Output = Result<(), Stop>>,
    {
        poll_fn(|cx| {
            let mut at = 0;
            while at < workers.len() {
                match workers[at].as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(())) => drop(workers.swap_remove(at)),
                    Poll::Ready(Err(Stop::GivenUp(error))) => {
                        self.state().given_up = Some(error);
                        drop(workers.swap_remove(at));
                    }
                    Poll::Ready(Err(stop)) => return Poll::Ready(Err(stop)),
                }
            }
            // Those that still wait for a permit have nothing left to ask for.
            match (self.is_complete(), workers.is_empty()) {
                (true, _) => Poll::Ready(Ok(())),
                (false, true) => Poll::Ready(Err(self.incomplete())),
                (false, false) => Poll::Pending,
            }
        })
        .await
    }

    /// No connection is left, and the file is not whole.
    fn incomplete(&self) -> Stop {
        let mut state = self.state();
        let (takes_ranges, given_up) = (state.takes_ranges, state.given_up.take());
        drop(state);
        match given_up {
            Some(error) if takes_ranges => Stop::Failed(error),
            Some(error) => Stop::Anew(error),
            None => Stop::Anew(self.error(ErrorKind::Truncated, "the answer has ended too early")),
        }
    }

    /// One connection: an answer, then a request for the next piece that nobody fetches, until there is none.
    async fn work(&self, worker: Worker, mut answer: Option<Answer>) -> Result<(), Stop> {
        loop {
            let step = match answer.take() {
                Some(answer) => self.receive(worker, answer).await,
                None => match self.ask(worker).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(answer)) => self.receive(worker, answer).await,
                    Err(stop) => Err(stop),
                },
            };
            // Whatever the end of the answer: what is missing of its piece is anybody's.
            self.with_pieces(|pieces| pieces.release(worker));
            match step {
                Ok(()) => {}
                Err(Stop::Broken(error)) if self.state().takes_ranges => {
                    self.back_off(error).await.map_err(Stop::Failed)?
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    /// Waits after an answer that broke off, holding no permit; the error itself after too many in a row.
    async fn back_off(&self, error: Error) -> Result<()> {
        let failures = {
            let mut state = self.state();
            state.failures += 1;
            state.failures - 1
        };
        let Some(delay) = RetryPolicy::up_to(self.options.tries).delay(failures) else {
            return Err(error);
        };
        let sleep = clock::sleep_until(clock::after(clock::now(), delay))?;
        self.client.dispatcher().unless_canceling(sleep).await
    }

    fn is_complete(&self) -> bool {
        let state = self.state();
        state.pieces.as_ref().is_some_and(Pieces::is_complete)
    }

    pub(super) fn unwritten(&self, error: std::io::Error) -> Error {
        output(&self.target, error).at(self.request.origin())
    }

    pub(super) fn error(
        &self,
        kind: ErrorKind,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        Error::new(kind, message).at(self.request.origin())
    }

    /// Has the part in the blocking pool for a moment.
    pub(super) async fn on_part(
        &self,
        work: impl FnOnce(&mut Part) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), Stop> {
        let part = lock(&self.part).take();
        let (target, is_durable) = (self.target.clone(), self.options.is_durable);
        let work = blocking(move || {
            let mut part = match part {
                Some(part) => part,
                None => Part::open(&target, is_durable)?.0,
            };
            let done = work(&mut part);
            Ok((part, done))
        });
        let opened = joined(work.map_err(Stop::Failed)?)
            .await
            .map_err(Stop::Failed)?;
        let (part, done) = opened.map_err(|error| Stop::Failed(self.unwritten(error)))?;
        *lock(&self.part) = Some(part);
        done.map_err(|error| Stop::Failed(self.unwritten(error)))
    }

    pub(super) fn sink(&self) -> Option<Sink> {
        lock(&self.part).as_ref().map(Part::sink)
    }

    fn with_pieces(&self, change: impl FnOnce(&mut Pieces)) {
        if let Some(pieces) = &mut self.state().pieces {
            change(pieces);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the answer brings all of a file that is written at once.
pub(super) fn is_small(answer: &Response) -> bool {
    let status = answer.status();
    let length = answer.content_length();
    status.is_success()
        && status != StatusCode::PARTIAL_CONTENT
        && length.is_some_and(|length| length < JOURNAL_BYTES_MIN)
}

/// Whether it may be over in a moment: another request is worth while.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Truncated
            | ErrorKind::Io
            | ErrorKind::Timeout
            | ErrorKind::Connect
            | ErrorKind::Dns
            | ErrorKind::Proxy
    )
}
