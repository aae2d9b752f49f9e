//! Imports point downward: the layers of `turbohttp` and the few arrows inside `turbohttp-core`.
//!
//! Read from every `crate::` path in the code, not from `use` lines alone. A name that the crate's
//! root exports is looked up in its `pub use` lines.

use std::collections::BTreeMap;

use super::source::Source;
use super::{Violation, is_in_crate};

/// The modules of `turbohttp`, lowest first. A module may name its own layer and those below.
const LAYERS: [&[&str]; 8] = [
    &["error", "guide", "limits", "clock", "config", "trace"],
    &["scheduler"],
    &["url", "body", "context", "request", "response"],
    &["transport"],
    &["net"],
    &["middleware"],
    &["limiter"],
    &["client", "queue"],
];

const ROOT: &str = "crates/turbohttp/src/lib.rs";

/// An upward arrow that is there for a reason.
struct Exception {
    from: &'static str,
    to: &'static str,
    name: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 2] = [
    Exception {
        from: "transport",
        to: "net",
        name: "NetTransport",
        reason: "a client holds the network as it is, which saves a box per request",
    },
    Exception {
        from: "transport",
        to: "net",
        name: "NetSend",
        reason: "and so its future",
    },
];

/// What every module of core may name: leaves that name nothing themselves.
const CORE_LEAVES: [&str; 4] = ["ascii", "contain", "earlier", "sync"];

/// What the modules of core may name besides themselves and the leaves.
const CORE_ARROWS: [(&str, &str); 3] = [
    ("scheduler", "origin"),
    ("h1", "head"),
    ("timeline", "pool"),
];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = client(sources);
    violations.extend(core(sources));
    violations
}

fn client(sources: &[Source]) -> Vec<Violation> {
    let exports = exports(sources);
    let mut violations = Vec::new();
    let mut used = [false; EXCEPTIONS.len()];
    for source in in_crate(sources, "turbohttp") {
        let from = module_of(source, "turbohttp");
        let Some(layer) = layer_of(from) else {
            let message = format!("module {from} has no layer: add it to LAYERS of tidy");
            violations.push(Violation::of(source, message));
            continue;
        };
        for arrow in arrows(source, &exports) {
            let Some(target) = layer_of(&arrow.to) else {
                continue;
            };
            if target <= layer {
                continue;
            }
            match exception(from, &arrow) {
                Some(index) => used[index] = true,
                None => {
                    let message =
                        format!("{from} names {}::{}, a layer above", arrow.to, arrow.name);
                    violations.push(Violation::at(source, arrow.line, message));
                }
            }
        }
    }
    // A tree without the crate's root is a planted one, which uses no exception.
    if let Some(root) = sources.iter().find(|source| source.path == ROOT) {
        for (exception, _) in EXCEPTIONS.iter().zip(used).filter(|(_, used)| !used) {
            let Exception {
                from,
                to,
                name,
                reason,
            } = exception;
            let message = format!(
                "{from} names {to}::{name} no more ({reason}): remove the exception from tidy"
            );
            violations.push(Violation::of(root, message));
        }
    }
    violations
}

fn core(sources: &[Source]) -> Vec<Violation> {
    let exports = BTreeMap::new();
    let mut violations = Vec::new();
    for source in in_crate(sources, "turbohttp-core") {
        let from = module_of(source, "turbohttp-core");
        for arrow in arrows(source, &exports) {
            let to = arrow.to.as_str();
            if to != from && !CORE_LEAVES.contains(&to) && !CORE_ARROWS.contains(&(from, to)) {
                let message = format!("core's {from} names {to}");
                violations.push(Violation::at(source, arrow.line, message));
            }
        }
    }
    violations
}

fn exception(from: &str, arrow: &Arrow) -> Option<usize> {
    EXCEPTIONS.iter().position(|exception| {
        (exception.from, exception.to, exception.name) == (from, &arrow.to, &arrow.name)
    })
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn in_crate<'a>(sources: &'a [Source], name: &'a str) -> impl Iterator<Item = &'a Source> {
    let is_root = |source: &Source| source.path.ends_with("/src/lib.rs");
    sources
        .iter()
        .filter(move |source| source.is_rust() && is_in_crate(&source.path, name))
        .filter(move |source| !is_root(source))
}

/// The first part of the path below `src`.
fn module_of<'a>(source: &'a Source, name: &str) -> &'a str {
    let below = &source.path["crates/".len() + name.len() + "/src/".len()..];
    let first = below.split('/').next().unwrap_or(below);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// One path from a file to a module.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    line: usize,
    to: String,
    name: String,
}

fn arrows(source: &Source, exports: &BTreeMap<String, String>) -> Vec<Arrow> {
    let code = source.code();
    // Joined, as an import may go over several lines; the line is found again by the offset.
    let mut text = String::new();
    let mut starts = Vec::new();
    for (number, line) in &code {
        starts.push((text.len(), *number));
        text.push_str(line);
        text.push('\n');
    }
    let line_of = |at: usize| {
        let index = starts.partition_point(|(start, _)| *start <= at);
        starts[index.saturating_sub(1)].1
    };
    let mut arrows = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let starts_word = !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        // `$crate::` of a macro names this crate from another one.
        if starts_word && !text[..at].ends_with('$') {
            for path in expand(&text[at + "crate::".len()..]) {
                arrows.extend(resolve(&path, exports).into_iter().map(|(to, name)| Arrow {
                    line: line_of(at),
                    to,
                    name,
                }));
            }
        }
    }
    arrows
}

