//! Where a redirect leads, and what of the request goes along (RFC 9110 section 15.4).

use std::fmt;
use std::sync::Arc;

use http::header::{
    AUTHORIZATION, COOKIE, EXPECT, HOST, PROXY_AUTHORIZATION, REFERER, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use turbohttp_core::h1::encode::Asks;

use crate::body::Body;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{REDIRECTS, REDIRECTS_MAX};
use crate::policy::credentials::Credentials;
use crate::request::Request;
use crate::response::Response;
use crate::url::plain_path;

mod target;

use target::{Target, location, resolve};

/// Whether and how far a client follows redirects: 301, 302, 303, 307 and 308 with a `Location`.
///
/// By default up to 10 are followed. A 303 becomes a GET, and so does a POST that is answered by 301 or 302;
/// 307 and 308 keep method and body, and are returned as they are where the body is a stream other than a
/// regular file, which cannot be sent again. Every hop is an attempt with a permit of its own and the age of the first.
///
/// To another origin (scheme, host or port) go no `Authorization`, `Cookie`, `Proxy-Authorization` and
/// `Host` that the request carries, no field whose value is marked as sensitive, and none that
/// [`secret_field`](RedirectPolicy::secret_field) names; a later hop back does not restore them. From https to
/// http is an error unless allowed, and so is a loop: the same request a second time.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use turbohttp::{Client, RedirectAction, RedirectPolicy};
///
/// let client = Client::builder()
///     .redirect(RedirectPolicy::custom(|redirect| {
///         match redirect.url().host_str() == Some("example.com") {
///             true => RedirectAction::Follow,
///             false => RedirectAction::Stop, // the 3xx is the response
///         }
///     }))
///     .build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedirectPolicy {
    most: u32,
    allows_downgrade: bool,
    keeps_credentials: bool,
    keeps_post: bool,
    sends_referer: bool,
    secret_fields: Vec<HeaderName>,
    decide: Option<Arc<Decide>>,
}

type Decide = dyn Fn(&Redirect<'_>) -> RedirectAction + Send + Sync;

/// What a closure of [`RedirectPolicy::custom`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedirectAction {
    /// The redirect is followed, within the bounds of the policy.
    Follow,
    /// The redirect itself is the response.
    Stop,
    /// The call fails with [`ErrorKind::Redirect`].
    Refuse,
}

/// A redirect that is about to be followed.
pub struct Redirect<'a> {
    response: &'a Response,
    url: &'a Url,
    history: &'a [Hop],
}

impl Redirect<'_> {
    /// The status of the redirect.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The redirect itself: its URL, status and fields.
    pub fn response(&self) -> &Response {
        self.response
    }

    /// Where it leads.
    pub fn url(&self) -> &Url {
        self.url
    }

    /// What was answered by redirects so far, this one included: the first request first.
    pub fn history(&self) -> &[Hop] {
        self.history
    }
}

impl fmt::Debug for Redirect<'_> {
    /// Userinfo and query are left out: both can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redirect")
            .field("status", &self.status())
            .field("url", &shown(self.url.as_str()))
            .field("history", &self.history)
            .finish()
    }
}

/// One request that was answered by a redirect: an element of [`Response::history`].
#[derive(Clone, PartialEq, Eq)]
pub struct Hop {
    method: Method,
    url: String,
    status: StatusCode,
}

impl Hop {
    /// The method that was sent.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL that was asked, in normal form.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The status of the redirect.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The URL without its query, which can be a secret.
    fn shown(&self) -> &str {
        without_query(&self.url)
    }
}

impl fmt::Debug for Hop {
    /// The query is left out: it can be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.method, self.shown(), self.status)
    }
}

/// The redirects of a call, in the extensions of its response.
#[derive(Clone, Debug)]
pub(crate) struct History(pub(crate) Arc<[Hop]>);

impl Response {
    /// The requests of this call that were answered by redirects which were followed, the first one first;
    /// [`url`](Response::url) is where the last one led.
    pub fn history(&self) -> &[Hop] {
        self.extensions()
            .get::<History>()
            .map_or(&[], |history| &history.0)
    }
}

impl RedirectPolicy {
    /// Follows none: a redirect is a response like any other.
    pub fn none() -> RedirectPolicy {
        RedirectPolicy::limited(0)
    }

    /// Follows up to `most` redirects in a row; one more is an error. More than 1,000 are an error of
    /// [`ClientBuilder::build`](crate::ClientBuilder::build). 0 follows none, as
    /// [`none`](RedirectPolicy::none).
    pub fn limited(most: u32) -> RedirectPolicy {
        RedirectPolicy {
            most,
            allows_downgrade: false,
            keeps_credentials: false,
            keeps_post: false,
            sends_referer: false,
            secret_fields: Vec::new(),
            decide: None,
        }
    }

