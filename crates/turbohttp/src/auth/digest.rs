//! The answers of Digest (RFC 7616), and of the servers that still speak it as RFC 2069 did.
//!
//! # Implementation
//!
//! A challenge begins a session, which lasts until the next one: its nonce is used again for every request,
//! each with a count of its own, so that most requests are answered before they are asked.

use std::fmt;

use http::HeaderValue;
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::challenge::{Challenge, Parameters};
use crate::error::{Error, ErrorKind, Result};

/// Random bytes of a client's nonce.
const CNONCE_BYTES: usize = 16;

/// The credentials of one user at one origin, and the session that a challenge has begun. `Debug` shows none
/// of it.
///
/// The calls of one request: [`authorize`](DigestState::authorize) before it is sent; for a 401,
/// [`answer`](DigestState::answer), and the request is sent once more; for any other response,
/// [`accept_info`](DigestState::accept_info). A second 401 to the same request means that the credentials are
/// wrong, unless [`is_stale`] says that only the nonce was too old: the caller counts.
pub(crate) struct DigestState {
    user: String,
    password: String,
    session: Option<Session>,
}

struct Session {
    algorithm: Algorithm,
    /// What the challenge called the algorithm, to be repeated; `None` if it named none.
    algorithm_name: Option<&'static str>,
    qop: Option<Qop>,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    /// The hash of the credentials; with `-sess`, of the first nonces, too.
    a1: String,
    cnonce: String,
    /// Requests that were answered with this nonce.
    count: u32,
    has_user_hash: bool,
    is_utf8: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Algorithm {
    hash: Hash,
    is_session: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
}

/// The quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    Auth,
    /// The content is part of the answer.
    AuthInt,
}

/// A challenge that can be answered.
struct Offer<'a> {
    parameters: &'a Parameters,
    algorithm: Algorithm,
    algorithm_name: Option<&'static str>,
    qop: Option<Qop>,
}

/// The names of the algorithms (RFC 7616 section 6.1); there are others, which are passed over.
const ALGORITHMS: [(&str, Hash, bool); 4] = [
    ("MD5", Hash::Md5, false),
    ("MD5-sess", Hash::Md5, true),
    ("SHA-256", Hash::Sha256, false),
    ("SHA-256-sess", Hash::Sha256, true),
];

impl DigestState {
    pub(crate) fn new(user: impl Into<String>, password: impl Into<String>) -> DigestState {
        DigestState {
            user: user.into(),
            password: password.into(),
            session: None,
        }
    }

    /// The value of Authorization that answers these challenges, for the request with this method, target and
    /// body; `None` if none of them is a Digest that can be answered. It begins a new session.
    ///
    /// `target` is the request target as it is sent: path and query. `body` is the content, empty if there is
    /// none; `None` if it is a stream, which a server that wants `auth-int` alone cannot be given.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] if the user name holds a control character, or the system has no random numbers.
    pub(crate) fn answer(
        &mut self,
        challenges: &[Challenge],
        method: &str,
        target: &str,
        body: Option<&[u8]>,
    ) -> Result<Option<HeaderValue>> {
        self.answer_with(challenges, method, target, body, &client_nonce()?)
    }

    fn answer_with(
        &mut self,
        challenges: &[Challenge],
        method: &str,
        target: &str,
        body: Option<&[u8]>,
        cnonce: &str,
    ) -> Result<Option<HeaderValue>> {
        let Some(offer) = best_offer(challenges, body.is_some()) else {
            return Ok(None);
        };
        self.session = Some(Session::new(&offer, &self.user, &self.password, cnonce));
        self.authorize(method, target, body)
    }