/// Module and name of a path below the crate's root.
fn resolve(path: &[String], exports: &BTreeMap<String, String>) -> Option<(String, String)> {
    let first = path.first()?;
    if let Some(module) = exports.get(first) {
        return Some((module.clone(), first.clone()));
    }
    let is_module = first.starts_with(|c: char| c.is_ascii_lowercase());
    is_module.then(|| (first.clone(), path.last().cloned().unwrap_or_default()))
}

/// The paths that a path with braces stands for: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let (mut paths, mut depth, mut from) = (Vec::new(), 0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    if !group[from..at].trim().is_empty() {
                        paths.extend(expand(&group[from..at]));
                    }
                    from = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
        return paths;
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = text[..end].to_owned();
    match text[end..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c == '{' || c.is_alphabetic()) => {
            let tails = expand(rest);
            tails
                .into_iter()
                .map(|tail| [vec![name.clone()], tail].concat())
                .collect()
        }
        _ => vec![vec![name]],
    }
}

/// The names that the root of `turbohttp` exports, each with the module it comes from.
fn exports(sources: &[Source]) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    let Some(root) = sources.iter().find(|source| source.path == ROOT) else {
        return exports;
    };
    let lines: Vec<&str> = root.code().into_iter().map(|(_, line)| line).collect();
    for statement in lines.join(" ").split("pub use ").skip(1) {
        for path in expand(statement) {
            if let [module, .., name] = &path[..]
                && layer_of(module).is_some()
            {
                exports.insert(name.clone(), module.clone());
            }
        }
    }
    exports
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    fn messages(sources: &[Source]) -> Vec<String> {
        check(sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn upward_arrows_are_found_wherever_they_stand() {
        let sources = [
            plant(
                "crates/turbohttp/src/lib.rs",
                "pub use client::{Client, Stats};\npub use error::Error;\n",
            ),
            plant(
                "crates/turbohttp/src/net/h1/mod.rs",
                "use crate::error::Error;\nuse crate::middleware::Stack;\n",
            ),
            plant(
                "crates/turbohttp/src/body.rs",
                "fn f() -> crate::Client {}\n",
            ),
            plant(
                "crates/turbohttp/src/url.rs",
                "use crate::{\n    error::Error,\n    net::{Tls, NetStats},\n};\n",
            ),
            plant(
                "crates/turbohttp/src/client/mod.rs",
                "use crate::net::NetStats;\nuse crate::Error;\n",
            ),
        ];
        let found: Vec<String> = messages(&sources)
            .into_iter()
            .filter(|message| message.contains("a layer above"))
            .collect();
        assert_eq!(
            found,
            [
                "crates/turbohttp/src/net/h1/mod.rs:2: net names middleware::Stack, a layer above",
                "crates/turbohttp/src/body.rs:1: body names client::Client, a layer above",
                "crates/turbohttp/src/url.rs:1: url names net::Tls, a layer above",
                "crates/turbohttp/src/url.rs:1: url names net::NetStats, a layer above",
            ]
        );
    }

    #[test]
    fn exceptions_hold_for_one_name_only() {
        let sources = [plant(
            "crates/turbohttp/src/transport/mod.rs",
            "use crate::net::{NetTransport, NetStats};\n",
        )];
        assert_eq!(
            messages(&sources),
            [
                "crates/turbohttp/src/transport/mod.rs:1: transport names net::NetStats, a layer above"
            ]
        );
    }

    #[test]
    fn an_exception_that_nobody_needs_is_found() {
        let found = messages(&[plant(ROOT, "")]);
        assert_eq!(found.len(), EXCEPTIONS.len());
        assert!(found[0].contains("remove the exception"), "{found:?}");
    }

    #[test]
    fn a_module_without_a_layer_is_found() {
        let found = messages(&[plant("crates/turbohttp/src/drawer.rs", "")]);
        assert!(found[0].contains("module drawer has no layer"), "{found:?}");
    }

    #[test]
    fn modules_of_core_keep_to_themselves() {
        let sources = [
            plant(
                "crates/turbohttp-core/src/pool/object.rs",
                "use crate::sync::Arc;\nuse crate::timeline::Phase;\n",
            ),
            plant(
                "crates/turbohttp-core/src/h1/body.rs",
                "use crate::head::ResponseHead;\n",
            ),
            plant(
                "crates/turbohttp-core/src/head.rs",
                "use crate::h1::ParseError;\n",
            ),
        ];
        assert_eq!(
            messages(&sources),
            [
                "crates/turbohttp-core/src/pool/object.rs:2: core's pool names timeline",
                "crates/turbohttp-core/src/head.rs:1: core's head names h1",
            ]
        );
    }
}
