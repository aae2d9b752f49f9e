//! What was typed, resolved and validated: nothing here sends anything.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use turbohttp::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use turbohttp::{Body, Client, Limits, Method, Request, Timeouts, Tls};

use crate::args::{BatchArgs, ClientArgs, GetArgs};
use crate::batch::engine::Setup;
use crate::batch::fetch::Orders;
use crate::batch::line::{FIELDS_MAX, Rules, field};
use crate::output::visible;

/// A request that is ready to be sent, and what to do with its response.
pub(crate) struct GetPlan {
    pub(crate) client: Client,
    pub(crate) request: Request,
    /// Its URL without a password: for messages.
    pub(crate) url: String,
    /// Content-Length or Transfer-Encoding of the request, for --verbose.
    pub(crate) framing: Option<String>,
    /// Where the body goes; `None` is stdout.
    pub(crate) output: Option<PathBuf>,
    pub(crate) shows_head: bool,
    pub(crate) is_verbose: bool,
    pub(crate) fails_on_status: bool,
    pub(crate) shows_timeline: bool,
}

impl GetPlan {
    pub(crate) fn new(args: &GetArgs) -> anyhow::Result<GetPlan> {
        require_scheme(&args.url)?;
        let mut timeouts = Timeouts::default();
        if let Some(limit) = args.client.timeout {
            timeouts = timeouts.request(limit);
        }
        let client = client(&args.client, Limits::default(), timeouts)?;
        let mut request = Request::new(method(args)?, &args.url)?;
        // Credentials of the URL are there by now, and -u or -H replace them.
        let mut headers = headers(&args.client.headers)?;
        if let Some(user) = &args.user {
            headers
                .entry(AUTHORIZATION)
                .or_insert(basic(&client, user)?);
        }
        let mut framing = None;
        if let Some(content) = args.data.as_ref().or(args.json.as_ref()) {
            let body = read_body(content)?;
            framing = Some(body.framing);
            request.set_body(body.body);
            content_fields(&mut headers, args.json.is_some());
        }
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(USER_AGENT_VALUE));
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("*/*"));
        request.headers_mut().extend(headers);
        Ok(GetPlan {
            client,
            url: request.url().to_owned(),
            request,
            framing,
            output: args.output.clone().filter(|path| path != Path::new("-")),
            shows_head: args.include || args.head,
            is_verbose: args.verbose,
            fails_on_status: args.fail,
            shows_timeline: args.timeline,
        })
    }
}

/// A batch that is ready to run.
pub(crate) struct BatchPlan {
    pub(crate) client: Client,
    pub(crate) rules: Rules,
    pub(crate) setup: Setup,
}

impl BatchPlan {
    pub(crate) fn new(args: &BatchArgs) -> anyhow::Result<BatchPlan> {
        if let Some(directory) = &args.out_dir {
            fs::create_dir_all(directory)
                .with_context(|| format!("--out-dir {} cannot be made", directory.display()))?;
        }
        let rules = Rules {
            headers: headers(&args.client.headers)?,
            has_directory: args.out_dir.is_some(),
        };
        // More than the total is no limit, and no wait is put down to it.
        let per_host = args.per_host.unwrap_or(args.total + 1);
        let orders = Orders {
            deadline: args.deadline,
            timeout: args.client.timeout,
            directory: args.out_dir.clone(),
        };
        Ok(BatchPlan {
            client: client(
                &args.client,
                limits(args.total, per_host),
                each_within(args.client.timeout),
            )?,
            rules,
            setup: Setup {
                total: args.total,
                waiting: args.queue,
                drain: args.drain,
                orders,
            },
        })
    }
}

const USER_AGENT_VALUE: &str = concat!("turbohttp/", env!("CARGO_PKG_VERSION"));

/// Limits for so many requests at once, to all hosts and to one, with as many idle connections: or
/// every round would open new ones.
pub(crate) fn limits(total: usize, per_host: usize) -> Limits {
    let limits = Limits::default().total(total).per_host(per_host);
    let per_origin = limits.idle_per_origin.max(per_host.min(total));
    let in_all = limits.idle_total.max(total);
    limits.idle_per_origin(per_origin).idle_total(in_all)
}

