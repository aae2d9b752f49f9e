//! Building a client: options, middlewares, transport.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use turbohttp_core::origin::{Origin, Origins};
use turbohttp_core::pool::ObjectPool;
use turbohttp_core::scheduler::{AdaptiveLimit, Rate};

use super::inner::Inner;
use super::{Client, set_host_limit, set_host_rate};
use crate::carrier::{AnyTransport, Carrier};
use crate::config::{Limits, Settings, Timeouts};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::CONTEXTS_MAX;
use crate::middleware::{HookResult, Layer, Middleware, Next, Pipeline};
use crate::net::{NetTransport, NetTransportBuilder, NetWatch};
use crate::policy::{Policies, PolicyOptions};
use crate::request::Request;
use crate::response::Response;
use crate::scheduler::Dispatcher;
use crate::transport::Transport;
use crate::url::{IntoUrl, origin_of};

/// Collects what a [`Client`] is made of; options are checked by [`build`](ClientBuilder::build).
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// use std::time::Duration;
/// use turbohttp::{Client, Limits, Request};
///
/// let client = Client::builder()
///     .user_agent("crawler/1.0 (+https://example.com/about)")
///     .limits(Limits::default().per_host(4).total(100))
///     .host_limit("https://slow.example.com", 1)
///     .timeout(Duration::from_secs(60))
///     .on_request(|request: &mut Request| println!("{} {}", request.method(), request.url()))
///     .build()?;
/// # drop(client);
///
/// let error = Client::builder().limits(Limits::default().per_host(0)).build().unwrap_err();
/// assert!(error.to_string().starts_with("limits.per_host must be "));
/// # Ok(())
/// # }
/// ```
pub struct ClientBuilder {
    limits: Limits,
    timeouts: Timeouts,
    default_headers: HeaderMap,
    pub(super) net: NetTransportBuilder,
    host_limits: Vec<(Origin, usize)>,
    host_rates: Vec<(Origin, Rate)>,
    adaptive_limit: Option<AdaptiveLimit>,
    /// `None` for the network, which is made of the options.
    transport: Option<AnyTransport>,
    layers: Vec<Layer>,
    pub(super) policies: PolicyOptions,
    /// The first value that could not be read.
    pub(super) mistake: Option<Error>,
}

impl ClientBuilder {
    /// A builder with default options; the same as [`Client::builder`].
    pub fn new() -> ClientBuilder {
        let mut default_headers = HeaderMap::new();
        let agent = concat!("turbohttp/", env!("CARGO_PKG_VERSION"));
        default_headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        default_headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        ClientBuilder {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            default_headers,
            net: NetTransport::builder(),
            host_limits: Vec::new(),
            host_rates: Vec::new(),
            adaptive_limit: None,
            transport: None,
            layers: Vec::new(),
            policies: PolicyOptions::default(),
            mistake: None,
        }
    }

    /// Sets how much the client may take and keep.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives one origin a limit of its own in place of [`Limits::per_host`]. The origin is an
    /// [`Origin`] or any URL of it.
    ///
    /// Text that is no URL is an error of [`build`](ClientBuilder::build).
    #[must_use]
    pub fn host_limit(mut self, origin: impl IntoUrl, limit: usize) -> Self {
        match origin_of(&origin.as_url()) {
            Ok(origin) => self.host_limits.push((origin, limit)),
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Gives one origin a rate of its own in place of [`Limits::rate_per_host`]: so many requests per
    /// time. It is kept while no request of the origin runs or waits. The origin is an [`Origin`] or any
    /// URL of it.
    ///
    /// Text that is no URL, and a rate out of bounds, are errors of [`build`](ClientBuilder::build).
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::{Client, Limits, Rate};
    ///
    /// let client = Client::builder()
    ///     .limits(Limits::default().rate_per_host(Rate::per_second(10.0)))
    ///     .host_rate("https://slow.example.com", Rate::per_second(0.5).burst(3))
    ///     .build()?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn host_rate(mut self, origin: impl IntoUrl, rate: Rate) -> Self {
        match origin_of(&origin.as_url()) {
            Ok(origin) => self.host_rates.push((origin, rate)),
            Err(error) => drop(self.mistake.get_or_insert(error)),
        }
        self
    }

    /// Has the limit of every origin follow what its server bears: it is raised while the server keeps
    /// up, and lowered when it is overloaded. By default limits are fixed.
    ///
    /// Each attempt counts when its head has arrived, or when it has failed: a 429 or 503, a timeout and
    /// a connection that cannot be made are signs of overload, other errors are none. A 429 that a
    /// [`RetryPolicy`](crate::RetryPolicy) answers with a pause is left out. The ordinary limit of an
    /// origin, [`Limits::per_host`] or its own by [`host_limit`](ClientBuilder::host_limit), is the
    /// ceiling. An origin that is forgotten ([`Limits::idle_hosts`]) begins anew.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::{AdaptiveLimit, Client, Limits};
    ///
    /// let client = Client::builder()
    ///     .limits(Limits::default().per_host(200).total(1_000))
    ///     .adaptive_limit(AdaptiveLimit::gradient().initial(8))
    ///     .host_limit("https://small.example.com", 4)
    ///     .build()?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn adaptive_limit(mut self, limit: AdaptiveLimit) -> Self {
        self.adaptive_limit = Some(limit);
        self
    }

