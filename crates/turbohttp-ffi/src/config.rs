//! What a `ThClientConfig` says, as the options of a client and its engine.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use turbohttp::{
    Client, ClientBuilder, Credentials, Decoding, IpVersion, Jar, Limits, Proxy, Rate,
    RedirectPolicy, RetryPolicy, Timeouts, Tls, TlsVersion,
};

use crate::abi::{self, ThClientConfig};
use crate::fault::{Fault, Result};
use crate::memory::Memory;
use crate::pointers::Lent;
use crate::requests::REQUESTS_MAX;

const ALL_FLAGS: u32 = 2_047;

/// The numbers of an engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineOptions {
    pub(crate) workers: usize,
    pub(crate) requests_max: u32,
    pub(crate) body_window: usize,
    pub(crate) upload_window: usize,
    pub(crate) body_memory: u32,
    total: usize,
}

/// A number that is given, or its default; within bounds.
pub(crate) fn within(name: &str, given: u32, default: u32, least: u32, most: u32) -> Result<u32> {
    match given {
        0 => Ok(default),
        given if (least..=most).contains(&given) => Ok(given),
        given => {
            let text = format!("{name} is {given}, and may be from {least} to {most}");
            Err(Fault::argument(text))
        }
    }
}

/// Bounds of a window, in bytes.
pub(crate) const WINDOW: (u32, u32) = (4 * 1024, 64 * 1024 * 1024);

impl EngineOptions {
    /// How many requests may be under way, those included that were released and have not ended yet.
    pub(crate) fn tasks_max(&self) -> usize {
        2 * self.requests_max as usize
    }

    pub(crate) fn of(config: &ThClientConfig) -> Result<EngineOptions> {
        let (least, most) = WINDOW;
        let window = |name, given, default| within(name, given, default, least, most);
        let requests_max = within("requests_max", config.requests_max, 4_096, 1, REQUESTS_MAX)?;
        let memory = within(
            "body_memory",
            config.body_memory,
            most,
            1 << 20,
            Memory::MAX,
        )?;
        Ok(EngineOptions {
            workers: within("workers", config.workers, 1, 1, 64)? as usize,
            requests_max,
            body_window: window("body_window", config.body_window, 1 << 20)? as usize,
            upload_window: window("upload_window", config.upload_window, 256 * 1024)? as usize,
            body_memory: memory,
            total: within("total", config.total, 256, 1, REQUESTS_MAX)? as usize,
        })
    }
}

/// The jar of the client, if it keeps cookies.
pub(crate) fn jar(config: &ThClientConfig) -> Option<Arc<Jar>> {
    let has_cookies = config.flags & abi::TH_CLIENT_COOKIES != 0;
    has_cookies.then(|| Arc::new(Jar::new()))
}

/// The client that the caller describes.
pub(crate) fn client(
    config: &Lent<'_, ThClientConfig>,
    jar: Option<Arc<Jar>>,
) -> Result<ClientBuilder> {
    if config.flags & !ALL_FLAGS != 0 {
        return Err(Fault::argument(format!(
            "flags are {:#x}, which is unknown",
            config.flags
        )));
    }
    let has = |flag: u32| config.flags & flag != 0;
    let mut builder = Client::builder()
        .limits(limits(config)?)
        .timeouts(timeouts(config));
    if has(abi::TH_CLIENT_HTTP1_ONLY) {
        builder = builder.http1_only();
    }
    if has(abi::TH_CLIENT_HTTP2_PRIOR_KNOWLEDGE) {
        builder = builder.http2_prior_knowledge();
    }
    if has(abi::TH_CLIENT_NO_REDIRECTS) {
        builder = builder.redirect(RedirectPolicy::none());
    } else if config.redirects_max > 0 {
        builder = builder.redirect(RedirectPolicy::limited(config.redirects_max));
    }
    if has(abi::TH_CLIENT_NO_DECODING) {
        builder = builder.decoding(Decoding::none());
    }
    if let Some(jar) = jar {
        builder = builder.cookies(jar);
    }
    if has(abi::TH_CLIENT_PROXY_FROM_ENV) {
        builder = builder.proxy_from_env();
    }
    if config.retries_max > 0 {
        builder = builder.retry(RetryPolicy::up_to(config.retries_max));
    }
    builder = builder.default_headers(config.fields(|config| &config.headers)?);
    if let Some(agent) = config.given(|config| &config.user_agent, "user_agent")? {
        builder = builder.user_agent(agent);
    }
    builder = network(
        builder.lenient_fields(has(abi::TH_CLIENT_LENIENT_FIELDS)),
        config,
    )?;
    builder = builder.tls(tls(config)?);
    if let Some(proxy) = proxy(config)? {
        builder = builder.proxy(proxy);
    }
    if let Some((origin, credentials)) = credentials(config)? {
        builder = builder.credentials(origin, credentials);
    }
    Ok(builder)
}

