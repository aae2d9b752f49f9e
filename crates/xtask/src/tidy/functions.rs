//! The test functions of the workspace: where they stand, and what keeps them from running.

use std::path::Path;

use super::literals::code_lines;
use super::source::Source;

/// A function behind an attribute that makes it a test.
pub(super) struct TestFunction<'a> {
    pub(super) name: &'a str,
    pub(super) source: &'a Source,
    pub(super) is_ignored: bool,
    /// The conditions under which it is compiled, as they stand in parentheses: its own, those of its
    /// file, and those of the modules that lead to it.
    pub(super) conditions: Vec<&'a str>,
}

/// All of them.
pub(super) fn all(sources: &[Source]) -> Vec<TestFunction<'_>> {
    let rust = sources.iter().filter(|source| source.is_rust());
    rust.flat_map(|source| {
        let mut functions = of(source);
        if !functions.is_empty() {
            let outer = around(source, sources);
            for function in &mut functions {
                function.conditions.extend(&outer);
            }
        }
        functions
    })
    .collect()
}

/// Those of one source, with the conditions that stand at the functions themselves.
fn of(source: &Source) -> Vec<TestFunction<'_>> {
    let mut functions = Vec::new();
    let mut attributes: Vec<&str> = Vec::new();
    for line in code_lines(&source.text).map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let is_test = attributes.iter().any(|attribute| makes_a_test(attribute));
            if is_test && let Some(name) = rest.split(['(', '<']).next() {
                functions.push(TestFunction {
                    name,
                    source,
                    is_ignored: attributes.iter().any(|line| line.starts_with("#[ignore")),
                    conditions: attributes
                        .iter()
                        .filter_map(|line| condition(line))
                        .collect(),
                });
            }
            attributes.clear();
        } else if !line.starts_with("//") && !is_inside_an_attribute(line) {
            attributes.clear();
        }
    }
    functions
}

/// Whether an attribute is `test`, or that of a runtime: the last word of its path is, whatever its
/// arguments say.
fn makes_a_test(attribute: &str) -> bool {
    let rest = attribute.strip_prefix("#[").unwrap_or_default();
    let path = rest.split(['(', ']', '=', ' ']).next().unwrap_or_default();
    path.rsplit("::").next() == Some("test")
}

/// Whether a line goes on with an attribute that is too long for one.
fn is_inside_an_attribute(line: &str) -> bool {
    line.ends_with(',') || line == ")]"
}

/// What stands in `#[cfg(…)]` or `#![cfg(…)]`, if that is what the line is.
fn condition(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("#![cfg(")
        .or(line.strip_prefix("#[cfg("))?;
    rest.strip_suffix(")]")
}

/// The conditions of a file and of the modules that lead to it.
fn around<'a>(source: &'a Source, sources: &'a [Source]) -> Vec<&'a str> {
    let mut conditions: Vec<&str> = code_lines(&source.text).filter_map(whole_file).collect();
    let path = Path::new(&source.path);
    let mut child = match path.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs") => path.parent().unwrap_or(path).to_path_buf(),
        _ => path.with_extension(""),
    };
    while let (Some(folder), Some(name)) = (child.parent(), child.file_name()) {
        let name = name.to_string_lossy();
        let declaration = [format!("mod {name};"), format!("pub mod {name};")];
        let beside = folder.with_extension("rs");
        let parents = sources.iter().filter(|other| {
            let other = Path::new(&other.path);
            other == beside || (other.parent() == Some(folder) && is_root(other))
        });
        for parent in parents {
            conditions.extend(of_declaration(parent, &declaration));
        }
        child = folder.to_path_buf();
    }
    conditions
}

fn whole_file(line: &str) -> Option<&str> {
    condition(line).filter(|_| line.starts_with("#!["))
}

fn is_root(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    matches!(name, Some("mod.rs" | "main.rs" | "lib.rs"))
}

/// The conditions that stand right above the declaration of a module.
fn of_declaration<'a>(source: &'a Source, declaration: &[String]) -> Vec<&'a str> {
    let mut above = Vec::new();
    for line in code_lines(&source.text).map(str::trim) {
        if declaration.iter().any(|text| text == line) {
            return above;
        }
        match line.starts_with("#[") {
            true => above.extend(condition(line)),
            false => above.clear(),
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn tests_are_found_with_what_keeps_them_from_running() {
        let text = "\
#![cfg(loom)]
#[test]
fn plain() {}

#[tokio::test(
    flavor = \"x\",
)]
#[cfg(feature = \"json\")]
// why
#[ignore = \"slow\"]
async fn awaited() {}

#[cfg(test)]
fn no_test() {}
";
        let parent = "#[cfg(unix)]\nmod part;\nmod other;\n";
        let sources = [
            plant("crates/a/tests/it/main.rs", parent),
            plant("crates/a/tests/it/part.rs", text),
            plant("crates/a/tests/it/other.rs", "#[test]\nfn plain() {}\n"),
        ];
        let found: Vec<_> = all(&sources)
            .into_iter()
            .map(|test| (test.name, test.is_ignored, test.conditions))
            .collect();
        assert_eq!(
            found,
            [
                ("plain", false, vec!["loom", "unix"]),
                ("awaited", true, vec!["feature = \"json\"", "loom", "unix"]),
                ("plain", false, vec![]),
            ]
        );
    }

    #[test]
    fn only_the_last_word_of_an_attribute_makes_a_test() {
        for test in [
            "#[test]",
            "#[tokio::test]",
            "#[tokio::test(",
            "#[a::test(b = \"c\")]",
        ] {
            assert!(makes_a_test(test), "{test}");
        }
        for other in [
            "#[cfg(test)]",
            "#[expect(dead_code, reason = \"latest\")]",
            "#[allow(unused, reason = \"a test has to begin\")]",
            "#[test_case(1)]",
            "#[doc = \"test\"]",
            "#[test::not]",
        ] {
            assert!(!makes_a_test(other), "{other}");
        }
    }

    #[test]
    fn what_stands_in_a_literal_or_in_a_comment_is_no_test() {
        let text = "\
const PLANTED: &str = \"\\
#![cfg(windows)]
#[test]
fn planted() {}
\";
/*
#[test]
fn left_out() {}
*/
#[test]
fn real() {}
";
        let sources = [plant("crates/a/tests/it.rs", text)];
        let found: Vec<_> = all(&sources)
            .into_iter()
            .map(|test| (test.name, test.conditions))
            .collect();
        assert_eq!(found, [("real", vec![])]);
    }
}
