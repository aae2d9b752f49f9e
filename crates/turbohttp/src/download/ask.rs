//! The requests of a download, and what their answers are of.

use std::future::{Future as _, poll_fn};
use std::ops::Range;
use std::pin::pin;
use std::task::Poll;

use http::header::{IF_RANGE, RANGE};
use http::{HeaderValue, StatusCode};

use super::checksum::Checksum;
use super::fetch::{Answer, Fetch, First, Stop, is_passing, is_small};
use super::journal::{self, Journal};
use super::pieces::{Pieces, Worker};
use super::validator::{ContentRange, Validator, last_modified};
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::Response;

impl Fetch {
    /// The first answer of a version: the one that is there, or that to a request for what is missing.
    pub(super) async fn first(
        &self,
        known: Option<Journal>,
        answer: Option<Response>,
    ) -> Result<First, Stop> {
        let known = known.filter(|known| known.pieces.bytes_done() > 0);
        match (known, answer) {
            (None, None) => self.start().await,
            (Some(known), None) => self.resume(known, None).await,
            (known, Some(answer)) => match (answer.status(), known) {
                (StatusCode::PARTIAL_CONTENT, Some(known)) => {
                    self.resume(known, Some(answer)).await
                }
                // Of a version of which nothing is there any more.
                (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                    self.start().await
                }
                _ => self.adopt(answer).await,
            },
        }
    }

    /// The first request of a version of which nothing is there.
    async fn start(&self) -> Result<First, Stop> {
        let response = self.send(self.clone_request()?).await?;
        self.adopt(response).await
    }

    /// Takes an answer with the whole file as that of a new version.
    async fn adopt(&self, response: Response) -> Result<First, Stop> {
        let status = response.status();
        if !status.is_success() || status == StatusCode::PARTIAL_CONTENT {
            return Err(Stop::Failed(self.refused(response)));
        }
        {
            let mut state = self.state();
            (state.last_modified, state.checksums) = (None, Vec::new());
        }
        if is_small(&response) {
            self.note_answer(&response);
            let mut state = self.state();
            (state.pieces, state.validator) = (None, None);
            (state.bytes, state.resumed) = (0, 0);
            return Ok(First::Small(response));
        }
        let length = response.content_length();
        let validator = Validator::of(&response);
        let pieces = length.map(Pieces::new);
        let journal = pieces.clone().zip(validator.clone());
        let journal = journal.map(|(pieces, validator)| Journal {
            url: journal::hash(self.request.url()),
            validator,
            boot: journal::boot(),
            pieces,
        });
        self.on_part(move |part| part.begin(length, journal.as_ref()))
            .await?;
        let takes_ranges = response.header_values("accept-ranges").any(|value| {
            let mut units = value.split(|byte| *byte == b',');
            units.any(|unit| unit.trim_ascii().eq_ignore_ascii_case(b"bytes"))
        });
        self.note_answer(&response);
        let mut state = self.state();
        state.takes_ranges = takes_ranges && validator.is_some();
        (state.pieces, state.validator) = (pieces, validator);
        (state.bytes, state.resumed) = (0, 0);
        drop(state);
        let answer = Answer {
            response,
            at: 0,
            end: length,
        };
        Ok(match length {
            Some(_) => First::Pieces(answer),
            None => First::Stream(answer),
        })
    }

    /// The first request for what is missing of a version of which something is there.
    async fn resume(&self, mut known: Journal, answer: Option<Response>) -> Result<First, Stop> {
        known.pieces.forget_last_byte();
        let is_of_this_download = {
            let mut state = self.state();
            state.validator = Some(known.validator.clone());
            state.takes_ranges = true;
            state.bytes = known.pieces.bytes_done();
            let before = state.pieces.replace(known.pieces.clone());
            if before.is_none() {
                state.resumed = state.bytes;
            }
            before.is_some()
        };
        self.on_part(move |part| part.go_on(known)).await?;
        let asked = match answer {
            // To the request of `first_request`, which took the same piece.
            Some(response) => self.take(0).map(|(_, wanted)| (response, wanted)),
            None => self.request_piece(0).await?,
        };
        let Some((response, wanted)) = asked else {
            return self.start().await;
        };
        let begun = match response.status() {
            // Another version, which is here already, or a server that takes no ranges.
            StatusCode::OK => self.adopt(response).await?,
            StatusCode::RANGE_NOT_SATISFIABLE => self.start().await?,
            StatusCode::PARTIAL_CONTENT => match self.partial(response, &wanted) {
                Err(Stop::Anew(_)) => self.start().await?,
                // No more is asked of a server that answers so than the whole file.
                Err(Stop::Broken(error)) => return Err(Stop::Anew(error)),
                partial => return partial.map(First::Pieces),
            },
            _ => return Err(Stop::Failed(self.refused(response))),
        };
        self.state().restarts += u32::from(is_of_this_download);
        Ok(begun)
    }

