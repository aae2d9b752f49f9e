//! Cookies on their way: into the request of an attempt, and out of its answer.

#[cfg(feature = "cookies")]
mod on {
    use std::sync::Arc;

    use http::header::{COOKIE, SET_COOKIE};

    use crate::context::{Added, Context};
    use crate::cookies::CookieStore;
    use crate::response::Response;

    /// The cookie store of a client, if it has one.
    #[derive(Clone, Default)]
    pub(crate) struct Cookies(pub(crate) Option<Arc<dyn CookieStore>>);

    impl Cookies {
        pub(crate) fn are_on(&self) -> bool {
            self.0.is_some()
        }

        /// Adds the Cookie field for the URL, unless the request has one of its own.
        pub(crate) fn add(&self, context: &mut Context) {
            let Some(store) = &self.0 else {
                return;
            };
            let parts = &mut context.request;
            if !parts.headers.contains_key(COOKIE)
                && let Some(mut value) = store.cookies(parts.url.as_str())
            {
                value.set_sensitive(true);
                parts.headers.insert(COOKIE, value);
                parts.added.add(Added::COOKIE);
            }
        }

        /// Stores what a response sets.
        pub(crate) fn store(&self, response: &Response) {
            let Some(store) = &self.0 else {
                return;
            };
            let mut set = response.header_values(SET_COOKIE.as_str()).peekable();
            if set.peek().is_some() {
                store.store(response.url(), &mut set);
            }
        }
    }
}

#[cfg(not(feature = "cookies"))]
mod on {
    use crate::context::Context;
    use crate::response::Response;

    #[derive(Clone, Default)]
    pub(crate) struct Cookies {}

    impl Cookies {
        pub(crate) fn are_on(&self) -> bool {
            false
        }

        pub(crate) fn add(&self, _context: &mut Context) {}

        pub(crate) fn store(&self, _response: &Response) {}
    }
}

pub(crate) use on::Cookies;