    /// Sets how long the client waits.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets a field that every request carries unless it sets that field itself.
    ///
    /// By default there are `user-agent: turbohttp/VERSION` and `accept: */*`.
    #[must_use]
    pub fn default_header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.default_headers.insert(name, value);
        self
    }

    /// Leaves out a default field, such as `accept`, that no request is to carry by itself.
    #[must_use]
    pub fn without_default_header(mut self, name: &http::HeaderName) -> Self {
        self.default_headers.remove(name);
        self
    }

    /// Sets fields that every request carries unless it sets them itself, as
    /// [`default_header`](ClientBuilder::default_header) does for one.
    #[must_use]
    pub fn default_headers(mut self, headers: HeaderMap) -> Self {
        // A name of the builder is replaced with all its values, as in `RequestBuilder::headers`.
        for name in headers.keys() {
            self.default_headers.remove(name);
        }
        self.default_headers.extend(headers);
        self
    }

    /// Sets the `User-Agent` of every request that sets none itself.
    ///
    /// A value that is no field value (RFC 9110 section 5.5) is an error of
    /// [`build`](ClientBuilder::build).
    #[must_use]
    pub fn user_agent<V>(mut self, value: V) -> Self
    where
        V: TryInto<HeaderValue>,
        V::Error: Into<Error>,
    {
        match value.try_into() {
            // The first mistake is the one that `build` returns.
            Ok(value) => drop(self.default_headers.insert(USER_AGENT, value)),
            Err(error) => drop(self.mistake.get_or_insert(error.into())),
        }
        self
    }

    /// Sets [`Timeouts::request`]: the time for a whole request, from `send` to the end of the body.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeouts.request = Some(limit);
        self
    }

    /// Sets [`Timeouts::connect`]: the time for a TCP connection to any of the addresses.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.timeouts.connect = limit;
        self
    }

    /// Sets [`Timeouts::body`]: the time between two reads of a response body.
    #[must_use]
    pub fn read_timeout(mut self, limit: Duration) -> Self {
        self.timeouts = self.timeouts.body(limit);
        self
    }

    /// Sets [`Timeouts::idle`]: how long an idle connection is kept.
    #[must_use]
    pub fn pool_idle_timeout(mut self, limit: Duration) -> Self {
        self.timeouts.idle = limit;
        self
    }

    /// Sets [`Limits::idle_per_origin`]: how many idle connections are kept per origin.
    #[must_use]
    pub fn pool_max_idle_per_host(mut self, connections: usize) -> Self {
        self.limits.idle_per_origin = connections;
        self
    }

    /// Adds a middleware. The first one added sees the request first and the response last.
    #[must_use]
    pub fn with(self, middleware: impl Middleware) -> Self {
        self.push(Layer::middleware(middleware))
    }

    /// Adds a closure as a middleware. Its future borrows nothing, so it clones what it needs of its
    /// environment, mostly an `Arc`.
    ///
    /// ```
    /// # fn main() -> turbohttp::Result<()> {
    /// use turbohttp::Client;
    ///
    /// let client = Client::builder()
    ///     .with_fn(|request, next| async move {
    ///         let url = request.url().to_owned();
    ///         let response = next.run(request).await?;
    ///         eprintln!("{url}: {}", response.status());
    ///         Ok(response)
    ///     })
    ///     .build()?;
    /// # drop(client);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_fn<F, Fut>(self, closure: F) -> Self
    where
        F: Fn(Request, Next<'static>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response>> + Send + 'static,
    {
        self.push(Layer::closure(closure))
    }

    /// Adds a function that sees and changes every request on its way down, between the middlewares
    /// added before and after it. It may return a `Result`, whose error ends the call. Allocates nothing
    /// per call.
    #[must_use]
    pub fn on_request<F, R>(self, hook: F) -> Self
    where
        F: Fn(&mut Request) -> R + Send + Sync + 'static,
        R: HookResult,
    {
        // The conversion of the result is part of the boxed hook, so that the chain sees one type.
        let hook = move |request: &mut Request| hook(request).into_result();
        self.push(Layer::OnRequest(Box::new(hook)))
    }

    /// Adds a function that sees and changes every response on its way up, as
    /// [`on_request`](ClientBuilder::on_request) does for requests.
    #[must_use]
    pub fn on_response<F, R>(self, hook: F) -> Self
    where
        F: Fn(&mut Response) -> R + Send + Sync + 'static,
        R: HookResult,
    {
        let hook = move |response: &mut Response| hook(response).into_result();
        self.push(Layer::OnResponse(Box::new(hook)))
    }

    fn push(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Replaces the network by another transport: a [`MockTransport`](crate::MockTransport), or one of
    /// your own.
    ///
    /// A transport that sends the same request by another client keeps its call: the [`Timeouts`] and
    /// the deadline of this client hold there, and the other client can only bring the deadline forward.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(AnyTransport::new(transport));
        self
    }

    /// Checks the options and makes the client. Nothing is connected or loaded yet, and no runtime is
    /// needed.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the option, its bounds and its value.
    pub fn build(mut self) -> Result<Client> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        self.limits.check()?;
        self.timeouts.check()?;
        if let Some(whole) = self.timeouts.request {
            self.timeouts.allow(whole);
        }
        self.policies.adapts = self.adaptive_limit.is_some();
        let policies = Policies::new(self.policies, &mut self.default_headers)?;
        let contexts = ObjectPool::new(CONTEXTS_MAX, Context::default)
            .map_err(|error| Error::new(ErrorKind::Config, "context pool").with_source(error))?;
        // The network writes the default fields from a template only where it was made here, from these options.
        let has_template = self.transport.is_none();
        let (open, secret) = policies.split_secret(&self.default_headers);
        let transport = match self.transport {
            Some(transport) => transport,
            None => AnyTransport::Net(
                self.net
                    .limits(self.limits)
                    .timeouts(self.timeouts)
                    .default_fields(open)
                    .build()?,
            ),
        };
        // Here and not in `Limits`: a limiter without a client sees no answers to follow.
        let mut rules = self.limits.rules();
        rules.adaptive = self.adaptive_limit;
        let scheduler = Dispatcher::new(rules)?;
        let net_stats = watch_net(&transport, &scheduler);
        // Before the first call, so that no call of such an origin sees the limit and the rate of all.
        for (origin, limit) in self.host_limits {
            set_host_limit(&scheduler, &origin, limit)?;
        }
        for (origin, rate) in self.host_rates {
            set_host_rate(&scheduler, &origin, rate)?;
        }
        let pipeline = Arc::new(Pipeline {
            layers: self.layers.into(),
            carrier: Carrier {
                scheduler: scheduler.clone(),
                transport,
                policies,
            },
        });
        let is_cached = pipeline.reach_from_cache();
        let is_layered = is_cached || !pipeline.layers.is_empty();
        // The scheduler closes the components at its end; this circle of references is broken there.
        scheduler.set_components(pipeline.clone());
        let mut added = match has_template && !is_layered {
            true => secret,
            false => self.default_headers,
        };
        if has_template && !is_cached && pipeline.carrier.policies.asks_for_codings() {
            // Between the client and the network alone, which decodes: no layer has to see it.
            added.remove(ACCEPT_ENCODING);
        }
        Ok(Client {
            inner: Arc::new(Inner {
                adds_default_headers: !added.is_empty(),
                is_layered,
                default_headers: added,
                pipeline,
                net_stats,
                contexts,
                origins: Origins::default(),
                settings: Settings {
                    timeouts: self.timeouts,
                    body_bytes_max: self.limits.body_bytes,
                },
            }),
        })
    }
}

/// What is told of the network; it tells the scheduler what its connections carry.
fn watch_net(transport: &AnyTransport, scheduler: &Arc<Dispatcher>) -> Option<NetWatch> {
    let AnyTransport::Net(net) = transport else {
        return None;
    };
    net.reports_to(scheduler);
    Some(net.watch())
}

impl Default for ClientBuilder {
    fn default() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl fmt::Debug for ClientBuilder {
    /// Default fields without their values, which can be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field(
                "default_headers",
                &self.default_headers.keys().collect::<Vec<_>>(),
            )
            .field("layers", &self.layers.len())
            .finish_non_exhaustive()
    }
}