    /// Asks for a piece that nobody fetches and looks at what comes; `None` if there is none.
    pub(super) async fn ask(&self, worker: Worker) -> Result<Option<Answer>, Stop> {
        let Some((response, wanted)) = self.request_piece(worker).await? else {
            return Ok(None);
        };
        match response.status() {
            StatusCode::PARTIAL_CONTENT => self.partial(response, &wanted).map(Some),
            StatusCode::OK if !self.is_other(&response) => {
                self.state().takes_ranges = false;
                Err(Stop::GivenUp(self.error(
                    ErrorKind::Changed,
                    "the server takes no ranges after all",
                )))
            }
            StatusCode::OK | StatusCode::RANGE_NOT_SATISFIABLE => Err(Stop::Anew(self.changed())),
            _ => Err(Stop::GivenUp(self.refused(response))),
        }
    }

    /// Requests a piece that nobody fetches: the answer, and the bytes that were asked for.
    async fn request_piece(&self, worker: Worker) -> Result<Option<(Response, Range<u64>)>, Stop> {
        while let Some((piece, wanted)) = self.take(worker) {
            let request = self.request_of(&wanted)?;
            let mut sending = pin!(self.send(request));
            // Polled with all others of the download: one of them may have come to the piece meanwhile, and a
            // request that still waits for its permit has nothing to ask for.
            let sent = poll_fn(|cx| match self.is_owner(worker, piece) {
                false => Poll::Ready(None),
                true => sending.as_mut().poll(cx).map(Some),
            });
            if let Some(response) = sent.await {
                return Ok(Some((response?, wanted)));
            }
        }
        Ok(None)
    }

    /// Takes a piece that nobody fetches, with the bytes to ask for.
    fn take(&self, worker: Worker) -> Option<(usize, Range<u64>)> {
        let mut state = self.state();
        take(state.pieces.as_mut()?, worker, self.options.connections)
    }

    fn is_owner(&self, worker: Worker, piece: usize) -> bool {
        let state = self.state();
        let pieces = state.pieces.as_ref();
        pieces.is_some_and(|pieces| pieces.is_owner(worker, piece))
    }

    fn request_of(&self, wanted: &Range<u64>) -> Result<Request, Stop> {
        let mut request = self.clone_request()?;
        let (url, validator) = {
            let state = self.state();
            (state.url.clone(), state.validator.clone())
        };
        self.go_straight(&mut request, &url);
        if let Some(validator) = &validator {
            ask_for(&mut request, wanted, validator).map_err(Stop::Failed)?;
        }
        Ok(request)
    }

    /// A 206 as what was asked for.
    fn partial(&self, response: Response, wanted: &Range<u64>) -> Result<Answer, Stop> {
        let length = self.state().pieces.as_ref().map(Pieces::length);
        let range = ContentRange::of(&response);
        let is_as_long = |range: &ContentRange| range.length.is_none() || range.length == length;
        match range {
            Some(range) if self.is_other(&response) || !is_as_long(&range) => {
                Err(Stop::Anew(self.changed()))
            }
            Some(ContentRange {
                bytes: Some(bytes), ..
            }) if bytes.start == wanted.start && bytes.end <= wanted.end => {
                self.note_answer(&response);
                Ok(Answer {
                    response,
                    at: bytes.start,
                    end: Some(bytes.end),
                })
            }
            _ => {
                let message = format!(
                    "a 206 does not bring bytes {} to {}",
                    wanted.start,
                    wanted.end - 1
                );
                Err(Stop::Broken(self.error(ErrorKind::Protocol, message)))
            }
        }
    }

