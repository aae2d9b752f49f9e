//! The parts of a context: what is sent, and what came back.

use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock, PoisonError};

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use turbohttp_core::h1::encode::Asks;
use turbohttp_core::head::ResponseHead;
use turbohttp_core::pool::Reset;
use turbohttp_core::scheduler::Priority;

use crate::body::buffer::SpareBuffer;
use crate::body::{Body, ResponseBody};
use crate::url::RequestUrl;

/// Fields that a reset map may keep room for: what a request has, with much to spare.
const MAP_KEPT_FIELDS_MAX: usize = 64;

/// What is sent.
#[derive(Default)]
pub(crate) struct RequestParts {
    pub(crate) method: Method,
    pub(crate) url: RequestUrl,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// What is asked of the server beside the answer.
    pub(crate) asks: Asks,
    pub(crate) priority: Priority,
    /// The most bytes that a collected body of the response may have, where the request says so.
    pub(crate) body_bytes_max: Option<usize>,
    /// A queue reads the body of the response into memory before it hands the response out.
    pub(crate) is_collected: bool,
    pub(crate) added: Added,
}

/// An extension of a request that is sent by HTTP/1.1 whatever its client and its server would choose. No field,
/// as hardly a request has it.
#[derive(Clone, Copy)]
pub(crate) struct Http1Only;

/// Which fields of a request a policy of the client has added: they belong to one attempt.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Added(u8);

impl Added {
    pub(crate) const AUTHORIZATION: Added = Added(1);
    pub(crate) const COOKIE: Added = Added(2);
    /// The Authorization field is of credentials that were given to the request, and not to its client.
    pub(crate) const OWN: Added = Added(4);

    pub(crate) fn add(&mut self, field: Added) {
        self.0 |= field.0;
    }

    pub(crate) fn has(self, field: Added) -> bool {
        self.0 & field.0 != 0
    }
}

impl RequestParts {
    /// Whether the method has the same effect when the request is done twice (RFC 9110 section 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Method::GET
                | Method::HEAD
                | Method::OPTIONS
                | Method::TRACE
                | Method::PUT
                | Method::DELETE
        )
    }

    /// Removes the Authorization field that came from the userinfo of a URL, unless another one has
    /// replaced it since.
    pub(crate) fn remove_authorization(&mut self, of_url: &HeaderValue) {
        if self.headers.get(AUTHORIZATION) == Some(of_url) {
            self.headers.remove(AUTHORIZATION);
        }
    }

    /// Removes what a policy has added for the last attempt.
    pub(crate) fn remove_added(&mut self) {
        let added = std::mem::take(&mut self.added);
        if added.has(Added::AUTHORIZATION) {
            self.headers.remove(AUTHORIZATION);
        }
        if added.has(Added::COOKIE) {
            self.headers.remove(COOKIE);
        }
    }

    /// Removes what the client has added: a request that leaves its call may be sent anywhere. What was made
    /// of the request's own credentials stays.
    #[cold]
    pub(crate) fn remove_clients(&mut self) {
        let is_own = self.added.has(Added::OWN);
        if is_own && self.added.has(Added::COOKIE) {
            self.headers.remove(COOKIE);
        }
        match is_own {
            true => self.added = Added(Added::AUTHORIZATION.0 | Added::OWN.0),
            false => self.remove_added(),
        }
    }

    /// Makes this the same as `other`; `None` if the body of that is a stream.
    pub(crate) fn copy_from(&mut self, other: &RequestParts) -> Option<()> {
        self.body = other.body.try_clone()?;
        self.url.copy_from(&other.url);
        self.method = other.method.clone();
        self.headers.clone_from(&other.headers);
        self.asks = other.asks;
        self.priority = other.priority;
        self.body_bytes_max = other.body_bytes_max;
        self.added = other.added;
        Some(())
    }
}

impl Reset for RequestParts {
    #[inline]
    fn reset(&mut self) {
        let RequestParts {
            method,
            url,
            headers,
            body,
            asks,
            priority,
            body_bytes_max,
            is_collected,
            added,
        } = self;
        url.reset();
        clear_map(headers);
        // Most requests have none, which a comparison tells; the drop of one is not.
        if !body.is_empty() {
            *body = Body::empty();
        }
        *method = Method::GET;
        *asks = Asks::Nothing;
        *priority = Priority::default();
        *body_bytes_max = None;
        *is_collected = false;
        *added = Added::default();
    }

