//! A commit that changes the baseline changes nothing else, so that what is accepted is reviewed as such.

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
/// has every file, also what it did not change. Of a merge those files count that are as in none of its parents:
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
        Some(Violation::in_file(FILE, 0, message))
    };
    commits.filter_map(violation).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A repository of its own, removed at the end.
    struct Planted(PathBuf);

    impl Planted {
        fn git(&self, line: &str) {
            let name = [
                "-c",
                "user.name=x",
                "-c",
                "user.email=x@a.test",
                "-c",
                "commit.gpgsign=false",
            ];
            let mut git = Command::new("git");
            git.current_dir(&self.0).args(name).args(line.split(' '));
            assert!(
                git.output().is_ok_and(|output| output.status.success()),
                "git {line}"
            );
        }

        fn commit(&self, baseline: &str, code: &str) {
            std::fs::write(self.0.join(FILE), baseline).unwrap();
            std::fs::write(self.0.join("code.rs"), code).unwrap();
            self.git("add .");
            self.git("commit --quiet --allow-empty -m x");
        }

        /// A branch that records a baseline, beside one that changes code, to be merged.
        fn fork(&self, branch: &str, [first, second]: [&str; 2]) {
            self.git(&format!("checkout --quiet -b {branch}"));
            self.commit(second, first);
            self.git("checkout --quiet -");
            self.commit(first, second);
            self.git(&format!("merge --quiet --no-ff --no-commit {branch}"));
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

    #[test]
    fn a_planted_commit_is_found_in_a_history() {
        if Command::new("git").arg("--version").output().is_err() {
            return;
        }
        let root = std::env::temp_dir().join(format!("turbohttp-tidy-{}", std::process::id()));
        std::fs::create_dir_all(root.join(FILE).parent().unwrap()).unwrap();
        let planted = Planted(root);
        planted.git("init --quiet");
        // The first commit has every file.
        for (baseline, code, found) in [("a", "a", 0), ("b", "a", 0), ("b", "b", 0), ("c", "c", 1)]
        {
            planted.commit(baseline, code);
            assert_eq!(planted.found(), found, "{baseline} {code}");
        }
        let said = in_company(&history(&planted.0).unwrap()).remove(0).message;
        assert!(said.contains("changes code.rs too"), "{said}");
        planted.fork("alone", ["c", "d"]);
        planted.commit("d", "d");
        assert_eq!(planted.found(), 1, "a merge of what was alone");
        planted.fork("company", ["d", "e"]);
        planted.commit("f", "f");
        assert_eq!(planted.found(), 2, "a merge that changes both itself");
        // Where a shallow clone ends, a commit has every file too.
        planted.git(&format!(
            "clone --quiet --depth 1 file://{} shallow",
            planted.0.display()
        ));
        assert_eq!(
            in_company(&history(&planted.0.join("shallow")).unwrap()),
            []
        );
    }
}
