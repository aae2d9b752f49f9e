//! Imports point downward, and no circle of files: read from every path in the code, not from `use`
//! alone; a name that is exported again is followed to the file that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::paths::{Arrow, Crate};
use super::source::Source;

/// The modules of `turbohttp`, lowest first. A module may name its own layer and those below.
const LAYERS: [&[&str]; 9] = [
    &["error", "guide", "limits", "clock", "config", "trace"],
    &["scheduler"],
    &["url", "body", "context", "request", "response"],
    &["transport"],
    &["net"],
    &["attempt"],
    &["middleware"],
    &["limiter"],
    &["client", "queue"],
];

/// The file that every check of the real tree finds; a planted tree has none and uses no exception.
const ROOT: &str = "crates/turbohttp/src/lib.rs";

/// An upward arrow (from module, to module, name) and its reason.
const UPWARD: [(&str, &str, &str, &str); 2] = [
    (
        "transport",
        "net",
        "NetTransport",
        "a client holds the network as it is: no box per request",
    ),
    ("transport", "net", "NetSend", "and so its future"),
];

/// What every module of core may name: leaves that name nothing themselves.
const CORE_LEAVES: [&str; 4] = ["ascii", "contain", "earlier", "sync"];

/// What the modules of core may name besides themselves and the leaves.
const CORE_ARROWS: [(&str, &str); 3] = [
    ("scheduler", "origin"),
    ("h1", "head"),
    ("timeline", "pool"),
];

/// Arrows (from file, to file, both below `crates`) that close a circle, each with its reason.
const CIRCLES: [(&str, &str, &str); 6] = [
    (
        "turbohttp/src/body/response.rs",
        "turbohttp/src/context.rs",
        "a body records its time in the context that holds it",
    ),
    (
        "turbohttp/src/request.rs",
        "turbohttp/src/response.rs",
        "a request is sent for a response, which gives it back",
    ),
    (
        "turbohttp/src/net/connect.rs",
        "turbohttp/src/net/connection.rs",
        "a route says what is connected, and a connection is one of a route",
    ),
    (
        "turbohttp/src/net/h1/mod.rs",
        "turbohttp/src/net/connection.rs",
        "a variant of the enum has the route of the whole",
    ),
    (
        "turbohttp/src/transport/mod.rs",
        "turbohttp/src/net/mod.rs",
        "a client holds the network as it is: no box per request",
    ),
    (
        "turbohttp/src/transport/mod.rs",
        "turbohttp/src/net/send.rs",
        "and so its future",
    ),
];

// TEMPORARY: these files are being rewritten on another branch. Remove this when that is merged.
const REWRITTEN_ELSEWHERE: &str = "crates/turbohttp/src/queue/";

pub(super) fn layers(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut unused: BTreeSet<_> = UPWARD.into_iter().collect();
    let (ours, core) = (
        Crate::read(sources, "turbohttp"),
        Crate::read(sources, "turbohttp-core"),
    );
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let tops = |arrow: &Arrow<'_>| (arrow.from.module[0].clone(), arrow.to.module[0].clone());
    for arrow in ours.arrows() {
        let (from, to) = tops(&arrow);
        let name = arrow.name.as_str();
        let (Some(layer), Some(target)) = (layer_of(&from), layer_of(&to)) else {
            let message = format!("{from} or {to} has no layer: add it to LAYERS of tidy");
            violations.push(Violation::at(arrow.from.source, arrow.line, message));
            continue;
        };
        let is_this = |allowed: &&(&str, &str, &str, &str)| {
            (allowed.0, allowed.1, allowed.2) == (from.as_str(), to.as_str(), name)
        };
        if let Some(allowed) = UPWARD.iter().find(is_this) {
            unused.remove(allowed);
        } else if target > layer {
            let message = format!("{from} names {to}::{name}, a layer above");
            violations.push(Violation::at(arrow.from.source, arrow.line, message));
        }
    }
    for arrow in core.arrows() {
        let (from, to) = tops(&arrow);
        let pair = (from.as_str(), to.as_str());
        if from != to && !CORE_LEAVES.contains(&pair.1) && !CORE_ARROWS.contains(&pair) {
            let message = format!("core's {from} names {to}");
            violations.push(Violation::at(arrow.from.source, arrow.line, message));
        }
    }
    if sources.iter().any(|source| source.path == ROOT) {
        violations.extend(unused.into_iter().map(|(from, to, name, reason)| {
            let message = format!("{from} names {to}::{name} no more ({reason}): remove it");
            Violation::in_file(ROOT, 0, message)
        }));
    }
    violations
}

