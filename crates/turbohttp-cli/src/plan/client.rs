//! The client of a command: its network, and what it does by itself.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use turbohttp::{
    Cache, Client, ClientBuilder, Decoding, IpVersion, Limits, NoProxy, Proxy, Timeouts, Tls,
    TlsVersion,
};

use super::{Cookies, Fields, policies};
use crate::args::{CacheArgs, ClientArgs, NetworkArgs, ProxyArgs, TlsArgs, VersionArgs};
use crate::output::visible;

/// Bytes that the files of `--cache` take at most.
const CACHE_BYTES: u64 = 256 * 1024 * 1024;

/// The cache that was typed.
pub(super) fn cache(args: &CacheArgs) -> Option<Cache> {
    let directory = args.directory.as_ref()?;
    Some(Cache::directory(directory, CACHE_BYTES))
}

/// The client that was typed.
pub(super) fn client(
    args: &ClientArgs,
    fields: &Fields,
    cookies: &Cookies,
    cache: Option<&Cache>,
    (limits, timeouts): (Limits, Timeouts),
    (fails_on_status, sends_referer): (bool, bool),
) -> anyhow::Result<Client> {
    let builder = Client::builder()
        .limits(limits)
        .timeouts(timeouts)
        .redirect(policies::redirect(&args.follow).send_referer(sends_referer))
        .retry(policies::retry(&args.follow, fails_on_status))
        .decoding(match args.compressed {
            true => Decoding::all(),
            false => Decoding::none(),
        })
        .tls(tls(&args.tls)?);
    let builder = match cache {
        Some(cache) => builder.cache(cache.clone()),
        None => builder,
    };
    let builder = versions(builder, &args.versions);
    let builder = network(builder, &args.network)?;
    let builder = proxies(builder, args)?;
    Ok(fields.leave_out(cookies.keep(builder)).build()?)
}

fn versions(builder: ClientBuilder, args: &VersionArgs) -> ClientBuilder {
    match args {
        args if args.http1_1 => builder.http1_only(),
        args if args.http2_prior_knowledge => builder.http2_prior_knowledge(),
        // What servers choose: the library's own default.
        _ => builder,
    }
}

fn network(mut builder: ClientBuilder, args: &NetworkArgs) -> anyhow::Result<ClientBuilder> {
    for (at, resolve) in args.resolve.iter().enumerate() {
        let mut others = args.resolve[..at].iter();
        if others.any(|other| {
            other.host == resolve.host
                && other.port != resolve.port
                && other.addresses != resolve.addresses
        }) {
            bail!(
                "--resolve gives {} other addresses for another port: a name has the same for all",
                visible(&resolve.host)
            );
        }
        let addresses = resolve.addresses.iter();
        // 0 stands for the port of the URL.
        let addresses: Vec<_> = addresses.map(|address| (*address, 0).into()).collect();
        builder = builder.resolve(&resolve.host, addresses);
    }
    for typed in &args.connect_to {
        let (from, to) = connect_to(typed)?;
        builder = builder.connect_to(&from, &to);
    }
    #[cfg(unix)]
    if let Some(path) = &args.unix_socket {
        builder = builder.unix_socket(path);
    }
    #[cfg(not(unix))]
    if args.unix_socket.is_some() {
        bail!("--unix-socket: this system has none");
    }
    match (&args.interface, args.local_address()) {
        (_, Some(address)) => builder = builder.local_address(address),
        (Some(name), None) => builder = builder.interface(name.trim_start_matches("if!")),
        (None, None) => {}
    }
    if let Some((first, last)) = args.local_port {
        builder = builder.local_port(first..=last);
    }
    if args.ipv4 || args.ipv6 {
        let only = if args.ipv6 {
            IpVersion::V6Only
        } else {
            IpVersion::V4Only
        };
        builder = builder.ip_version(only);
    }
    if args.no_keepalive {
        builder = builder.tcp_keepalive(None);
    } else if let Some(time) = args.keepalive_time {
        builder = builder.tcp_keepalive(time);
    }
    Ok(builder)
}

