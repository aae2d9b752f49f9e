//! The README shows code that compiles: its quickstart is the example of that name.

use super::Violation;
use super::source::Source;

const README: &str = "README.md";
const EXAMPLE: &str = "crates/turbohttp/examples/quickstart.rs";

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let find = |path: &str| sources.iter().find(|source| source.path == path);
    let (Some(readme), Some(example)) = (find(README), find(EXAMPLE)) else {
        return Vec::new();
    };
    // What stands above the first import speaks to those who open the file.
    let code = example
        .text
        .find("use ")
        .map_or("", |at| &example.text[at..]);
    if !code.is_empty() && readme.text.contains(code) {
        return Vec::new();
    }
    let message = format!("the quickstart is not that of {EXAMPLE}: copy it from there");
    vec![Violation::of(readme, message)]
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn a_quickstart_that_has_aged_is_found() {
        let example = || plant(EXAMPLE, "//! One.\n\nuse a::B;\nfn main() {}\n");
        let fresh = plant(README, "# R\n```rust\nuse a::B;\nfn main() {}\n```\n");
        assert!(check(&[fresh, example()]).is_empty());
        let aged = plant(README, "# R\n```rust\nuse a::C;\nfn main() {}\n```\n");
        assert_eq!(check(&[aged, example()]).len(), 1);
    }
}
