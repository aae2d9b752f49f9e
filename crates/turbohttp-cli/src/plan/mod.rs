//! What was typed, resolved and validated: nothing here sends anything.

mod auth;
mod client;
mod content;
mod cookies;
mod fields;
mod netrc;
mod policies;
mod times;
pub(crate) mod url;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use turbohttp::header::AUTHORIZATION;
use turbohttp::{Client, Limits, Method, Request};

use crate::args::{BatchArgs, GetArgs, Resolve};
use crate::batch::engine::Setup;
use crate::batch::fetch::{Files, Orders};
use crate::batch::line::Rules;
use crate::output::{heads, visible};
use crate::system;
pub(crate) use auth::Auth;
pub(crate) use cookies::Cookies;
pub(crate) use fields::Fields;

/// Where a body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Stdout, and whether that was typed.
    Stdout {
        is_typed: bool,
    },
    File(PathBuf),
}

/// A request that is ready to be sent, and what to do with its response.
pub(crate) struct GetPlan {
    pub(crate) client: Client,
    pub(crate) request: Request,
    pub(crate) cookies: Cookies,
    /// Its URL without a password: for messages.
    pub(crate) url: String,
    /// Content-Length or Transfer-Encoding of the request, for --verbose.
    pub(crate) framing: Option<String>,
    pub(crate) destination: Destination,
    pub(crate) shows_head: bool,
    /// Whether the head is all there is: then it goes where a body would.
    pub(crate) is_head_only: bool,
    pub(crate) is_verbose: bool,
    pub(crate) fails_on_status: bool,
    pub(crate) follows: bool,
    pub(crate) shows_timeline: bool,
}

impl GetPlan {
    /// May block, where a file that is read is a pipe.
    pub(crate) fn new(args: &GetArgs) -> anyhow::Result<GetPlan> {
        let url = url::typed(&args.url)?;
        let mut timeouts = times::phases(&args.client.times)?;
        if let Some(limit) = args.client.times.timeout {
            timeouts = timeouts.request(limit).permit(limit);
        }
        if let Some(limit) = args.client.times.permit_timeout {
            timeouts = timeouts.permit(limit);
        }
        let fields = Fields::read(&args.client.headers)?;
        let mut request = Request::new(method(args)?, &url)?;
        if !args.client.follow.location && !args.client.follow.location_trusted {
            check_resolve(&args.client.network.resolve, &request)?;
        }
        let cookies = Cookies::read(&args.client.cookies)?;
        let limits = Limits::default();
        let kept = (&cookies, Some(request.origin()));
        let mut shown: Vec<policies::OnRedirect> = Vec::new();
        if args.include || args.head {
            shown.push(heads::print);
        }
        if args.verbose {
            shown.push(heads::tell);
        }
        let told = (args.fail, shown);
        let client = client::client(&args.client, &fields, kept, (limits, timeouts), told)?;
        if args.path_as_is {
            request.set_target(url::target(&url))?;
        }
        // Credentials of the URL are there by now, and -u or -H replace them.
        let mut headers = fields.set.clone();
        let auth = Auth::read(&args.client.auth)?;
        if !headers.contains_key(AUTHORIZATION) {
            auth.apply(&mut request, &url)?;
        }
        let mut framing = None;
        if let Some((parts, separator)) = content_parts(args) {
            let content = content::read(parts, separator)?;
            framing = Some(content.framing);
            request.set_body(content.body);
            fields.describe_content(&mut headers, !args.json.is_empty());
        }
        if !cookies.are_kept() {
            cookies.add(&mut headers, request.url());
        }
        request.headers_mut().extend(headers);
        fields.complete(request.headers_mut());
        Ok(GetPlan {
            client,
            cookies,
            url: request.url().to_owned(),
            request,
            framing,
            destination: destination(args.output.as_deref()),
            shows_head: args.include || args.head,
            is_head_only: args.head,
            is_verbose: args.verbose,
            fails_on_status: args.fail,
            follows: args.client.follow.location || args.client.follow.location_trusted,
            shows_timeline: args.timeline,
        })
    }
}

fn destination(output: Option<&Path>) -> Destination {
    match output {
        None => Destination::Stdout { is_typed: false },
        Some(path) if path == Path::new("-") => Destination::Stdout { is_typed: true },
        Some(path) => Destination::File(path.to_owned()),
    }
}

