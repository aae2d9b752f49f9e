//! Rules over whole files: how long they are, how much they explain, and what their docs must have.

use super::source::Source;
use super::{Violation, is_in_crate, is_library};

/// Lines of code, without comments and tests, beyond which a file is to be split; and asked about.
const CODE_LINES_MAX: usize = 600;
const CODE_LINES_ASKED: usize = 400;

/// Uses of `cfg(feature` in `turbohttp/src`: each doubles what has to be thought through.
const CFG_FEATURE_MAX: usize = 40;

/// Lines of `//` for 100 lines of code in the libraries, at least.
const COMMENTS_PER_100_MIN: f64 = 3.0;

const HEADING: &str = "/// # Cancel safety";

/// Every `pub async fn` of the libraries has a section `# Cancel safety`.
pub(super) fn cancel_safety(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| is_library(&source.path)) {
        let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
        for (index, line) in lines.iter().enumerate() {
            let above = lines[..index].iter().rev();
            let mut docs =
                above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
            if line.starts_with("pub async fn") && !docs.any(|line| *line == HEADING) {
                let message = "public async fn without a `# Cancel safety` section";
                violations.push(Violation::at(source, index + 1, message));
            }
        }
    }
    violations
}

pub(super) fn sizes(sources: &[Source]) -> Vec<Violation> {
    let mut violations: Vec<Violation> = longer_than(sources, CODE_LINES_MAX)
        .map(|(source, lines)| {
            let message = format!("{lines} lines of code, at most {CODE_LINES_MAX}: split it");
            Violation::of(source, message)
        })
        .collect();
    let cfgs =
        |text: &str| text.matches("cfg(feature").count() + text.matches("cfg(not(feature").count();
    let ours = sources
        .iter()
        .filter(|source| is_in_crate(&source.path, "turbohttp"));
    let cfgs: usize = ours.map(|source| cfgs(&source.text)).sum();
    if cfgs > CFG_FEATURE_MAX {
        let message = format!("{cfgs} uses of cfg(feature, at most {CFG_FEATURE_MAX}");
        violations.push(Violation::in_file("crates/turbohttp/src", 0, message));
    }
    // A tree without any code is a planted one.
    let density = comments_per_100(sources);
    if density < COMMENTS_PER_100_MIN {
        let message =
            format!("{density:.2} comment lines per 100 of code, at least {COMMENTS_PER_100_MIN}");
        violations.push(Violation::in_file("crates/turbohttp*/src", 0, message));
    }
    violations
}

/// What is printed of a tree that breaks nothing.
pub(super) fn figures(sources: &[Source]) -> Vec<String> {
    let long = longer_than(sources, CODE_LINES_ASKED);
    let mut figures: Vec<String> = long
        .map(|(source, lines)| format!("{}: {lines} lines of code: why?", source.path))
        .collect();
    figures.push(format!(
        "comment lines per 100 lines of library code: {:.2}",
        comments_per_100(sources)
    ));
    figures
}

fn longer_than(sources: &[Source], most: usize) -> impl Iterator<Item = (&Source, usize)> {
    let rust = sources.iter().filter(|source| source.is_rust());
    let counted = rust.map(|source| (source, source.code().len()));
    counted.filter(move |(_, lines)| *lines > most)
}

/// Lines with a `//` comment, docs aside, for each 100 lines of code of the libraries.
fn comments_per_100(sources: &[Source]) -> f64 {
    let (mut comments, mut code) = (0, 0);
    for source in sources
        .iter()
        .filter(|source| is_library(&source.path) && source.is_rust())
    {
        code += source.code().len();
        comments += source.comments();
    }
    match code {
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
        assert_eq!((found.len(), found[0].line), (1, 10));
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
            plant(
                "crates/turbohttp/src/net/mod.rs",
                &"#[cfg(feature = 1)] // y\n".repeat(count),
            )
        };
        assert_eq!(
            (
                sizes(&[cfgs(CFG_FEATURE_MAX)]).len(),
                sizes(&[cfgs(41)]).len()
            ),
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
