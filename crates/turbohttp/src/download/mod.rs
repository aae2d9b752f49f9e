//! Downloads to files: gone on with, in several pieces at once, checked, and whole or not there.
//!
//! # Implementation
//!
//! `pieces.rs` decides who fetches what, `validator.rs` what an answer is of, `journal.rs` what is known of an
//! unfinished file: none of them does I/O. `part.rs` is the unfinished file on disk. `fetch.rs` is the way through
//! a download: `ask.rs` sends its requests, `receive.rs`
//! takes what comes through `writer.rs`, `finish.rs` ends it, and `checksum.rs` reads the file. A download is one future: its connections
//! are polled by it, and only reads and writes of the file are elsewhere, in the blocking pool.

mod ask;
mod checksum;
mod fetch;
mod finish;
mod journal;
mod part;
mod pieces;
mod receive;
mod validator;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Method};
use turbohttp_core::timeline::Timeline;

pub use checksum::Checksum;

use crate::client::{Client, RequestBuilder};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{DOWNLOAD_CONNECTIONS_MAX, RETRIES_MAX};
use crate::request::Request;
use crate::response::Response;
use crate::url::IntoUrl;

/// How many connections a large file is fetched by, unless the caller says.
const CONNECTIONS: usize = 4;

/// How often a download goes on after an answer that broke off, with no byte in between.
const TRIES: u32 = 5;

/// A download that is being put together; [`to`](Download::to) runs it.
///
/// The file appears under its name when it is whole, by a rename, and is on the disk by then. Until then its
/// bytes are in `NAME.turbohttp.part` beside it, and what is known of them in `NAME.turbohttp.journal`. A
/// download that is dropped or killed, or whose disk is full, leaves both; the next one of the same URL to
/// the same path goes on from there, if the server still has that version: it is asked by `Range` and
/// `If-Range` (RFC 9110 sections 13.1.5 and 14). That takes a strong ETag, or a `Last-Modified` that is older
/// than the answer; without one, a download begins anew.
///
/// A file of 32 MiB or more is fetched in pieces by several connections, if the server accepts ranges. Each
/// piece is a request of the client: it has the priority of the first one, waits for its permit and is cut off
/// by a close like any other. Where a file changes between two pieces, the download begins anew; bytes of two
/// versions are never mixed.
///
/// What is sent and asked is the representation as the server has it: no content coding is asked for, and
/// none is undone.
///
/// ```no_run
/// # async fn run() -> turbohttp::Result<()> {
/// use turbohttp::{Checksum, Client};
///
/// let client = Client::new()?;
/// let file = client
///     .download("https://example.com/image.iso")
///     .checksum("sha-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?)
///     .on_progress(|progress| eprintln!("{} bytes", progress.bytes))
///     .to("image.iso")
///     .await?;
/// println!("{} bytes, {} of them were there", file.length(), file.resumed());
/// # Ok(())
/// # }
/// ```
#[must_use = "a download does nothing until it has a path"]
pub struct Download {
    client: Client,
    request: Result<Request>,
    options: Options,
    on_progress: Option<OnProgress>,
}

type OnProgress = Box<dyn FnMut(DownloadProgress) + Send>;

#[derive(Clone, Debug)]
struct Options {
    connections: usize,
    tries: u32,
    is_durable: bool,
    trusts_server: bool,
    checksums: Vec<Checksum>,
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DownloadProgress {
    /// The bytes of the file that are written, those of an earlier download included.
    pub bytes: u64,
    /// The bytes that the file will have, where the server says so.
    pub total: Option<u64>,
}

/// What became of a download.
#[derive(Clone, Debug)]
pub struct Downloaded {
    path: PathBuf,
    url: String,
    length: u64,
    resumed: u64,
    requests: u32,
    restarts: u32,
    last_modified: Option<SystemTime>,
    timeline: Option<Box<Timeline>>,
}

impl Client {
    /// Begins a download of `url` by GET: [`RequestBuilder::download`] for one with fields of its own.
    pub fn download(&self, url: impl IntoUrl) -> Download {
        self.get(url).download()
    }
}

impl RequestBuilder {
    /// Makes the request a download: its fields, its priority and its timeouts are those of all requests that
    /// the download takes.
    pub fn download(self) -> Download {
        let (client, request) = self.build_split();
        Download {
            client,
            request,
            options: Options {
                connections: CONNECTIONS,
                tries: TRIES,
                is_durable: true,
                trusts_server: true,
                checksums: Vec::new(),
            },
            on_progress: None,
        }
    }
}

impl Download {
    /// Sets by how many connections a large file is fetched at once, from 1 to
    /// [`DOWNLOAD_CONNECTIONS_MAX`]; default 4.
    pub fn connections(mut self, connections: usize) -> Download {
        self.options.connections = connections;
        self
    }

    /// Sets how often the download goes on by itself where an answer has broken off and not a byte has come
    /// since, waiting as [`RetryPolicy`](crate::RetryPolicy) does, and how often it begins anew; default 5. A
    /// first request that fails is not counted: it is up to the client's policy.
    pub fn tries(mut self, tries: u32) -> Download {
        self.options.tries = tries;
        self
    }

