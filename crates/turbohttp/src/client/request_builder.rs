//! One request being put together.

use std::fmt::Display;
use std::time::Duration;

#[cfg(any(feature = "form", feature = "json", feature = "multipart"))]
use http::header::CONTENT_TYPE;
use http::header::{AUTHORIZATION, CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use turbohttp_core::h1::encode::Asks;
use turbohttp_core::scheduler::Priority;

use super::Client;
use crate::body::{IntoBody, UploadProgress};
use crate::context::Http1Only;
use crate::error::{Error, ErrorKind, Result};
use crate::request::Request;
use crate::response::Response;
use crate::url::basic;

/// A request of a [`Client`] that is being put together; [`send`](RequestBuilder::send) it.
///
/// A mistake on the way is kept and returned by `send` or `build`.
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// # let client = turbohttp::Client::new()?;
/// let request = client
///     .put("http://example.com/things/7")
///     .header("if-match", "\"v1\"")
///     .bearer_auth("token")
///     .body("content")
///     .build()?;
/// assert_eq!(request.headers()["if-match"], "\"v1\"");
///
/// let mistake = client.get("http://example.com/").header("a b", "c").build().unwrap_err();
/// assert!(mistake.is_builder());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct RequestBuilder {
    client: Client,
    pub(super) request: Request,
    pub(super) mistake: Option<Error>,
}

impl RequestBuilder {
    #[inline]
    pub(crate) fn new(client: Client, mut request: Request, method: Method, url: &str) -> Self {
        request.set_method(method);
        // The builder goes on after a mistake, as the verbs return it and not a result.
        let mistake = request.read_url(url, Some(&client.inner.origins)).err();
        RequestBuilder {
            client,
            request,
            mistake,
        }
    }

    /// Adds a field; another one of that name stays.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName>,
        N::Error: Into<Error>,
        V: TryInto<HeaderValue>,
        V::Error: Into<Error>,
    {
        match field(name, value) {
            Ok((name, value)) => {
                self.append(name, value);
            }
            Err(error) => self.note(error),
        }
        self
    }

