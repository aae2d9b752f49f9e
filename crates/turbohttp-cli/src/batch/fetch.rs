//! One line on its way: into the queue, to the server, and its body to where it goes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use turbohttp::header::AUTHORIZATION;
use turbohttp::{
    Error, ErrorKind, Phase, Request, RequestQueue, Response, SubmitOptions, Ticket, Timeline,
};

use super::line::Job;
use super::outcome::{Failed, Outcome, Verdict};
use super::tally::waited;
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
    pub(crate) directory: Option<PathBuf>,
}

/// A line that has been put in the queue, or could not be.
pub(crate) struct Accepted {
    outcome: Outcome,
    target: Option<PathBuf>,
    since: Instant,
    ticket: Result<Ticket<Response>, Error>,
}

/// Puts a line in the queue, and waits for room if there is none.
///
/// Dropping the future withdraws the line.
pub(crate) async fn submit(
    queue: &RequestQueue,
    orders: &Orders,
    mut outcome: Outcome,
    job: Job,
) -> Accepted {
    let since = clock::now();
    let target = orders.directory.as_deref().zip(job.output.as_deref());
    let target = target.map(|(directory, name)| directory.join(name));
    let mut options = SubmitOptions::default();
    options.within = job.deadline.or(orders.deadline);
    let ticket = match request(job) {
        Ok(request) => {
            // In normal form, which holds no password.
            outcome.url = Some(request.url().to_owned());
            let submitted = queue.submit_with(request, options).await;
            submitted.map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    Accepted {
        outcome,
        target,
        since,
        ticket,
    }
}

fn request(job: Job) -> turbohttp::Result<Request> {
    let mut request = Request::new(job.method, &job.url)?;
    // Credentials of the URL are there by now, and a field of the line replaces them.
    job.fields.take_out(request.headers_mut());
    if !job.headers.contains_key(AUTHORIZATION) {
        job.auth
            .apply(&mut request, &job.url)
            .map_err(|error| Error::new(ErrorKind::Config, error.to_string()))?;
    }
    request.headers_mut().extend(job.headers);
    request.set_priority(job.priority);
    if !job.body.is_empty() {
        request.set_body(job.body);
    }
    Ok(request)
}

/// Waits for the answer and reads its body to the end.
///
/// Dropping the future cancels the request and removes the unfinished file.
pub(crate) async fn follow(accepted: Accepted, timeout: Option<Duration>) -> Outcome {
    let Accepted {
        mut outcome,
        target,
        since,
        ticket,
    } = accepted;
    let answer = match ticket {
        Ok(ticket) => ticket.await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(response) => receive(response, target, timeout, &mut outcome).await,
        Err(error) => {
            let told = error.timeline().cloned();
            let timeline = told.or_else(|| in_queue(&error, since));
            outcome.timeline = timeline.map(Box::new);
            outcome.verdict = Verdict::Failed(failed(&error, None));
        }
    }
    outcome
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
    mut response: Response,
    target: Option<PathBuf>,
    timeout: Option<Duration>,
    outcome: &mut Outcome,
) {
    let status = response.status().as_u16();
    let target = target.filter(|_| (200..300).contains(&status));
    let redirect = redirect::told(&response);
    let taken = response.timeline();
    let taken = taken.total().saturating_sub(waited(taken));
    let reading = read_body(&mut response, target.as_deref(), &mut outcome.bytes);
    let read = match timeout {
        None => Some(reading.await),
        Some(limit) => {
            let left = limit.saturating_sub(taken);
            tokio::time::timeout(left, reading).await.ok()
        }
    };
    outcome.timeline = Some(Box::new(response.timeline().clone()));
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
    response: &mut Response,
    target: Option<&Path>,
    bytes: &mut u64,
) -> anyhow::Result<()> {
    let mut file = match target {
        Some(target) => {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent)
                    .with_context(|| format!("{} cannot be made", parent.display()))?;
            }
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
