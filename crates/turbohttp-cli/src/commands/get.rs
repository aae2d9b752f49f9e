//! `turbohttp get`: one request.

use std::fmt::Write as _;
use std::io;

use anyhow::{Context as _, anyhow};
use tokio::io::{AsyncWriteExt as _, Stdout};
use turbohttp::{Error, ErrorKind, Request, Response, Timeline, Version};

use crate::args::GetArgs;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{Paint, note, text, waterfall};
use crate::partial::Partial;
use crate::plan::GetPlan;
use crate::progress::Progress;

pub(crate) async fn run(args: GetArgs) -> Result<Exit, Failure> {
    let plan = GetPlan::new(&args).map_err(Failure::usage)?;
    let url = plan.url.clone();
    // With it, Ctrl-C drops the request in order, and no unfinished file is left.
    let mut interrupts = Interrupts::listen().context("listening for Ctrl-C")?;
    tokio::select! {
        biased;
        () = interrupts.next() => Ok(Exit::Interrupted),
        end = Box::pin(exchange(plan)) => Ok(end.context(url)?),
    }
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
    let mut stdout = tokio::io::stdout();
    if plan.shows_head {
        stdout
            .write_all(&raw_head(&response))
            .await
            .map_err(closed)?;
        stdout.flush().await.map_err(closed)?;
    }
    let status = response.status();
    let is_refused = plan.fails_on_status && status.as_u16() >= 400;
    let end = if is_refused {
        // The body is not shown; what it says is in the status.
        Err(anyhow!("server answered {status}"))
    } else {
        match &plan.output {
            Some(path) => to_file(&mut response, path).await,
            None => to_stdout(&mut response, &mut stdout).await,
        }
    };
    show_timeline(plan.shows_timeline, Some(response.timeline()));
    end.map(|()| Exit::Ok)
}

async fn to_stdout(response: &mut Response, stdout: &mut Stdout) -> anyhow::Result<()> {
    let copied = copy(response, stdout).await;
    // What came before an error is shown, too: a write is only handed to another thread, and without
    // this the command might end before it.
    let flushed = stdout.flush().await.map_err(closed);
    copied.and(flushed)
}

async fn copy(response: &mut Response, stdout: &mut Stdout) -> anyhow::Result<()> {
    while let Some(chunk) = response.chunk().await? {
        stdout.write_all(chunk).await.map_err(closed)?;
    }
    Ok(())
}

/// Tells a closed stdout from a connection that broke.
fn closed(error: io::Error) -> anyhow::Error {
    Error::new(ErrorKind::Output, "stdout cannot be written")
        .with_source(error)
        .into()
}

async fn to_file(response: &mut Response, path: &std::path::Path) -> anyhow::Result<()> {
    let mut file = Partial::create(path)?;
    let progress = Progress::of_bytes(response.remaining());
    while let Some(chunk) = response.chunk().await? {
        progress.advance(chunk.len() as u64);
        file.write_all(chunk).await?;
    }
    file.finish().await
}

fn show_timeline(is_wanted: bool, timeline: Option<&Timeline>) {
    if let (true, Some(timeline)) = (is_wanted, timeline) {
        let drawn = waterfall::draw(timeline, Paint::of(&io::stderr()));
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

/// The head of a response, each line behind `< `. [`text::field`] hides some values.
fn response_head(response: &Response) -> String {
    let mut out = format!("< {}\n", status_line(response));
    for (name, value) in response.fields() {
        let _ = writeln!(out, "< {}", text::field(name, value));
    }
    out.push('<');
    out
}

/// The whole head as bytes of HTTP.
fn raw_head(response: &Response) -> Vec<u8> {
    let mut out = status_line(response).into_bytes();
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.fields() {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn status_line(response: &Response) -> String {
    let version = if response.version() == Version::HTTP_10 {
        "HTTP/1.0"
    } else {
        "HTTP/1.1"
    };
    let status = response.status();
    // The server's own reason is not kept: it means nothing (RFC 9112 section 4).
    match status.canonical_reason() {
        Some(reason) => format!("{version} {} {reason}", status.as_u16()),
        None => format!("{version} {}", status.as_u16()),
    }
}