/// How connections are made.
fn network(mut builder: ClientBuilder, config: &Lent<'_, ThClientConfig>) -> Result<ClientBuilder> {
    builder = match config.ip_version {
        0 => builder,
        4 => builder.ip_version(IpVersion::V4Only),
        6 => builder.ip_version(IpVersion::V6Only),
        other => {
            let text = format!("ip_version is {other}, and may be 4 or 6");
            return Err(Fault::argument(text));
        }
    };
    if let Some(address) = config.given(|config| &config.local_address, "local_address")? {
        let why = |_| Fault::argument(format!("local_address is {address:?}, which is no address"));
        builder = builder.local_address(address.parse::<IpAddr>().map_err(why)?);
    }
    if let Some(name) = config.given(|config| &config.network_interface, "network_interface")? {
        builder = builder.interface(name);
    }
    if let Some(rules) = config.given(|config| &config.resolve, "resolve")? {
        for rule in rules.split(';').filter(|rule| !rule.is_empty()) {
            let (host, addresses) = resolved(rule)?;
            builder = builder.resolve(host, addresses);
        }
    }
    match config.given(|config| &config.unix_socket, "unix_socket")? {
        #[cfg(unix)]
        Some(path) => Ok(builder.unix_socket(path)),
        #[cfg(not(unix))]
        Some(_) => Err(Fault::argument("unix_socket: this system has none")),
        None => Ok(builder),
    }
}

/// One rule of `resolve`: a host and its addresses.
fn resolved(rule: &str) -> Result<(&str, Vec<SocketAddr>)> {
    let why = || Fault::argument(format!("resolve: {rule:?} is not HOST=ADDRESS,ADDRESS"));
    let (host, addresses) = rule.split_once('=').ok_or_else(why)?;
    let address = |text: &str| match text.parse::<IpAddr>() {
        // Port 0 stands for that of the URL.
        Ok(address) => Ok(SocketAddr::new(address, 0)),
        Err(_) => text.parse::<SocketAddr>().map_err(|_| why()),
    };
    let addresses: Result<Vec<_>> = addresses.split(',').map(address).collect();
    Ok((host, addresses?))
}

fn limits(config: &ThClientConfig) -> Result<Limits> {
    let or = |given: u32, default: usize| match given {
        0 => default,
        given => given as usize,
    };
    let (defaults, options) = (Limits::default(), EngineOptions::of(config)?);
    let mut limits = defaults
        .waiting(options.tasks_max())
        .waiting_per_host(options.tasks_max())
        .per_host(or(config.per_host, defaults.per_host))
        .total(options.total)
        .idle_per_origin(or(config.idle_per_host, defaults.idle_per_origin))
        .idle_total(or(config.idle_total, defaults.idle_total))
        .h2_connections_per_host(or(
            config.h2_connections_per_host,
            defaults.h2_connections_per_host,
        ));
    if config.rate_per_host > 0 {
        let time = Duration::from_millis(or(config.rate_ms, 1_000) as u64);
        limits = limits.rate_per_host(Rate::new(config.rate_per_host, time));
    }
    if config.ageing_ms > 0 {
        limits = limits.ageing(Duration::from_millis(u64::from(config.ageing_ms)));
    }
    Ok(limits)
}

