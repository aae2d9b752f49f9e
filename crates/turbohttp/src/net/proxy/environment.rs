//! Proxies that environment variables name.

use super::{NoProxy, Proxy};
use crate::error::{Error, ErrorKind, Result};

/// The rules that the variables name, the particular ones first.
pub(super) fn rules(lookup: impl Fn(&str) -> Option<String>) -> Result<Vec<Proxy>> {
    // A variable that is empty is as good as none, as curl has it.
    let first = |names: &[&'static str]| {
        let mut set = names.iter().filter_map(|name| {
            let value = lookup(name)?;
            (!value.trim().is_empty()).then_some((*name, value))
        });
        set.next()
    };
    // A CGI program finds the field Proxy of the request in HTTP_PROXY (CVE-2016-5385).
    let http: &[&str] = match lookup("REQUEST_METHOD") {
        Some(_) => &["http_proxy"],
        None => &["http_proxy", "HTTP_PROXY"],
    };
    type Make = fn(&str) -> Result<Proxy>;
    let kinds: [(Option<(&str, String)>, Make); 3] = [
        (first(http), Proxy::http),
        (first(&["https_proxy", "HTTPS_PROXY"]), Proxy::https),
        (first(&["all_proxy", "ALL_PROXY"]), Proxy::all),
    ];
    if kinds.iter().all(|(set, _)| set.is_none()) {
        // A list of exceptions to nothing, which other programs may read by other rules.
        return Ok(Vec::new());
    }
    let exempt = match first(&["no_proxy", "NO_PROXY"]) {
        Some((name, list)) => NoProxy::parse(&list).map_err(|error| named(name, &error))?,
        None => NoProxy::default(),
    };
    let mut rules = Vec::new();
    for (set, make) in kinds {
        if let Some((name, url)) = set {
            let rule = make(&url).map_err(|error| named(name, &error))?;
            rules.push(rule.no_proxy(exempt.clone()));
        }
    }
    Ok(rules)
}

/// The error of a value, whose message has no userinfo.
fn named(variable: &str, error: &Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("environment variable {variable}: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use turbohttp_core::origin::{Origin, Scheme};

    use super::super::Proxies;
    use super::*;

    fn chosen(variables: &[(&str, &str)], url: (Scheme, &str)) -> Option<String> {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let rules = Proxies::new(rules(lookup).unwrap()).unwrap();
        let origin = Origin::new(url.0, url.1, 80);
        let server = rules.choose(&origin).unwrap();
        server.map(|server| server.origin().host().to_owned())
    }

    #[test]
    fn variables_choose_by_scheme() {
        use Scheme::{Http, Https};
        let all: &[(&str, &str)] = &[
            ("http_proxy", "h.test"),
            ("https_proxy", "s.test"),
            ("all_proxy", "x.test"),
            ("no_proxy", "free.test"),
        ];
        let upper: &[(&str, &str)] = &[
            ("HTTP_PROXY", "h.test"),
            ("HTTPS_PROXY", "s.test"),
            ("NO_PROXY", "free.test"),
        ];
        let cgi: &[(&str, &str)] = &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil.test")];
        let both: &[(&str, &str)] = &[("http_proxy", "low.test"), ("HTTP_PROXY", "up.test")];
        let empty: &[(&str, &str)] = &[("http_proxy", ""), ("ALL_PROXY", "x.test")];
        for (variables, scheme, host, proxy) in [
            (&[][..], Http, "a.test", None),
            (all, Http, "a.test", Some("h.test")),
            (all, Https, "a.test", Some("s.test")),
            (all, Http, "free.test", None),
            (upper, Http, "a.test", Some("h.test")),
            (upper, Https, "a.test", Some("s.test")),
            (upper, Https, "x.free.test", None),
            (cgi, Http, "a.test", None),
            (both, Http, "a.test", Some("low.test")),
            (both, Https, "a.test", None),
            (empty, Http, "a.test", Some("x.test")),
            (empty, Https, "a.test", Some("x.test")),
        ] {
            let found = chosen(variables, (scheme, host));
            assert_eq!(found.as_deref(), proxy, "{variables:?} {host}");
        }
    }

    #[test]
    fn wrong_value_names_its_variable_and_no_secret() {
        for (variable, value) in [
            ("http_proxy", "ftp://canary:canary@proxy.test"),
            ("HTTPS_PROXY", "http://canary:canary@proxy.test:port"),
            ("all_proxy", "http://canary@proxy.test/path"),
            ("NO_PROXY", "192.0.2.0/99"),
        ] {
            let lookup = |name: &str| match name {
                "ALL_PROXY" if variable == "NO_PROXY" => Some("proxy.test".to_owned()),
                name => (name == variable).then(|| value.to_owned()),
            };
            let error = rules(lookup).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            let shown = format!("{error} {error:?}");
            assert!(
                shown.contains(variable) && !shown.contains("canary"),
                "{shown}"
            );
        }
    }

    #[test]
    fn list_of_exceptions_is_read_only_where_there_is_a_proxy() {
        let lookup = |name: &str| (name == "NO_PROXY").then(|| "<local>;192.0.2.0/99".to_owned());
        assert!(rules(lookup).unwrap().is_empty());
    }
}
