//! Who asks: user and password, or a token, for the host of a URL.

use anyhow::{Context as _, bail};
use turbohttp::{Credentials, Request, Url};

use super::netrc::Netrc;
use crate::args::AuthArgs;

/// What was typed of credentials.
#[derive(Clone, Default)]
pub(crate) struct Auth {
    given: Option<Credentials>,
    netrc: Option<Netrc>,
    is_digest: bool,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth")
            .field("given", &self.given.is_some())
            .field("netrc", &self.netrc.is_some())
            .finish_non_exhaustive()
    }
}

impl Auth {
    pub(crate) fn read(args: &AuthArgs) -> anyhow::Result<Auth> {
        let given = match (&args.user, &args.oauth2_bearer) {
            (Some(user), _) => match user.split_once(':') {
                Some((user, password)) => Some(credentials(user, password, args.digest)?),
                None => bail!("--user has no colon: write USER:PASSWORD"),
            },
            (None, Some(token)) => Some(Credentials::bearer(token)?),
            (None, None) => None,
        };
        Ok(Auth {
            given,
            netrc: Netrc::read(args)?,
            is_digest: args.digest,
        })
    }

    /// Gives a request the credentials for its host. Those of `url`, which it has by now, stay unless
    /// others were typed; with --digest they answer a challenge.
    pub(crate) fn apply(&self, request: &mut Request, url: &str) -> anyhow::Result<()> {
        if let Some(given) = &self.given {
            request.set_credentials(given.clone())?;
        } else if self.is_digest
            && let Some((user, password)) = userinfo(url)?
        {
            // Not by Basic, which the request has of its URL: that would show the password.
            request.set_credentials(Credentials::digest(&user, &password))?;
        } else if let Some(netrc) = &self.netrc
            && !request
                .headers()
                .contains_key(turbohttp::header::AUTHORIZATION)
            && let Some((user, password)) = netrc.find(request.origin().host())
        {
            request.set_credentials(credentials(user, password, self.is_digest)?)?;
        }
        Ok(())
    }
}

fn credentials(user: &str, password: &str, is_digest: bool) -> anyhow::Result<Credentials> {
    Ok(match is_digest {
        true => Credentials::digest(user, password),
        false => Credentials::basic(user, password)?,
    })
}

/// User and password of a URL, decoded.
fn userinfo(url: &str) -> anyhow::Result<Option<(String, String)>> {
    let Ok(url) = Url::parse(url) else {
        // The request has said what is wrong with it.
        return Ok(None);
    };
    let decode = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        let decoded = decoded
            .ok()
            .context("user or password of the URL is no UTF-8")?;
        anyhow::Ok(decoded.into_owned())
    };
    let (user, password) = (url.username(), url.password());
    if user.is_empty() && password.is_none() {
        return Ok(None);
    }
    Ok(Some((decode(user)?, decode(password.unwrap_or_default())?)))
}
