//! One line on its way: into the queue, to the server, and its body to where it goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;
use turbohttp::header::{AUTHORIZATION, IF_RANGE, RANGE};
use turbohttp::{
    Client, Download, Error, ErrorKind, Method, Phase, Request, RequestBuilder, RequestQueue,
    Response, SubmitOptions, Ticket, Timeline,
};

use super::line::Job;
use super::outcome::{Failed, Outcome, Verdict};
use super::tally::waited;
use super::tries::Tries;
use crate::clock;
use crate::output::{redirect, text};
use crate::target::Target;

/// How the requests of a batch are treated, where their lines do not say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    /// How long a line may wait for its turn.
    pub(crate) deadline: Option<Duration>,
    /// How long a request may take once it is started.
    pub(crate) timeout: Option<Duration>,
    /// Where bodies go.
    pub(crate) files: Option<Files>,
}

/// How bodies become files.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
    /// A line whose file is there is not sent.
    pub(crate) skips_existing: bool,
    /// By how many connections a large file is fetched.
    pub(crate) connections: usize,
    /// Files are on the disk when their lines are done.
    pub(crate) is_synced: bool,
    /// Bodies are as the server has them, so that unfinished files can be gone on with.
    pub(crate) are_raw: bool,
}

/// What the lines of a batch are sent by.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) queue: RequestQueue,
    pub(crate) orders: Arc<Orders>,
    /// Whether a signal has come: the queue takes nothing more by then.
    pub(crate) is_stopped: watch::Receiver<bool>,
}

impl Sender {
    /// Waits before a try of the same URL again, and no longer once a signal has come.
    pub(crate) async fn pause(&mut self, delay: Duration) {
        // An engine that is gone has no signal any more.
        let stopped = self.is_stopped.wait_for(|is_stopped| *is_stopped);
        _ = tokio::time::timeout(delay, stopped).await;
    }
}

/// A line that has been put in the queue, or could not be.
pub(crate) struct Accepted {
    sender: Sender,
    job: Arc<Job>,
    outcome: Outcome,
    turn: Turn,
}

/// One try at a line: a request in the queue, and what its body is for.
struct Turn {
    since: Instant,
    ticket: Result<Ticket<Response>, Error>,
    body: BodyTo,
}

enum BodyTo {
    /// It is read and dropped.
    Nowhere,
    /// A file as the shell would write it: it may be there already.
    Target(PathBuf),
    /// A new file, or one that an earlier batch has left unfinished.
    Download(Box<Download>, PathBuf),
    /// The file is there.
    Skip,
}

/// Puts a line in the queue, and waits for room if there is none.
///
/// Dropping the future withdraws the line.
pub(crate) async fn submit(sender: Sender, mut outcome: Outcome, job: Job) -> Accepted {
    let job = Arc::new(job);
    let turn = begin(&sender, &job, &job.url, &mut outcome).await;
    Accepted {
        sender,
        job,
        outcome,
        turn,
    }
}

/// Puts one try at a line in the queue: for `url`, which is the line's or that of a mirror.
async fn begin(sender: &Sender, job: &Job, url: &str, outcome: &mut Outcome) -> Turn {
    let since = clock::now();
    let mut options = SubmitOptions::default();
    options.within = job.deadline.or(sender.orders.deadline);
    let prepared = match request(job, url) {
        Ok(request) => {
            // In normal form, which holds no password.
            outcome.url = Some(request.url().to_owned());
            let request = with_form(sender, job, request).await;
            request.and_then(|request| prepare(sender, job, request))
        }
        Err(error) => Err(error),
    };
    let (ticket, body) = match prepared {
        Ok((_, BodyTo::Skip)) => (
            Err(Error::new(ErrorKind::Canceled, "skipped")),
            BodyTo::Skip,
        ),
        Ok((request, body)) => {
            let submitted = sender.queue.submit_with(request, options).await;
            (submitted.map_err(Error::from), body)
        }
        Err(error) => (Err(error), BodyTo::Nowhere),
    };
    Turn {
        since,
        ticket,
        body,
    }
}