/// No phase takes longer than `limit`. The client's own limit of a whole request is not used for
/// requests that are queued: their time would begin in the queue.
fn each_within(limit: Option<Duration>) -> Timeouts {
    let all = Timeouts::default();
    match limit {
        None => all,
        Some(limit) => all
            .dns(all.dns.min(limit))
            .connect(all.connect.min(limit))
            .tls(all.tls.min(limit))
            .head(all.head.min(limit))
            .body(all.body.min(limit)),
    }
}

/// The commonest mistake gets the remedy that the URL standard does not know.
pub(crate) fn require_scheme(url: &str) -> anyhow::Result<()> {
    // No `://` means that what stands before a colon is a host, and not a scheme.
    if !url.contains("://") {
        // What stands before an @ may be a password.
        let shown = url.rsplit_once('@').map_or(url, |(_, host)| host);
        let shown: String = visible(shown).chars().take(80).collect();
        bail!("\"{shown}\" has no scheme: write http:// or https:// before it");
    }
    Ok(())
}

fn client(args: &ClientArgs, limits: Limits, timeouts: Timeouts) -> anyhow::Result<Client> {
    let mut tls = Tls::default();
    if let Some(path) = &args.cacert {
        tls = tls.root_pem(read("--cacert", path)?).only_added_roots();
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        tls = tls.client_certificate_pem(read("--cert", cert)?, read("--key", key)?);
    }
    if args.insecure {
        tls = tls.danger_accept_any_certificate();
    }
    Ok(Client::builder()
        .limits(limits)
        .timeouts(timeouts)
        .tls(tls)
        .build()?)
}

fn read(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{option} {} cannot be read", path.display()))
}

fn method(args: &GetArgs) -> anyhow::Result<Method> {
    let Some(name) = &args.request else {
        return Ok(
            match (args.head, args.data.is_some() || args.json.is_some()) {
                (true, _) => Method::HEAD,
                (false, true) => Method::POST,
                (false, false) => Method::GET,
            },
        );
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

fn headers(typed: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for text in typed {
        let Some((name, value)) = text.split_once(':') else {
            bail!(
                "--header \"{}\": no colon: write 'Name: value'",
                visible(text)
            );
        };
        let trimmed = value.trim_matches([' ', '\t']);
        let (name, value) = field(name.trim_end(), trimmed).map_err(anyhow::Error::msg)?;
        let is_put = headers.try_append(name, value).is_ok();
        if !is_put || headers.len() > FIELDS_MAX {
            bail!("--header: more than {FIELDS_MAX} fields");
        }
    }
    Ok(headers)
}

/// The client knows the coding of Basic; a request that is never sent holds the result.
fn basic(client: &Client, user: &str) -> anyhow::Result<HeaderValue> {
    let Some((user, password)) = user.split_once(':') else {
        bail!("--user has no colon: write USER:PASSWORD");
    };
    let request = client
        .get("http://localhost/")
        .basic_auth(user, Some(password))
        .build()?;
    request
        .headers()
        .get(AUTHORIZATION)
        .cloned()
        .context("no credentials")
}

fn content_fields(headers: &mut HeaderMap, is_json: bool) {
    let json = HeaderValue::from_static("application/json");
    if is_json {
        headers.entry(CONTENT_TYPE).or_insert(json.clone());
        headers.entry(ACCEPT).or_insert(json);
    } else {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.entry(CONTENT_TYPE).or_insert(form);
    }
}

struct Content {
    body: Body,
    framing: String,
}

impl Content {
    fn new(body: Body, length: Option<u64>) -> Content {
        let framing = match length {
            Some(length) => format!("content-length: {length}"),
            None => "transfer-encoding: chunked".to_owned(),
        };
        Content { body, framing }
    }
}

/// Text, or a file that is opened now and read while it is sent.
fn read_body(content: &str) -> anyhow::Result<Content> {
    let Some(path) = content.strip_prefix('@') else {
        let length = content.len() as u64;
        return Ok(Content::new(Body::from(content.to_owned()), Some(length)));
    };
    if path == "-" {
        return Ok(Content::new(
            Body::from_reader(tokio::io::stdin(), None),
            None,
        ));
    }
    let unreadable = || format!("body file {} cannot be read", visible(path));
    let file = File::open(path).with_context(unreadable)?;
    let meta = file.metadata().with_context(unreadable)?;
    if meta.is_dir() {
        bail!("{}: it is a directory", unreadable());
    }
    // Pipes and devices do not tell their length.
    let length = meta.is_file().then_some(meta.len());
    Ok(Content::new(
        Body::from_reader(tokio::fs::File::from_std(file), length),
        length,
    ))
}
