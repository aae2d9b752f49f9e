//! One request and its answer: a stream.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use tokio::time::sleep;

use crate::answer::{Answer, ResponseHead};
use crate::body::{Kept, keep};
use crate::connection::After;
use crate::host::Host;
use crate::pattern::piece;
use crate::reply::{self, End, Reply, Request, Streamed};
use crate::route::Route;

/// How much of a streamed content is handed to `h2` at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// What an exchange leaves behind.
pub(super) enum Outcome {
    Answered,
    /// The connection is to be closed before `h2` notices that this stream has no answer, or half of one.
    Close(
        #[expect(dead_code, reason = "kept alive, as dropping it resets the stream")]
        SendResponse<Bytes>,
    ),
}

/// Reads the request and answers it. An error is one of this stream alone.
pub(super) async fn run(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    host: Arc<Host>,
) -> io::Result<Outcome> {
    let (number, _in_flight) = host.counters.request();
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("*", |target| target.as_str());
    let kept_answer = host.kept(target.as_bytes());
    let is_echo = kept_answer.is_none() && Route::parse(target.as_bytes()) == Route::Echo;
    if head
        .headers
        .get("expect")
        .is_some_and(|value| value == "100-continue")
    {
        let interim = status(100);
        respond
            .send_informational(interim)
            .map_err(io::Error::other)?;
    }
    let content = read_content(body, is_echo.then(Vec::new), &host).await?;
    let reply = match kept_answer {
        Some(answer) => Reply::Whole(answer),
        None => reply::decide(&Request {
            target: target.as_bytes(),
            head: &head_as_text(&head, target),
            content_type: head.headers.get("content-type").map(HeaderValue::as_bytes),
            content,
        }),
    };
    let mut exchange = Exchange {
        respond,
        is_head_method: head.method == Method::HEAD,
        host: &host,
    };
    let reply = exchange.unless_reset(reply.settle(&host, number)).await?;
    Ok(match exchange.answer(reply).await? {
        After::KeepAlive => Outcome::Answered,
        After::Close => Outcome::Close(exchange.respond),
    })
}

async fn read_content(mut body: RecvStream, mut kept: Kept, host: &Host) -> io::Result<Kept> {
    let mut uncredited = 0;
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(io::Error::other)?;
        host.counters.received(piece.len());
        keep(&mut kept, &piece);
        uncredited += piece.len();
        let credit = body.flow_control();
        let is_due = !host.options.http2.credits_at_exhaustion
            || credit.available_capacity() <= 0
            || body.is_end_stream();
        if is_due {
            let uncredited = std::mem::take(&mut uncredited);
            let credited = body.flow_control().release_capacity(uncredited);
            credited.map_err(io::Error::other)?;
        }
    }
    body.trailers().await.map_err(io::Error::other)?;
    Ok(kept)
}

/// The head in the manner of HTTP/1.1, `:authority` included.
fn head_as_text(head: &http::request::Parts, target: &str) -> Vec<u8> {
    let mut text = format!("{} {target} HTTP/2\r\n", head.method).into_bytes();
    if let Some(authority) = head.uri.authority() {
        text.extend_from_slice(format!(":authority: {authority}\r\n").as_bytes());
    }
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

struct Exchange<'a> {
    respond: SendResponse<Bytes>,
    is_head_method: bool,
    host: &'a Host,
}

impl Exchange<'_> {
    async fn answer(&mut self, reply: Reply) -> io::Result<After> {
        match reply {
            Reply::Whole(answer) => self.send(&answer),
            Reply::Late(answer, delay) => {
                self.unless_reset(sleep(delay)).await?;
                self.send(&answer)
            }
            Reply::Streamed(streamed) => self.send_streamed(&streamed).await,
            Reply::Close => Ok(After::Close),
            Reply::Reset(code) => {
                self.respond.send_reset(Reason::from(code));
                Ok(After::KeepAlive)
            }
            Reply::Never => self.unless_reset(std::future::pending()).await,
        }
    }

    /// The output of `future`, or an error once the client has reset the stream. Before the head.
    async fn unless_reset<T>(&mut self, future: impl Future<Output = T>) -> io::Result<T> {
        tokio::select! {
            output = future => Ok(output),
            _ = poll_fn(|context| self.respond.poll_reset(context)) => {
                Err(io::ErrorKind::ConnectionReset.into())
            }
        }
    }

    fn send(&mut self, answer: &Answer) -> io::Result<After> {
        let is_empty = self.is_head_method || answer.content.is_empty();
        let mut stream = self.send_head(&answer.head, is_empty)?;
        if !is_empty {
            let content = answer.content.clone();
            self.host.counters.sent(content.len());
            stream.send_data(content, true).map_err(io::Error::other)?;
        }
        Ok(After::KeepAlive)
    }

    async fn send_streamed(&mut self, streamed: &Streamed) -> io::Result<After> {
        let is_end = self.is_head_method || (streamed.length == 0 && streamed.end == End::Content);
        let mut stream = self.send_head(&streamed.head, is_end)?;
        if !is_end {
            self.send_content(&mut stream, streamed).await?;
        }
        match streamed.end {
            End::Cut => return Ok(After::Close),
            End::Trailer(name, value) if !is_end => {
                let (name, value) = (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
                let trailers = HeaderMap::from_iter([(name, value)]);
                stream.send_trailers(trailers).map_err(io::Error::other)?;
            }
            End::Content | End::Trailer(..) => {}
        }
        Ok(After::KeepAlive)
    }

    async fn send_content(
        &mut self,
        stream: &mut SendStream<Bytes>,
        streamed: &Streamed,
    ) -> io::Result<()> {
        let mut sent = 0;
        while sent < streamed.length {
            if let (1.., Some(pause)) = (sent, streamed.pause) {
                // `SendResponse` tells of resets only until the head is sent.
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = poll_fn(|context| stream.poll_reset(context)) => {
                        return Err(io::ErrorKind::ConnectionReset.into());
                    }
                }
            }
            let until = sent + streamed.piece.min(streamed.length - sent);
            while sent < until {
                let room = capacity(stream, (until - sent).min(PIECE_BYTES)).await?;
                let piece = piece(sent, room);
                sent += piece.len() as u64;
                self.host.counters.sent(piece.len());
                let is_last = sent == streamed.length && streamed.end == End::Content;
                let piece = Bytes::from_static(piece);
                stream.send_data(piece, is_last).map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    fn send_head(&mut self, head: &ResponseHead, is_end: bool) -> io::Result<SendStream<Bytes>> {
        let mut response = status(head.status);
        for (name, value) in &head.fields {
            let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
        let sent = self.respond.send_response(response, is_end);
        sent.map_err(io::Error::other)
    }
}

/// Waits until the windows permit some of `wanted` bytes; how many.
async fn capacity(stream: &mut SendStream<Bytes>, wanted: u64) -> io::Result<u64> {
    stream.reserve_capacity(wanted as usize);
    loop {
        match stream.capacity() {
            0 => {}
            room => return Ok(wanted.min(room as u64)),
        }
        match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

fn status(code: u16) -> Response<()> {
    let mut response = Response::new(());
    // Every code of a route is from 200 to 599.
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap_or_default();
    response
}
