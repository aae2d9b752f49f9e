//! Requests that stand in line for their permit before they are sent.

use std::fmt;
use std::sync::Arc;

use turbohttp_core::scheduler::{CallId, Priority, State};

use super::Client;
use crate::clock;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::Dispatcher;

impl Client {
    /// Puts a request in line for its permit, and sends nothing yet.
    ///
    /// [`send`](Client::send) takes its place in line when it is first polled. A request that stands in line
    /// has its place from this call on, whichever task sends it and when, and its priority can be changed
    /// while it waits:
    ///
    /// ```
    /// use turbohttp::{Client, Priority};
    /// # use turbohttp::{MockReply, MockTransport, StatusCode};
    ///
    /// # async fn run() -> turbohttp::Result<()> {
    /// # let client = Client::builder().transport(MockTransport::new(MockReply::new(StatusCode::OK))).build()?;
    /// let waiting = client.line_up(client.get("http://example.com/").build()?)?;
    /// let place = waiting.place();
    /// let sending = tokio::spawn(waiting.send());
    /// place.set_priority(Priority::High);
    /// # drop(sending.await.unwrap()?);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(run()).unwrap();
    /// ```
    ///
    /// The clock of the request begins here, as do the limits on the whole request and on the wait for a
    /// permit. If a permit is free, the request holds it from now on: send it soon, or drop it. Middlewares run with
    /// that permit: one that sends a request of its own to the same host by this client needs a second one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Closed`] if a close of the client has begun, [`ErrorKind::Full`] if as many wait as may
    /// ([`Limits::waiting`](crate::Limits::waiting)), [`ErrorKind::Url`] for a request without a URL.
    /// [`Error::into_request`](crate::Error::into_request) returns the request.
    pub fn line_up(&self, mut request: Request) -> Result<Waiting> {
        let scheduler = self.inner.scheduler();
        let now = clock::now();
        self.begin_early(&mut request, now);
        let ask = request.context.ask(now);
        // Without a waker: there is no task yet. The first poll of the call gives the scheduler its own.
        let entered = ask.and_then(|ask| {
            let entered = scheduler.enter_unpolled(ask, now);
            entered.map_err(|refusal| request.context.refused(refusal, Default::default()))
        });
        let guard = match entered {
            Ok(guard) => guard,
            Err(error) => return Err(error.with_request(Some(request))),
        };
        let place = Place {
            dispatcher: scheduler.clone(),
            call: guard.call(),
        };
        // With the request the guard goes wherever it goes: to the call that sends it, or out of the line.
        request.context.hold_call(guard);
        Ok(Waiting {
            client: self.clone(),
            request,
            place,
        })
    }
}

/// A request that stands in line for its permit, or has it already. Made by [`Client::line_up`].
///
/// Dropping it leaves the line, and releases the permit. A close of the client waits for it, as for a request
/// that is under way.
pub struct Waiting {
    client: Client,
    request: Request,
    place: Place,
}

impl Waiting {
    /// Sends the request when its turn has come, and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// As [`Client::send`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::send`]. A future that is not polled keeps its place; a permit that it is granted meanwhile
    /// goes to the next in line after 100 to 200 ms, until it is polled.
    pub async fn send(self) -> Result<Response> {
        self.client.send(self.request).await
    }

    /// A handle of the place in line, which other tasks can use.
    pub fn place(&self) -> Place {
        self.place.clone()
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("request", &self.request)
            .field("place", &self.place)
            .finish()
    }
}

/// The place of a request in line for its permit. It does not keep the request there.
#[derive(Clone)]
pub struct Place {
    dispatcher: Arc<Dispatcher>,
    // No other call ever has this number: of one that is over the scheduler knows nothing.
    call: CallId,
}

impl Place {
    /// Whether the request waits for its permit.
    pub fn is_waiting(&self) -> bool {
        let state = self.dispatcher.read(|scheduler| scheduler.state(self.call));
        matches!(state, Some(State::Queued | State::Parked))
    }

    /// Changes the priority of the request; it keeps its age. Returns `false` if it does not wait any more.
    pub fn set_priority(&self, priority: Priority) -> bool {
        let now = clock::now();
        self.dispatcher
            .update(|scheduler, effects| scheduler.set_priority(self.call, priority, now, effects))
    }

    /// How many requests of the client start before this one, by priority and age alone; limits of hosts may
    /// change that order. `None` if it does not wait. Costs time linear in what waits.
    pub fn position(&self) -> Option<usize> {
        self.dispatcher
            .read(|scheduler| scheduler.position(self.call))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("is_waiting", &self.is_waiting())
            .finish()
    }
}
