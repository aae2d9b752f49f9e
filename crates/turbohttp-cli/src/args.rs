//! What was typed.

mod bench;
mod config;
mod content;
mod files;
mod follow;
mod get;
mod groups;
mod network;
mod rates;
mod unbuilt;
mod values;

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{
    Args as ClapArgs, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum,
};
use turbohttp::limits::{DOWNLOAD_CONNECTIONS_MAX, QUEUE_JOBS_MAX};

use self::rates::host_rate;
use self::values::{TOTAL_MAX, duration, number};
use crate::batch::engine::WAITING_LINES;
use crate::exit::CODES;

pub(crate) use self::bench::BenchArgs;
pub(crate) use self::content::{ContentArgs, Datum, FormPart, Kind, Source, encoded_parts};
pub(crate) use self::files::{Offset, Output};
pub(crate) use self::follow::{AuthArgs, CookieArgs, FollowArgs};
pub(crate) use self::get::{AUTO, GetArgs};
pub(crate) use self::network::{NetworkArgs, ProxyArgs, TlsArgs, VersionArgs};
pub(crate) use self::rates::ByteRate;
pub(crate) use self::values::Resolve;

/// An HTTP client that is bounded, cancel safe, and shows where the time went
#[derive(Debug, Parser)]
#[command(
    name = "turbohttp",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(after_help = format!(
    "Begin with `turbohttp demo`: it needs no arguments and no network. `turbohttp URL` is \
     `turbohttp get URL`.\n\n{CODES}"
))]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// Reads the arguments of the process; `get` is meant where they begin with a URL or an option.
    pub(crate) fn read() -> Result<Args, clap::Error> {
        let mut typed: Vec<OsString> = std::env::args_os().collect();
        if typed.get(1).is_some_and(|first| means_get(first)) {
            typed.insert(1, "get".into());
        }
        if typed.get(1).is_none_or(|command| command != "get") {
            return Args::parse(typed);
        }
        let behind = typed.split_off(2);
        let mut groups = groups::split(behind)?.into_iter();
        let parse = |group: Vec<OsString>| Args::parse(typed.iter().cloned().chain(group));
        let mut args = parse(groups.next().unwrap_or_default())?;
        for group in groups {
            if let (Command::Get(first), Command::Get(next)) =
                (&mut args.command, parse(group)?.command)
            {
                first.next.push(*next);
            }
        }
        Ok(args)
    }

    fn parse(typed: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
        let matches = command()
            .try_get_matches_from(typed)
            .map_err(unbuilt::told)?;
        let mut args = Args::from_arg_matches(&matches)?;
        if let (Command::Get(get), Some(matches)) =
            (&mut args.command, matches.subcommand_matches("get"))
        {
            get.keep_order(matches);
        }
        Ok(args)
    }
}

/// The whole command line. For `bench`, -c and -n are what they are for load generators.
pub(crate) fn command() -> clap::Command {
    Args::command().mut_subcommand("bench", |bench| {
        let taken = ["cookie_jar", "netrc"];
        let without = |bench: clap::Command, name| bench.mut_arg(name, |arg| arg.short(None));
        taken.into_iter().fold(bench, without)
    })
}

