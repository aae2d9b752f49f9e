//! `tidy`: the rules of this repository that no public tool checks, each a function over source texts
//! (and one over the history). What clippy, rustdoc or cargo can check is theirs: see the lints in the
//! root's Cargo.toml and the clippy.toml files.

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::run;
use source::Source;

mod arrows;
mod baseline;
mod limits;
mod lines;
mod loopback;
mod paths;
mod requirements;
mod source;
mod texts;

/// A rule that was broken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    path: String,
    /// From 1; 0 stands for the file as a whole.
    line: usize,
    message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

impl Violation {
    fn at(source: &Source, line: usize, message: impl Into<String>) -> Violation {
        Violation::in_file(&source.path, line, message)
    }

    fn of(source: &Source, message: impl Into<String>) -> Violation {
        Violation::at(source, 0, message)
    }

    fn in_file(path: &str, line: usize, message: impl Into<String>) -> Violation {
        let (path, message) = (path.to_owned(), message.into());
        Violation {
            path,
            line,
            message,
        }
    }
}

type Rule = fn(&[Source]) -> Vec<Violation>;

/// The rules. Above each stands why it is ours to check.
const RULES: [(&str, Rule); 9] = [
    // Lints know crates and items, not our layers; cargo-deny stops at crates.
    ("imports point downward", arrows::layers),
    // cargo-modules finds circles, but has no list of the allowed ones with their reasons.
    ("no circle of modules", arrows::circles),
    // rustdoc knows `# Errors` and `# Panics`; no lint asks for `# Cancel safety`.
    (
        "public async fns say what dropping them does",
        texts::cancel_safety,
    ),
    // rustc's dead_code is silent on what is public.
    ("every limit is used", limits::check),
    // clippy's `too_many_lines` counts functions, not files; it has no count of `cfg` or of comments.
    (
        "files are short, features few, comments there",
        texts::sizes,
    ),
    // clippy has no list of identifiers, and does not read comments, documents and manifests.
    ("no word that is gone, no loose end", lines::check),
    // cargo run --example compiles the example, and nothing compares it with the README.
    // Needs the history.
    ("the baseline is changed by itself", baseline::check),
    // Where no network namespace can be had, nothing else would see it.
    ("nothing reaches another machine", loopback::check),
    // The table is our own.
    ("every requirement has its tests", requirements::check),
];

pub(crate) fn run() -> Result<()> {
    let sources = source::load(run::root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        let violations = rule(&sources);
        violations
            .iter()
            .for_each(|violation| println!("{violation}"));
        if !violations.is_empty() {
            println!("    broken: {name}");
        }
        count += violations.len();
    }
    texts::figures(&sources)
        .iter()
        .for_each(|figure| println!("{figure}"));
    if count > 0 {
        bail!("tidy: {count} violations");
    }
    println!("tidy: {} files, {} rules", sources.len(), RULES.len());
    Ok(())
}

/// Whether `path` lies in the sources of crate `name`.
fn is_in_crate(path: &str, name: &str) -> bool {
    Path::new(path).starts_with(Path::new("crates").join(name).join("src"))
}

/// Whether `path` lies in the sources of a published library.
fn is_library(path: &str) -> bool {
    is_in_crate(path, "turbohttp") || is_in_crate(path, "turbohttp-core")
}

#[cfg(test)]
fn plant(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}

/// What a rule says of planted sources.
#[cfg(test)]
fn said(rule: Rule, sources: &[Source]) -> Vec<String> {
    rule(sources).iter().map(ToString::to_string).collect()
}
