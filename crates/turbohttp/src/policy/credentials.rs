//! Credentials of an origin: what is sent with its requests, and what is done about a 401.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use turbohttp_core::origin::Origin;
use turbohttp_core::sync::lock;

use super::digest::Digest;
use crate::context::{Added, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CREDENTIALS_MAX;
use crate::url::basic;

/// User and password, a token, or a source of tokens, for one origin.
///
/// Given to a client ([`ClientBuilder::credentials`](crate::ClientBuilder::credentials)), they go to that
/// origin and to no other, also where a redirect leads to it; a request that sets `Authorization` itself
/// keeps its own. Given to a request
/// ([`RequestBuilder::credentials`](crate::RequestBuilder::credentials)), they go to the origin of its URL,
/// and no redirect takes them along.
///
/// A clone shares what is learned: the token, the server's nonce.
#[derive(Clone)]
pub struct Credentials(Kind);

#[derive(Clone)]
enum Kind {
    /// The value of the Authorization field.
    Field(HeaderValue),
    #[cfg_attr(
        not(feature = "digest"),
        expect(dead_code, reason = "made with the feature")
    )]
    Digest(Digest),
    Provider(Arc<Provider>),
}

/// What can be done about a 401.
pub(super) enum Answer {
    /// Another token is to be had.
    Token(Arc<Provider>),
    /// This is the answer to its challenge, which said, or did not, that only the nonce was too old.
    Field(HeaderValue, bool),
}

impl Credentials {
    /// User and password by the Basic scheme (RFC 7617), sent with the first request already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the user name holds a colon, or one of both a control character.
    pub fn basic(user: &str, password: &str) -> Result<Credentials> {
        let value = basic(user.as_bytes(), password.as_bytes());
        let value = value.map_err(|message| Error::new(ErrorKind::Config, message))?;
        Ok(Credentials(Kind::Field(value)))
    }

    /// User and password by the Digest scheme (RFC 7616: MD5 and SHA-256, `auth` and `auth-int`), which answers
    /// the challenge of a 401: the password itself is not sent. The requests that follow carry an answer
    /// from the beginning.
    #[cfg(feature = "digest")]
    pub fn digest(user: &str, password: &str) -> Credentials {
        Credentials(Kind::Digest(Digest::new(user, password)))
    }

    /// A bearer token (RFC 6750), sent with the first request already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the token is no text that a field can hold.
    pub fn bearer(token: &str) -> Result<Credentials> {
        bearer(token).map(|value| Credentials(Kind::Field(value)))
    }

    /// Bearer tokens from `source`, which is asked before the first request and again when the server
    /// refuses the token by 401; the refused request is then sent once more. Requests that are refused at
    /// the same time wait for one refresh, and hold no permit while they wait, so that `source` may use the
    /// same client. What it sends to the same origin goes without a token.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::{Client, Credentials};
    ///
    /// let tokens = Client::new()?;
    /// let credentials = Credentials::token_from(move || {
    ///     let tokens = tokens.clone();
    ///     async move { tokens.post("https://login.example.com/token").send().await?.text().await }
    /// });
    /// let client = Client::builder()
    ///     .credentials("https://api.example.com", credentials)
    ///     .build()?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    pub fn token_from<F, Fut>(source: F) -> Credentials
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        Credentials(Kind::Provider(Arc::new(Provider {
            source: Box::new(move || Box::pin(source())),
            refresh: tokio::sync::Mutex::new(()),
            state: Mutex::default(),
        })))
    }

    /// Makes these the credentials of one request.
    pub(crate) fn set_for(self, context: &mut Context) -> Result<()> {
        context.request.remove_added();
        context.extensions.insert(self);
        CredentialTable::default().add(context)
    }

    /// The value for the request that is about to be sent, where it is known.
    fn field(&self, context: &Context) -> Result<Option<HeaderValue>> {
        match &self.0 {
            Kind::Field(value) => Ok(Some(value.clone())),
            Kind::Digest(digest) => digest.field(context),
            Kind::Provider(provider) if provider.is_asked() => Ok(None),
            Kind::Provider(provider) => Ok(lock(&provider.state).token.clone()),
        }
    }
}

impl fmt::Debug for Credentials {
    /// The kind only: all the rest is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Field(_) => "Credentials(field)",
            Kind::Digest(_) => "Credentials(digest)",
            Kind::Provider(_) => "Credentials(tokens)",
        })
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    // The source of an error about a value may show it.
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value =
        value.map_err(|_| Error::new(ErrorKind::Config, "bearer token is no field value"))?;
    value.set_sensitive(true);
    Ok(value)
}

tokio::task_local! {
    /// The provider whose source is being asked, by its address.
    static ASKED: usize;
}

type Source = dyn Fn() -> Pin<Box<dyn Future<Output = Result<String>> + Send>> + Send + Sync;

/// A source of tokens, and the one that it gave last.
pub(crate) struct Provider {
    source: Box<Source>,
    /// Locked while the source is asked; a caller that waits for it finds what was brought.
    refresh: tokio::sync::Mutex<()>,
    state: Mutex<Token>,
}