/// The parts of the content, and what stands between them, as in curl.
fn content_parts(args: &GetArgs) -> Option<(&[String], &'static str)> {
    if !args.json.is_empty() {
        return Some((&args.json, ""));
    }
    (!args.data.is_empty()).then_some((&*args.data, "&"))
}

/// A batch that is ready to run.
pub(crate) struct BatchPlan {
    pub(crate) client: Client,
    pub(crate) cookies: Cookies,
    pub(crate) rules: Rules,
    pub(crate) setup: Setup,
    /// What the user is to know before it begins.
    pub(crate) note: Option<String>,
}

impl BatchPlan {
    pub(crate) fn new(args: &BatchArgs) -> anyhow::Result<BatchPlan> {
        let timeouts = times::phases(&args.client.times)?;
        if let Some(directory) = &args.out_dir {
            fs::create_dir_all(directory)
                .with_context(|| format!("--out-dir {} cannot be made", directory.display()))?;
        }
        let fields = Arc::new(Fields::read(&args.client.headers)?);
        let cookies = Cookies::read(&args.client.cookies)?;
        let rules = Rules {
            fields: fields.clone(),
            cookies: cookies.clone(),
            auth: Arc::new(Auth::read(&args.client.auth)?),
            has_directory: args.out_dir.is_some(),
        };
        let room = system::room(args.total, args.out_dir.is_some());
        let note = (room.total < args.total).then(|| {
            format!(
                "at most {} requests at once in place of {}: the system gives {} open files",
                room.total, args.total, room.descriptors
            )
        });
        // More than the total is no limit, and no wait is put down to it.
        let per_host = args.per_host.unwrap_or(room.total + 1);
        let limits = limits(room.total, per_host);
        let idle_total = limits.idle_total.min(room.idle);
        let limits = limits.idle_total(idle_total);
        Ok(BatchPlan {
            client: client::client(
                &args.client,
                &fields,
                (&cookies, None),
                (limits, timeouts),
                (false, Vec::new()),
            )?,
            cookies,
            rules,
            setup: Setup {
                total: room.total,
                waiting: args.queue,
                drain: args.drain,
                orders: Orders {
                    deadline: args.deadline.or(args.client.times.permit_timeout),
                    // The client's own limit of a whole request would begin in the queue.
                    timeout: args.client.times.timeout,
                    files: args.out_dir.clone().map(|directory| Files {
                        directory,
                        skips_existing: args.skip_existing,
                        connections: args.connections,
                        is_synced: args.fsync,
                        are_raw: !args.client.compressed,
                    }),
                },
            },
            note,
        })
    }
}

/// Limits for so many requests at once, to all hosts and to one, with as many idle connections: or
/// every round would open new ones.
pub(crate) fn limits(total: usize, per_host: usize) -> Limits {
    let limits = Limits::default().total(total).per_host(per_host);
    let per_origin = limits.idle_per_origin.max(per_host.min(total));
    let in_all = limits.idle_total.max(total);
    limits.idle_per_origin(per_origin).idle_total(in_all)
}

/// Refuses addresses of which none is for the host and port of the only request there is: what is not used
/// would look as if it were.
fn check_resolve(typed: &[Resolve], request: &Request) -> anyhow::Result<()> {
    let origin = request.origin();
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    let is_meant = |resolve: &Resolve| (&*resolve.host, resolve.port) == (host, origin.port());
    if !typed.is_empty() && !typed.iter().any(is_meant) {
        bail!(
            "--resolve names no {host}:{}, which the URL is of",
            origin.port()
        );
    }
    Ok(())
}

fn method(args: &GetArgs) -> anyhow::Result<Method> {
    let Some(name) = &args.request else {
        return Ok(match (args.head, content_parts(args)) {
            (true, _) => Method::HEAD,
            (false, Some(_)) => Method::POST,
            (false, None) => Method::GET,
        });
    };
    let shown = visible(name);
    let method = Method::from_bytes(name.as_bytes())
        .map_err(|_| anyhow!("--request \"{shown}\": not a method: write one word, as GET"))?;
    // Methods are case-sensitive (RFC 9110 section 9.1), which nobody means by `-X post`.
    let upper = name.to_ascii_uppercase();
    if *name != upper && is_standard(&upper) {
        bail!("--request {shown}: methods are case-sensitive: write {upper}");
    }
    Ok(method)
}

fn is_standard(name: &str) -> bool {
    matches!(
        name,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE"
    )
}