    /// Replaces the fields of these names.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        let mut last = None;
        for (name, value) in headers {
            // A name stands with its first value only; the first one replaces what was set.
            match name {
                Some(name) => {
                    self.request.headers_mut().remove(&name);
                    self.append(name.clone(), value);
                    last = Some(name);
                }
                None => last
                    .clone()
                    .into_iter()
                    .for_each(|name| self.append(name, value.clone())),
            }
        }
        self
    }

    /// Sets the body: bytes, text, a file, or a [`Body`](crate::Body).
    pub fn body(mut self, body: impl IntoBody) -> Self {
        self.request.set_body(body);
        self
    }

    /// Has `report` told how much of the body has been sent, of the one that is set so far; see
    /// [`Body::on_progress`](crate::Body::on_progress).
    pub fn on_progress(mut self, report: impl Fn(UploadProgress) + Send + Sync + 'static) -> Self {
        let body = self.request.take_body().on_progress(report);
        self.request.set_body(body);
        self
    }

    /// Sets `value` as a JSON body, with its Content-Type unless one is set.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => {
                let json = HeaderValue::from_static("application/json");
                self.request
                    .headers_mut()
                    .entry(CONTENT_TYPE)
                    .or_insert(json);
                self.request.set_body(bytes);
            }
            Err(error) => {
                self.note(Error::new(ErrorKind::Request, "value cannot be JSON").with_source(error))
            }
        }
        self
    }

    /// Appends pairs to the query of the URL: a map, a struct, or a slice of pairs. Numbers and booleans
    /// are written as text, `None` is left out.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// # let client = turbohttp::Client::new()?;
    /// let request = client
    ///     .get("http://example.com/search?lang=en")
    ///     .query(&[("q", "a b")])
    ///     .query(&[("page", 2)])
    ///     .build()?;
    /// assert_eq!(request.url(), "http://example.com/search?lang=en&q=a+b&page=2");
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "form")]
    pub fn query<T: serde::Serialize + ?Sized>(mut self, pairs: &T) -> Self {
        match serde_urlencoded::to_string(pairs) {
            Ok(text) => {
                let added = self.request.context.request.url.append_query(&text);
                added.unwrap_or_else(|error| self.note(error));
            }
            Err(error) => self.note(not_pairs("query", error)),
        }
        self
    }

    /// Sets the fields of an HTML form as the body (`application/x-www-form-urlencoded`): a map, a
    /// struct, or a slice of pairs.
    #[cfg(feature = "form")]
    pub fn form<T: serde::Serialize + ?Sized>(mut self, fields: &T) -> Self {
        match serde_urlencoded::to_string(fields) {
            Ok(text) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                self.request
                    .headers_mut()
                    .entry(CONTENT_TYPE)
                    .or_insert(form);
                self.request.set_body(text);
            }
            Err(error) => self.note(not_pairs("form", error)),
        }
        self
    }

    /// Sets a form with files as the body (`multipart/form-data`), and its Content-Type.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// # let client = turbohttp::Client::new()?;
    /// use turbohttp::multipart::{Form, Part};
    ///
    /// let form = Form::new().text("title", "a").part("data", Part::bytes(vec![0; 9]).file_name("a.bin"));
    /// let request = client.post("http://example.com/").multipart(form).build()?;
    /// # assert!(request.headers()["content-type"].to_str().unwrap().starts_with("multipart/form-data"));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "multipart")]
    pub fn multipart(mut self, form: crate::multipart::Form) -> Self {
        match form.encode() {
            Ok((content_type, body)) => {
                // Any other would not have the boundary that the body has.
                self.request
                    .headers_mut()
                    .insert(CONTENT_TYPE, content_type);
                self.request.set_body(body);
            }
            Err(error) => self.note(error),
        }
        self
    }

    /// Sets user and password (RFC 7617).
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// # let client = turbohttp::Client::new()?;
    /// client.get("http://example.com/").basic_auth("user", Some("password"));
    /// client.get("http://example.com/").basic_auth("token", None::<&str>);
    /// # Ok(())
    /// # }
    /// ```
    pub fn basic_auth<U, P>(mut self, user: U, password: Option<P>) -> Self
    where
        U: Display,
        P: Display,
    {
        let user = user.to_string();
        let password = password.map_or_else(String::new, |password| password.to_string());
        match basic(user.as_bytes(), password.as_bytes()) {
            Ok(value) => {
                self.request.headers_mut().insert(AUTHORIZATION, value);
            }
            Err(message) => self.note(Error::new(ErrorKind::Request, message)),
        }
        self
    }

    /// Sets a bearer token (RFC 6750).
    pub fn bearer_auth(mut self, token: impl Display) -> Self {
        match HeaderValue::try_from(format!("Bearer {token}")) {
            Ok(mut value) => {
                // `http` shows a sensitive value as "Sensitive", so that no log has the token.
                value.set_sensitive(true);
                self.request.headers_mut().insert(AUTHORIZATION, value);
            }
            Err(error) => self.note(error.into()),
        }
        self
    }

    /// Sends `target`, path and query, in place of those of the URL and as it is; see
    /// [`Request::set_target`].
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// # let client = turbohttp::Client::new()?;
    /// let request = client.get("http://example.com/").target("/a/../b|c").build()?;
    /// assert_eq!(request.url(), "http://example.com/a/../b|c");
    /// # Ok(())
    /// # }
    /// ```
    pub fn target(mut self, target: impl AsRef<str>) -> Self {
        let set = self.request.set_target(target);
        set.unwrap_or_else(|error| self.note(error));
        self
    }

    /// Sets the time for the whole request, from `send` to the end of the body.
    pub fn timeout(mut self, limit: Duration) -> Self {
        if limit.is_zero() {
            self.note(Error::config("timeout", "longer than zero", "0"));
        }
        // Kept apart from the deadline, which `Call` computes when the clock starts.
        self.request.context.timing.limits.timeout = Some(limit);
        self
    }

    /// Sends this request by [`Version::HTTP_11`], on a connection of its own kind, to which HTTP/1.1 alone is
    /// offered (RFC 7301); any other version is an error of `send`.
    ///
    /// The version is that of the connection, and otherwise chosen for a client: by its server, or by
    /// [`ClientBuilder::http1_only`](crate::ClientBuilder::http1_only) and
    /// [`ClientBuilder::http2_prior_knowledge`](crate::ClientBuilder::http2_prior_knowledge). With the latter
    /// there is no HTTP/1.1, and `send` fails with [`ErrorKind::Request`] before anything is sent.
    pub fn version(mut self, version: Version) -> Self {
        if version == Version::HTTP_11 {
            self.request.extensions_mut().insert(Http1Only);
        } else {
            // Refused, not ignored: the caller would believe that another version was spoken.
            let message = format!(
                "{version:?} cannot be asked for by one request: the client chooses the version"
            );
            self.note(Error::new(ErrorKind::Request, message));
        }
        self
    }

    /// Sets a value that goes with the request ([`Request::extensions`]).
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.request.extensions_mut().insert(value);
        self
    }

    /// A second builder like this one; `None` if the body is a stream, or if a mistake was made, which
    /// [`send`](RequestBuilder::send) of this one returns.
    pub fn try_clone(&self) -> Option<RequestBuilder> {
        // The error is not cloneable, and a copy without it would send something else.
        if self.mistake.is_some() {
            return None;
        }
        Some(RequestBuilder {
            client: self.client.clone(),
            request: self.request.try_clone()?,
            mistake: None,
        })
    }

    /// Sets how urgent the request is, should it have to wait for a permit.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.request.set_priority(priority);
        self
    }

    /// Sets the most bytes that a collected body of this response may have.
    pub fn body_bytes_max(mut self, bytes: usize) -> Self {
        self.request.context.request.body_bytes_max = Some(bytes);
        self
    }

    /// Asks the server for `100 Continue` before the body is sent (RFC 9110 section 10.1.1). Without effect on a
    /// request for an [`upgrade`](RequestBuilder::upgrade).
    pub fn expect_continue(mut self) -> Self {
        // A request for another protocol has no use for it, and must not lose what it asks for.
        let asks = &mut self.request.context.request.asks;
        if *asks != Asks::Upgrade {
            *asks = Asks::Continue;
        }
        self
    }

    /// Asks the server to speak `protocol` from now on, such as `websocket` (RFC 9110 section 7.8). If it
    /// does, it answers 101, and [`Response::upgrade`] gives the connection; it may answer anything else.
    ///
    /// Sets the fields Connection and Upgrade; those of the protocol itself are the caller's. Takes the place of
    /// [`expect_continue`](RequestBuilder::expect_continue). It goes by HTTP/1.1, as with
    /// [`version`](RequestBuilder::version).
    pub fn upgrade<P>(mut self, protocol: P) -> Self
    where
        P: TryInto<HeaderValue>,
        P::Error: Into<Error>,
    {
        match protocol.try_into() {
            Ok(protocol) => {
                let headers = self.request.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, protocol);
                self.request.context.request.asks = Asks::Upgrade;
            }
            Err(error) => self.note(error.into()),
        }
        self
    }

    /// The client, and the request or the first mistake that was made.
    pub fn build_split(self) -> (Client, Result<Request>) {
        let client = self.client.clone();
        (client, self.build())
    }

    /// A builder of a request that exists, to send it with `client`.
    pub fn from_parts(client: Client, request: Request) -> RequestBuilder {
        RequestBuilder {
            client,
            request,
            mistake: None,
        }
    }

    /// The request without sending it.
    ///
    /// # Errors
    ///
    /// The first mistake that was made: [`ErrorKind::Url`] or [`ErrorKind::Request`].
    pub fn build(self) -> Result<Request> {
        match self.mistake {
            None => Ok(self.request),
            Some(error) => Err(error),
        }
    }

    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    ///
    /// As [`Client::send`], and the first mistake that was made while building.
    ///
    /// # Cancel safety
    ///
    /// As [`Client::send`].
    pub async fn send(self) -> Result<Response> {
        let RequestBuilder {
            client,
            request,
            mistake,
        } = self;
        match mistake {
            None => client.send(request).await,
            Some(error) => Err(error),
        }
    }

    fn append(&mut self, name: HeaderName, value: HeaderValue) {
        // What the caller sets stands in place of the URL's userinfo, not beside it.
        let parts = &mut self.request.context.request;
        if name == AUTHORIZATION
            && let Some(of_url) = parts.url.credentials().cloned()
        {
            parts.remove_authorization(&of_url);
        }
        if let Err(error) = self.request.headers_mut().try_append(name, value) {
            self.note(Error::new(ErrorKind::Request, "too many fields").with_source(error));
        }
    }

    fn note(&mut self, error: Error) {
        self.mistake.get_or_insert(error);
    }
}

#[cfg(feature = "form")]
fn not_pairs(what: &str, error: serde_urlencoded::ser::Error) -> Error {
    Error::new(
        ErrorKind::Request,
        format!("value cannot be a {what} of pairs"),
    )
    .with_source(error)
}

fn field<N, V>(name: N, value: V) -> Result<(HeaderName, HeaderValue)>
where
    N: TryInto<HeaderName>,
    N::Error: Into<Error>,
    V: TryInto<HeaderValue>,
    V::Error: Into<Error>,
{
    Ok((
        name.try_into().map_err(Into::into)?,
        value.try_into().map_err(Into::into)?,
    ))
}
