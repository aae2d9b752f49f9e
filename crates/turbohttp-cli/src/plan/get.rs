//! A group of `get`: what all its requests have in common, and each of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use turbohttp::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RANGE};
use turbohttp::{Cache, Client, Limits, Method, Request};

use super::content::{self, Content, Sending};
use super::{Auth, Cookies, Fields, Job, client, form, name, times, url};
use crate::args::{AUTO, ClientArgs, GetArgs, Offset, Output, Resolve};
use crate::exit::Told;
use crate::output::visible;
use crate::output::write_out::Format;
use crate::watch::{Dump, Watch};

/// The requests of one group, between two `--next`.
pub(crate) struct Group {
    pub(crate) args: GetArgs,
    pub(crate) client: Client,
    pub(crate) cookies: Cookies,
    pub(crate) cache: Option<Cache>,
    pub(crate) dump: Option<Arc<Dump>>,
    pub(crate) write_out: Option<Format>,
    fields: Fields,
    auth: Auth,
}

/// A request that is ready to be sent, and where its body goes.
pub(crate) struct Transfer {
    pub(crate) request: Request,
    /// Its URL without a password: for messages.
    pub(crate) url: String,
    /// Content-Length or Transfer-Encoding of the request, for --verbose.
    pub(crate) framing: Option<String>,
    pub(crate) destination: Destination,
    /// Where a file is continued, in bytes.
    pub(crate) from: u64,
    pub(crate) watch: Arc<Watch>,
}

/// Where a body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Stdout, and whether that was typed.
    Stdout { is_typed: bool },
    File {
        path: PathBuf,
        place: Place,
        /// Whether the response names the file, if it does.
        is_named: bool,
    },
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In place of what is there.
    Replace,
    /// Under its name, if no file has it.
    New,
    /// Under its name, or with a number behind it that is free.
    Numbered,
    /// At the end of what is there.
    Behind,
}

impl Group {
    /// `before` are the groups before this one. The client of the last one is used again where it is the
    /// same, and so is what their heads are written to.
    ///
    /// May block, where a file that is read is a pipe.
    pub(super) fn new(
        args: GetArgs,
        before: &[Arc<Group>],
        limits: Limits,
    ) -> anyhow::Result<Group> {
        check(&args)?;
        let fields = Fields::read(&typed_fields(&args))?;
        let cookies = Cookies::read(&args.client.cookies)?;
        let last = before
            .last()
            .filter(|last| last.serves(&args, &fields, &cookies));
        let cache = match last {
            Some(last) => last.cache.clone(),
            None => client::cache(&args.cache),
        };
        let (client, cookies) = match last {
            // Without a jar, cookies are a field like others.
            Some(last) if !cookies.are_kept() => (last.client.clone(), cookies),
            Some(last) => (last.client.clone(), last.cookies.clone()),
            None => {
                let client = Group::client(&args, &fields, &cookies, cache.as_ref(), limits)?;
                (client, cookies)
            }
        };
        let format = args.show.write_out.as_deref();
        Ok(Group {
            auth: Auth::read(&args.client.auth)?,
            write_out: format.map(Format::read).transpose()?,
            dump: dump(&args, before)?,
            client,
            cookies,
            cache,
            fields,
            args,
        })
    }

    /// Whether the client of this group is that of another one as well: fields and credentials belong to each
    /// request.
    fn serves(&self, args: &GetArgs, fields: &Fields, cookies: &Cookies) -> bool {
        let keeps = cookies.are_kept() || self.cookies.are_kept();
        let of_client = |args: &ClientArgs| {
            let mut args = args.clone();
            args.headers.clear();
            args.auth = Default::default();
            if !keeps {
                args.cookies = Default::default();
            }
            args
        };
        of_client(&self.args.client) == of_client(&args.client)
            && self.args.cache == args.cache
            && self.fields.leaves_out_as(fields)
            && self.args.fails() == args.fails()
            && self.args.sends_referer() == args.sends_referer()
    }

    fn client(
        args: &GetArgs,
        fields: &Fields,
        cookies: &Cookies,
        cache: Option<&Cache>,
        limits: Limits,
    ) -> anyhow::Result<Client> {
        let mut timeouts = times::phases(&args.client.times)?;
        if let Some(limit) = args.client.times.timeout {
            timeouts = timeouts.request(limit).permit(limit);
        }
        if let Some(limit) = args.client.times.permit_timeout {
            timeouts = timeouts.permit(limit);
        }
        let asked = (args.fails(), args.sends_referer());
        let bounds = (limits, timeouts);
        client::client(&args.client, fields, cookies, cache, bounds, asked)
    }

