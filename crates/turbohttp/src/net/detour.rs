//! Connecting to another host and port than those of the origin.

use std::borrow::Cow;

use turbohttp_core::origin::Origin;

use super::route::Route;
use crate::error::{Error, ErrorKind, Result};
use crate::url::host_of;

/// A rule: connections to one host and port lead to another.
#[derive(Clone, Debug)]
pub(crate) struct ConnectTo {
    from: Place,
    to: Place,
}

/// A host in normal form and a port; `None` is any, or the same.
#[derive(Clone, Debug)]
struct Place {
    host: Option<Box<str>>,
    port: Option<u16>,
}

impl ConnectTo {
    /// Reads both places as `HOST:PORT`, of which each part may be left out.
    pub(crate) fn parse(from: &str, to: &str) -> Result<ConnectTo> {
        Ok(ConnectTo {
            from: Place::parse(from)?,
            to: Place::parse(to)?,
        })
    }

    fn is_about(&self, origin: &Origin) -> bool {
        let Place { host, port } = &self.from;
        host.as_deref().is_none_or(|host| host == origin.host())
            && port.is_none_or(|port| port == origin.port())
    }
}

impl Place {
    fn parse(text: &str) -> Result<Place> {
        let refused = |what: &str| {
            let message = format!("connect_to: {text:?} is no HOST:PORT: {what}");
            Error::new(ErrorKind::Config, message)
        };
        // The colons inside of brackets are none of a port.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (text, ""),
        };
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u16> = port.parse().ok().filter(|port| is_number && *port > 0);
        if !port.is_empty() && number.is_none() {
            return Err(refused("the port is no number from 1 to 65535"));
        }
        let host = match host {
            "" => None,
            host => Some(host_of(host).map_err(|message| refused(&message))?.into()),
        };
        Ok(Place { host, port: number })
    }
}

/// Where a connection by `route` leads, by the first rule that is about it.
#[cold]
pub(super) fn target<'a>(rules: &[ConnectTo], route: &'a Route) -> Cow<'a, Route> {
    let origin = &route.origin;
    let Some(rule) = rules.iter().find(|rule| rule.is_about(origin)) else {
        return Cow::Borrowed(route);
    };
    let host = rule.to.host.as_deref().unwrap_or(origin.host());
    let port = rule.to.port.unwrap_or(origin.port());
    let other = Origin::new(origin.scheme(), host, port);
    // The name of the request is that of its own host.
    let name = route.own_name().filter(|_| rule.to.host.is_none());
    Cow::Owned(Route::new(other, name.map(Box::from), None))
}

#[cfg(test)]
mod tests {
    use turbohttp_core::origin::Scheme;

    use super::*;

    #[test]
    fn first_rule_about_the_origin_says_where_it_leads() {
        for (from, to, leads) in [
            ("a.test:80", "b.test:81", "http://b.test:81"),
            ("A.test.:80", "127.0.0.1:81", "http://127.0.0.1:81"),
            ("a.test:", "b.test:", "http://b.test"),
            ("a.test", "b.test", "http://b.test"),
            (":80", ":81", "http://a.test:81"),
            ("", "b.test:81", "http://b.test:81"),
            (":", "[::1]:81", "http://[::1]:81"),
            ("a.test:81", "b.test:81", "http://a.test"),
            ("b.test:80", "b.test:81", "http://a.test"),
            ("a.test:80", "", "http://a.test"),
        ] {
            let rules = [
                ConnectTo::parse(from, to).unwrap(),
                ConnectTo::parse("a.test:7777", "never.test:1").unwrap(),
            ];
            let route = Route::direct(&Origin::new(Scheme::Http, "a.test", 80));
            assert_eq!(target(&rules, &route).origin.as_str(), leads, "{from} {to}");
        }
    }

    #[test]
    fn what_is_no_place_is_named() {
        for text in [
            "a.test:x",
            "a.test:0",
            "a.test:65536",
            "a b:80",
            "[::1",
            "a.test:+1",
        ] {
            let error = ConnectTo::parse(text, "").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