    #[inline]
    fn is_blank(&self) -> bool {
        self.method.as_str() == Method::GET.as_str()
            && self.url.is_blank()
            && self.headers.is_empty()
            && self.body.is_empty()
            && self.asks == Asks::Nothing
            && self.priority == Priority::default()
            && self.body_bytes_max.is_none()
            && !self.is_collected
            && self.added == Added::default()
    }
}

/// What came back.
#[derive(Default)]
pub(crate) struct ResponseParts {
    pub(crate) head: ResponseHead,
    pub(crate) body: ResponseBody,
    /// Both ends of the connection that carried the last attempt.
    pub(crate) addresses: Option<Addresses>,
    pub(crate) fields: FieldMap,
}

/// Both ends of a connection, asked once when it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
}

impl ResponseParts {
    /// The fields as a map, built in the memory of a former one when it is first asked for.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.fields.map.get_or_init(|| {
            // Not contended: only a reset, which has the context for itself, puts a map there.
            let mut spare = self.fields.spare.lock();
            let spare = spare.as_deref_mut().map(std::mem::take);
            let mut map = spare.unwrap_or_default();
            for (name, value) in self.head.iter() {
                append(&mut map, name, value);
            }
            map
        })
    }

    /// The fields as a map, to change them.
    pub(crate) fn map_mut(&mut self) -> &mut HeaderMap {
        self.map();
        self.fields.is_changed = true;
        self.fields.map.get_mut().expect("just built")
    }

    /// Appends a field.
    pub(crate) fn push_field(&mut self, name: &str, value: &[u8]) {
        self.head.push(name, value);
        // The head keeps the spelling; the map, once built, is what the accessors read.
        if let Some(map) = self.fields.map.get_mut() {
            append(map, name, value);
        }
    }

    /// Removes every header field called `name`.
    pub(crate) fn remove_field(&mut self, name: &str) {
        self.head.remove(name);
        if let Some(map) = self.fields.map.get_mut() {
            map.remove(name);
        }
    }

    /// Releases the body, and forgets the rest.
    #[inline]
    pub(crate) fn reset(&mut self, spare: &mut SpareBuffer) {
        let ResponseParts {
            head,
            body,
            addresses,
            fields,
        } = self;
        // The body first: a connection that ends its exchange may still write trailers into the head.
        body.finish(head, spare);
        fields.reset();
        head.reset();
        *addresses = None;
    }

    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        self.head.is_blank()
            && self.body.has_ended()
            && self.addresses.is_none()
            && self.fields.is_blank()
    }
}

/// The fields of a response as a map. The head is what arrived; the map is made of it on demand, and
/// stands for it once it was lent out to be changed.
#[derive(Default)]
pub(crate) struct FieldMap {
    pub(crate) map: OnceLock<HeaderMap>,
    pub(crate) is_changed: bool,
    /// An empty map with the room of a former one. The mutex only makes `&Response` shareable.
    spare: Mutex<HeaderMap>,
}

impl FieldMap {
    #[inline]
    fn reset(&mut self) {
        if let Some(mut map) = self.map.take() {
            clear_map(&mut map);
            *self.spare.get_mut().unwrap_or_else(PoisonError::into_inner) = map;
        }
        self.is_changed = false;
    }

    #[inline]
    fn is_blank(&self) -> bool {
        !self.is_changed && self.map.get().is_none()
    }
}

/// A field that a map cannot hold stays in the head only.
pub(crate) fn append(map: &mut HeaderMap, name: &str, value: &[u8]) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
        map.append(name, value);
    }
}

#[inline(always)] // Mostly the map is empty and small.
fn clear_map(map: &mut HeaderMap) {
    if !map.is_empty() {
        map.clear();
    }
    if map.capacity() > MAP_KEPT_FIELDS_MAX {
        *map = HeaderMap::new();
    }
}