/// Whether `first`, the first argument, belongs to a `get` that was not typed. A word alone is a command
/// that is misspelt.
fn means_get(first: &OsStr) -> bool {
    const OWN: [&str; 4] = ["-h", "--help", "-V", "--version"];
    let first = first.to_string_lossy();
    if first.starts_with('-') {
        return !OWN.contains(&&*first);
    }
    first == "localhost" || first.contains(['.', ':', '/'])
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one request, or several, and write the bodies to stdout or to files
    ///
    /// The options are curl's, with its names and meanings. A URL may stand for many: {a,b} for a list, [1-9],
    /// [001-100:10] and [a-z] for a range; -g takes braces and brackets as they are. Several URLs are asked one
    /// after the other over the same connections. The n-th -o or -O belongs to the n-th URL. The file ~/.curlrc
    /// is not read.
    #[command(after_help = CODES)]
    Get(Box<GetArgs>),
    /// Send many requests: one URL or one JSON object per line
    ///
    /// An object has `url` and, if wanted, `method`, `headers`, `body` or `form` (an object of texts and of files,
    /// as {"name": {"file": "path", "filename": "name", "type": "text/plain"}}), `priority` (critical, high,
    /// normal, low), `deadline_ms` (as --deadline), `retry` (how often the same URL is tried again), `mirrors` (URLs
    /// that are tried when it has failed), and for --out-dir `output` (a file name), `sha256` or `checksum`
    /// (ALGORITHM:HEX, by sha-256, sha-512, md5 or blake3). Blank
    /// lines and lines that begin with # are skipped. A line that is wrong is reported and counted,
    /// and the others go on. So is a line whose `output` is that of an earlier one; the names of about
    /// a million lines are remembered. Lines end with LF, CR or both.
    ///
    /// A file that an earlier batch has left unfinished is gone on with, if the server still has that version of it;
    /// until it is whole, it is NAME.turbohttp.part.
    ///
    /// Of the lines that wait, the one of the highest priority is started first, and within one
    /// priority the one that came first; lines for a host that has all its requests running hold up no
    /// other host, as long as --queue has room for them.
    ///
    /// Without -L a line that is answered by a redirect has failed, and its body is no file.
    ///
    /// Ctrl-C, SIGTERM and SIGHUP stop the reading and let everything finish that was accepted, for as
    /// long as --drain; a second one cancels that at once. If nobody reads the output and the command hangs on it,
    /// that takes a second and may leave unfinished `.part` files.
    Batch(Box<BatchArgs>),
    /// Run the loopback server until Ctrl-C
    ///
    /// It speaks HTTP/1.1 and HTTP/2 on the same port, in the clear: HTTP/2 to clients that begin with it, by what
    /// is called prior knowledge, as `curl --http2-prior-knowledge` does. `/` lists its routes.
    Serve(ServeArgs),
    /// Run 2,000 requests over six servers in this process, then one dead host beside nine healthy
    /// ones, then many requests over one connection of HTTP/2, and show the reports
    Demo,
    /// Load a URL, and show how long its answers take
    ///
    /// Without --rate it is a closed loop: each of -c callers sends when its last answer is there, so that a slow
    /// server is asked less. With --rate requests are due at fixed times, and the time of one that could not be sent
    /// when it was due, as all callers were waiting, begins when it was due: what a server keeps from being sent is
    /// not left out of its latencies ("coordinated omission").
    ///
    /// Ctrl-C ends it early, with what was measured by then. The exit code is 1 if no request was answered.
    Bench(Box<BenchArgs>),
    /// Write what completes this command in a shell to stdout
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Write the man pages of this command to a directory
    Man {
        /// Made if it is not there
        directory: PathBuf,
    },
    #[cfg(feature = "selfcheck")]
    /// Measure this build, and check the figures against their gates
    ///
    /// The exit code is 0 if every gate holds, 3 if a gate was missed, and 2 if the file of --gate
    /// cannot be used.
    ///
    /// That file is TOML and may name any bound of the built-in ones that this command measures. The
    /// sections are allocations_max, bytes_allocated_max, pooling_saves_min, requests_per_second_min,
    /// overhead_nanoseconds_max, leaks_max and leaks_rise_max; without --quick also
    /// by_hand_requests_per_second_min and by_hand_overhead_nanoseconds_max. Those that `cargo xtask
    /// gates` counts, instructions_max and system_calls_max, are refused, as they would not be looked
    /// at here.
    Selfcheck(SelfcheckArgs),
}

/// What `get` and `batch` share
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
pub(crate) struct ClientArgs {
    /// Add a field to the request (repeatable); 'NAME:' leaves out one that is sent by itself, 'NAME;'
    /// sends an empty one
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE",
        help_heading = "Request"
    )]
    pub(crate) headers: Vec<String>,

    #[command(flatten)]
    pub(crate) times: TimeArgs,

    #[command(flatten)]
    pub(crate) follow: FollowArgs,

    #[command(flatten)]
    pub(crate) auth: AuthArgs,

    #[command(flatten)]
    pub(crate) cookies: CookieArgs,

    /// Ask for a compressed body, and undo the compression
    #[arg(long, help_heading = "Request")]
    pub(crate) compressed: bool,

    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,

    #[command(flatten)]
    pub(crate) network: NetworkArgs,

    #[command(flatten)]
    pub(crate) versions: VersionArgs,

    #[command(flatten)]
    pub(crate) tls: TlsArgs,
}

