//! The options of a builder that are policies.

use http::header::AUTHORIZATION;

use super::{ClientBuilder, RequestBuilder};
#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
use crate::decode::Decoding;
use crate::error::Result;
use crate::policy::{Credentials, RedirectPolicy, RetryPolicy};
use crate::request::Request;
use crate::url::{IntoUrl, origin_of};

impl ClientBuilder {
    /// Sets whether and how far redirects are followed; by default up to 10 are.
    #[must_use]
    pub fn redirect(mut self, policy: RedirectPolicy) -> Self {
        self.policies.redirect = policy;
        self
    }

    /// Sends requests that have failed again, as `policy` says; by default none is.
    #[must_use]
    pub fn retry(mut self, policy: impl Into<Option<RetryPolicy>>) -> Self {
        self.policies.retry = policy.into();
        self
    }

    /// Sends `credentials` to one origin, which is an [`Origin`](crate::Origin) or any URL of it. A second
    /// call for the same origin replaces the first.
    ///
    /// Text that is no URL is an error of [`build`](ClientBuilder::build), as is more than one origin too
    /// many ([`CREDENTIALS_MAX`](crate::limits::CREDENTIALS_MAX)).
    #[must_use]
    pub fn credentials(mut self, origin: impl IntoUrl, credentials: Credentials) -> Self {
        let set = origin_of(&origin.as_url())
            .and_then(|origin| self.policies.credentials.set(origin, credentials));
        if let Err(error) = set {
            self.mistake.get_or_insert(error);
        }
        self
    }

    /// Keeps cookies in `store`, mostly a [`Jar`](crate::Jar): what responses set is sent with the requests
    /// that follow, redirects included. A request that sets `Cookie` itself keeps its own.
    ///
    /// A store that two clients share has the cookies of both.
    #[cfg(feature = "cookies")]
    #[must_use]
    pub fn cookies(mut self, store: impl crate::cookies::CookieStore + 'static) -> Self {
        self.policies.cookies = crate::policy::Cookies(Some(std::sync::Arc::new(store)));
        self
    }

    /// Answers requests by responses that are kept in `cache`, as RFC 9111 says for a private cache. What it answers
    /// needs no permit and no connection; [`Response::cache_status`](crate::Response::cache_status) says where a
    /// response comes from.
    ///
    /// Each attempt is looked up by itself, those of redirects and retries too. Hooks and middlewares see all
    /// calls, those that the cache answers included.
    ///
    /// A bound of less than 64 KiB is an error of [`build`](ClientBuilder::build).
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn cache(mut self, cache: crate::cache::Cache) -> Self {
        self.policies.cache = Some(cache);
        self
    }

    /// Sets which content codings are asked for and undone; by default all that are compiled in. A request
    /// that sets `Accept-Encoding` itself gets its body as it arrives, as does one whose response is a
    /// range; a client whose default fields have it decodes nothing.
    #[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
    #[must_use]
    pub fn decoding(mut self, decoding: Decoding) -> Self {
        self.policies.decoding = decoding;
        self
    }
}

impl Request {
    /// Sends `credentials` to the origin of this request; see
    /// [`RequestBuilder::credentials`](crate::RequestBuilder::credentials). An Authorization field that is
    /// there is replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind) if they cannot be written into a field.
    pub fn set_credentials(&mut self, credentials: Credentials) -> Result<()> {
        self.headers_mut().remove(AUTHORIZATION);
        credentials.set_for(&mut self.context)
    }
}

impl RequestBuilder {
    /// Sends `credentials` to the origin of this request, in place of the client's for it. No redirect to
    /// another origin takes them along. Tokens that are not known yet are asked for when the server has
    /// answered by 401.
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        if let Err(error) = self.request.set_credentials(credentials) {
            self.mistake.get_or_insert(error);
        }
        self
    }
}