/// Reads HOST1:PORT1:HOST2:PORT2, whose hosts may be in brackets.
fn connect_to(typed: &str) -> anyhow::Result<(String, String)> {
    let mut parts = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in typed.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ':' if depth == 0 => {
                parts.push(&typed[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&typed[start..]);
    match parts[..] {
        [host, port, to_host, to_port] => {
            Ok((format!("{host}:{port}"), format!("{to_host}:{to_port}")))
        }
        _ => bail!(
            "--connect-to \"{}\": write HOST1:PORT1:HOST2:PORT2, as h.test:443:127.0.0.1:8443",
            visible(typed)
        ),
    }
}

/// What was typed stands in place of what the environment names.
fn proxies(mut builder: ClientBuilder, args: &ClientArgs) -> anyhow::Result<ClientBuilder> {
    let reached_by_socket = args.network.unix_socket.is_some();
    let args = &args.proxy;
    let socks5 = args.socks5.as_ref().map(|host| format!("socks5://{host}"));
    let by_name = args.socks5_hostname.as_ref();
    let by_name = by_name.map(|host| format!("socks5h://{host}"));
    let Some(url) = args.proxy.clone().or(socks5).or(by_name) else {
        if reached_by_socket {
            // Variables speak of the network, where this does not go.
            return Ok(builder);
        }
        let lookup = |name: &str| match (&args.noproxy, name.eq_ignore_ascii_case("no_proxy")) {
            (Some(typed), true) => Some(typed.clone()),
            _ => std::env::var(name).ok(),
        };
        for proxy in Proxy::from_variables(lookup)? {
            builder = builder.proxy(authorize(proxy, args)?);
        }
        return Ok(builder);
    };
    if url.is_empty() {
        return Ok(builder);
    }
    let mut proxy = authorize(Proxy::all(&url)?, args)?;
    let exempt = args.noproxy.clone().or_else(|| {
        let variable = std::env::var("no_proxy").or_else(|_| std::env::var("NO_PROXY"));
        variable.ok()
    });
    if let Some(exempt) = exempt {
        proxy = proxy.no_proxy(NoProxy::parse(&exempt)?);
    }
    Ok(builder.proxy(proxy))
}

fn authorize(proxy: Proxy, args: &ProxyArgs) -> anyhow::Result<Proxy> {
    let Some(typed) = &args.proxy_user else {
        return Ok(proxy);
    };
    match typed.split_once(':') {
        Some((user, password)) => Ok(proxy.basic_auth(user, password)?),
        None => bail!("--proxy-user has no colon: write USER:PASSWORD"),
    }
}

fn tls(args: &TlsArgs) -> anyhow::Result<Tls> {
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
    if let Some(pins) = &args.pinnedpubkey {
        if !pins.starts_with("sha256//") {
            bail!("--pinnedpubkey: write sha256//BASE64; a file with a key is not read yet");
        }
        tls = tls.pin_spki(pins);
    }
    if args.tlsv1_3 {
        tls = tls.min_version(TlsVersion::V1_3);
    }
    if args.tls_max.as_deref() == Some("1.2") {
        tls = tls.max_version(TlsVersion::V1_2);
    }
    Ok(tls)
}

fn read(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{option} {} cannot be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::connect_to;

    #[test]
    fn connections_are_led_elsewhere_by_four_parts() {
        let read = connect_to("[::1]:80::8080").unwrap();
        assert_eq!((&*read.0, &*read.1), ("[::1]:80", ":8080"));
        let read = connect_to("::a.test:").unwrap();
        assert_eq!((&*read.0, &*read.1), (":", "a.test:"));
        for wrong in ["", "a:1:b", "a:1:b:2:c", "::1:80:h:1"] {
            assert!(connect_to(wrong).is_err(), "{wrong}");
        }
    }
}
