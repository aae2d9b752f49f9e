//! The copy of the sources in which mutants live.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::list::Mutant;

/// Copies the sources that git knows or would take in. What has not changed is not written, so that
/// cargo does not build it again; what is gone from the sources goes from the copy.
pub(super) fn copy(root: &Path, tree: &Path) -> Result<()> {
    let mut copied = HashSet::new();
    for path in sources(root)? {
        // Listed, and deleted since.
        let Ok(content) = fs::read(root.join(&path)) else {
            continue;
        };
        let target = tree.join(&path);
        if !fs::read(&target).is_ok_and(|old| old == content) {
            fs::create_dir_all(target.parent().unwrap_or(tree))?;
            fs::write(&target, content)?;
        }
        copied.insert(target);
    }
    remove_others(tree, &copied)
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("cannot start git")?;
    ensure!(output.status.success(), "git ls-files: {}", output.status);
    let list = String::from_utf8(output.stdout)?;
    Ok(list
        .split_terminator('\0')
        .filter(|path| !path.starts_with("target/"))
        .map(PathBuf::from)
        .collect())
}

fn remove_others(folder: &Path, kept: &HashSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            remove_others(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A mutant that is applied to the copy; dropping this puts the file back.
pub(super) struct Applied {
    path: PathBuf,
    original: String,
}

impl Applied {
    pub(super) fn new(tree: &Path, mutant: &Mutant) -> Result<Applied> {
        let path = tree.join(&mutant.file);
        let original = fs::read_to_string(&path).with_context(|| format!("no {}", mutant.file))?;
        fs::write(&path, mutant.mutate(&original)?)?;
        Ok(Applied { path, original })
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        // Should it fail: the next run copies the file again.
        let _ = fs::write(&self.path, &self.original);
    }
}
