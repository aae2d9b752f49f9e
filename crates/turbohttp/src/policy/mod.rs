//! What a client does by itself about its requests and their answers: redirects, retries, credentials.
//!
//! A policy is a plain value in the configuration of a client. [`Policies::settle`] looks at every answer
//! once: of an ordinary 2xx that is a comparison. Where a policy has something to do, the call goes on in
//! `follow.rs`, which sends the request once more as [`Policies::next`] says.

use std::time::{Instant, SystemTime};

use http::header::{ACCEPT_ENCODING, AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use turbohttp_core::scheduler::LaneKey;

use crate::cache::{Cache, Caching};
use crate::clock;
use crate::context::{Added, Context};
use crate::decode::Decoding;
use crate::error::{Error, Result};
use crate::request::Request;
use crate::response::Response;
use crate::retry_after;
use crate::scheduler::Dispatcher;

mod cookies;
mod credentials;
mod digest;
mod overload;
mod redirect;
mod retry;

pub(crate) use cookies::Cookies;
use credentials::Answer;
pub use credentials::Credentials;
pub(crate) use credentials::{CredentialTable, Provider};
pub use redirect::{Hop, Redirect, RedirectAction, RedirectPolicy};
pub use retry::RetryPolicy;

use redirect::{Chain, Verdict};
use retry::RetryBudget;

/// The 401 in a row that are answered: one that refuses, and those whose nonce was too old.
const ANSWERS_MAX: u8 = 3;

/// The policies of one client.
pub(crate) struct Policies {
    pub(crate) redirect: RedirectPolicy,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) credentials: CredentialTable,
    cookies: Cookies,
    decoding: Decoding,
    /// The Accept-Encoding that stands for `decoding`: what is asked for by another one is not decoded.
    accept_encoding: Option<HeaderValue>,
    /// What answers attempts before they are sent.
    pub(crate) cache: Option<Caching>,
    budget: RetryBudget,
    /// Whether something is to be counted, asked for, looked up or added before a request is sent.
    pub(crate) prepares: bool,
    /// Whether every answer is looked at, plain or not.
    inspects: bool,
    /// Whether limits follow what answers say about the load of their servers.
    adapts: bool,
}

/// The options that policies are made of.
#[derive(Clone)]
pub(crate) struct PolicyOptions {
    pub(crate) redirect: RedirectPolicy,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) credentials: CredentialTable,
    pub(crate) cookies: Cookies,
    pub(crate) decoding: Decoding,
    pub(crate) cache: Option<Cache>,
    pub(crate) adapts: bool,
}

impl Default for PolicyOptions {
    fn default() -> PolicyOptions {
        PolicyOptions {
            redirect: RedirectPolicy::default(),
            retry: None,
            credentials: CredentialTable::default(),
            cookies: Cookies::default(),
            decoding: Decoding::all(),
            cache: None,
            adapts: false,
        }
    }
}

/// What is to be done about an answer.
pub(crate) enum Settled {
    /// It is that of the call.
    Done(Result<Response>),
    /// A policy may send the request once more: [`Policies::next`] decides.
    Open(Result<Response>),
}

/// What the policies know of one call.
#[derive(Default)]
pub(crate) struct CallState {
    chain: Chain,
    retries: u32,
    /// How many 401 of this origin were answered.
    answers: u8,
}

/// What follows an answer.
pub(crate) enum Step {
    /// It is that of the call.
    Done(Result<Response>),
    /// The request is sent at once.
    Again(Request),
    /// The request is sent then.
    Retry(Request, Instant),
    /// The request is sent when the source of tokens has given another one than this.
    Token(Request, std::sync::Arc<Provider>, Option<HeaderValue>),
}

impl Policies {
    /// Checks the options. Where codings are undone, `headers` are given the field that asks for them; where
    /// they have one already, that is what is asked for, and nothing is undone.
    pub(crate) fn new(options: PolicyOptions, headers: &mut HeaderMap) -> Result<Policies> {
        let PolicyOptions {
            redirect,
            retry,
            credentials,
            cookies,
            decoding,
            cache,
            adapts,
        } = options;
        redirect.check()?;
        if let Some(retry) = &retry {
            retry.check()?;
        }
        let accept_encoding = match headers.contains_key(ACCEPT_ENCODING) {
            true => None,
            false => decoding.accept_encoding(),
        };
        if let Some(value) = &accept_encoding {
            headers.insert(ACCEPT_ENCODING, value.clone());
        }
        Ok(Policies {
            prepares: retry.is_some()
                || !credentials.is_empty()
                || cookies.are_on()
                || cache.is_some(),
            inspects: cookies.are_on() || credentials.inspect() || adapts,
            adapts,
            redirect,
            retry,
            credentials,
            cookies,
            decoding,
            accept_encoding,
            cache: cache.map(Caching::new).transpose()?,
            budget: RetryBudget::default(),
        })
    }

