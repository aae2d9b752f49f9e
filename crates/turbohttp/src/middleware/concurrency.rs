//! The scheduler's place among middlewares: always innermost, right above the transport.

use std::future::poll_fn;
use std::sync::Arc;

use turbohttp_core::scheduler::{State, Waited};

use crate::admission::{AdmissionControl, Failures, Pass};
use crate::clock;
use crate::context::Context;
use crate::error::Result;
use crate::request::Request;
use crate::response::Response;
use crate::transport::{Held, Transport};

/// Admits every attempt of a request by itself, with the age of the request: a middleware that sends
/// again, or to another origin, holds no permit in between.
#[doc(hidden)]
#[derive(Debug)]
pub struct Limited<T> {
    control: Arc<AdmissionControl>,
    next: T,
}

impl<T> Limited<T> {
    pub(crate) fn new(control: Arc<AdmissionControl>, next: T) -> Limited<T> {
        Limited { control, next }
    }
}

impl<T: Transport> Transport for Limited<T> {
    async fn send(&self, mut request: Request) -> Result<Response> {
        // Held here, and not by the request: a transport that lets go of that works on.
        let permit = admit(&self.control, &mut request.context).await?;
        let mut response = self.next.send(request).await?;
        response.keep_permit(permit);
        Ok(response)
    }

    fn close(&self) -> Result<()> {
        self.next.close()
    }

    fn close_base(&self, failures: &mut Failures) {
        self.next.close_base(failures);
    }

    /// Without middlewares the client admits a request when it lets it in, in one step.
    fn into_held(self) -> Held {
        self.next.into_held()
    }
}

/// Waits for a permit for one attempt.
async fn admit(control: &Arc<AdmissionControl>, context: &mut Context) -> Result<Pass> {
    // A former attempt's, if the same request comes by again; another client keeps its own.
    if context
        .permit
        .as_ref()
        .is_some_and(|permit| permit.is_of(control))
    {
        context.permit = None;
    }
    let now = clock::now();
    let asked = control.ask_for(context.attempt_of, context.ask(now)?, now);
    let (mut permit, state) =
        asked.map_err(|refusal| context.refused(refusal, Waited::default()))?;
    if state != State::Taken {
        poll_fn(|cx| context.poll_permit(&mut permit, cx)).await?;
    }
    Ok(permit)
}
