//! What `get` takes beside what it shares with `batch`.

use std::path::PathBuf;

use clap::{ArgGroup, ArgMatches, Args as ClapArgs};

use super::files::{FileArgs, Output};
use super::rates::{StartRate, bytes, start_rate};
use super::{CacheArgs, ClientArgs, ContentArgs, values};

/// The most requests at once of `--parallel`, as in curl.
const PARALLEL_MAX: usize = 300;

/// What `--referer` ends in where redirects are to have one.
pub(crate) const AUTO: &str = ";auto";

#[derive(Debug, ClapArgs)]
#[command(group(ArgGroup::new("content").multiple(true).args(["data", "data_raw", "data_binary", "data_urlencode"])))]
#[command(group(ArgGroup::new("verb").args(["request", "head"])))]
pub(crate) struct GetArgs {
    /// Where to send the request; http and https, and http if it does not say
    #[arg(value_name = "URL")]
    typed_urls: Vec<String>,

    /// All URLs in the order in which they were typed.
    #[arg(skip)]
    pub(crate) urls: Vec<String>,

    /// The method [default: GET, or POST with a body or a form, PUT with --upload-file]
    #[arg(short = 'X', long, value_name = "METHOD", help_heading = "Request")]
    pub(crate) request: Option<String>,

    /// Ask for the head only, and show it; with -o it goes to the file
    #[arg(
        short = 'I',
        long,
        conflicts_with = "upload_file",
        help_heading = "Request"
    )]
    pub(crate) head: bool,

    /// Send this as user-agent; '' sends none
    #[arg(
        short = 'A',
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "Request"
    )]
    pub(crate) user_agent: Option<String>,

    /// Send this as referer; URL;auto, or ;auto alone, sends the URL before with each redirect that is followed
    #[arg(short = 'e', long, value_name = "URL", help_heading = "Request")]
    pub(crate) referer: Option<String>,

    /// Ask for these bytes only, as 0-499, 500- or -500
    #[arg(
        short = 'r',
        long,
        value_name = "RANGE",
        allow_hyphen_values = true,
        help_heading = "Request"
    )]
    pub(crate) range: Option<String>,

    /// Send the path and the query as they are typed: no /../ is resolved, and nothing is encoded
    #[arg(long, help_heading = "Request")]
    pub(crate) path_as_is: bool,

    #[command(flatten)]
    pub(crate) content: ContentArgs,

    #[command(flatten)]
    pub(crate) files: FileArgs,

    #[command(flatten)]
    pub(crate) show: ShowArgs,

    #[command(flatten)]
    pub(crate) series: SeriesArgs,

    #[command(flatten)]
    pub(crate) cache: CacheArgs,

    #[command(flatten)]
    pub(crate) client: ClientArgs,

    /// What stands behind each --next.
    #[arg(skip)]
    pub(crate) next: Vec<GetArgs>,
}

/// What is shown of a response
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Output")]
pub(crate) struct ShowArgs {
    /// Write status line and fields to stdout before the body
    #[arg(short = 'i', long)]
    pub(crate) include: bool,

    /// Write status line and fields of each response to this file; - is stdout
    #[arg(short = 'D', long, value_name = "FILE")]
    pub(crate) dump_header: Option<PathBuf>,

    /// Show the heads of request and response on stderr
    ///
    /// Hidden are the password of the URL and the values of authorization, proxy-authorization,
    /// cookie, set-cookie and all fields whose names contain api-key, password, secret or token.
    /// Everything else is shown: other fields, and the query of the URL.
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,

    /// Show no progress and no errors; the exit code tells
    #[arg(short = 's', long)]
    pub(crate) silent: bool,

    /// With --silent: show errors
    #[arg(short = 'S', long)]
    pub(crate) show_error: bool,

    /// Show no progress
    #[arg(long)]
    pub(crate) no_progress_meter: bool,

    /// Accepted: the output is never buffered
    #[arg(short = 'N', long)]
    no_buffer: bool,

    /// Exit with 22 and write no body if the status is 400 or more
    #[arg(short = 'f', long, conflicts_with = "fail_with_body")]
    pub(crate) fail: bool,

    /// Exit with 22 if the status is 400 or more, and write the body
    #[arg(long)]
    pub(crate) fail_with_body: bool,

