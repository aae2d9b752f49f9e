//! A commit that changes the baseline changes nothing else, so that what is accepted is reviewed as such.

use std::path::Path;

use anyhow::Result;
use xshell::cmd;

use super::source::Source;
use crate::gates::baseline::FILE;
use crate::run;

/// Looks at the history rather than at the texts. Where there is none, as in an archive of the
/// sources, there is nothing to see.
pub(super) fn check(_sources: &[Source]) -> Vec<String> {
    in_company(run::root()).unwrap_or_default()
}

/// The commits in which the baseline was not alone: those that touched it, each with every file that it
/// touched.
///
/// A commit without a parent here is left out: the first one of an import or where a shallow clone ends
/// has every file, also what it did not change. Of a merge those files count that are as in none of its parents:
/// the others were changed by commits that are looked at themselves.
fn in_company(root: &Path) -> Result<Vec<String>> {
    let sh = run::shell()?;
    sh.change_dir(root);
    let which = "--full-diff --name-only --relative --min-parents=1 -c".split(' ');
    let log = cmd!(sh, "git log {which...} --format=commit%x20%h -- {FILE}");
    let log = run::collect(log)?.stdout;
    let violation = |commit: &str| -> Option<String> {
        let mut lines = commit.lines().filter(|line| !line.is_empty());
        let (name, other) = (lines.next()?, lines.find(|file| *file != FILE)?);
        Some(format!(
            "{FILE}: commit {name} changes {other} too: the baseline is changed by itself"
        ))
    };
    Ok(log.split("commit ").filter_map(violation).collect())
}

#[cfg(test)]
mod tests {
    use xshell::{Shell, TempDir};

    use super::*;

    /// A repository of its own, removed at the end.
    struct Planted(Shell, TempDir);

    impl Planted {
        fn git(&self, line: &str) {
            let who = "-c user.name=x -c user.email=x@a.test -c commit.gpgsign=false".split(' ');
            let (sh, words) = (&self.0, line.split(' '));
            run::collect(cmd!(sh, "git {who...} {words...}")).unwrap();
        }

        fn commit(&self, baseline: &str, code: &str) {
            self.0.write_file(FILE, baseline).unwrap();
            self.0.write_file("code.rs", code).unwrap();
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

        fn found(&self) -> Vec<String> {
            in_company(self.1.path()).unwrap()
        }
    }

    #[test]
    fn a_planted_commit_is_found_in_a_history() {
        let sh = run::shell().unwrap();
        if !run::succeeds(cmd!(sh, "git --version")) {
            return;
        }
        let folder = sh.create_temp_dir().unwrap();
        sh.change_dir(folder.path());
        let planted = Planted(sh, folder);
        planted.git("init --quiet");
        // The first commit has every file.
        for (baseline, code, found) in [("a", "a", 0), ("b", "a", 0), ("b", "b", 0), ("c", "c", 1)]
        {
            planted.commit(baseline, code);
            assert_eq!(planted.found().len(), found, "{baseline} {code}");
        }
        let said = planted.found().remove(0);
        assert!(said.contains("changes code.rs too"), "{said}");
        planted.fork("alone", ["c", "d"]);
        planted.commit("d", "d");
        assert_eq!(planted.found().len(), 1, "a merge of what was alone");
        planted.fork("company", ["d", "e"]);
        planted.commit("f", "f");
        assert_eq!(planted.found().len(), 2, "a merge that changes both itself");
        // Where a shallow clone ends, a commit has every file too.
        let root = planted.1.path();
        planted.git(&format!(
            "clone --quiet --depth 1 file://{} shallow",
            root.display()
        ));
        assert!(in_company(&root.join("shallow")).unwrap().is_empty());
    }
}
