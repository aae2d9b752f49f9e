//! Digest authentication (RFC 7616) of one user, at one origin at a time.

#[cfg(feature = "digest")]
mod on {
    use std::sync::{Arc, Mutex};

    use http::HeaderValue;
    use http::header::WWW_AUTHENTICATE;
    use turbohttp_core::origin::Origin;
    use turbohttp_core::sync::lock;

    use crate::auth::challenge;
    use crate::auth::digest::{DigestState, is_stale};
    use crate::context::Context;
    use crate::error::Result;

    /// User and password, and the session with the origin that was asked last: what one server was told is
    /// never sent to another.
    #[derive(Clone)]
    pub(crate) struct Digest(Arc<Mutex<Inner>>);

    struct Inner {
        state: DigestState,
        origin: Option<Origin>,
    }

    impl Digest {
        pub(crate) fn new(user: &str, password: &str) -> Digest {
            Digest(Arc::new(Mutex::new(Inner {
                state: DigestState::new(user, password),
                origin: None,
            })))
        }

        /// The field for a request of a session that has begun.
        pub(crate) fn field(&self, context: &Context) -> Result<Option<HeaderValue>> {
            let mut inner = lock(&self.0);
            let parts = &context.request;
            if inner.origin.is_none() || inner.origin.as_ref() != parts.url.origin() {
                return Ok(None);
            }
            let (method, target) = (parts.method.as_str(), parts.url.target());
            inner.state.authorize(method, target, parts.body.as_bytes())
        }

        /// The field that answers the 401 in `context`, and whether that only said that the nonce was too
        /// old; `None` where it cannot be answered.
        pub(crate) fn answer(&self, context: &Context) -> Result<Option<(HeaderValue, bool)>> {
            let fields = context.response.head.iter();
            let fields =
                fields.filter(|(name, _)| name.eq_ignore_ascii_case(WWW_AUTHENTICATE.as_str()));
            let challenges = challenge::parse(fields.map(|(_, value)| value));
            let mut inner = lock(&self.0);
            let parts = &context.request;
            if inner.origin.as_ref() != parts.url.origin() {
                // Also where this challenge is none of Digest: the session is with the former origin.
                inner.state.forget();
                inner.origin = parts.url.origin().cloned();
            }
            let (method, target) = (parts.method.as_str(), parts.url.target());
            let body = parts.body.as_bytes();
            let answer = inner.state.answer(&challenges, method, target, body)?;
            Ok(answer.map(|value| (value, is_stale(&challenges))))
        }

        /// Takes in what a response says about the next nonce.
        pub(crate) fn accept_info(&self, context: &Context) {
            let info = context.response.head.get("authentication-info");
            let mut inner = lock(&self.0);
            if let Some(info) = info
                && inner.origin.is_some()
                && inner.origin.as_ref() == context.request.url.origin()
            {
                inner.state.accept_info(info);
            }
        }

        /// The answer was refused.
        pub(crate) fn forget(&self) {
            lock(&self.0).state.forget();
        }
    }
}

#[cfg(not(feature = "digest"))]
mod on {
    use http::HeaderValue;

    use crate::context::Context;
    use crate::error::Result;

    /// There is none without the feature `digest`.
    #[derive(Clone)]
    pub(crate) enum Digest {}

    impl Digest {
        pub(crate) fn field(&self, _context: &Context) -> Result<Option<HeaderValue>> {
            match *self {}
        }

        pub(crate) fn answer(&self, _context: &Context) -> Result<Option<(HeaderValue, bool)>> {
            match *self {}
        }

        pub(crate) fn accept_info(&self, _context: &Context) {
            match *self {}
        }

        pub(crate) fn forget(&self) {
            match *self {}
        }
    }
}

pub(crate) use on::Digest;
