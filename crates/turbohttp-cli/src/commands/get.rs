//! `turbohttp get`: one request.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use turbohttp::{Request, Response, Timeline};

use crate::args::GetArgs;
use crate::exit::{Exit, Failure, Told};
use crate::interrupt::{Interrupts, Patience};
use crate::output::heads::{raw_head, response_head};
use crate::output::{Paint, note, redirect, stderr_columns, text, visible, waterfall};
use crate::plan::{Destination, GetPlan};
use crate::progress::Progress;
use crate::target::{Outlet, Target};

/// How much of a body is looked at for what no terminal shows, in bytes: as much as curl does.
const LOOKED_AT_BYTES: u64 = 2_000;

pub(crate) async fn run(args: GetArgs) -> Result<Exit, Failure> {
    // With it, a signal drops the request in order, and no unfinished file is left.
    let mut interrupts = Interrupts::listen(Patience::First).context("listening for signals")?;
    tokio::select! {
        biased;
        stop = interrupts.next() => Ok(stop.exit()),
        end = Box::pin(plan_and_exchange(args)) => end,
    }
}

async fn plan_and_exchange(args: GetArgs) -> Result<Exit, Failure> {
    // The content may be in a pipe, whose open returns when it has a writer.
    let planning = tokio::task::spawn_blocking(move || GetPlan::new(&args));
    let plan = planning.await.context("reading the arguments")?;
    let plan = plan.map_err(Failure::usage)?;
    let (url, cookies) = (plan.url.clone(), plan.cookies.clone());
    let end = Box::pin(exchange(plan)).await.context(url);
    // Also what a response has set whose body failed.
    cookies.write().await.map_err(Failure::from)?;
    Ok(end?)
}

async fn exchange(plan: GetPlan) -> anyhow::Result<Exit> {
    let GetPlan {
        client,
        request,
        framing,
        ..
    } = plan;
    if plan.is_verbose {
        note(&request_head(&request, framing.as_deref()));
    }
    let mut response = match client.send(request).await {
        Ok(response) => response,
        Err(error) => {
            show_timeline(plan.shows_timeline, error.timeline());
            return Err(error.into());
        }
    };
    if plan.is_verbose {
        note(&response_head(&response));
    }
    let mut first = Vec::new();
    if plan.is_head_only && matches!(plan.destination, Destination::File(_)) {
        // An empty body would only empty the file.
        first = raw_head(&response);
    } else if plan.shows_head {
        let mut stdout = stdout()?;
        let head = raw_head(&response);
        stdout.write_all(&head).await.with_context(unwritten)?;
    }
    let end = match verdict(
        &response,
        &plan.destination,
        plan.fails_on_status,
        plan.follows,
    ) {
        Verdict::Aside(told) => Err(told.into()),
        Verdict::Wanted => receive(&mut response, &first, &plan.destination, plan.is_verbose).await,
        // The body is not shown; what it says is in the status.
        Verdict::Refused(told) => Err(told.into()),
        Verdict::Unchanged => Ok(()),
    };
    show_timeline(plan.shows_timeline, Some(response.timeline()));
    end.map(|()| Exit::Ok)
}

/// What a response is to the one who asked.
enum Verdict {
    /// A redirect that is not followed, where a file was asked for: its page takes no place of what is there.
    Aside(Told),
    /// The body is what was asked for, or the page of an error or of a redirect, which is to be shown.
    Wanted,
    /// An error, and --fail.
    Refused(Told),
    /// 304: what the asker has is still right, and there is no body.
    Unchanged,
}

fn verdict(
    response: &Response,
    destination: &Destination,
    fails_on_status: bool,
    follows: bool,
) -> Verdict {
    let status = response.status();
    if status.as_u16() == 304 {
        return Verdict::Unchanged;
    }
    if let Some(said) = redirect::told(response) {
        let said = match follows {
            // A redirect that keeps the body.
            true => format!("{said}: its body cannot be sent again, or it names no URL"),
            false => format!("{said}: give -L to follow it"),
        };
        if matches!(destination, Destination::File(_)) {
            return Verdict::Aside(Told::new(Exit::Redirect, said));
        }
        // As in curl no error; but seldom what was wanted.
        note(&format!("note: {said}"));
    }
    if fails_on_status && status.as_u16() >= 400 {
        let said = format!("server answered {status}");
        return Verdict::Refused(Told::new(Exit::Status, said));
    }
    Verdict::Wanted
}

/// Writes `first` before the body, if it goes to a file.
async fn receive(
    response: &mut Response,
    first: &[u8],
    destination: &Destination,
    is_verbose: bool,
) -> anyhow::Result<()> {
    match destination {
        Destination::File(path) => to_file(response, first, path, is_verbose).await,
        Destination::Stdout { is_typed } => to_stdout(response, *is_typed).await,
    }
}

async fn to_stdout(response: &mut Response, is_typed: bool) -> anyhow::Result<()> {
    let is_guarded = !is_typed && io::stdout().is_terminal();
    let mut stdout = None;
    let mut written = 0;
    while let Some(chunk) = response.chunk().await? {
        if is_guarded && written < LOOKED_AT_BYTES && chunk.contains(&0) {
            return Err(anyhow!(Told::unwritten(
                "the body is binary and stdout a terminal: write it to a file with -o FILE, or give \
                 -o - to see it anyway"
            )));
        }
        written += chunk.len() as u64;
        if stdout.is_none() {
            // Not before there is something to write: without that a closed stdout is no fault.
            stdout = Some(self::stdout()?);
        }
        if let Some(stdout) = &mut stdout {
            stdout.write_all(chunk).await.with_context(unwritten)?;
        }
    }
    Ok(())
}

fn stdout() -> anyhow::Result<Outlet> {
    Outlet::stdout().with_context(unwritten)
}

fn unwritten() -> Told {
    Told::unwritten("stdout cannot be written")
}

async fn to_file(
    response: &mut Response,
    first: &[u8],
    path: &Path,
    is_verbose: bool,
) -> anyhow::Result<()> {
    let mut target = Target::open(path).await?;
    let tell = |in_place: Option<String>| {
        if let (true, Some(in_place)) = (is_verbose, in_place) {
            note(&format!("* {}", visible(&in_place)));
        }
    };
    tell(target.in_place());
    target.write_all(first).await?;
    let progress = Progress::of_bytes(response.remaining());
    while let Some(chunk) = response.chunk().await? {
        progress.advance(chunk.len() as u64);
        target.write_all(chunk).await?;
    }
    tell(target.finish().await?);
    Ok(())
}
fn show_timeline(is_wanted: bool, timeline: Option<&Timeline>) {
    if let (true, Some(timeline)) = (is_wanted, timeline) {
        let drawn = waterfall::draw(timeline, Paint::of(&io::stderr()), stderr_columns());
        note(drawn.trim_end());
    }
}

/// The request as it goes out, each line behind `> `. [`text::field`] hides some values.
fn request_head(request: &Request, framing: Option<&str>) -> String {
    let url = request.url();
    let origin = request.origin();
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let target = after_scheme.find('/').map_or("/", |at| &after_scheme[at..]);
    let mut out = format!("> {} {target} HTTP/1.1\n", request.method());
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
