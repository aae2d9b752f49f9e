//! Which hosts and paths a cookie is for (RFC 6265bis section 5.1).

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether `host` is `domain` or below it; an address is below nothing (section 5.1.3).
pub(super) fn domain_matches(host: &str, domain: &str) -> bool {
    let Some(before) = host.strip_suffix(domain) else {
        return false;
    };
    before.is_empty() || before.ends_with('.') && !is_ip_address(host)
}

/// Whether `host` is an IP address, in the form that a URL in normal form has, without brackets.
pub(super) fn is_ip_address(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || host.parse::<Ipv6Addr>().is_ok()
}

/// The path of a cookie without one: that of the URL up to its last slash (section 5.1.4).
pub(super) fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(last) if last > 0 && path.starts_with('/') => &path[..last],
        _ => "/",
    }
}

/// Whether the path of a URL is `pattern` or below it (section 5.1.4).
pub(super) fn path_matches(path: &[u8], pattern: &[u8]) -> bool {
    match path.strip_prefix(pattern) {
        Some(rest) => rest.is_empty() || rest[0] == b'/' || pattern.ends_with(b"/"),
        None => false,
    }
}