/// What `get` and `batch` keep of responses
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
pub(crate) struct CacheArgs {
    /// Keep responses in this directory, 256 MiB at most, and answer by them while they are fresh or confirmed
    ///
    /// A private cache (RFC 9111). The directory is made if there is none. -v says of each response what the cache
    /// had to do with it, as --json does.
    #[arg(long = "cache", value_name = "DIR", help_heading = "Request")]
    pub(crate) directory: Option<PathBuf>,
}

/// How long the phases of a request may take
///
/// What is not given has its default, unless --timeout is: then it has that.
#[derive(Clone, Debug, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimeArgs {
    /// Time for a whole request once it is started, as 10s, 500ms or 2m; a number alone is seconds. It
    /// replaces the defaults of the phases, longer and shorter ones
    #[arg(short = 'm', long, visible_alias = "max-time", value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,

    /// Time to wait for a turn, where requests wait for one another; in a batch the same as --deadline
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) permit_timeout: Option<Duration>,

    /// Time for the addresses of a name [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) dns_timeout: Option<Duration>,

    /// Time for a TCP connection to any of the addresses [default: 10s]; and for the name and the TLS handshake
    /// each, which have limits of their own
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) connect_timeout: Option<Duration>,

    /// Time for a TLS handshake [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) tls_timeout: Option<Duration>,

    /// Time from the end of the request to the end of the head of the response [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) head_timeout: Option<Duration>,

    /// Time between two pieces of a body, sent or received [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) body_timeout: Option<Duration>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct BatchArgs {
    /// The file of lines, or - for stdin
    pub(crate) file: PathBuf,

    /// The most requests that run at once
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = number::<TOTAL_MAX>)]
    pub(crate) total: usize,

    /// The most requests that run at once to one host (scheme, name and port) [default: --total]
    #[arg(long, value_name = "N", value_parser = number::<TOTAL_MAX>)]
    pub(crate) per_host: Option<usize>,

    /// How many requests begin in a time to one host, evenly spaced: 10/s, 100/m, 1000/h [default: no limit]
    #[arg(long, value_name = "N/UNIT", value_parser = host_rate)]
    pub(crate) rate_per_host: Option<turbohttp::Rate>,

    /// The most lines that wait at each priority; beyond it, reading pauses
    #[arg(
        long,
        value_name = "N",
        default_value_t = WAITING_LINES,
        value_parser = number::<QUEUE_JOBS_MAX>
    )]
    pub(crate) queue: usize,

    /// Give a line up unsent, as expired_in_queue, when it has waited this long to be started
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) deadline: Option<Duration>,

    /// How long after Ctrl-C or SIGTERM what was accepted may take to finish
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) drain: Duration,

    /// Write the bodies of statuses from 200 to 299 to files in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out_dir: Option<PathBuf>,

    /// Do not send lines whose file is there
    #[arg(long, requires = "out_dir")]
    pub(crate) skip_existing: bool,

    /// By how many connections a file of 32 MiB or more is fetched, if its server takes ranges
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4,
        value_parser = number::<DOWNLOAD_CONNECTIONS_MAX>,
        requires = "out_dir"
    )]
    pub(crate) connections: usize,

    /// Have each file on the disk before its line is done
    #[arg(long, requires = "out_dir")]
    pub(crate) fsync: bool,

    /// Whether to show progress on stderr
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: When,

    /// Write one JSON object per line of input to stdout, in the order they finish
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) cache: CacheArgs,

    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If stderr is a terminal
    Auto,
    Never,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) address: SocketAddr,

    /// Wait this many milliseconds before each answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) delay: u64,

    /// Answer every Nth request with 503
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fail_every: Option<u64>,
}

#[cfg(feature = "selfcheck")]
#[derive(Debug, ClapArgs)]
pub(crate) struct SelfcheckArgs {
    /// Write the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Take the bounds that this file names from it, and the others as they are
    #[arg(long, value_name = "FILE")]
    pub(crate) gate: Option<PathBuf>,

    /// A first look: fewer requests, shorter times, and no gates that need a quiet machine
    #[arg(long)]
    pub(crate) quick: bool,
}

#[cfg(test)]
mod tests {
    use super::{command, means_get};

    #[test]
    fn arguments_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_url_or_an_option_means_get() {
        for get in [
            "example.test/x",
            "localhost",
            "http://h/",
            "-I",
            "--json",
            "[::1]",
        ] {
            assert!(means_get(get.as_ref()), "{get}");
        }
        for other in ["get", "gett", "demo", "--help", "-V", ""] {
            assert!(!means_get(other.as_ref()), "{other}");
        }
    }
}
