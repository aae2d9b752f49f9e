//! `tidy`: the house rules that clippy does not know, each a function over source texts (and one over the history).

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::run;
use source::Source;

mod arrows;
mod async_docs;
mod baseline;
mod bounded;
mod claims;
mod coverage;
mod features;
mod functions;
mod limits;
mod literals;
mod loopback;
mod purity;
mod quickstart;
mod size;
mod source;
mod spawning;
mod unsafety;
mod words;

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
        Violation {
            path: source.path.clone(),
            line,
            message: message.into(),
        }
    }

    fn of(source: &Source, message: impl Into<String>) -> Violation {
        Violation::at(source, 0, message)
    }
}

type Rule = fn(&[Source]) -> Vec<Violation>;

const RULES: [(&str, Rule); 15] = [
    ("imports point downward", arrows::check),
    (
        "core names no socket, clock, thread or runtime",
        purity::check,
    ),
    ("unsafe is forbidden", unsafety::check),
    ("few features in the code", features::check),
    ("files can be read at a sitting", size::check),
    (
        "every public async fn says what dropping it does",
        async_docs::check,
    ),
    ("every limit is used", limits::check),
    ("nothing grows without a bound", bounded::check),
    ("few files spawn", spawning::check),
    ("the README shows code that compiles", quickstart::check),
    ("claims stand on tests", claims::check),
    ("the baseline is changed by itself", baseline::check),
    ("nothing reaches another machine", loopback::check),
    (
        "every row of the checklist is tested or deferred",
        coverage::check,
    ),
    ("no loose ends", words::check),
];

pub(crate) fn run() -> Result<()> {
    let sources = source::load(run::root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        let violations = rule(&sources);
        for violation in &violations {
            println!("{violation}");
        }
        if !violations.is_empty() {
            println!("    broken: {name}");
        }
        count += violations.len();
    }
    for question in size::questions(&sources) {
        println!("{question}");
    }
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

/// Whether `path` lies somewhere below `folder`.
fn is_in_folder(path: &str, folder: &str) -> bool {
    Path::new(path).starts_with(folder)
}

#[cfg(test)]
fn plant(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}
