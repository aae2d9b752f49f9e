//! What `bench` sends, and how often.

use anyhow::anyhow;
use bytes::Bytes;
use turbohttp::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use turbohttp::{Client, HeaderMap, Method, Request};

use super::content::in_memory;
use super::{Auth, Cookies, Fields, client, limits, times, url};
use crate::args::BenchArgs;
use crate::load::Schedule;
use crate::output::visible;
use crate::system;

/// Requests that are sent where neither their number nor a time is given.
const REQUESTS: u64 = 200;

/// A load that is ready to be sent.
pub(crate) struct LoadPlan {
    pub(crate) client: Client,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) callers: usize,
    pub(crate) schedule: Schedule,
}

impl LoadPlan {
    pub(crate) fn new(args: &BenchArgs) -> anyhow::Result<LoadPlan> {
        let mut timeouts = times::phases(&args.client.times)?;
        if let Some(limit) = args.client.times.timeout {
            timeouts = timeouts.request(limit);
        }
        let callers = system::room(args.callers, false).total;
        let fields = Fields::read(&args.client.headers)?;
        let cookies = Cookies::read(&args.client.cookies)?;
        let auth = Auth::read(&args.client.auth)?;
        let limits = (limits(callers, callers), timeouts);
        let client = client::client(
            &args.client,
            &fields,
            &cookies,
            None,
            limits,
            (false, false),
        )?;

        let body = args.data.as_deref().map(content).transpose()?;
        let method = match (&args.request, &body) {
            (Some(name), _) => Method::from_bytes(name.as_bytes())
                .map_err(|_| anyhow!("--request \"{}\": not a method", visible(name)))?,
            (None, Some(_)) => Method::POST,
            (None, None) => Method::GET,
        };
        let typed = url::typed(&args.url)?;
        let mut request = Request::new(method.clone(), &typed)?;
        let mut headers = fields.set.clone();
        if !headers.contains_key(AUTHORIZATION) {
            auth.apply(&mut request, &typed)?;
        }
        if body.is_some() && !headers.contains_key(CONTENT_TYPE) {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
        }
        cookies.add(&mut headers, request.url());
        request.headers_mut().extend(headers);
        fields.complete(request.headers_mut());
        Ok(LoadPlan {
            client,
            method,
            url: request.url().to_owned(),
            headers: request.headers().clone(),
            body: body.unwrap_or_default(),
            callers,
            schedule: Schedule {
                requests: args.requests.or(match args.duration {
                    Some(_) => None,
                    None => Some(REQUESTS),
                }),
                duration: args.duration,
                rate: args.rate,
            },
        })
    }
}

fn content(typed: &str) -> anyhow::Result<Bytes> {
    match typed.strip_prefix('@') {
        // Without the exit code that `get` has for it: a load that cannot begin is a wrong command.
        Some(path) => match in_memory(path) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(anyhow!("{error:#}")),
        },
        None => Ok(typed.to_owned().into()),
    }
}