fn timeouts(config: &ThClientConfig) -> Timeouts {
    type Set = fn(Timeouts, Duration) -> Timeouts;
    let given: [(u32, Set); 10] = [
        (config.permit_ms, |timeouts, limit| timeouts.permit(limit)),
        (config.dns_ms, Timeouts::dns),
        (config.connect_ms, Timeouts::connect),
        (config.tls_ms, Timeouts::tls),
        (config.head_ms, Timeouts::head),
        (config.body_ms, Timeouts::body),
        (config.request_ms, Timeouts::request),
        (config.idle_ms, Timeouts::idle),
        (config.lifetime_ms, Timeouts::lifetime),
        (config.ping_ms, Timeouts::ping),
    ];
    let given = given.into_iter().filter(|(ms, _)| *ms > 0);
    given.fold(Timeouts::default(), |timeouts, (ms, set)| {
        set(timeouts, Duration::from_millis(u64::from(ms)))
    })
}

fn tls(config: &Lent<'_, ThClientConfig>) -> Result<Tls> {
    let has = |flag: u32| config.flags & flag != 0;
    let mut tls = Tls::default()
        .sni(!has(abi::TH_CLIENT_NO_SNI))
        .resumption(!has(abi::TH_CLIENT_NO_RESUMPTION));
    tls = match config.tls_min {
        0 | 12 => tls,
        13 => tls.min_version(TlsVersion::V1_3),
        other => {
            let text = format!("tls_min is {other}, and may be 12 or 13");
            return Err(Fault::argument(text));
        }
    };
    if has(abi::TH_CLIENT_ONLY_ADDED_ROOTS) {
        tls = tls.only_added_roots();
    }
    if has(abi::TH_CLIENT_DANGER_ACCEPT_ANY_CERTIFICATE) {
        tls = tls.danger_accept_any_certificate();
    }
    let (root, chain, key, pins) = (
        config.given(|config| &config.root_pem, "root_pem")?,
        config.given(|config| &config.certificate_pem, "certificate_pem")?,
        config.given(|config| &config.key_pem, "key_pem")?,
        config.given(|config| &config.pins, "pins")?,
    );
    if let Some(root) = root {
        tls = tls.root_pem(root);
    }
    if let Some(pins) = pins {
        tls = tls.pin_spki(pins);
    }
    match (chain, key) {
        (None, None) => Ok(tls),
        (Some(chain), Some(key)) => Ok(tls.client_certificate_pem(chain, key)),
        _ => Err(Fault::argument("certificate_pem and key_pem go together")),
    }
}

fn proxy(config: &Lent<'_, ThClientConfig>) -> Result<Option<Proxy>> {
    let (url, user, password) = (
        config.given(|config| &config.proxy, "proxy")?,
        config.given(|config| &config.proxy_user, "proxy_user")?,
        config.given(|config| &config.proxy_password, "proxy_password")?,
    );
    let Some(url) = url else { return Ok(None) };
    let proxy = Proxy::all(url)?;
    Ok(Some(match user {
        Some(user) => proxy.basic_auth(user, password.unwrap_or_default())?,
        None => proxy,
    }))
}

fn credentials<'a>(config: &Lent<'a, ThClientConfig>) -> Result<Option<(&'a str, Credentials)>> {
    let (origin, user, password) = (
        config.given(|config| &config.auth_origin, "auth_origin")?,
        config
            .given(|config| &config.auth_user, "auth_user")?
            .unwrap_or_default(),
        config
            .given(|config| &config.auth_password, "auth_password")?
            .unwrap_or_default(),
    );
    let credentials = match config.auth_kind {
        abi::TH_AUTH_NONE => return Ok(None),
        abi::TH_AUTH_BASIC => Credentials::basic(user, password)?,
        abi::TH_AUTH_DIGEST => Credentials::digest(user, password),
        abi::TH_AUTH_BEARER => Credentials::bearer(password)?,
        other => {
            return Err(Fault::argument(format!(
                "auth_kind is {other}, which is unknown"
            )));
        }
    };
    let origin = origin.ok_or_else(|| Fault::argument("credentials need their auth_origin"))?;
    Ok(Some((origin, credentials)))
}
