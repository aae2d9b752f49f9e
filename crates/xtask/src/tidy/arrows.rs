//! Imports point downward, and no circle of files: read from every path in the code, not from `use`
//! alone; a name that is exported again is followed to the file that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::Crate;
use super::source::Source;

/// The modules of `turbohttp`, lowest first. A module may name its own layer and those below.
const LAYERS: [&[&str]; 12] = [
    &[
        "auth",
        "clock",
        "config",
        "cookies",
        "error",
        "guide",
        "limits",
        "retry_after",
        "trace",
    ],
    &["scheduler"],
    &["url", "body", "context", "multipart", "request", "response"],
    &["decode", "transport"],
    &["cache", "net", "policy"],
    &["carrier", "hickory"],
    &["attempt"],
    &["follow"],
    &["middleware"],
    &["limiter"],
    &["client", "queue"],
    &["download", "resilience", "tower"],
];

/// What every module of core may name: leaves that name nothing themselves.
const CORE_LEAVES: [&str; 4] = ["ascii", "contain", "earlier", "sync"];

/// What the modules of core may name besides themselves and the leaves.
const CORE_ARROWS: [(&str, &str); 5] = [
    ("scheduler", "origin"),
    ("h1", "head"),
    ("h2", "h1"),
    ("h2", "head"),
    ("timeline", "pool"),
];

/// Arrows between files that may close a circle.
const CIRCLES: [(&str, &str); 1] = [
    // A request is sent for a response, which gives it back.
    (
        "crates/turbohttp/src/request.rs",
        "crates/turbohttp/src/response.rs",
    ),
];

const LIBRARIES: [&str; 2] = ["turbohttp", "turbohttp-core"];

pub(super) fn layers(sources: &[Source]) -> Vec<String> {
    let mut violations = Vec::new();
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    for name in LIBRARIES {
        let files = Crate::read(sources, name);
        for arrow in files.arrows() {
            let (from, to) = (arrow.from.module[0].as_str(), arrow.to.module[0].as_str());
            let target = format!("{to}::{}", arrow.name);
            let message = match (name, layer_of(from), layer_of(to)) {
                ("turbohttp-core", ..) if from == to || is_in_core((from, to)) => continue,
                ("turbohttp-core", ..) => format!("core's {from} names {to}"),
                (_, Some(layer), Some(above)) if above <= layer => continue,
                (_, Some(_), Some(_)) => format!("{from} names {target}, a layer above"),
                _ => format!("{from} or {to} has no layer: add it to LAYERS of tidy"),
            };
            violations.push(arrow.from.source.at(arrow.line, &message));
        }
    }
    violations
}

fn is_in_core(pair: (&str, &str)) -> bool {
    CORE_LEAVES.contains(&pair.1) || CORE_ARROWS.contains(&pair)
}

/// Files of which each reaches the other, apart from the arrows in [`CIRCLES`]. A parent declares its
/// children and shows what they have: that is no arrow of its own.
pub(super) fn circles(sources: &[Source]) -> Vec<String> {
    let crates = LIBRARIES.map(|name| Crate::read(sources, name));
    let mut names: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    for arrow in crates.iter().flat_map(Crate::arrows) {
        if !arrow.to.module.starts_with(&arrow.from.module) {
            let ends = (&arrow.from.source.path[..], &arrow.to.source.path[..]);
            names.entry(ends).or_default().insert(arrow.name);
        }
    }
    let mut violations = Vec::new();
    // A planted tree has no README, and need not have what is allowed.
    let is_real = sources.iter().any(|source| source.path == "README.md");
    for (from, to) in CIRCLES {
        if names.remove(&(from, to)).is_none() && is_real {
            violations.push(format!("{from}: may take from {to}, and does not"));
        }
    }
    for ((from, to), taken) in &names {
        if reach(&names, to).contains(from) {
            let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
            violations.push(format!(
                "{from}: in a circle: takes {} from {to}",
                taken.join(", ")
            ));
        }
    }
    violations
}

/// Every file that can be reached from one.
fn reach<'a, T>(arrows: &BTreeMap<(&'a str, &'a str), T>, from: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        let next = arrows
            .keys()
            .filter(|(from, _)| *from == at)
            .map(|(_, to)| *to);
        open.extend(next.filter(|to| reached.insert(to)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    /// Files, each behind a line with its path below `crates`.
    fn planted(text: &str) -> Vec<Source> {
        let files = text
            .split("== ")
            .skip(1)
            .map(|file| file.split_once('\n').unwrap());
        files
            .map(|(path, text)| plant(&format!("crates/{path}"), text))
            .collect()
    }

    #[test]
    fn upward_arrows_are_found_wherever_they_stand() {
        let sources = planted(
            "== turbohttp/src/lib.rs
pub use client::{Client, Stats};
pub use error::Error;
== turbohttp/src/error.rs
== turbohttp/src/middleware.rs
== turbohttp/src/net/mod.rs
mod h1;
== turbohttp/src/net/h1.rs
use crate::error::Error;
use crate::middleware::Next;
== turbohttp/src/body.rs
// crate::net::X
fn f() -> crate::Client {}
== turbohttp/src/url.rs
use crate::{
    error::Error,
    net::{Tls, NetStats},
};
== turbohttp/src/client/mod.rs
use crate::net::NetStats;
use crate::Error;
== turbohttp/src/transport.rs
use crate::net::{NetTransport, NetStats};
== turbohttp/src/other.rs
use super::net;
",
        );
        let expected = [
            "body.rs:2: body names client::Client, a layer above",
            "net/h1.rs:2: net names middleware::Next, a layer above",
            "other.rs:1: other or net has no layer: add it to LAYERS of tidy",
            "transport.rs:1: transport names net::NetTransport, a layer above",
            "transport.rs:1: transport names net::NetStats, a layer above",
            "url.rs:3: url names net::Tls, a layer above",
            "url.rs:3: url names net::NetStats, a layer above",
        ];
        let expected = expected.map(|said| format!("crates/turbohttp/src/{said}"));
        assert_eq!(layers(&sources), expected);
        assert_eq!(circles(&[plant("README.md", "")]).len(), 1); // The allowed arrow is unused.
    }

    #[test]
    fn core_keeps_to_its_arrows() {
        let sources = planted(
            "== turbohttp-core/src/lib.rs
== turbohttp-core/src/h1/body.rs
use crate::head::X;
use crate::pool::Y;
== turbohttp-core/src/head.rs
use crate::sync::Mutex;
== turbohttp-core/src/pool/mod.rs
== turbohttp-core/src/sync.rs
",
        );
        let expected = "crates/turbohttp-core/src/h1/body.rs:2: core's h1 names pool";
        assert_eq!(layers(&sources), [expected]);
    }

    /// Through the parent's export, which is an arrow to the file that is exported.
    #[test]
    fn a_circle_is_found_through_exports_and_parents() {
        let sources = planted(
            "== turbohttp-core/src/lib.rs
== turbohttp-core/src/net/mod.rs
mod a;
pub(crate) use b::B;
== turbohttp-core/src/net/a.rs
use super::B;
== turbohttp-core/src/net/b.rs
fn f(_: crate::net::a::A) {}
== turbohttp-core/src/net/c.rs
use super::a;
",
        );
        let folder = "crates/turbohttp-core/src/net";
        let expected = [("a", "B", "b"), ("b", "A", "a")].map(|(from, name, to)| {
            format!("{folder}/{from}.rs: in a circle: takes {name} from {folder}/{to}.rs")
        });
        assert_eq!(circles(&sources), expected);
    }
}
