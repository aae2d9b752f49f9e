//! Hosts that need no proxy.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::NO_PROXY_ENTRIES_MAX;
use crate::url::host_of;

/// The hosts that requests go to directly, as curl reads the variable `no_proxy`.
///
/// Entries are separated by commas or blanks; `*` is every host.
///
/// | Entry | Is |
/// | --- | --- |
/// | `example.test`, `.example.test`, `*.example.test` | that name and all below it; upper case is lower case, a final dot is none |
/// | `192.0.2.3`, `::1`, `[::1]` | that address |
/// | `192.0.2.0/24`, `fd00::/8` | the addresses of that network (RFC 4632 section 3.1) |
/// | any of them with a port: `example.test:8080`, `[::1]:8080` | the same, at that port only |
///
/// Names match at label boundaries: `ample.test` is not `example.test`. An address that a name resolves to
/// is not looked at.
///
/// # Examples
///
/// ```
/// # fn main() -> turbohttp::Result<()> {
/// let exempt = turbohttp::NoProxy::parse("localhost, .internal.test 192.0.2.0/24")?;
/// assert!(exempt.matches("a.internal.test", 443));
/// assert!(exempt.matches("192.0.2.40", 80));
/// assert!(!exempt.matches("external.test", 443));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NoProxy {
    /// Invariant: at most [`NO_PROXY_ENTRIES_MAX`] of each that was added.
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name in normal form, and all below it.
    Below(Box<str>),
    Network(IpNet),
}

impl NoProxy {
    /// Reads a list of hosts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the entry that is no host, network or port, or if there are more than
    /// 1,024 entries.
    pub fn parse(list: &str) -> Result<NoProxy> {
        let texts = list.split(|character: char| character == ',' || character.is_whitespace());
        let mut entries = Vec::new();
        for text in texts.filter(|text| !text.is_empty()) {
            if entries.len() == NO_PROXY_ENTRIES_MAX {
                let bound = format!("at most {NO_PROXY_ENTRIES_MAX} entries");
                return Err(Error::config("no_proxy", &bound, "more"));
            }
            entries.push(Entry::parse(text)?);
        }
        Ok(NoProxy { entries })
    }

    /// Whether requests to `port` of `host` go there directly. `host` stands as in
    /// [`Origin::host`](crate::Origin::host): in lower case, an IPv6 address in brackets.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        let address = address_of(host);
        let name = host.strip_suffix('.').unwrap_or(host);
        self.entries.iter().any(|entry| {
            entry.port.is_none_or(|own| own == port)
                && match (&entry.hosts, address) {
                    (Hosts::All, _) => true,
                    (Hosts::Network(network), Some(address)) => network.contains(&address),
                    (Hosts::Below(own), None) => is_at_or_below(name, own),
                    _ => false,
                }
        })
    }

    pub(super) fn extend(&mut self, other: NoProxy) {
        self.entries.extend(other.entries);
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Entry> {
        let refused = |what: &str| {
            const SHOWN_CHARS_MAX: usize = 100;
            let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
            Error::new(ErrorKind::Config, format!("no_proxy: {shown:?} {what}"))
        };
        let (host, port) = split_port(text);
        let port = match port {
            None => None,
            Some(digits) => {
                let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
                let port = digits.parse().ok().filter(|_| is_number);
                Some(port.ok_or_else(|| refused("has no port behind its colon"))?)
            }
        };
        let hosts = if host == "*" {
            Hosts::All
        } else if let Some(address) = address_of(host) {
            Hosts::Network(address.into())
        } else if host.contains('/') {
            let plain: String = host.chars().filter(|c| !matches!(c, '[' | ']')).collect();
            let network = plain.parse();
            Hosts::Network(
                network.map_err(|_| refused("is no network: an address, a slash, a length"))?,
            )
        } else {
            let name = host
                .strip_prefix('*')
                .filter(|rest| rest.starts_with('.'))
                .unwrap_or(host);
            let name = name.strip_prefix('.').unwrap_or(name);
            let name =
                host_of(name).map_err(|message| refused(&format!("is no host: {message}")))?;
            // Other forms of an address, such as 127.1, are one as well.
            match address_of(&name) {
                Some(address) => Hosts::Network(address.into()),
                None => Hosts::Below(name.into()),
            }
        };
        Ok(Entry { hosts, port })
    }
}

/// The host, and what follows the colon of its port.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // The colons of an address without brackets are none of a port.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// The address that a host is, in brackets or without.
fn address_of(host: &str) -> Option<IpAddr> {
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    literal.unwrap_or(host).parse().ok()
}