    /// One of the requests. May block, where a file that is read is a pipe.
    pub(crate) fn transfer(&self, job: &Job) -> anyhow::Result<Transfer> {
        let args = &self.args;
        let includes = args.show.include || args.head;
        let watch = Watch::new(args.show.verbose, includes, self.dump.clone());
        let watch = Arc::new(watch);
        let url = self.url(job)?;
        let content = self.content(job)?;
        let mut request = Request::new(
            self.method(
                content.is_some() || !args.content.form_parts.is_empty(),
                job,
            )?,
            &url,
        )?;
        if args.urls.len() == 1 && !self.follows() {
            check_resolve(&args.client.network.resolve, &request)?;
        }
        self.cookies.begin_at(request.origin())?;
        if args.path_as_is {
            request.set_target(url::target(&url))?;
        }
        // Credentials of the URL are there by now, and -u or -H replace them.
        let mut headers = self.fields.set.clone();
        if !headers.contains_key(AUTHORIZATION) {
            self.auth.apply(&mut request, &url)?;
        }
        let framing = content.as_ref().map(Content::framing);
        if let Some(content) = content {
            request.set_body(content.body);
            if job.upload.is_none() {
                self.fields
                    .describe_content(&mut headers, args.content.is_json());
            }
        } else if !args.content.form_parts.is_empty() {
            let parts = &args.content.form_parts;
            let (made, body) = form::read(parts, &self.client, &self.sending())?;
            let typed = headers
                .get(CONTENT_TYPE)
                .map(|typed| form::with_boundary(typed, &made));
            headers.insert(CONTENT_TYPE, typed.unwrap_or(made));
            request.set_body(body);
        } else if args.content.is_json() {
            // As in curl, --json with --get says what it would have sent.
            self.fields.describe_content(&mut headers, true);
        }
        if self.write_out.is_some() && !request.body().is_empty() {
            let body = request.take_body();
            let watch = watch.clone();
            request.set_body(body.on_progress(move |progress| watch.set_sent(progress.sent_bytes)));
        }
        if !self.cookies.are_kept() {
            self.cookies.add(&mut headers, request.url());
        }
        let destination = self.destination(job)?;
        let from = self.from(&destination)?;
        if from > 0 && !headers.contains_key(RANGE) {
            headers.insert(RANGE, HeaderValue::try_from(format!("bytes={from}-"))?);
        }
        request.headers_mut().extend(headers);
        self.fields.complete(request.headers_mut());
        request.extensions_mut().insert(watch.clone());
        Ok(Transfer {
            url: request.url().to_owned(),
            request,
            framing,
            destination,
            from,
            watch,
        })
    }

    /// Whether redirects are followed.
    pub(crate) fn follows(&self) -> bool {
        let follow = &self.args.client.follow;
        follow.location || follow.location_trusted
    }

    /// The URL, with the name of an uploaded file behind a `/`, and with the query of `--get`.
    fn url(&self, job: &Job) -> anyhow::Result<String> {
        let mut url = url::typed(&job.expanded.url)?;
        if let Some(path) = job
            .upload
            .as_deref()
            .filter(|path| !content::is_stdin(path))
        {
            url = url::with_name(&url, path)?;
        }
        if self.args.content.get && !self.args.content.parts.is_empty() {
            url = url::with_query(&url, &content::query(&self.args.content.parts)?);
        }
        Ok(url)
    }

    fn sending(&self) -> Sending {
        Sending {
            rate: self.args.content.limit_rate,
        }
    }

    fn content(&self, job: &Job) -> anyhow::Result<Option<Content>> {
        let args = &self.args.content;
        if !job.is_single && args.reads_stdin() {
            bail!("@- is read once: give a file to send the same to several URLs");
        }
        if let Some(path) = &job.upload {
            return content::upload(path, &self.sending()).map(Some);
        }
        if args.parts.is_empty() || args.get {
            return Ok(None);
        }
        let separator = if args.is_json() { "" } else { "&" };
        content::read(&args.parts, separator, &self.sending()).map(Some)
    }

