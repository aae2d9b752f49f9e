//! Few features in the code: each `cfg` doubles what has to be thought through.

use super::source::Source;
use super::{Violation, is_in_crate};

/// Uses of `cfg(feature` in `turbohttp/src`.
const CFG_FEATURE_MAX: usize = 40;

pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    let uses = |source: &&Source| {
        source.text.matches("cfg(feature").count() + source.text.matches("cfg(not(feature").count()
    };
    let ours = || {
        sources
            .iter()
            .filter(|source| is_in_crate(&source.path, "turbohttp"))
    };
    let count: usize = ours().map(|source| uses(&source)).sum();
    if count <= CFG_FEATURE_MAX {
        return Vec::new();
    }
    let most = ours().max_by_key(uses);
    let message = format!("{count} uses of cfg(feature in the crate, at most {CFG_FEATURE_MAX}");
    most.map(|source| Violation::of(source, message))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::plant;
    use super::*;

    #[test]
    fn one_feature_too_many_is_found() {
        let text = "#[cfg(feature = \"x\")]\n".repeat(CFG_FEATURE_MAX);
        let full = || plant("crates/turbohttp/src/net/mod.rs", &text);
        assert!(check(&[full()]).is_empty());
        let one_more = plant(
            "crates/turbohttp/src/url.rs",
            "#[cfg(not(feature = \"x\"))]\n",
        );
        assert_eq!(
            check(&[one_more, full()])[0].path,
            "crates/turbohttp/src/net/mod.rs"
        );
    }
}
