//! Who asks: user and password, or a token, for the host of a URL.

use anyhow::bail;
use turbohttp::{Credentials, Request};

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

    /// Gives a request the credentials for its host. Those of its URL, which are there by now, stay unless
    /// others were typed.
    pub(crate) fn apply(&self, request: &mut Request) -> anyhow::Result<()> {
        if let Some(given) = &self.given {
            request.set_credentials(given.clone())?;
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