    /// The value of Authorization for one more request of the session that an answer has begun; `None` if
    /// there is none, or if its server must be asked again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] if the user name holds a control character.
    pub(crate) fn authorize(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&[u8]>,
    ) -> Result<Option<HeaderValue>> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        let qop = session.qop;
        if qop == Some(Qop::AuthInt) && body.is_none() {
            return Ok(None);
        }
        // The count has eight hexadecimal digits.
        let Some(count) = session.count.checked_add(1) else {
            self.session = None;
            return Ok(None);
        };
        session.count = count;
        let response = session.response(method, target, body.unwrap_or_default());
        let value = session.field(&self.user, target, &response);
        let mut value = HeaderValue::try_from(value).map_err(|error| {
            let message = "the user name of Digest holds a control character";
            Error::new(ErrorKind::Request, message).with_source(error)
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Ends the session: its answer was refused, so that no other request is sent with it.
    pub(crate) fn forget(&mut self) {
        self.session = None;
    }

    /// Takes over the nonce that Authentication-Info of a response gives for the next request (RFC 7616
    /// section 3.5).
    pub(crate) fn accept_info(&mut self, field: &[u8]) {
        let info = Parameters::parse(field);
        if let (Some(session), Some(nonce)) = (&mut self.session, info.value("nextnonce"))
            && session.nonce != nonce
        {
            session.nonce = nonce.to_owned();
            session.count = 0;
        }
    }
}

impl fmt::Debug for DigestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestState")
            .field("has_session", &self.session.is_some())
            .finish_non_exhaustive()
    }
}

/// Whether these challenges refuse an answer only because its nonce was too old: the credentials are right.
pub(crate) fn is_stale(challenges: &[Challenge]) -> bool {
    let offer = best_offer(challenges, true);
    offer.is_some_and(|offer| offer.parameters.says("stale", "true"))
}

/// The first challenge among those with the strongest hash.
fn best_offer(challenges: &[Challenge], has_bytes: bool) -> Option<Offer<'_>> {
    let mut best: Option<Offer<'_>> = None;
    for offer in challenges
        .iter()
        .filter_map(|challenge| offer(challenge, has_bytes))
    {
        if best
            .as_ref()
            .is_none_or(|best| best.algorithm.hash < offer.algorithm.hash)
        {
            best = Some(offer);
        }
    }
    best
}

fn offer(challenge: &Challenge, has_bytes: bool) -> Option<Offer<'_>> {
    let parameters = &challenge.parameters;
    let is_whole = parameters.value("realm").is_some() && parameters.value("nonce").is_some();
    if challenge.scheme != "digest" || !is_whole {
        return None;
    }
    // Without a name it is MD5 (RFC 7616 section 3.3).
    let name = parameters.value("algorithm").unwrap_or(b"MD5");
    let mut known = ALGORITHMS.into_iter();
    let (name, hash, is_session) =
        known.find(|(known, ..)| name.eq_ignore_ascii_case(known.as_bytes()))?;
    Some(Offer {
        parameters,
        algorithm: Algorithm { hash, is_session },
        algorithm_name: parameters.value("algorithm").map(|_| name),
        qop: match parameters.value("qop") {
            Some(offered) => Some(best_qop(offered, has_bytes)?),
            None => None,
        },
    })
}

/// `auth` if it is offered: with `auth-int`, what the body is would have to be known beforehand.
fn best_qop(offered: &[u8], has_bytes: bool) -> Option<Qop> {
    let is_offered = |name: &[u8]| {
        let mut names = offered.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.any(|offered| offered.eq_ignore_ascii_case(name))
    };
    if is_offered(b"auth") {
        Some(Qop::Auth)
    } else {
        (is_offered(b"auth-int") && has_bytes).then_some(Qop::AuthInt)
    }
}

impl Session {
    fn new(offer: &Offer<'_>, user: &str, password: &str, cnonce: &str) -> Session {
        let parameters = offer.parameters;
        let value = |name| parameters.value(name).map(<[u8]>::to_owned);
        let (realm, nonce) = (value("realm"), value("nonce"));
        let mut session = Session {
            algorithm: offer.algorithm,
            algorithm_name: offer.algorithm_name,
            qop: offer.qop,
            realm: realm.unwrap_or_default(),
            nonce: nonce.unwrap_or_default(),
            opaque: value("opaque"),
            a1: String::new(),
            cnonce: cnonce.to_owned(),
            count: 0,
            has_user_hash: parameters.says("userhash", "true"),
            is_utf8: parameters.says("charset", "utf-8"),
        };
        let credentials = [user.as_bytes(), &session.realm, password.as_bytes()];
        session.a1 = session.hash(&credentials);
        if session.algorithm.is_session {
            // Once: it stays when the nonce is replaced (RFC 7616 section 3.4.2).
            let parts = [session.a1.as_bytes(), &session.nonce, cnonce.as_bytes()];
            session.a1 = session.hash(&parts);
        }
        session
    }

