//! One request of `turbohttp get`, from its plan to what is said of its end.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use anyhow::Context as _;
use turbohttp::{Request, Response, Timeline, Version};

use super::deliver::{Delivered, deliver};
use super::verdict::{Verdict, verdict};
use crate::exit::{Exit, Failure, Told};
use crate::output::write_out::Facts;
use crate::output::{Paint, chain, complain, note, stderr_columns, text, waterfall};
use crate::plan::{Group, Job, Transfer};
use crate::watch::Watch;

/// Sends the request, delivers its body, and tells of its end. `is_alone` where nothing else is shown
/// meanwhile.
pub(super) async fn run(job: Job, is_alone: bool) -> Exit {
    let group = job.group.clone();
    let end = Box::pin(plan_and_exchange(job, is_alone)).await;
    let exit = match &end {
        Ok(()) => Exit::Ok,
        Err(failure) => failure.exit,
    };
    let show = &group.args.show;
    if let (Err(failure), true) = (&end, !show.silent || show.show_error) {
        complain(&chain(&failure.error));
    }
    exit
}

async fn plan_and_exchange(job: Job, is_alone: bool) -> Result<(), Failure> {
    let job = Arc::new(job);
    let planned = job.clone();
    // The content may be in a pipe, whose open returns when it has a writer.
    let planning = tokio::task::spawn_blocking(move || planned.group.transfer(&planned));
    let plan = planning.await.context("reading the arguments")?;
    let plan = plan.map_err(Failure::usage)?;
    let seen = Seen {
        url: plan.url.clone(),
        method: plan.request.method().to_string(),
        referer: plan
            .request
            .headers()
            .get("referer")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        watch: plan.watch.clone(),
    };
    let mut delivered = Delivered::default();
    let (answer, end) = Box::pin(exchange(&job.group, plan, &mut delivered, is_alone)).await;
    let end = end.context(seen.url.clone()).map_err(Failure::from);
    if job.group.args.show.timeline {
        show_timeline(&answer);
    }
    let written = seen.write_out(&job, &answer, &delivered, &end);
    end.and_then(|()| written.map_err(Failure::from))
}

/// What came of a request that was sent.
enum Answer {
    Response(Box<Response>),
    /// No response; what was measured of it.
    None(Option<Box<Timeline>>),
}

impl Answer {
    fn version(&self) -> Option<Version> {
        match self {
            Answer::Response(response) => Some(response.version()),
            Answer::None(_) => None,
        }
    }

    fn timeline(&self) -> Option<&Timeline> {
        match self {
            Answer::Response(response) => Some(response.timeline()),
            Answer::None(timeline) => timeline.as_deref(),
        }
    }
}

async fn exchange(
    group: &Group,
    plan: Transfer,
    delivered: &mut Delivered,
    is_alone: bool,
) -> (Answer, anyhow::Result<()>) {
    if group.args.show.verbose {
        let is_http1 = group.args.client.versions.are_http1(plan.request.url());
        let framing = plan.framing.as_deref();
        note(&request_head(&plan.request, is_http1, framing));
    }
    let mut response = match group.client.send(plan.request).await {
        Ok(response) => response,
        Err(error) => {
            let timeline = error.timeline().cloned().map(Box::new);
            return (Answer::None(timeline), Err(error.into()));
        }
    };
    plan.watch.head(&response);
    if let (true, Some(status)) = (group.args.show.verbose, response.cache_status()) {
        note(&format!("* cache: {status}"));
    }
    let end = match verdict(group, &plan.destination, plan.from, &response) {
        Verdict::Wanted => {
            let delivering = deliver(group, &plan.destination, &mut response, delivered, is_alone);
            Box::pin(delivering).await
        }
        // The head is shown, and no body.
        Verdict::Unwanted(end) => super::deliver::show_head(group, &plan.destination, &response)
            .await
            .and(end),
    };
    let fails = group.args.show.fail_with_body && response.status().as_u16() >= 400;
    let end = match end {
        Ok(()) if fails => Err(super::verdict::refused(&response).into()),
        Ok(()) if group.dump.as_ref().is_some_and(|dump| dump.is_lost()) => {
            Err(Told::unwritten("--dump-header cannot be written").into())
        }
        end => end,
    };
    (Answer::Response(Box::new(response)), end)
}

/// What of a request is told when it has ended.
struct Seen {
    url: String,
    method: String,
    referer: Option<String>,
    watch: Arc<Watch>,
}

impl Seen {
    fn write_out(
        &self,
        job: &Job,
        answer: &Answer,
        delivered: &Delivered,
        end: &Result<(), Failure>,
    ) -> anyhow::Result<()> {
        let Some(format) = &job.group.write_out else {
            return Ok(());
        };
        let response = match answer {
            Answer::Response(response) => Some(&**response),
            Answer::None(_) => None,
        };
        let failure = end.as_ref().err();
        format.write(&Facts {
            url: &job.expanded.url,
            number: job.number,
            method: &self.method,
            referer: self.referer.clone(),
            response,
            timeline: answer.timeline(),
            counts: self.watch.counts(),
            received: delivered.bytes,
            sent: self.watch.sent(),
            file: delivered.file.clone(),
            exit: failure.map_or(Exit::Ok, |failure| failure.exit),
            error: failure.map(|failure| chain(&failure.error)),
        })
    }
}

fn show_timeline(answer: &Answer) {
    if let Some(timeline) = answer.timeline() {
        let (paint, columns) = (Paint::of(&io::stderr()), stderr_columns());
        let drawn = waterfall::draw(timeline, answer.version(), paint, columns);
        note(drawn.trim_end());
    }
}

/// The request as it goes out, each line behind `> `. [`text::field`] hides some values. Its version is left
/// out where it is not known before the answer.
fn request_head(request: &Request, is_http1: bool, framing: Option<&str>) -> String {
    let url = request.url();
    let origin = request.origin();
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
    let version = if is_http1 { " HTTP/1.1" } else { "" };
    let mut out = format!("> {} {target}{version}\n", request.method());
    if !request.headers().contains_key("host") {
        let _ = writeln!(out, "> host: {}", origin.authority());
    }
    for (name, value) in request.headers() {
        let _ = writeln!(out, "> {}", text::field(name.as_str(), value.as_bytes()));
    }
    if let Some(framing) = framing {
        let _ = writeln!(out, "> {framing}");
    }
    out.push('>');
    out
}
