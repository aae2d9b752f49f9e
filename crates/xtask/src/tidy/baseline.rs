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
///
/// A commit without a parent here is left out: the first one of an import or where a shallow clone ends
/// has every file, whoever changed it. Of a merge those files count that are as in none of its parents:
/// the others were changed by commits that are looked at themselves.
fn history(root: &Path) -> Option<String> {
    let mut git = Command::new("git");
    git.current_dir(root)
        .args(["log", "--full-diff", "--name-only", "--relative"])
        .args(["--min-parents=1", "-c"]);
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
    use std::path::PathBuf;

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

    /// A repository of its own, removed at the end.
    struct Planted(PathBuf);

    impl Planted {
        fn new() -> Planted {
            let root = std::env::temp_dir().join(format!("turbohttp-tidy-{}", std::process::id()));
            std::fs::create_dir_all(root.join(FILE).parent().unwrap()).unwrap();
            Planted(root)
        }

        fn git(&self, arguments: &[&str]) {
            let mut git = Command::new("git");
            git.current_dir(&self.0)
                .args(["-c", "user.name=x", "-c", "user.email=x@a.test"])
                .args(["-c", "commit.gpgsign=false"])
                .args(arguments);
            let output = git.output();
            let is_done = output.is_ok_and(|output| output.status.success());
            assert!(is_done, "git {arguments:?}");
        }

        fn commit(&self, baseline: &str, code: &str) {
            std::fs::write(self.0.join(FILE), baseline).unwrap();
            std::fs::write(self.0.join("code.rs"), code).unwrap();
            self.git(&["add", "code.rs", FILE]);
            self.git(&["commit", "--quiet", "--allow-empty", "-m", "x"]);
        }

        /// A branch that records a baseline, beside one that changes code, to be merged.
        fn fork(&self, branch: &str, baseline: [&str; 2], code: [&str; 2]) {
            self.git(&["checkout", "--quiet", "-b", branch]);
            self.commit(baseline[1], code[0]);
            self.git(&["checkout", "--quiet", "-"]);
            self.commit(baseline[0], code[1]);
            self.git(&["merge", "--quiet", "--no-ff", "--no-commit", branch]);
        }

        fn found(&self) -> usize {
            in_company(&history(&self.0).unwrap()).len()
        }
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            // What is left behind lies among what is temporary.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// The same through git itself.
    #[test]
    fn a_planted_commit_is_found_in_a_history() {
        if Command::new("git").arg("--version").output().is_err() {
            return;
        }
        let planted = Planted::new();
        assert!(history(&planted.0).is_none_or(|history| history.is_empty()));
        planted.git(&["init", "--quiet"]);
        // The first commit has every file.
        for (baseline, code, found) in [("a", "a", 0), ("b", "a", 0), ("b", "b", 0), ("c", "c", 1)]
        {
            planted.commit(baseline, code);
            assert_eq!(planted.found(), found, "{baseline} {code}");
        }
        planted.fork("alone", ["c", "d"], ["c", "d"]);
        planted.commit("d", "d");
        assert_eq!(planted.found(), 1, "a merge of what was alone");
        planted.fork("company", ["d", "e"], ["d", "e"]);
        planted.commit("f", "f");
        assert_eq!(planted.found(), 2, "a merge that changes both itself");
        // Where a shallow clone ends, a commit has every file too.
        let source = format!("file://{}", planted.0.display());
        planted.git(&["clone", "--quiet", "--depth", "1", &source, "shallow"]);
        let shallow = history(&planted.0.join("shallow")).unwrap();
        assert_eq!(in_company(&shallow), []);
    }
}