    /// Write this when a request has ended, with its %{VARIABLES} filled in; @FILE takes the text from a file
    ///
    /// Numbers: http_code or response_code, exitcode, size_download, size_upload, size_header, speed_download,
    /// speed_upload, num_connects, num_headers, num_redirects, remote_port, local_port, ssl_verify_result,
    /// urlnum. Seconds: time_namelookup, time_connect, time_appconnect, time_pretransfer,
    /// time_starttransfer, time_redirect, time_total. Text: content_type, errormsg, filename_effective,
    /// http_version, local_ip, method, redirect_url, referer, remote_ip, scheme, url, url_effective. All of them:
    /// json; the fields of the response: header_json, and one of them %header{NAME}. %{stderr} and %{stdout}
    /// change where the rest goes; nothing behind %{onerror} is written of a request that succeeded. \n, \r and
    /// \t are what they are in C, and %% is %.
    #[arg(
        short = 'w',
        long,
        value_name = "FORMAT|@FILE",
        allow_hyphen_values = true
    )]
    pub(crate) write_out: Option<String>,

    /// Show on stderr when each phase of the request began and ended
    #[arg(long)]
    pub(crate) timeline: bool,
}

/// More than one request
#[derive(Clone, Debug, ClapArgs)]
#[command(next_help_heading = "Several requests")]
pub(crate) struct SeriesArgs {
    /// The same as URL, for a file of --config
    #[arg(long = "url", value_name = "URL")]
    more_urls: Vec<String>,

    /// Take {}, [] in URLs as they are
    #[arg(short = 'g', long)]
    pub(crate) globoff: bool,

    /// Send the requests beside one another
    #[arg(short = 'Z', long)]
    pub(crate) parallel: bool,

    /// With --parallel: the most requests at once [default: 50]
    #[arg(long, value_name = "N", value_parser = values::number::<PARALLEL_MAX>)]
    pub(crate) parallel_max: Option<usize>,

    /// Accepted: requests to a host wait for no connection of another one
    #[arg(long)]
    parallel_immediate: bool,

    /// Begin at most so many requests, as 2/s, 10/m, 100/h or 1000/d; without --parallel only
    #[arg(long, value_name = "N/UNIT", value_parser = start_rate)]
    pub(crate) rate: Option<StartRate>,

    /// End with the first request that fails
    #[arg(long)]
    pub(crate) fail_early: bool,

    /// Begin another group of URLs and options [short: -:]
    ///
    /// -s, -S, -v, -Z, --parallel-max, --rate and --fail-early hold for all groups; every other option for its own.
    /// Groups whose connections are made alike share them.
    #[arg(long = "next")]
    is_next: bool,

    /// Read further options and URLs from this file; - is stdin
    ///
    /// One option a line, its long name without the dashes: `url = "http://h/"`, `user-agent "me"`, `fail`. A
    /// value in quotes has the escapes \\t, \\n, \\r, \\v, \\" and \\\\; what begins with # is a comment.
    #[arg(short = 'K', long, value_name = "FILE")]
    config: Vec<PathBuf>,

    /// Accepted: no file of defaults is read
    #[arg(short = 'q', long)]
    disable: bool,

    /// Fail with 63 if a body is longer than this, as 1000, 100k, 1M or 1G
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Output")]
    pub(crate) max_filesize: Option<u64>,
}

impl GetArgs {
    /// Puts what may be given by several options into one order.
    pub(super) fn keep_order(&mut self, matches: &ArgMatches) {
        let names = ["typed_urls", "more_urls"];
        let urls = names.map(|name| indexed::<String>(matches, name));
        self.urls = sorted(urls.concat());
        self.content.keep_order(matches);
        let named = indexed::<PathBuf>(matches, "output").into_iter();
        let remote = indexed::<bool>(matches, "remote_name").into_iter();
        let outputs = named
            .map(|(at, path)| (at, Output::File(path)))
            .chain(remote.map(|(at, _)| (at, Output::Remote)));
        self.files.outputs = sorted(outputs.collect());
    }

    /// Whether each redirect has the URL before as its referer.
    pub(crate) fn sends_referer(&self) -> bool {
        self.referer
            .as_deref()
            .is_some_and(|typed| typed.ends_with(AUTO))
    }

    /// Whether a status from 400 on is a failure.
    pub(crate) fn fails(&self) -> bool {
        self.show.fail || self.show.fail_with_body
    }
}

/// The values of an option, and where they stand among what was typed.
pub(super) fn indexed<T: Clone + Send + Sync + 'static>(
    matches: &ArgMatches,
    name: &str,
) -> Vec<(usize, T)> {
    let places = matches.indices_of(name).into_iter().flatten();
    let values = matches.get_many::<T>(name).into_iter().flatten();
    places.zip(values.cloned()).collect()
}

pub(super) fn sorted<T>(mut values: Vec<(usize, T)>) -> Vec<T> {
    values.sort_by_key(|(at, _)| *at);
    values.into_iter().map(|(_, value)| value).collect()
}