#[derive(Default)]
struct Token {
    token: Option<HeaderValue>,
    /// How often the source has answered, and what its last error was.
    answers: u64,
    failure: Option<(ErrorKind, String)>,
}

impl Provider {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether the caller is the source itself: what it sends to the same origin can have no token yet.
    fn is_asked(&self) -> bool {
        ASKED.try_with(|asked| *asked == self.address()) == Ok(true)
    }

    /// A token other than `refused`: the one that is known by now, or a new one.
    ///
    /// Cancel safe: dropped while it asks the source, the next one that waits asks.
    pub(crate) async fn refresh(&self, refused: Option<&HeaderValue>) -> Result<()> {
        let answers = lock(&self.state).answers;
        let _one = self.refresh.lock().await;
        {
            let state = lock(&self.state);
            if state.token.is_some() && state.token.as_ref() != refused {
                return Ok(());
            }
            // The source was asked while this one waited, and has failed: it is not asked once for each.
            if state.answers != answers
                && let Some((kind, message)) = &state.failure
            {
                return Err(Error::new(*kind, message.clone()));
            }
        }
        let token = ASKED.scope(self.address(), (self.source)()).await;
        let token = token.and_then(|token| bearer(&token));
        let mut state = lock(&self.state);
        state.answers += 1;
        match token {
            Ok(token) => {
                state.failure = None;
                state.token = Some(token);
                Ok(())
            }
            Err(error) => {
                state.failure = Some((error.kind(), format!("no token: {error}")));
                Err(Error::new(error.kind(), "no token").with_source(error))
            }
        }
    }
}

/// The credentials of a client, by origin.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialTable {
    by_origin: HashMap<Origin, Credentials>,
}

impl CredentialTable {
    /// Sets those of one origin in place of former ones.
    pub(crate) fn set(&mut self, origin: Origin, credentials: Credentials) -> Result<()> {
        if self.by_origin.len() >= CREDENTIALS_MAX && !self.by_origin.contains_key(&origin) {
            let bound = format!("at most {CREDENTIALS_MAX} origins");
            return Err(Error::config("credentials", &bound, "one more"));
        }
        self.by_origin.insert(origin, credentials);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_origin.is_empty()
    }

    /// Those of this request: its own, or the client's for its origin.
    fn of<'a>(&'a self, context: &'a Context) -> Option<&'a Credentials> {
        let own = context.extensions.get::<Credentials>();
        if own.is_none() && self.by_origin.is_empty() {
            return None;
        }
        own.or_else(|| self.by_origin.get(context.request.url.origin()?))
    }

    /// Adds the Authorization field that is known, unless the request has one.
    pub(crate) fn add(&self, context: &mut Context) -> Result<()> {
        if context.request.headers.contains_key(AUTHORIZATION) {
            return Ok(());
        }
        let Some(credentials) = self.of(context) else {
            return Ok(());
        };
        if let Some(value) = credentials.field(context)? {
            let is_own = context.extensions.get::<Credentials>().is_some();
            let parts = &mut context.request;
            parts.headers.insert(AUTHORIZATION, value);
            parts.added.add(Added::AUTHORIZATION);
            if is_own {
                parts.added.add(Added::OWN);
            }
        }
        Ok(())
    }

    /// The source of tokens that must be asked before the request is sent, as it has given none yet.
    pub(crate) fn missing_token(&self, context: &Context) -> Option<Arc<Provider>> {
        if context.request.headers.contains_key(AUTHORIZATION) {
            return None;
        }
        match &self.of(context)?.0 {
            Kind::Provider(provider) => {
                let is_missing = lock(&provider.state).token.is_none() && !provider.is_asked();
                is_missing.then(|| provider.clone())
            }
            Kind::Field(_) | Kind::Digest(_) => None,
        }
    }

    /// Whether responses are looked at for what they say about the next request.
    pub(super) fn inspect(&self) -> bool {
        let mut all = self.by_origin.values();
        all.any(|credentials| matches!(credentials.0, Kind::Digest(_)))
    }

    /// Takes in what a response says about the next request.
    pub(super) fn accept_info(&self, context: &Context) {
        if let Some(Credentials(Kind::Digest(digest))) = self.of(context) {
            digest.accept_info(context);
        }
    }

    /// The answer of ours to a challenge was refused.
    pub(super) fn forget(&self, context: &Context) {
        if let Some(Credentials(Kind::Digest(digest))) = self.of(context) {
            digest.forget();
        }
    }

    /// What can be done about a 401 to this request: `None` where it carries no credentials of ours.
    pub(super) fn answer(&self, context: &Context) -> Result<Option<Answer>> {
        let parts = &context.request;
        if parts.headers.contains_key(AUTHORIZATION) && !parts.added.has(Added::AUTHORIZATION) {
            return Ok(None);
        }
        Ok(match self.of(context).map(|credentials| &credentials.0) {
            Some(Kind::Provider(provider)) if provider.is_asked() => None,
            Some(Kind::Provider(provider)) => Some(Answer::Token(provider.clone())),
            Some(Kind::Digest(digest)) => {
                let answer = digest.answer(context)?;
                answer.map(|(value, is_stale)| Answer::Field(value, is_stale))
            }
            Some(Kind::Field(_)) | None => None,
        })
    }
}