    /// Whether the answer says that it is of another version.
    fn is_other(&self, response: &Response) -> bool {
        let state = self.state();
        let validator = state.validator.as_ref();
        validator.is_some_and(|validator| validator.is_contradicted_by(response))
    }

    fn changed(&self) -> Error {
        self.error(ErrorKind::Changed, "the file has changed on the server")
    }

    /// Sends a request of the download.
    async fn send(&self, request: Request) -> Result<Response, Stop> {
        let sent = self.client.send(request).await;
        // Not of those that are dropped while they wait for a permit.
        self.state().requests += 1;
        match sent {
            Ok(response) => {
                self.state().is_answered = true;
                Ok(response)
            }
            Err(error) if self.state().is_answered && is_passing(&error) => {
                Err(Stop::Broken(error))
            }
            Err(error) => Err(Stop::Failed(error)),
        }
    }

    fn clone_request(&self) -> Result<Request, Stop> {
        // A GET without a body can always be cloned.
        self.request.try_clone().ok_or_else(|| {
            Stop::Failed(self.error(ErrorKind::Request, "the request cannot be sent again"))
        })
    }

    /// Spares a redirect within the origin of the request; to another one each piece is redirected anew, as its
    /// secrets stay behind there.
    fn go_straight(&self, request: &mut Request, url: &str) {
        let Some(mut direct) = self.request.try_clone() else {
            return;
        };
        // Compared by origin, as only that decides which secrets go along.
        if !url.is_empty() && direct.set_url(url).is_ok() && direct.origin() == request.origin() {
            *request = direct;
        }
    }

    fn note_answer(&self, response: &Response) {
        let mut state = self.state();
        state.url.clear();
        state.url.push_str(response.url());
        // A 206 need not repeat what an earlier answer has said of the version.
        state.last_modified = last_modified(response).or(state.last_modified);
        let checksums = Checksum::of_server(response);
        if !checksums.is_empty() {
            state.checksums = checksums;
        }
    }

    /// The error of an answer that brings no bytes of the file.
    fn refused(&self, response: Response) -> Error {
        let status = response.status();
        match response.error_for_status() {
            Err(error) => error,
            Ok(_) => self
                .error(
                    ErrorKind::Status,
                    format!("server answered {status} to a download"),
                )
                .with_status(status),
        }
    }
}

/// Takes a piece that nobody fetches, with the bytes to ask for.
fn take(pieces: &mut Pieces, worker: Worker, connections: usize) -> Option<(usize, Range<u64>)> {
    // The first connection runs on from the start, and the others come to meet it from the end.
    let piece = pieces.take(worker, worker == 0)?;
    let mut wanted = pieces.missing(piece);
    if connections == 1 {
        wanted.end = pieces.end_of_gap(piece);
    }
    Some((piece, wanted))
}

fn ask_for(request: &mut Request, wanted: &Range<u64>, validator: &Validator) -> Result<()> {
    let range = format!("bytes={}-{}", wanted.start, wanted.end - 1);
    for (name, value) in [(RANGE, range.as_str()), (IF_RANGE, validator.as_str())] {
        // Digits, and what was the value of a field.
        request
            .headers_mut()
            .insert(name, HeaderValue::from_str(value)?);
    }
    Ok(())
}

/// Has a first request ask for what the journal says is missing; left as it is where it is of another URL.
pub(super) fn ask_for_rest(
    request: &mut Request,
    known: Journal,
    connections: usize,
) -> Result<()> {
    let Journal {
        url,
        validator,
        mut pieces,
        ..
    } = known;
    pieces.forget_last_byte();
    if url != journal::hash(request.url()) || pieces.bytes_done() == 0 {
        return Ok(());
    }
    match take(&mut pieces, 0, connections) {
        Some((_, wanted)) => ask_for(request, &wanted, &validator),
        None => Ok(()),
    }
}