fn is_at_or_below(name: &str, own: &str) -> bool {
    let is_end = |length: usize| {
        let (_, end) = name.as_bytes().split_at(length);
        end.eq_ignore_ascii_case(own.as_bytes())
    };
    match name.len().checked_sub(own.len()) {
        Some(0) => is_end(0),
        Some(length) => is_end(length) && name.as_bytes()[length - 1] == b'.',
        None => false,
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::All => f.write_str("*")?,
            Hosts::Below(name) => f.write_str(name)?,
            Hosts::Network(network) => write!(f, "{network}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, " port {port}"))
    }
}

impl fmt::Debug for NoProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.entries.iter().map(|entry| format!("{entry}"));
        f.debug_list().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_match_as_curl_has_it() {
        for (list, host, port, is_exempt) in [
            ("", "a.test", 80, false),
            (" , ,", "a.test", 80, false),
            ("*", "a.test", 80, true),
            ("*", "127.0.0.1", 80, true),
            ("*", "[::1]", 80, true),
            ("x.test,*", "a.test", 80, true),
            ("a.test", "a.test", 80, true),
            ("A.Test", "a.test", 80, true),
            ("a.test", "b.test", 80, false),
            ("a.test", "www.a.test", 80, true),
            ("a.test", "w.w.a.test", 80, true),
            ("a.test", "nota.test", 80, false),
            ("a.test", "a.test.other", 80, false),
            ("www.a.test", "a.test", 80, false),
            (".a.test", "a.test", 80, true),
            (".a.test", "www.a.test", 80, true),
            (".a.test", "nota.test", 80, false),
            ("*.a.test", "www.a.test", 80, true),
            ("*.a.test", "nota.test", 80, false),
            ("a.test.", "a.test", 80, true),
            ("a.test", "a.test.", 80, true),
            (".test", "a.test", 80, true),
            ("b.test a.test", "a.test", 80, true),
            ("b.test,a.test", "a.test", 80, true),
            ("b.test ,\ta.test", "a.test", 80, true),
            ("b.test,,,a.test", "a.test", 80, true),
            ("localhost", "localhost", 80, true),
            ("local", "localhost", 80, false),
            ("a.test:80", "a.test", 80, true),
            ("a.test:80", "a.test", 443, false),
            (".a.test:80", "w.a.test", 80, true),
            ("*:80", "a.test", 80, true),
            ("*:80", "a.test", 81, false),
            ("127.0.0.1", "127.0.0.1", 80, true),
            ("127.0.0.1", "127.0.0.10", 80, false),
            ("0.0.1", "127.0.0.1", 80, false),
            ("127.0.0.1:8080", "127.0.0.1", 8080, true),
            ("127.0.0.1:8080", "127.0.0.1", 80, false),
            ("192.0.2.0/24", "192.0.2.255", 80, true),
            ("192.0.2.0/24", "198.51.100.1", 80, false),
            ("198.51.100.0/25", "198.51.100.127", 80, true),
            ("198.51.100.0/25", "198.51.100.128", 80, false),
            ("0.0.0.0/0", "192.0.2.1", 80, true),
            ("0.0.0.0/0", "[::1]", 80, false),
            ("192.0.2.0/24", "ten.test", 80, false),
            ("::1", "[::1]", 80, true),
            ("[::1]", "[::1]", 80, true),
            ("[::1]:81", "[::1]", 81, true),
            ("[::1]:81", "[::1]", 80, false),
            ("0:0:0:0:0:0:0:1", "[::1]", 80, true),
            ("fd00::/8", "[fd12::1]", 80, true),
            ("[fd00::]/8", "[fd12::1]", 80, true),
            ("fd00::/8", "[fe80::1]", 80, false),
            ("::/0", "127.0.0.1", 80, false),
            ("bücher.test", "xn--bcher-kva.test", 80, true),
        ] {
            let exempt = NoProxy::parse(list).unwrap();
            assert_eq!(
                exempt.matches(host, port),
                is_exempt,
                "{list:?} {host}:{port}"
            );
        }
    }

    #[test]
    fn what_is_no_entry_is_named() {
        for list in [
            "192.0.2.0/33",
            "a.test/8",
            "a.test:",
            "a.test:x",
            "a.test:+8",
            "a.test:65536",
            "[::1",
            "/8",
        ] {
            let error = NoProxy::parse(&format!("b.test,{list}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(list), "{list}: {error}");
        }
        let many = "a.test,".repeat(NO_PROXY_ENTRIES_MAX);
        assert!(NoProxy::parse(&many).is_ok());
        assert!(NoProxy::parse(&format!("{many}a.test")).is_err());
    }
}