    /// The hash of `parts` with a colon between them, in hexadecimal digits.
    fn hash(&self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self.algorithm.hash {
            Hash::Md5 => hex(&Md5::digest(&text)),
            Hash::Sha256 => hex(&Sha256::digest(&text)),
        }
    }

    /// RFC 7616 section 3.4.1; without `qop`, that of RFC 2069 section 2.1.2.
    fn response(&self, method: &str, target: &str, body: &[u8]) -> String {
        let a2 = match self.qop {
            Some(Qop::AuthInt) => {
                let content = self.hash(&[body]);
                self.hash(&[method.as_bytes(), target.as_bytes(), content.as_bytes()])
            }
            Some(Qop::Auth) | None => self.hash(&[method.as_bytes(), target.as_bytes()]),
        };
        let (a1, a2) = (self.a1.as_bytes(), a2.as_bytes());
        match self.qop {
            None => self.hash(&[a1, &self.nonce, a2]),
            Some(qop) => {
                let count = self.count();
                let (cnonce, qop) = (self.cnonce.as_bytes(), qop.name().as_bytes());
                self.hash(&[a1, &self.nonce, count.as_bytes(), cnonce, qop, a2])
            }
        }
    }

    fn count(&self) -> String {
        format!("{:08x}", self.count)
    }

    /// The value of Authorization (RFC 7616 section 3.4).
    fn field(&self, user: &str, target: &str, response: &str) -> Vec<u8> {
        let mut field = b"Digest ".to_vec();
        if self.has_user_hash {
            let user = self.hash(&[user.as_bytes(), &self.realm]);
            quoted(&mut field, "username", user.as_bytes());
        } else if !user.is_ascii() && self.is_utf8 {
            field.extend_from_slice(b"username*=");
            field.extend_from_slice(extended(user).as_bytes());
        } else {
            // Other letters go as they are to a server that names no charset, as browsers have it.
            quoted(&mut field, "username", user.as_bytes());
        }
        quoted(&mut field, "realm", &self.realm);
        quoted(&mut field, "nonce", &self.nonce);
        quoted(&mut field, "uri", target.as_bytes());
        quoted(&mut field, "response", response.as_bytes());
        if let Some(name) = self.algorithm_name {
            word(&mut field, "algorithm", name);
        }
        if let Some(opaque) = &self.opaque {
            quoted(&mut field, "opaque", opaque);
        }
        if let Some(qop) = self.qop {
            word(&mut field, "qop", qop.name());
            word(&mut field, "nc", &self.count());
        }
        if self.qop.is_some() || self.algorithm.is_session {
            quoted(&mut field, "cnonce", self.cnonce.as_bytes());
        }
        if self.has_user_hash {
            word(&mut field, "userhash", "true");
        }
        field
    }
}

impl Qop {
    fn name(self) -> &'static str {
        match self {
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }
}

/// Appends a parameter as a quoted string (RFC 9110 section 5.6.4).
fn quoted(field: &mut Vec<u8>, name: &str, value: &[u8]) {
    word(field, name, "\"");
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            field.push(b'\\');
        }
        field.push(*byte);
    }
    field.push(b'"');
}

/// Appends a parameter as a token; the first one stands behind the scheme.
fn word(field: &mut Vec<u8>, name: &str, value: &str) {
    if !field.ends_with(b" ") {
        field.extend_from_slice(b", ");
    }
    field.extend_from_slice(name.as_bytes());
    field.push(b'=');
    field.extend_from_slice(value.as_bytes());
}

/// Text beyond ASCII as the value of a parameter (RFC 8187 section 3.2).
fn extended(text: &str) -> String {
    let set = percent_encoding::NON_ALPHANUMERIC;
    format!(
        "UTF-8''{}",
        percent_encoding::utf8_percent_encode(text, set)
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn client_nonce() -> Result<String> {
    let mut bytes = [0; CNONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        let message = "the system gives no random bytes, which an answer of Digest needs";
        Error::new(ErrorKind::Request, message).with_source(error)
    })?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests;
