//! Proxies that the environment names. None is supported yet, so a request that would have to go
//! through one is refused: sending it directly is what the network forbids, or what the user does not
//! want to be seen.

use std::env;
use std::net::IpAddr;

use turbohttp::Request;

/// What the environment and `--noproxy` say of proxies.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    /// The variables that are set and name a proxy for http, and for https.
    http: Option<&'static str>,
    https: Option<&'static str>,
    /// Hosts that need none, in lower case.
    excepted: Vec<String>,
}

/// Upper case for http is what others than curl read; in a CGI script it is a field of the request.
const HTTP: [&str; 4] = ["http_proxy", "all_proxy", "ALL_PROXY", "HTTP_PROXY"];
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

impl Proxies {
    /// Reads the environment; `excepted` stands for `no_proxy`.
    pub(crate) fn read(excepted: Option<&str>) -> Proxies {
        let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_cgi = is_set("REQUEST_METHOD");
        let is_meant = |name: &&str| is_set(name) && !(is_cgi && *name == "HTTP_PROXY");
        let variable = || env::var("no_proxy").or_else(|_| env::var("NO_PROXY")).ok();
        let excepted = excepted.map(str::to_owned).or_else(variable);
        Proxies {
            http: HTTP.into_iter().find(is_meant),
            https: HTTPS.into_iter().find(is_meant),
            excepted: hosts(&excepted.unwrap_or_default()),
        }
    }

    /// Refuses a request that a proxy is named for.
    pub(crate) fn check(&self, request: &Request) -> Result<(), String> {
        let origin = request.origin();
        let named = match origin.scheme().as_str() {
            "https" => self.https,
            _ => self.http,
        };
        let Some(variable) = named else {
            return Ok(());
        };
        let host = origin.host().trim_matches(['[', ']', '.']);
        if self.excepted.iter().any(|pattern| matches(pattern, host)) {
            return Ok(());
        }
        Err(format!(
            "{variable} is set, but proxies are not supported: unset it, put {host} into no_proxy, or \
             give --noproxy '*'"
        ))
    }
}

fn hosts(list: &str) -> Vec<String> {
    let names = list.split([',', ' ', '\t']);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
}

/// As curl does it: `*` is every host, a name is that name and all below it, an address may have the
/// length of a prefix.
fn matches(pattern: &str, host: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return is_within(pattern, address);
    }
    let name = pattern.trim_start_matches('.').trim_end_matches('.');
    match host.strip_suffix(name) {
        Some(rest) => !name.is_empty() && (rest.is_empty() || rest.ends_with('.')),
        None => false,
    }
}

/// Whether `address` is the one of `pattern`, or in its network.
fn is_within(pattern: &str, address: IpAddr) -> bool {
    let (network, length) = match pattern.split_once('/') {
        Some((network, length)) => (network, length.parse().ok()),
        None => (pattern, Some(128)),
    };
    let network = network
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse();
    let (Ok(network), Some(length)) = (network, length) else {
        return false;
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let differing = u32::from(network) ^ u32::from(address);
            differing.leading_zeros() >= u32::min(length, 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let differing = u128::from(network) ^ u128::from(address);
            differing.leading_zeros() >= u32::min(length, 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{hosts, matches};

    #[test]
    fn hosts_are_excepted_as_curl_does_it() {
        let cases = [
            ("*", "h.test", true),
            ("h.test", "h.test", true),
            (".h.test", "h.test", true),
            ("H.Test.", "a.h.test", true),
            ("h.test", "ah.test", false),
            ("other.test, h.test", "h.test", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.0/8", "127.9.9.9", true),
            ("127.0.0.0/16", "127.9.9.9", false),
            ("127.0.0.1/x", "127.0.0.1", false),
            ("[::1]", "::1", true),
            ("::/0", "::1", true),
            ("1", "127.0.0.1", false),
            ("", "h.test", false),
            (".", "h.test", false),
        ];
        for (list, host, expected) in cases {
            let is_excepted = hosts(list).iter().any(|pattern| matches(pattern, host));
            assert_eq!(is_excepted, expected, "{list} {host}");
        }
    }
}