    /// Whether requests say by themselves which codings are undone.
    pub(crate) fn asks_for_codings(&self) -> bool {
        self.accept_encoding.is_some()
    }

    /// The fields that may go to every origin, and those that no redirect takes to another one.
    pub(crate) fn split_secret(&self, headers: &HeaderMap) -> (HeaderMap, HeaderMap) {
        let (mut open, mut secret) = (HeaderMap::new(), HeaderMap::new());
        for (name, value) in headers {
            match self.redirect.is_secret(name, value) {
                true => secret.append(name.clone(), value.clone()),
                false => open.append(name.clone(), value.clone()),
            };
        }
        (open, secret)
    }

    /// Whether a token must be asked for before the request is sent.
    pub(crate) fn awaits_token(&self, request: &Request) -> bool {
        self.prepares && self.credentials.missing_token(&request.context).is_some()
    }

    /// Whether the first attempt is made by `follow.rs`, as all further ones are: a token must be asked for, or a
    /// cache may answer it.
    pub(crate) fn follow_first(&self, request: &Request) -> bool {
        // One comparison for a client that has neither.
        self.prepares && (self.cache.is_some() || self.awaits_token(request))
    }

    /// A call begins.
    pub(crate) fn begin(&self) {
        if let Some(retry) = &self.retry {
            self.budget.pay_in(retry);
        }
    }

    /// Adds to a request what goes to its origin, right before it is sent.
    #[cold]
    pub(crate) fn prepare(&self, request: &mut Request) -> Result<()> {
        self.cookies.add(&mut request.context);
        let added = self.credentials.add(&mut request.context);
        added.map_err(|error| request.context.explain(error))
    }

    /// Whether an answer is that of its call, at a glance; of all others [`settle`](Policies::settle) tells.
    #[inline]
    pub(crate) fn is_plain(&self, done: &Result<Response>) -> bool {
        match done {
            Ok(response) => {
                let is_coded = || response.context().response.head.has_content_coding();
                response.status().as_u16() < 300
                    && !self.inspects
                    && (self.accept_encoding.is_none() || !is_coded())
            }
            Err(_) => false,
        }
    }

    /// Looks at the answer to an attempt.
    #[cold]
    pub(crate) fn settle(&self, done: Result<Response>, dispatcher: &Dispatcher) -> Settled {
        // Behind a cache, what comes from a server is taken in before the cache has it.
        if self.cache.is_none() {
            self.take_in(&done, dispatcher);
        }
        let is_open = match &done {
            Ok(response) => match response.status() {
                StatusCode::UNAUTHORIZED => true,
                status if self.redirect.follows(status) => true,
                status => {
                    let retry = self.retry.as_ref();
                    retry.is_some_and(|retry| retry.retries_status(status) || retry.pauses(status))
                }
            },
            Err(error) => {
                let retry = self.retry.as_ref();
                retry.is_some_and(|retry| retry.retries_error(error))
            }
        };
        match is_open {
            true => Settled::Open(done),
            false => Settled::Done(self.decode(done)),
        }
    }

    /// Takes in what the answer of a server brings for the client itself: cookies, the next step of Digest, and
    /// how much the server bears.
    pub(crate) fn take_in(&self, done: &Result<Response>, dispatcher: &Dispatcher) {
        if self.adapts {
            self.observe(done, dispatcher);
        }
        if let Ok(response) = done {
            self.cookies.store(response);
            self.credentials.accept_info(response.context());
        }
    }

    /// Has the body of the answer decoded, unless its request asked for codings by itself.
    fn decode(&self, done: Result<Response>) -> Result<Response> {
        let mut response = done?;
        let Some(ours) = &self.accept_encoding else {
            return Ok(response);
        };
        let asked = response.context().request.headers.get(ACCEPT_ENCODING);
        if asked.is_none_or(|asked| asked == ours)
            && let Err(error) = self.decoding.decode(&mut response)
        {
            return Err(response.explain(error));
        }
        Ok(response)
    }

    /// Decides what follows an open answer.
    ///
    /// Cancel safe: what it holds of the answer is released.
    pub(crate) async fn next(
        &self,
        state: &mut CallState,
        done: Result<Response>,
        dispatcher: &Dispatcher,
    ) -> Step {
        match done {
            Ok(response) => match response.status() {
                StatusCode::UNAUTHORIZED => self.refused(state, response).await,
                status if self.redirect.follows(status) => self.redirected(state, response).await,
                _ => self.failed_by_status(state, response, dispatcher).await,
            },
            Err(error) => self.failed(state, error),
        }
    }

    /// Adds to the answer of a call what became of it on the way.
    pub(crate) fn finish(&self, state: CallState, done: Result<Response>) -> Result<Response> {
        let mut done = self.decode(done);
        if let Ok(response) = &mut done
            && !state.chain.is_empty()
        {
            let history = state.chain.into_history();
            response.extensions_mut().insert(history);
        }
        done
    }

