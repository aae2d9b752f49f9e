//! The baseline is changed by itself: a commit that changes it changes nothing else, so that what is
//! accepted is seen, and reviewed, as such.

use std::process::Command;

use super::Violation;
use super::source::Source;
use crate::gates::baseline::FILE;
use crate::run;

/// Stands before each commit in what git is asked for.
const COMMIT: &str = "commit ";

/// Looks at the history rather than at the texts. Where there is none, as in an archive of the
/// sources, there is nothing to see.
pub(super) fn check(_sources: &[Source]) -> Vec<Violation> {
    history().map_or_else(Vec::new, |history| in_company(&history))
}

/// The commits that touched the baseline, each with every file that it touched.
fn history() -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(run::root())
        .args(["log", "--full-diff", "--name-only", "--relative"]);
    git.args([&format!("--format={COMMIT}%h"), "--", FILE]);
    let output = git.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The commits in which the baseline was not alone.
fn in_company(history: &str) -> Vec<Violation> {
    let commits = history.split(COMMIT).skip(1);
    let violation = |commit: &str| -> Option<Violation> {
        let mut lines = commit.lines().filter(|line| !line.is_empty());
        let name = lines.next()?;
        let others: Vec<&str> = lines.filter(|file| *file != FILE).collect();
        let other = others.first()?;
        let message =
            format!("commit {name} changes {other} too: the baseline is changed by itself");
        Some(Violation {
            path: FILE.to_owned(),
            line: 0,
            message,
        })
    };
    commits.filter_map(violation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_that_was_changed_in_company_is_found() {
        let alone = format!("{COMMIT}abc1\n\n{FILE}\n");
        assert!(in_company(&alone).is_empty() && in_company("").is_empty());
        let company = format!("{alone}\n{COMMIT}abc2\n\n{FILE}\ncrates/a/src/b.rs\n{alone}");
        let found = in_company(&company);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].message.contains("abc2 changes crates/a/src/b.rs"),
            "{found:?}"
        );
    }

    #[test]
    fn the_history_of_this_repository_can_be_read() {
        // A checkout has one; an archive, or a copy of the sources, does not.
        if run::root().join(".git").exists() {
            assert!(history().is_some_and(|history| history.is_empty() || history.contains(FILE)));
        }
    }
}
