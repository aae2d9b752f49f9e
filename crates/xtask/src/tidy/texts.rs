//! Rules over whole files: how long they are, how much they explain, and what their docs must have.

use super::source::Source;
use crate::run;

/// Lines of code, without comments and tests, beyond which a file is to be split; and asked about.
const CODE_LINES_MAX: usize = 600;
const CODE_LINES_ASKED: usize = 400;

/// Uses of `cfg(feature` in `turbohttp/src`: each doubles what has to be thought through.
const CFG_FEATURE_MAX: usize = 60;

/// Lines of `//` for 100 lines of code in the libraries, at least.
const COMMENTS_PER_100_MIN: f64 = 3.0;

/// A `pub async fn`, with the docs and attributes above it.
const ASYNC: &str = r"(?m)^((?:[ \t]*(?:///|#\[).*\n)*)[ \t]*(pub async fn)";

const HEADING: &str = r"(?m)^\s*/// # Cancel safety$";

/// Every `pub async fn` of the libraries has a section `# Cancel safety`.
pub(super) fn cancel_safety(sources: &[Source]) -> Vec<String> {
    let [function, heading] = [ASYNC, HEADING].map(run::pattern);
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| source.is_library()) {
        let functions = function.captures_iter(&source.text);
        for found in functions.filter(|found| !heading.is_match(&found[1])) {
            let at = found.get(2).map_or(0, |name| name.start());
            let line = source.text[..at].matches('\n').count() + 1;
            violations.push(source.at(line, "public async fn without a `# Cancel safety` section"));
        }
    }
    violations
}

pub(super) fn sizes(sources: &[Source]) -> Vec<String> {
    let mut violations = longer_than(sources, CODE_LINES_MAX, "split it");
    let cfg = run::pattern(r"cfg\((?:not\()?feature");
    let ours = sources.iter().filter(|source| source.is_in("turbohttp"));
    let cfgs: usize = ours.map(|source| cfg.find_iter(&source.text).count()).sum();
    if cfgs > CFG_FEATURE_MAX {
        violations.push(format!(
            "turbohttp: {cfgs} uses of cfg(feature, at most {CFG_FEATURE_MAX}"
        ));
    }
    let density = comments_per_100(sources);
    if density < COMMENTS_PER_100_MIN {
        violations.push(format!(
            "the libraries: {density:.2} comment lines per 100 of code, at least {COMMENTS_PER_100_MIN}"
        ));
    }
    violations
}

/// What is printed of a tree that breaks nothing.
pub(super) fn figures(sources: &[Source]) -> Vec<String> {
    let mut figures = longer_than(sources, CODE_LINES_ASKED, "why?");
    let density = comments_per_100(sources);
    figures.push(format!(
        "comment lines per 100 lines of library code: {density:.2}"
    ));
    figures
}

fn longer_than(sources: &[Source], most: usize, then: &str) -> Vec<String> {
    let rust = sources.iter().filter(|source| source.is_rust());
    let counted = rust.map(|source| (&source.path, source.code().len()));
    let longer = counted.filter(|(_, lines)| *lines > most);
    longer
        .map(|(path, lines)| format!("{path}: {lines} lines of code, more than {most}: {then}"))
        .collect()
}

/// Lines with a `//` comment, docs aside, for each 100 lines of code of the libraries.
fn comments_per_100(sources: &[Source]) -> f64 {
    let ours = sources
        .iter()
        .filter(|source| source.is_library() && source.is_rust());
    let counts = ours.map(|source| (source.comments(), source.code().len()));
    let (comments, code) = counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    match code {
        // A planted tree.
        0 => f64::INFINITY,
        code => 100.0 * comments as f64 / code as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_future_of_unknown_cancellation_is_found() {
        let text = "/// Sends.\n///\n/// # Cancel safety\n///\n/// Yes.\n#[cfg(x)]\npub async fn a() {}\n\n\
                    /// Sends.\npub async fn b() {}\n\npub(crate) async fn c() {}\n";
        let found = cancel_safety(&[plant("crates/turbohttp/src/response.rs", text)]);
        assert!(
            found.len() == 1 && found[0].contains("response.rs:10: "),
            "{found:?}"
        );
        assert!(cancel_safety(&[plant("crates/turbohttp-cli/src/main.rs", text)]).is_empty());
    }

    #[test]
    fn long_files_and_one_feature_too_many_are_found() {
        let file = |lines: usize| [plant("crates/a/src/b.rs", &"x();\n// y\n".repeat(lines))];
        assert_eq!(
            (figures(&file(400)).len(), figures(&file(401)).len()),
            (1, 2)
        );
        assert_eq!((sizes(&file(600)).len(), sizes(&file(601)).len()), (0, 1));
        let cfgs = |count| {
            let text = "#[cfg(feature = 1)] // y\n#[cfg(not(feature = 1))]\n".repeat(count);
            sizes(&[plant("crates/turbohttp/src/net/mod.rs", &text)]).len()
        };
        assert_eq!(
            (cfgs(CFG_FEATURE_MAX / 2), cfgs(CFG_FEATURE_MAX / 2 + 1)),
            (0, 1)
        );
    }

    #[test]
    fn code_that_explains_nothing_is_found() {
        let file = |comments: usize| {
            let text = "// why\n".repeat(comments) + &"/// Doc.\nx();\n".repeat(100);
            [plant("crates/turbohttp/src/a.rs", &text)]
        };
        assert_eq!((sizes(&file(3)).len(), sizes(&file(2)).len()), (0, 1));
    }
}