    async fn redirected(&self, state: &mut CallState, response: Response) -> Step {
        match state.chain.follow(&self.redirect, response).await {
            Ok(Verdict::Follow(request)) => {
                // The next origin has a 401 of its own.
                state.answers = 0;
                Step::Again(request)
            }
            Ok(Verdict::Stop(response)) => Step::Done(Ok(response)),
            Err(error) => Step::Done(Err(error)),
        }
    }

    /// A 401: another token is tried, or the challenge is answered, once; a nonce that was too old is no
    /// refusal.
    async fn refused(&self, state: &mut CallState, mut response: Response) -> Step {
        let context = response.context();
        if state.answers >= ANSWERS_MAX || !context.request.body.can_be_sent_again() {
            return Step::Done(Ok(response));
        }
        let answer = match self.credentials.answer(context) {
            Ok(Some(Answer::Field(_, false)) | Some(Answer::Token(_))) if state.answers > 0 => {
                self.credentials.forget(context);
                return Step::Done(Ok(response));
            }
            Ok(Some(answer)) => answer,
            Ok(None) => return Step::Done(Ok(response)),
            Err(error) => return Step::Done(Err(response.explain(error))),
        };
        state.answers += 1;
        let refused = context.request.headers.get(AUTHORIZATION).cloned();
        response.drain().await;
        let mut request = response.into_request();
        let parts = &mut request.context.request;
        parts.remove_added();
        match answer {
            Answer::Token(provider) => Step::Token(request, provider, refused),
            Answer::Field(value, _) => {
                parts.headers.insert(AUTHORIZATION, value);
                parts.added.add(Added::AUTHORIZATION);
                Step::Again(request)
            }
        }
    }

    async fn failed_by_status(
        &self,
        state: &mut CallState,
        mut response: Response,
        dispatcher: &Dispatcher,
    ) -> Step {
        let Some(policy) = &self.retry else {
            return Step::Done(Ok(response));
        };
        let now = clock::now();
        let status = response.status();
        let asked = response.header_bytes(RETRY_AFTER.as_str());
        let asked = asked.and_then(|value| retry_after::parse(value, SystemTime::now()));
        let mut then = None;
        if let Some(asked) = asked {
            let (pause, is_waited_for) = policy.retry_after(asked);
            let until = clock::after(now, pause);
            if policy.pauses(status) {
                pause_origin(dispatcher, &response, until, now);
            }
            if !is_waited_for {
                return Step::Done(Ok(response));
            }
            then = Some(until);
        }
        let context = response.context();
        let parts = &context.request;
        let may_be_repeated = policy.retries_status(status)
            && policy.permits(parts.is_idempotent(), false)
            && parts.body.can_be_sent_again();
        if !may_be_repeated {
            return Step::Done(Ok(response));
        }
        let Some(then) = self.retry_at(policy, state, then, context) else {
            return Step::Done(Ok(response));
        };
        response.drain().await;
        let mut request = response.into_request();
        request.context.request.remove_added();
        // Until the pause is over it need not wait in line, where the wait for a permit has a limit.
        Step::Retry(request, then)
    }

    fn failed(&self, state: &mut CallState, mut error: Error) -> Step {
        let Some(policy) = &self.retry else {
            return Step::Done(Err(error));
        };
        let is_unsent = error.is_unsent();
        let Some(request) = error.request_mut() else {
            return Step::Done(Err(error));
        };
        let context = &request.context;
        let may_be_repeated = policy.permits(context.request.is_idempotent(), is_unsent)
            && context.request.body.can_be_sent_again();
        let then = match may_be_repeated {
            true => self.retry_at(policy, state, None, context),
            false => None,
        };
        let Some(then) = then else {
            return Step::Done(Err(error));
        };
        match error.take_request() {
            Some(mut request) => {
                request.context.request.remove_added();
                Step::Retry(request, then)
            }
            None => unreachable!("just looked at"),
        }
    }

    /// When the next retry is sent: `asked` by the server, or after a random delay; `None` where the
    /// policy, the budget or the deadline permit none.
    fn retry_at(
        &self,
        policy: &RetryPolicy,
        state: &mut CallState,
        asked: Option<Instant>,
        context: &Context,
    ) -> Option<Instant> {
        let delay = policy.delay(state.retries)?;
        let then = asked.unwrap_or_else(|| clock::after(clock::now(), delay));
        let timing = &context.timing;
        let is_in_time = policy.is_in_time(then, timing.timeline.began())
            && timing
                .limits
                .deadline
                .is_none_or(|deadline| then < deadline);
        if !is_in_time || !self.budget.take(policy) {
            return None;
        }
        state.retries += 1;
        Some(then)
    }
}

/// Pauses the origin of a response, unless too many origins are paused already: then this call alone waits.
fn pause_origin(dispatcher: &Dispatcher, response: &Response, until: Instant, now: Instant) {
    if let Some(origin) = response.origin() {
        let lane = LaneKey::from(origin);
        _ = dispatcher
            .update(|scheduler, effects| scheduler.extend_pause(lane, until, now, effects));
    }
}
