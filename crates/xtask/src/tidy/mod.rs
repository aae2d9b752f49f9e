//! `tidy`: the rules of this repository that no public tool checks, each a function over source texts
//! (and one over the history). What clippy, rustdoc or cargo can check is theirs: see the lints in the
//! root's Cargo.toml and the clippy.toml files.

use anyhow::{Result, ensure};

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

/// What a rule says of the sources: where it was broken, and how.
type Rule = fn(&[Source]) -> Vec<String>;

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
    ensure!(count == 0, "tidy: {count} violations");
    println!("tidy: {} files, {} rules", sources.len(), RULES.len());
    Ok(())
}

#[cfg(test)]
fn plant(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}
