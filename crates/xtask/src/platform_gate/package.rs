//! The files of the Unity package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::Shell;

use super::ground::Ground;
use crate::{codegen, run};

pub(super) const PACKAGE: &str = "unity";

/// What IL2CPP cannot compile ahead, what keeps a domain from being unloaded, and what captures a context.
const BANNED: [(&str, &str); 8] = [
    (
        r"MonoPInvokeCallback|UnmanagedFunctionPointer|GetFunctionPointerForDelegate",
        "a reverse callback",
    ),
    (
        r"System\.Reflection|\.GetMethod\(|\.GetProperty\(|\.GetField\(|Type\.GetType",
        "reflection",
    ),
    (
        r"Linq\.Expressions|DynamicMethod",
        "code that is made at run time",
    ),
    (r"\bdynamic\b", "`dynamic`"),
    (r"Activator\.", "`Activator`"),
    (
        r"MakeGeneric(Type|Method)",
        "a generic that is made at run time",
    ),
    (r"ConfigureAwait\(true\)", "a captured context"),
    (r"Timeout\.Infinite", "an endless wait"),
];

/// A path of one machine.
const ABSOLUTE: &str = r#"["'( ](/(home|root|tmp|usr|work|Users)/|[A-Z]:\\)"#;

/// The files with this extension, at any depth.
pub(super) fn under(sh: &Shell, folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in sh.read_dir(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|of| of == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Each file and folder has its `.meta` with a GUID of its own, JSON is JSON, and no path is one of this machine.
pub(super) fn files(ground: &Ground) -> Result<String> {
    let sh = &ground.sh;
    codegen::check()?;
    let mut guids = BTreeMap::new();
    for meta in under(sh, Path::new(PACKAGE), "meta")? {
        let guid: String = run::find(r"(?m)^guid: ([0-9a-f]{32})$", &sh.read_file(&meta)?)?;
        if let Some(other) = guids.insert(guid, meta.clone()) {
            bail!("{} and {} have one GUID", meta.display(), other.display());
        }
    }
    let mut manifests = 0;
    for extension in ["json", "asmdef"] {
        for path in under(sh, Path::new(PACKAGE), extension)? {
            let value: serde_json::Value = serde_json::from_str(&sh.read_file(&path)?)
                .with_context(|| path.display().to_string())?;
            ensure!(
                value["name"].is_string() || extension == "json",
                "{}: no name",
                path.display()
            );
            manifests += 1;
        }
    }
    let absolute = run::pattern(ABSOLUTE);
    for extension in ["cs", "json", "asmdef", "meta", "md"] {
        for path in under(sh, Path::new(PACKAGE), extension)? {
            if let Some(found) = absolute.find(&sh.read_file(&path)?) {
                bail!(
                    "{} has a path of one machine: {}",
                    path.display(),
                    found.as_str()
                );
            }
        }
    }
    manifest(sh)?;
    Ok(format!(
        "{} files with a GUID, {manifests} of JSON",
        guids.len()
    ))
}

/// What Unity needs of `package.json`.
fn manifest(sh: &Shell) -> Result<()> {
    let path = Path::new(PACKAGE).join("package.json");
    let package: serde_json::Value = serde_json::from_str(&sh.read_file(path)?)?;
    for (member, shape) in [
        ("name", r"^com\.[a-z0-9.-]+$"),
        ("version", r"^\d+\.\d+\.\d+"),
        ("unity", r"^\d{4}\.\d$"),
        ("displayName", "."),
        ("description", "."),
    ] {
        let value = package[member].as_str().unwrap_or_default();
        ensure!(
            run::pattern(shape).is_match(value),
            "package.json: {member} is {value:?}"
        );
    }
    Ok(())
}

/// Nothing that is banned stands in what is shipped.
pub(super) fn banned(ground: &Ground) -> Result<String> {
    let files = under(&ground.sh, &Path::new(PACKAGE).join("Runtime"), "cs")?;
    ensure!(!files.is_empty(), "there are no sources");
    for path in &files {
        if let Some((line, what)) = first_banned(&ground.sh.read_file(path)?) {
            bail!("{}:{line}: {what}", path.display());
        }
    }
    Ok(format!("{} files", files.len()))
}

/// The line of the first thing that is banned, comments apart.
fn first_banned(text: &str) -> Option<(usize, &'static str)> {
    let banned = BANNED.map(|(pattern, what)| (run::pattern(pattern), what));
    let lines = text.lines().enumerate();
    let code = lines.map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()));
    code.filter_map(|(at, line)| {
        let found = banned.iter().find(|(pattern, _)| pattern.is_match(line));
        found.map(|(_, what)| (at, *what))
    })
    .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_that_is_banned_is_found_and_comments_are_not() {
        for (line, what) in [
            ("[MonoPInvokeCallback(typeof(F))]", "a reverse callback"),
            ("using System.Reflection;", "reflection"),
            (
                "using System.Linq.Expressions;",
                "code that is made at run time",
            ),
            ("dynamic x = 1;", "`dynamic`"),
            ("Activator.CreateInstance<T>();", "`Activator`"),
            (
                "type.MakeGenericType(other);",
                "a generic that is made at run time",
            ),
            ("await x.ConfigureAwait(true);", "a captured context"),
            ("wait.WaitOne(Timeout.Infinite);", "an endless wait"),
        ] {
            assert_eq!(
                first_banned(&format!("class A {{\n{line}")),
                Some((2, what))
            );
        }
        assert_eq!(first_banned("/// No dynamic here.\nint dynamics;"), None);
    }

    #[test]
    fn a_path_of_a_machine_is_found() {
        assert!(
            run::pattern(ABSOLUTE).is_match("\"/usr/x\"")
                && run::pattern(ABSOLUTE).is_match("(C:\\x")
        );
        assert!(!run::pattern(ABSOLUTE).is_match("\"/bytes/1\""));
    }
}
