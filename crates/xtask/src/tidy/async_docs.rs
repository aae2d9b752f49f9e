//! Every public async fn of the published crates says what dropping its future does.

use super::source::Source;
use super::{Violation, is_in_crate};

const HEADING: &str = "/// # Cancel safety";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources.iter().filter(|source| is_published(source)) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            if line.trim_start().starts_with("pub async fn") && !is_documented(&lines[..index]) {
                let message = "public async fn without a `# Cancel safety` section";
                violations.push(Violation::at(source, index + 1, message));
            }
        }
    }
    violations
}

fn is_published(source: &Source) -> bool {
    ["turbohttp", "turbohttp-core"]
        .iter()
        .any(|name| is_in_crate(&source.path, name))
}

/// Whether the documentation that ends here, attributes aside, has the section.
fn is_documented(before: &[&str]) -> bool {
    before
        .iter()
        .rev()
        .map(|line| line.trim())
        .take_while(|line| line.starts_with("///") || line.starts_with("#["))
        .any(|line| line == HEADING)
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_future_of_unknown_cancellation_is_found() {
        let text = "/// Sends.\n///\n/// # Cancel safety\n///\n/// Yes.\n#[cfg(feature = \"x\")]\npub async fn a() {}\n\n\
                    /// Sends.\npub async fn b() {}\n\npub(crate) async fn c() {}\n";
        let found = check(&[plant("crates/turbohttp/src/response.rs", text)]);
        assert_eq!((found.len(), found[0].line), (1, 10));
        assert!(check(&[plant("crates/turbohttp-cli/src/main.rs", text)]).is_empty());
    }
}