/// The request with the form of its line, whose files are opened now.
async fn with_form(sender: &Sender, job: &Job, request: Request) -> turbohttp::Result<Request> {
    if job.form.is_empty() {
        return Ok(request);
    }
    let form = job.form.open().await?;
    let builder = RequestBuilder::from_parts(sender.client.clone(), request);
    builder.multipart(form).build()
}

/// What is sent, and where its body goes.
fn prepare(sender: &Sender, job: &Job, request: Request) -> turbohttp::Result<(Request, BodyTo)> {
    let Some((files, name)) = sender.orders.files.as_ref().zip(job.output.as_deref()) else {
        return Ok((request, BodyTo::Nowhere));
    };
    let target = files.directory.join(name);
    let is_there = target.symlink_metadata().is_ok();
    if is_there && files.skips_existing {
        return Ok((request, BodyTo::Skip));
    }
    let headers = request.headers();
    let is_plain = *request.method() == Method::GET && request.body().is_empty();
    let is_whole = !headers.contains_key(RANGE) && !headers.contains_key(IF_RANGE);
    // What is there keeps more than a download would: its links, its owner, its attributes.
    let is_new = !is_there && files.are_raw && is_plain && is_whole;
    if !is_new && job.checksums.is_empty() {
        return Ok((request, BodyTo::Target(target)));
    }
    let builder = RequestBuilder::from_parts(sender.client.clone(), request);
    let mut download = builder
        .download()
        .connections(files.connections)
        .durable(files.is_synced);
    for checksum in &job.checksums {
        download = download.checksum(checksum.clone());
    }
    let request = download.first_request(&target)?;
    Ok((request, BodyTo::Download(Box::new(download), target)))
}

fn request(job: &Job, url: &str) -> turbohttp::Result<Request> {
    let mut request = Request::new(job.method.clone(), url)?;
    // Credentials of the URL are there by now, and a field of the line replaces them.
    job.fields.take_out(request.headers_mut());
    if !job.headers.contains_key(AUTHORIZATION) {
        job.auth
            .apply(&mut request, url)
            .map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
    }
    request.headers_mut().extend(job.headers.clone());
    request.set_priority(job.priority);
    if !job.body.is_empty() {
        request.set_body(job.body.clone());
    }
    Ok(request)
}

/// Waits for the answer and reads its body to the end; tries again, and then the mirrors, as the line says.
///
/// Dropping the future cancels the request and removes the unfinished file, unless it can be gone on with.
pub(crate) async fn follow(accepted: Accepted) -> Outcome {
    let Accepted {
        mut sender,
        job,
        mut outcome,
        mut turn,
    } = accepted;
    let mut tries = Tries::default();
    loop {
        finish(turn, &sender.orders, &mut outcome).await;
        let Some((url, delay)) = tries.next(&job, &outcome) else {
            return outcome;
        };
        sender.pause(delay).await;
        turn = begin(&sender, &job, url, &mut outcome).await;
    }
}

/// Waits for the end of one try.
async fn finish(turn: Turn, orders: &Orders, outcome: &mut Outcome) {
    let Turn {
        since,
        ticket,
        body,
    } = turn;
    if matches!(body, BodyTo::Skip) {
        outcome.verdict = Verdict::Skipped;
        return;
    }
    let answer = match ticket {
        Ok(ticket) => ticket.await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(response) => receive(response, body, orders.timeout, outcome).await,
        Err(error) => {
            let told = error.timeline().cloned();
            let timeline = told.or_else(|| in_queue(&error, since));
            outcome.timeline = timeline.map(Box::new);
            outcome.verdict = Verdict::Failed(failed(&error, None));
        }
    }
}

/// What never left the queue has no timeline of its own.
fn in_queue(error: &Error, since: Instant) -> Option<Timeline> {
    if error.kind() != ErrorKind::ExpiredInQueue {
        return None;
    }
    let now = clock::now();
    let mut timeline = Timeline::new();
    timeline.begin(since);
    timeline.record(Phase::Queue, since, now);
    timeline.end(now);
    Some(timeline)
}

