//! Redirects, retries, credentials: what is done about answers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::values::{duration, seconds};

/// Redirects, and requests that are sent again
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Redirects and retries")]
pub(crate) struct FollowArgs {
    /// Follow redirects; without it a redirect is a response like any other
    #[arg(short = 'L', long)]
    pub(crate) location: bool,

    /// The most redirects in a row that -L follows; -1 is 1,000
    #[arg(long, value_name = "N", default_value_t = 50, allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-1..=1_000))]
    pub(crate) max_redirs: i32,

    /// As -L, and send credentials to every host that the redirects lead to
    #[arg(long)]
    pub(crate) location_trusted: bool,

    /// Send a request again, up to N times, after a timeout, a failed connection, and the statuses 408, 425,
    /// 429, 500, 502, 503 and 504
    ///
    /// A request may be done twice by this, also a POST. Before each retry the command waits up to one
    /// second, then two, four and so on up to ten minutes, or for as long as Retry-After says. --timeout
    /// is for all attempts together.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) retry: u32,

    /// Wait this long before each retry
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) retry_delay: Option<Duration>,

    /// Begin no retry later than this after the beginning; 0 is no limit
    #[arg(long, value_name = "DURATION", value_parser = seconds)]
    pub(crate) retry_max_time: Option<Duration>,

    /// With --retry: send a request again after every error
    #[arg(long)]
    pub(crate) retry_all_errors: bool,

    /// With --retry: refused connections too, which it does anyway
    #[arg(long)]
    pub(crate) retry_connrefused: bool,
}

/// Who asks
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Credentials")]
pub(crate) struct AuthArgs {
    /// User and password of the host in the URL; Basic unless --digest says otherwise
    #[arg(short = 'u', long, value_name = "USER:PASSWORD")]
    pub(crate) user: Option<String>,

    /// Send user and password by the Basic scheme, which is the default
    #[arg(long, overrides_with = "digest")]
    pub(crate) basic: bool,

    /// Answer with user and password when the server asks by the Digest scheme
    #[arg(long, overrides_with = "basic")]
    pub(crate) digest: bool,

    /// Send this token as `authorization: Bearer TOKEN`
    #[arg(long, value_name = "TOKEN", conflicts_with = "user")]
    pub(crate) oauth2_bearer: Option<String>,

    /// Take user and password of the host from ~/.netrc, which only its owner may read
    #[arg(short = 'n', long)]
    pub(crate) netrc: bool,

    /// As --netrc, from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,

    /// As --netrc; without an entry, or without the file, nothing is sent
    #[arg(long)]
    pub(crate) netrc_optional: bool,
}

/// Cookies
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Cookies")]
pub(crate) struct CookieArgs {
    /// Send these cookies, as 'a=1; b=2', or those of a file, and keep what servers set (repeatable); '' only
    /// keeps
    ///
    /// A file is in the format of Netscape, which -c writes. One that is not there is an empty one.
    #[arg(short = 'b', long = "cookie", value_name = "NAME=VALUE|FILE")]
    pub(crate) cookies: Vec<String>,

    /// Keep what servers set, and write it to this file at the end; - is stdout
    ///
    /// A new file is for its owner alone; one that is there keeps its mode. Pipes and devices are written to
    /// as they are.
    #[arg(short = 'c', long, value_name = "FILE")]
    pub(crate) cookie_jar: Option<PathBuf>,

    /// Leave out the cookies of a session that -b reads from files
    #[arg(short = 'j', long)]
    pub(crate) junk_session_cookies: bool,
}
