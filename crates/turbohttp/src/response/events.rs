//! A body as server-sent events.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use turbohttp_core::events::{Event, EventParser};

use super::Response;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::EVENT_BYTES_MAX;

impl Response {
    /// The body as server-sent events (HTML standard, section 9.2), whatever its status and its type. It ends
    /// with the response; [`RequestBuilder::events`](crate::RequestBuilder::events) reconnects.
    ///
    /// ```
    /// # async fn run() -> turbohttp::Result<()> {
    /// # use turbohttp::{Client, MockReply, MockTransport, StatusCode};
    /// # let reply = MockReply::new(StatusCode::OK).body("data: one\n\nevent: end\ndata: two\n\n");
    /// # let client = Client::builder().transport(MockTransport::new(reply)).build()?;
    /// let response = client.post("http://example.com/ask").body("a question").send().await?;
    /// let mut events = response.events();
    /// while let Some(event) = events.next().await {
    ///     let event = event?;
    ///     println!("{}: {}", event.event, event.data);
    /// }
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
    /// ```
    pub fn events(self) -> EventStream {
        EventStream::new(self, EventParser::new(EVENT_BYTES_MAX))
    }
}

/// The events of one response; made by [`Response::events`]. Also a [`Stream`] of them.
///
/// A line and an event have at most [`EVENT_BYTES_MAX`] bytes. The wait for more
/// is bounded by [`Timeouts::body`](crate::Timeouts::body), and the whole by
/// [`Timeouts::request`](crate::Timeouts::request). The response holds its connection and its permit until the
/// stream has ended or is dropped.
pub struct EventStream {
    response: Response,
    parser: EventParser,
    /// The part of the current slice that the parser has read.
    read: usize,
    has_slice: bool,
    has_ended: bool,
}

impl EventStream {
    pub(crate) fn new(response: Response, parser: EventParser) -> EventStream {
        EventStream {
            response,
            parser,
            read: 0,
            has_slice: false,
            has_ended: false,
        }
    }

    /// The response, to look at its head.
    pub fn get_ref(&self) -> &Response {
        &self.response
    }

    /// The next event, `None` at the end of the response. An event whose blank line is missing then is none.
    ///
    /// # Errors
    ///
    /// As [`Response::chunk`], and [`ErrorKind::TooLarge`] if a line or an event passes the limit. The stream
    /// ends with its error.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Result<Event>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    pub(crate) fn parser(&self) -> &EventParser {
        &self.parser
    }

    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Event>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.poll_parse(cx)).transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        Poll::Ready(next)
    }

    fn poll_parse(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Option<Event>>> {
        loop {
            if self.has_slice {
                let slice = self.response.slice();
                let mut rest = &slice[self.read..];
                let parsed = self.parser.next(&mut rest);
                self.read = slice.len() - rest.len();
                match parsed {
                    Ok(None) => {}
                    Ok(event) => return Poll::Ready(Ok(event)),
                    Err(error) => {
                        let error = Error::new(ErrorKind::TooLarge, error.to_string());
                        return Poll::Ready(Err(self.response.explain(error)));
                    }
                }
            }
            self.has_slice = false;
            if !ready!(self.response.poll_chunk(cx))? {
                return Poll::Ready(Ok(None));
            }
            (self.has_slice, self.read) = (true, 0);
        }
    }
}

impl Stream for EventStream {
    type Item = Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventStream").field(&self.response).finish()
    }
}
