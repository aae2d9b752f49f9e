//! The baseline is changed by itself: a commit that changes it changes nothing else, so that what is
//! accepted is seen, and reviewed, as such.

use std::path::Path;
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
    history(run::root()).map_or_else(Vec::new, |history| in_company(&history))
}

/// The commits that touched the baseline, each with every file that it touched.
fn history(root: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(root)
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

    /// The same through git itself, in a repository of its own.
    #[test]
    fn a_planted_commit_is_found_in_a_history() {
        let root = std::env::temp_dir().join(format!("turbohttp-tidy-{}", std::process::id()));
        let file = root.join(FILE);
        let git = |arguments: &[&str]| {
            let who = [
                "-c",
                "user.name=x",
                "-c",
                "user.email=x@a.test",
                "-c",
                "commit.gpgsign=false",
            ];
            let output = Command::new("git")
                .current_dir(&root)
                .args(who)
                .args(arguments)
                .output();
            assert!(
                output.is_ok_and(|output| output.status.success()),
                "git {arguments:?}"
            );
        };
        if Command::new("git").arg("--version").output().is_err() {
            return;
        }
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        assert!(history(&root).is_none_or(|history| history.is_empty()));
        git(&["init", "--quiet"]);
        for (baseline, code, found) in [("a", "a", 1), ("b", "a", 1), ("b", "b", 1), ("c", "c", 2)]
        {
            std::fs::write(&file, baseline).unwrap();
            std::fs::write(root.join("code.rs"), code).unwrap();
            git(&["add", "."]);
            git(&["commit", "--quiet", "-m", "x"]);
            assert_eq!(
                in_company(&history(&root).unwrap()).len(),
                found,
                "{baseline} {code}"
            );
        }
        std::fs::remove_dir_all(&root).unwrap();
    }
}