    /// Asks `decide` for each redirect; up to 10 are followed, as by default.
    pub fn custom(
        decide: impl Fn(&Redirect<'_>) -> RedirectAction + Send + Sync + 'static,
    ) -> RedirectPolicy {
        RedirectPolicy {
            decide: Some(Arc::new(decide)),
            ..RedirectPolicy::default()
        }
    }

    /// Sets how many redirects in a row are followed.
    #[must_use]
    pub fn most(mut self, most: u32) -> RedirectPolicy {
        self.most = most;
        self
    }

    /// Follows a redirect from https to http, where everything between here and the server can read and
    /// change what is sent. Default `false`.
    #[must_use]
    pub fn allow_downgrade(mut self, allow: bool) -> RedirectPolicy {
        self.allows_downgrade = allow;
        self
    }

    /// Sends the caller's credentials to other origins too (curl's `--location-trusted`). Default `false`.
    #[must_use]
    pub fn keep_credentials(mut self, keep: bool) -> RedirectPolicy {
        self.keeps_credentials = keep;
        self
    }

    /// Keeps POST and its body through 301, 302 and 303, as older servers expect (curl's `--post301` and
    /// its like). Default `false`.
    #[must_use]
    pub fn keep_post(mut self, keep: bool) -> RedirectPolicy {
        self.keeps_post = keep;
        self
    }

    /// Sends the URL that was redirected as `Referer`, without userinfo and fragment, to every origin; from https
    /// to http none is sent (RFC 9110 section 10.1.3). Default `false`, as a URL can be a secret.
    #[must_use]
    pub fn send_referer(mut self, send: bool) -> RedirectPolicy {
        self.sends_referer = send;
        self
    }

    /// Names a field that is not sent to another origin, such as `x-api-key`.
    #[must_use]
    pub fn secret_field(mut self, name: HeaderName) -> RedirectPolicy {
        self.secret_fields.push(name);
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.most > REDIRECTS_MAX {
            let bound = format!("at most {REDIRECTS_MAX}");
            return Err(Error::config("redirect", &bound, self.most));
        }
        Ok(())
    }

    /// Whether a field of this name and value is not sent to another origin.
    pub(crate) fn is_secret(&self, name: &HeaderName, value: &HeaderValue) -> bool {
        let always = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST];
        value.is_sensitive() || always.contains(name) || self.secret_fields.contains(name)
    }

    pub(super) fn follows(&self, status: StatusCode) -> bool {
        self.most > 0 && matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
    }
}

impl Default for RedirectPolicy {
    fn default() -> RedirectPolicy {
        RedirectPolicy::limited(REDIRECTS)
    }
}

impl fmt::Debug for RedirectPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedirectPolicy")
            .field("most", &self.most)
            .field("allow_downgrade", &self.allows_downgrade)
            .field("keep_credentials", &self.keeps_credentials)
            .field("keep_post", &self.keeps_post)
            .field("send_referer", &self.sends_referer)
            .field("secret_fields", &self.secret_fields)
            .field("custom", &self.decide.is_some())
            .finish()
    }
}

/// The redirects of one call so far.
#[derive(Default)]
pub(super) struct Chain {
    hops: Vec<Hop>,
    /// The Cookie field of each hop's request: a server that sets one and sends back to the same URL makes
    /// no loop.
    cookies: Vec<Option<HeaderValue>>,
}

/// What becomes of a redirect.
pub(super) enum Verdict {
    /// It is the response.
    Stop(Response),
    Follow(Request),
}

impl Chain {
    pub(super) fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    pub(super) fn into_history(self) -> History {
        History(self.hops.into())
    }

    /// Decides about one redirect, and turns its request into that of the next hop.
    pub(super) async fn follow(
        &mut self,
        policy: &RedirectPolicy,
        mut response: Response,
    ) -> Result<Verdict> {
        match self.decide(policy, &response) {
            Ok(Some((target, method))) => {
                // A body that was read to its end leaves a connection that can be used again.
                response.drain().await;
                let mut request = response.into_request();
                let from = policy.sends_referer.then(|| request.url().to_owned());
                match go_to(policy, &mut request, &target, method) {
                    Ok(()) => {
                        if let Some(from) = from {
                            refer(&mut request, &from)?;
                        }
                        Ok(Verdict::Follow(request))
                    }
                    Err(error) => Err(request.context.explain(error)),
                }
            }
            Ok(None) => Ok(Verdict::Stop(response)),
            Err(error) => Err(response.explain(error)),
        }
    }