    fn method(&self, has_content: bool, job: &Job) -> anyhow::Result<Method> {
        let Some(name) = &self.args.request else {
            return Ok(match (self.args.head, job.upload.is_some(), has_content) {
                (true, ..) => Method::HEAD,
                (false, true, _) => Method::PUT,
                (false, false, true) => Method::POST,
                (false, false, false) => Method::GET,
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

    fn destination(&self, job: &Job) -> anyhow::Result<Destination> {
        let files = &self.args.files;
        let (name, is_remote) = match &job.output {
            Some(Output::File(path)) if path == Path::new("-") => {
                return Ok(Destination::Stdout { is_typed: true });
            }
            Some(Output::File(path)) => (job.expanded.name(path.as_os_str()), false),
            Some(Output::Remote) => {
                let name = name::of_url(&job.expanded.url);
                let nameless =
                    || Told::unwritten("the URL ends without a name for the file: give -o FILE");
                (OsString::from(name.with_context(nameless)?), true)
            }
            None => return Ok(Destination::Stdout { is_typed: false }),
        };
        let directory = files.output_dir.as_deref().unwrap_or(Path::new(""));
        let path = directory.join(name);
        let is_named = is_remote && files.remote_header_name;
        let place = match files.continue_at {
            Some(Offset::At(0)) => Place::Replace,
            Some(_) => Place::Behind,
            None if files.no_clobber => Place::Numbered,
            // A server is not to choose what is overwritten.
            None if is_named && !files.clobber => Place::New,
            None => Place::Replace,
        };
        Ok(Destination::File {
            path,
            place,
            is_named,
        })
    }

    /// Where --continue-at has the body begin.
    fn from(&self, destination: &Destination) -> anyhow::Result<u64> {
        match (self.args.files.continue_at, destination) {
            (None, _) | (Some(Offset::End), Destination::Stdout { .. }) => Ok(0),
            (Some(Offset::At(from)), _) => Ok(from),
            (Some(Offset::End), Destination::File { path, .. }) => length_of(path),
        }
    }
}

/// What cannot go together, beside what the parser of the options knows.
fn check(args: &GetArgs) -> anyhow::Result<()> {
    let has_data = !args.content.parts.is_empty() && !args.content.get;
    let sends = has_data || !args.content.form_parts.is_empty();
    if args.urls.is_empty() {
        bail!("no URL: write it behind the options");
    }
    if args.head && sends {
        bail!(
            "--head asks for the head only: it goes with no --data, unless --get puts that into the query"
        );
    }
    if args.range.is_some() && sends {
        bail!(
            "--range asks for a part of a file: it goes with no --data, unless --get puts that into the query"
        );
    }
    if args.files.remote_header_name && !args.files.asks_for_remote_name() {
        bail!("--remote-header-name names the file of -O, which was not given");
    }
    if args.files.outputs.len() > args.urls.len() {
        bail!("more -o and -O than URLs");
    }
    if args.content.upload_file.len() > args.urls.len() {
        bail!("more --upload-file than URLs");
    }
    Ok(())
}

/// The fields of -H, and those that have options of their own, which -H replaces.
fn typed_fields(args: &GetArgs) -> Vec<String> {
    let mut typed = args.client.headers.clone();
    let range = args.range.as_ref().map(|range| format!("bytes={range}"));
    let referer = args
        .referer
        .as_deref()
        .map(|typed| typed.strip_suffix(AUTO).unwrap_or(typed).to_owned());
    // An empty one would leave the field out, which it is anyway.
    let referer = referer.filter(|referer| !referer.is_empty());
    let own = [
        ("User-Agent", &args.user_agent),
        ("Referer", &referer),
        ("Range", &range),
    ];
    for (name, value) in own {
        let names = |text: &String| {
            let end = text.find([':', ';']).unwrap_or(text.len());
            text[..end].trim().eq_ignore_ascii_case(name)
        };
        if let Some(value) = value
            && !args.client.headers.iter().any(names)
        {
            typed.push(format!("{name}: {value}"));
        }
    }
    typed
}

/// What --dump-header names; one file for all groups that name it.
fn dump(args: &GetArgs, before: &[Arc<Group>]) -> anyhow::Result<Option<Arc<Dump>>> {
    let Some(path) = &args.show.dump_header else {
        return Ok(None);
    };
    let same = before
        .iter()
        .find(|group| group.args.show.dump_header.as_ref() == Some(path));
    if let Some(group) = same {
        return Ok(group.dump.clone());
    }
    let unwritten = || {
        Told::unwritten(format!(
            "--dump-header {} cannot be written",
            path.display()
        ))
    };
    let dump = Dump::open(path).with_context(unwritten)?;
    Ok(Some(Arc::new(dump)))
}

/// Bytes of the file that is to be continued; none if it is not there.
fn length_of(path: &Path) -> anyhow::Result<u64> {
    match path.metadata() {
        Ok(meta) if meta.is_file() => Ok(meta.len()),
        Ok(_) => bail!(Told::unwritten(format!(
            "{} is no file that could be continued",
            path.display()
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error)
            .with_context(|| Told::unwritten(format!("{} cannot be read", path.display()))),
    }
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

fn is_standard(name: &str) -> bool {
    matches!(
        name,
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE"
    )
}
