//! The bounds in `gates.toml`, as far as they are measured from outside.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Where the bounds are.
pub(super) const FILE: &str = "crates/turbohttp-bench/gates.toml";

/// Figures by section and name.
pub(super) type Figures = BTreeMap<String, BTreeMap<String, f64>>;

/// Every section, those that are not ours too.
pub(super) fn read(text: &str) -> Result<Figures> {
    toml::from_str(text).with_context(|| format!("{FILE} cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read() {
        let bounds = read("# all\n[a_max] # here\nget = 8_000\nsend = 1.001\n").unwrap();
        assert_eq!(
            (bounds["a_max"]["get"], bounds["a_max"]["send"]),
            (8_000.0, 1.001)
        );
        assert!(read("[a]\nx = y\n").is_err());
    }
}
