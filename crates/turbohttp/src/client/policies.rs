//! The options of a builder that are policies.

use http::header::AUTHORIZATION;

use super::{ClientBuilder, RequestBuilder};
use crate::error::Result;
use crate::policy::{Credentials, RedirectPolicy, RetryPolicy};
use crate::request::Request;
use crate::url::{IntoUrl, origin_of};

impl ClientBuilder {
    /// Sets whether and how far redirects are followed; by default up to 10 are.
    #[must_use]
    pub fn redirect(mut self, policy: RedirectPolicy) -> Self {
        self.redirect = policy;
        self
    }

    /// Sends requests that have failed again, as `policy` says; by default none is.
    #[must_use]
    pub fn retry(mut self, policy: impl Into<Option<RetryPolicy>>) -> Self {
        self.retry = policy.into();
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
            .and_then(|origin| self.credentials.set(origin, credentials));
        if let Err(error) = set {
            self.mistake.get_or_insert(error);
        }
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
