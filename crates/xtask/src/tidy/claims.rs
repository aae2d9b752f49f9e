//! Claims in the guide stand on tests that exist: every test that a page names is a test function.

use super::source::Source;
use super::{Violation, functions};

/// Where the pages are.
const PAGES: &str = "/docs/";

/// What introduces the names, each in backquotes, up to the end of the list or of the table's cell.
const INTRODUCTIONS: [&str; 3] = ["(test `", "(tests `", "| **tests** |"];

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let tests: Vec<&str> = functions::all(sources)
        .into_iter()
        .map(|test| test.name)
        .collect();
    let pages = sources.iter().filter(|source| is_page(source));
    pages.flat_map(|page| missing(page, &tests)).collect()
}

fn is_page(source: &Source) -> bool {
    source.path.contains(PAGES) && source.path.ends_with(".md")
}

fn missing(page: &Source, tests: &[&str]) -> Vec<Violation> {
    let unknown = |name: &&str| !tests.contains(name);
    let violation =
        |name| Violation::of(page, format!("names the test {name}, which is not there"));
    names(&page.text)
        .into_iter()
        .filter(unknown)
        .map(violation)
        .collect()
}

/// The names that a text gives to the tests behind its claims.
fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for introduction in INTRODUCTIONS {
        for (at, _) in text.match_indices(introduction) {
            let is_row = introduction.starts_with('|');
            let end = if is_row { "\n" } else { ")" };
            let list = text[at..].split(end).next().unwrap_or_default();
            names.extend(list.split('`').skip(1).step_by(2));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_claim_without_its_test_is_found() {
        let page = "It holds (test `it_holds`), and more (tests\n`a_b`, `c_d`).\n| **tests** | `e_f`, `it_holds` |\n";
        let page = || {
            plant(
                "crates/x/docs/page.md",
                &page.replace("(tests\n`", "(tests `"),
            )
        };
        let code =
            "#[test]\nfn it_holds() {}\n\n#[tokio::test]\nasync fn a_b() {}\n\nfn c_d() {}\n";
        let code = || plant("crates/x/tests/it.rs", code);
        let broken: Vec<_> = check(&[page(), code()])
            .into_iter()
            .map(|v| v.message)
            .collect();
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert!(
            broken[0].contains("c_d") && broken[1].contains("e_f"),
            "{broken:?}"
        );
    }
}
