//! Nothing in the sources could reach another machine: addresses are loopback ones or those that are
//! kept for documentation, and tests name no host that exists.
//!
//! Where the system permits it, `cargo xtask test` also takes the network away ([`crate::alone`]); this
//! holds everywhere.

use std::net::Ipv4Addr;

use super::source::Source;
use crate::run;

/// The host behind a scheme.
const HOST: &str = r"://([A-Za-z0-9.-]+)";

/// Names that anybody can register. Others are kept for tests (RFC 2606), or name nothing.
const PUBLIC: &str = r"\.(com|net|org|io|dev|rs|de|eu)$";

/// Names below public ends that are kept for documentation (RFC 2606).
const KEPT: &str = r"(^|\.)example\.(com|net|org)$";

/// The rule's own planted violations.
const OWN: &str = "crates/xtask/src/tidy/loopback.rs";

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let [host, public, kept] = [HOST, PUBLIC, KEPT].map(run::pattern);
    let is_foreign = |host: &&str| public.is_match(host) && !kept.is_match(host);
    let mut violations = Vec::new();
    let others = sources.iter().filter(|source| source.path != OWN);
    for source in others.filter(|source| source.is_rust()) {
        for (number, line) in source.lines() {
            let parts = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
            let mut addresses = parts.filter_map(|part| part.trim_matches('.').parse().ok());
            if let Some(address) = addresses.find(|address| !is_harmless(*address)) {
                let message = format!("{address} is no address of loopback or documentation");
                violations.push(source.at(number, &message));
            }
            let mut hosts = host
                .captures_iter(line)
                .map(|found| found.extract::<1>().1[0]);
            if let Some(host) = hosts.find(is_foreign).filter(|_| source.is_test()) {
                let message = format!("{host} may exist: take .test or .example");
                violations.push(source.at(number, &message));
            }
        }
    }
    violations
}

fn is_harmless(address: Ipv4Addr) -> bool {
    let is_local = address.is_loopback() || address.is_unspecified();
    is_local || address.is_broadcast() || address.is_documentation()
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn addresses_and_hosts_of_others_are_found() {
        let broken = |path: &str, line: &str| check(&[plant(path, line)]).len();
        let (test, code) = ("crates/a/tests/b.rs", "crates/a/src/b.rs");
        for line in ["\"8.8.8.8:53\"", "[(10.0.0.1)]", "let a = \"1.1.1.1\";"] {
            assert_eq!((broken(test, line), broken(code, line)), (1, 1), "{line}");
        }
        for line in [
            "get(\"https://crates.io/x\")",
            "\"http://www.rust-lang.org\"",
        ] {
            assert_eq!((broken(test, line), broken(code, line)), (1, 0), "{line}");
        }
        for line in [
            "127.0.0.1:80 0.0.0.0 192.0.2.1 198.51.100.7 1.2.3 1.2.3.4.5 v1.88.0.x",
            "http://a.test https://example.com/ http://x.example.org http://{addr}/ http://localhost:1",
        ] {
            assert_eq!((broken(test, line), broken(code, line)), (0, 0), "{line}");
        }
    }
}