/// Files of which each reaches the other, apart from the arrows in [`CIRCLES`].
pub(super) fn circles(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut unused: BTreeSet<_> = CIRCLES.into_iter().collect();
    for name in ["turbohttp", "turbohttp-core"] {
        let files = Crate::read(sources, name);
        let mut names: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
        // A parent declares its children and shows what they have: that is no arrow of its own.
        let is_own = |arrow: &Arrow<'_>| arrow.to.module.starts_with(&arrow.from.module);
        for arrow in files.arrows().into_iter().filter(|arrow| !is_own(arrow)) {
            let ends = (
                arrow.from.source.path.as_str(),
                arrow.to.source.path.as_str(),
            );
            names.entry(ends).or_default().insert(arrow.name);
        }
        let is_allowed = |ends: (&str, &str), allowed: &(&str, &str, &str)| {
            ends.0.ends_with(allowed.0) && ends.1.ends_with(allowed.1)
        };
        unused.retain(|allowed| !names.keys().any(|ends| is_allowed(*ends, allowed)));
        names.retain(|ends, _| !CIRCLES.iter().any(|allowed| is_allowed(*ends, allowed)));
        for ((from, to), taken) in &names {
            if !from.starts_with(REWRITTEN_ELSEWHERE) && reach(&names, to).contains(from) {
                let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
                let message = format!("in a circle: takes {} from {to}", taken.join(", "));
                violations.push(Violation::in_file(from, 0, message));
            }
        }
    }
    if sources.iter().any(|source| source.path == ROOT) {
        violations.extend(unused.into_iter().map(|(from, to, reason)| {
            let message = format!("{from} names {to} no more ({reason}): remove it from CIRCLES");
            Violation::in_file(ROOT, 0, message)
        }));
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
    use super::super::{plant, said};
    use super::*;

    fn planted(files: &[(&str, &str)]) -> Vec<Source> {
        files
            .iter()
            .map(|(path, text)| plant(&format!("crates/{path}"), text))
            .collect()
    }

    #[test]
    fn upward_arrows_are_found_wherever_they_stand() {
        let mut sources = planted(&[
            (
                "turbohttp/src/lib.rs",
                "pub use client::{Client, Stats};\npub use error::Error;\n",
            ),
            ("turbohttp/src/error.rs", ""),
            ("turbohttp/src/middleware.rs", ""),
            ("turbohttp/src/net/mod.rs", "mod h1;\n"),
            (
                "turbohttp/src/net/h1.rs",
                "use crate::error::Error;\nuse crate::middleware::Next;\n",
            ),
            (
                "turbohttp/src/body.rs",
                "// crate::net::X\nfn f() -> crate::Client {}\n",
            ),
            (
                "turbohttp/src/url.rs",
                "use crate::{\n    error::Error,\n    net::{Tls, NetStats},\n};\n",
            ),
            (
                "turbohttp/src/client/mod.rs",
                "use crate::net::NetStats;\nuse crate::Error;\n",
            ),
            (
                "turbohttp/src/transport.rs",
                "use crate::net::{NetTransport, NetStats};\n",
            ),
            ("turbohttp/src/other.rs", "use super::net;\n"),
        ]);
        // Without the root's own sources no exception counts as unused.
        let found = said(layers, &sources);
        for message in [
            "net/h1.rs:2: net names middleware::Next, a layer above",
            "body.rs:2: body names client::Client, a layer above",
            "url.rs:1: url names net::Tls, a layer above",
            "transport.rs:1: transport names net::NetStats, a layer above",
            "other.rs:1: other or net has no layer",
            "transport names net::NetSend no more",
        ] {
            assert!(
                found.iter().any(|said| said.contains(message)),
                "{message}: {found:#?}"
            );
        }
        assert_eq!(found.len(), 7, "{found:#?}");
        sources.retain(|source| source.path.ends_with("error.rs"));
        assert!(layers(&sources).is_empty());
    }

    #[test]
    fn core_keeps_to_its_arrows() {
        let found = said(
            layers,
            &planted(&[
                (
                    "turbohttp-core/src/h1/body.rs",
                    "use crate::head::X;\nuse crate::pool::Y;\n",
                ),
                ("turbohttp-core/src/head.rs", "use crate::sync::Mutex;\n"),
                ("turbohttp-core/src/pool/mod.rs", ""),
                ("turbohttp-core/src/sync.rs", ""),
                ("turbohttp-core/src/lib.rs", "mod h1;\n"),
            ]),
        );
        assert_eq!(
            found,
            ["crates/turbohttp-core/src/h1/body.rs:2: core's h1 names pool"]
        );
    }

    #[test]
    fn a_circle_is_found_through_exports_and_parents() {
        let found = said(
            circles,
            &planted(&[
                (
                    "turbohttp-core/src/net/mod.rs",
                    "mod a;\nmod b;\nmod c;\npub(crate) use b::B;\n",
                ),
                // Through the parent's export, which is the arrow to `b`.
                ("turbohttp-core/src/net/a.rs", "use super::B;\n"),
                (
                    "turbohttp-core/src/net/b.rs",
                    "fn f(_: crate::net::a::A) {}\n",
                ),
                ("turbohttp-core/src/net/c.rs", "use super::a;\n"),
                ("turbohttp-core/src/lib.rs", "mod net;\n"),
            ]),
        );
        assert_eq!(
            found,
            [
                "crates/turbohttp-core/src/net/a.rs: in a circle: takes B from crates/turbohttp-core/src/net/b.rs",
                "crates/turbohttp-core/src/net/b.rs: in a circle: takes A from crates/turbohttp-core/src/net/a.rs",
            ]
        );
    }
}