/// Reads the body, into a file if the status says that it is what was asked for.
async fn receive(
    response: Response,
    body: BodyTo,
    timeout: Option<Duration>,
    outcome: &mut Outcome,
) {
    let status = response.status().as_u16();
    let is_wanted = (200..300).contains(&status);
    let redirect = redirect::told(&response);
    outcome.cache = response.cache_status();
    outcome.version = Some(response.version());
    let taken = response.timeline();
    let left = timeout.map(|limit| {
        let taken = taken.total().saturating_sub(waited(taken));
        limit.saturating_sub(taken)
    });
    let reading = async {
        match body {
            // A 416 belongs to the range that the download itself has asked for.
            BodyTo::Download(download, target) if is_wanted || status == 416 => {
                save(*download, response, &target, outcome).await
            }
            BodyTo::Target(target) if is_wanted => {
                read_body(response, Some(&target), outcome).await
            }
            _ => read_body(response, None, outcome).await,
        }
    };
    let read = match left {
        None => Some(Box::pin(reading).await),
        Some(left) => tokio::time::timeout(left, Box::pin(reading)).await.ok(),
    };
    outcome.verdict = match read {
        None => Verdict::Failed(late(timeout.unwrap_or_default(), status)),
        Some(Ok(())) => match redirect {
            Some(message) => Verdict::Failed(Failed::redirected(message, status)),
            None => Verdict::Answered(status),
        },
        Some(Err(error)) => Verdict::Failed(match error.downcast_ref::<Error>() {
            Some(error) => failed(error, Some(status)),
            None => Failed::by_output(&error, Some(status)),
        }),
    };
}

/// Goes on with a download from its first answer.
async fn save(
    download: Download,
    response: Response,
    target: &Path,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    make_parent(target)?;
    let timeline = response.timeline().clone();
    outcome.timeline = Some(Box::new(timeline));
    let done = download.receive(response, target).await?;
    outcome.bytes += done.length() - done.resumed();
    if let Some(timeline) = done.timeline() {
        outcome.timeline = Some(Box::new(timeline.clone()));
    }
    Ok(())
}

fn make_parent(target: &Path) -> anyhow::Result<()> {
    match target.parent() {
        Some(parent) if !parent.is_dir() => std::fs::create_dir_all(parent)
            .with_context(|| format!("{} cannot be made", parent.display())),
        _ => Ok(()),
    }
}

/// The time was up while the body was read.
fn late(limit: Duration, status: u16) -> Failed {
    let (phase, limit) = (Phase::Receive, text::duration(limit));
    Failed {
        kind: ErrorKind::Timeout.name(),
        phase: Some(phase),
        message: format!(
            "request did not end within {limit} (phase {})",
            phase.name()
        ),
        status: Some(status),
    }
}

/// The client is closed, and its queue with it, by a signal and nothing else.
fn failed(error: &Error, status: Option<u16>) -> Failed {
    let mut failed = Failed::by_client(error, status);
    if matches!(error.kind(), ErrorKind::Closed | ErrorKind::Canceled) {
        failed.kind = ErrorKind::Canceled.name();
        "canceled by a signal".clone_into(&mut failed.message);
    }
    failed
}

async fn read_body(
    mut response: Response,
    target: Option<&Path>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let read = copy_body(&mut response, target, &mut outcome.bytes).await;
    outcome.timeline = Some(Box::new(response.timeline().clone()));
    read
}

async fn copy_body(
    response: &mut Response,
    target: Option<&Path>,
    bytes: &mut u64,
) -> anyhow::Result<()> {
    let mut file = match target {
        Some(target) => {
            make_parent(target)?;
            Some(Target::open(target).await?)
        }
        None => None,
    };
    while let Some(chunk) = response.chunk().await? {
        *bytes += chunk.len() as u64;
        if let Some(file) = &mut file {
            file.write_all(chunk).await?;
        }
    }
    match file {
        Some(file) => file.finish().await.map(drop),
        None => Ok(()),
    }
}