    /// Adds what the file must hash to. A file that does not is removed, and the download fails with
    /// [`ErrorKind::Checksum`].
    pub fn checksum(mut self, checksum: Checksum) -> Download {
        self.options.checksums.push(checksum);
        self
    }

    /// Sets whether the file is checked against `Repr-Digest` (RFC 9530) and `Digest` of the server; default
    /// `true`.
    pub fn server_checksum(mut self, is_checked: bool) -> Download {
        self.options.trusts_server = is_checked;
        self
    }

    /// Sets whether the file and its name are on the disk, and not only with the system, when the download
    /// ends; default `true`. Off, it is faster, and after a loss of power the file may be cut.
    pub fn durable(mut self, is_durable: bool) -> Download {
        self.options.is_durable = is_durable;
        self
    }

    /// Has a function told how far the download is, after each write of up to 1 MiB. It runs in the task of
    /// the download, which waits for it.
    pub fn on_progress(
        mut self,
        on_progress: impl FnMut(DownloadProgress) + Send + 'static,
    ) -> Download {
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    /// Downloads to this path. A file that is there is replaced at the end and keeps its mode; a link to a
    /// file is followed.
    ///
    /// # Errors
    ///
    /// Those of [`Client::send`]; [`ErrorKind::Status`] for an answer that is no success,
    /// [`ErrorKind::Output`] where the file cannot be written (before anything is sent, if that can be told),
    /// its disk is full, or another download of it is under way, [`ErrorKind::Checksum`],
    /// [`ErrorKind::Changed`] for a file that never stays the same, and [`ErrorKind::Config`].
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what is written by then is gone on from. Dropped in its last moment, while the file is
    /// renamed, it may be whole all the same.
    pub async fn to(self, path: impl AsRef<Path>) -> Result<Downloaded> {
        self.run(None, path.as_ref()).await
    }

    /// The first request of this download to `path`, for programs that send it by other means, such as a
    /// [`RequestQueue`](crate::RequestQueue): it asks for what is missing of an unfinished file. Its answer
    /// goes to [`receive`](Download::receive). Blocks for the read of a journal, if there is one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], [`ErrorKind::Url`] and [`ErrorKind::Request`], as [`to`](Download::to).
    pub fn first_request(&self, path: impl AsRef<Path>) -> Result<Request> {
        let request = match &self.request {
            Ok(request) => request.try_clone(),
            Err(error) => return Err(Error::new(error.kind(), error.to_string())),
        };
        let missing = || Error::new(ErrorKind::Request, "the request cannot be cloned");
        let mut request = self.options.check(request.ok_or_else(missing))?;
        if let Some(known) = part::peek(path.as_ref()) {
            ask::ask_for_rest(&mut request, known, self.options.connections)?;
        }
        Ok(request)
    }

    /// Downloads like [`to`](Download::to), from the answer to [`first_request`](Download::first_request) on.
    ///
    /// # Errors
    ///
    /// As [`to`](Download::to).
    ///
    /// # Cancel safety
    ///
    /// As [`to`](Download::to).
    pub async fn receive(self, answer: Response, path: impl AsRef<Path>) -> Result<Downloaded> {
        self.run(Some(answer), path.as_ref()).await
    }

    async fn run(self, answer: Option<Response>, path: &Path) -> Result<Downloaded> {
        let Download {
            client,
            request,
            options,
            on_progress,
        } = self;
        let request = options.check(request)?;
        // Boxed: it has a connection's worth of state, and many may run at once.
        Box::pin(fetch::run(
            client,
            request,
            options,
            on_progress,
            answer,
            path,
        ))
        .await
    }
}

impl Options {
    fn check(&self, request: Result<Request>) -> Result<Request> {
        let mut request = request?;
        if !(1..=DOWNLOAD_CONNECTIONS_MAX).contains(&self.connections) {
            let bound = format!("from 1 to {DOWNLOAD_CONNECTIONS_MAX}");
            return Err(Error::config("connections", &bound, self.connections));
        }
        if self.tries > RETRIES_MAX {
            return Err(Error::config(
                "tries",
                &format!("at most {RETRIES_MAX}"),
                self.tries,
            ));
        }
        let is_plain = *request.method() == Method::GET && request.body().is_empty();
        let sets_range = [http::header::RANGE, http::header::IF_RANGE]
            .iter()
            .any(|name| request.headers().contains_key(name));
        if !is_plain || sets_range {
            let message = "a download is a GET without a body, and sets Range and If-Range itself";
            return Err(Error::new(ErrorKind::Request, message).at(request.origin()));
        }
        // By the caller, so that the client leaves the bytes as they are: ranges and checksums are of those.
        let identity = HeaderValue::from_static("identity");
        let headers = request.headers_mut();
        headers.entry(ACCEPT_ENCODING).or_insert(identity);
        Ok(request)
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("request", &self.request)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Downloaded {
    /// Where the file is: the path that was given, or what it links to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The URL that the bytes came from, redirects followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many of them were there when the download began.
    pub fn resumed(&self) -> u64 {
        self.resumed
    }

    /// How many requests it took.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// How often it began anew, as the file had changed or an answer broke off that could not be gone on with.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// When the file was last modified, as the server says.
    pub fn last_modified(&self) -> Option<SystemTime> {
        self.last_modified
    }

    /// The timeline of the first answer, to its end.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_deref()
    }
}