    /// Where to go and by which method; `None` where the redirect is the response.
    fn decide(
        &mut self,
        policy: &RedirectPolicy,
        response: &Response,
    ) -> Result<Option<(Target, Method)>> {
        let status = response.status();
        let parts = &response.context().request;
        let method = next_method(policy, status, &parts.method);
        let keeps_body = method == parts.method;
        if keeps_body && !parts.body.can_be_sent_again() {
            return Ok(None);
        }
        let Some(location) = location(response)? else {
            return Ok(None);
        };
        let base = response.url();
        let target = match plain_path(&location) {
            // A closure is shown the whole URL.
            Some(path) if policy.decide.is_none() => Target::Path(path.to_owned()),
            _ => {
                let url = resolve(base, &location);
                Target::Url(Box::new(url.map_err(|message| self.error(base, message))?))
            }
        };
        let hop = Hop {
            method: parts.method.clone(),
            url: base.to_owned(),
            status,
        };
        let cookie = parts.headers.get(COOKIE).cloned();
        if self.is_repeated(&hop, cookie.as_ref()) {
            return Err(self.error(base, "redirects go in a circle".to_owned()));
        }
        self.hops.push(hop);
        self.cookies.push(cookie);
        let action = match (&policy.decide, &target) {
            (Some(decide), Target::Url(url)) => Some(decide(&Redirect {
                response,
                url,
                history: &self.hops,
            })),
            _ => None,
        };
        let refusal = match action {
            Some(RedirectAction::Stop) => {
                self.hops.pop();
                self.cookies.pop();
                return Ok(None);
            }
            Some(RedirectAction::Refuse) => Some("redirect is refused by the policy".to_owned()),
            _ if self.hops.len() > policy.most as usize => {
                Some(format!("more than {} redirects in a row", policy.most))
            }
            _ if target.is_downgrade(base) && !policy.allows_downgrade => {
                Some("redirect from https to http".to_owned())
            }
            _ => None,
        };
        match refusal {
            Some(message) => Err(self.error(target.as_str(), message)),
            None => Ok(Some((target, method))),
        }
    }

    /// Whether the same request, cookies included, was sent before, so that the answer is the same again.
    fn is_repeated(&self, hop: &Hop, cookie: Option<&HeaderValue>) -> bool {
        let mut former = self.hops.iter().zip(&self.cookies);
        former.any(|(former, sent)| former == hop && sent.as_ref() == cookie)
    }

    /// An error that tells the whole chain, up to `last`.
    #[cold]
    fn error(&self, last: &str, message: String) -> Error {
        let mut chain = String::new();
        for hop in &self.hops {
            if hop.url != last {
                chain.push_str(&shown(&hop.url));
                chain.push_str(" -> ");
            }
        }
        let message = format!("{message}: {chain}{}", shown(last));
        Error::new(ErrorKind::Redirect, message)
    }
}

/// The method of the next hop (RFC 9110 sections 15.4.2 to 15.4.9).
fn next_method(policy: &RedirectPolicy, status: StatusCode, method: &Method) -> Method {
    let keeps_post = policy.keeps_post && *method == Method::POST;
    match status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND
            if *method == Method::POST && !keeps_post =>
        {
            Method::GET
        }
        StatusCode::SEE_OTHER if *method != Method::HEAD && !keeps_post => Method::GET,
        _ => method.clone(),
    }
}

/// Makes `request` that of the next hop.
fn go_to(
    policy: &RedirectPolicy,
    request: &mut Request,
    target: &Target,
    method: Method,
) -> Result<()> {
    let parts = &mut request.context.request;
    parts.remove_added();
    if parts.method != method {
        parts.method = method;
        parts.body = Body::empty();
        parts.asks = Asks::Nothing;
        remove_content_fields(&mut parts.headers);
    }
    let url = match target {
        Target::Path(path) => {
            parts.url.follow_path(path);
            return Ok(());
        }
        Target::Url(url) => url,
    };
    let of_url = parts.url.credentials().cloned();
    let is_same_origin = parts.url.follow(url)?;
    if is_same_origin {
        return Ok(());
    }
    // It names the former origin, and is no credential (RFC 9110 section 7.2).
    parts.headers.remove(HOST);
    if policy.keeps_credentials {
        return Ok(());
    }
    if let Some(of_url) = of_url {
        parts.remove_authorization(&of_url);
    }
    let secret = parts.headers.iter();
    let secret = secret.filter(|(name, value)| policy.is_secret(name, value));
    let secret: Vec<HeaderName> = secret.map(|(name, _)| name.clone()).collect();
    for name in secret {
        parts.headers.remove(name);
    }
    request.extensions_mut().remove::<Credentials>();
    Ok(())
}

/// Names `from`, the URL before, as the referer.
fn refer(request: &mut Request, from: &str) -> Result<()> {
    request.headers_mut().remove(REFERER);
    if from.starts_with("https:") && !request.url().starts_with("https:") {
        return Ok(());
    }
    let from = HeaderValue::try_from(from)?;
    request.headers_mut().insert(REFERER, from);
    Ok(())
}

/// What describes the content goes with it (RFC 9110 section 15.4).
fn remove_content_fields(headers: &mut HeaderMap) {
    let of_content = |name: &&HeaderName| {
        name.as_str().starts_with("content-") || [TRANSFER_ENCODING, EXPECT].contains(name)
    };
    let names: Vec<HeaderName> = headers.keys().filter(of_content).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The URL without userinfo, query and fragment, at most so long that a line can show it.
fn shown(url: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let bare = without_query(url);
    let shown = match bare.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
            format!("{scheme}://{rest}")
        }
        None => bare.to_owned(),
    };
    shown.chars().take(SHOWN_CHARS_MAX).collect()
}
