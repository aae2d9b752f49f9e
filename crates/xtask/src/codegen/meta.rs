//! The `.meta` files of the Unity package. Unity ignores a file without one in a package that it cannot write to, and
//! refers to each by the GUID in it: a hash of the path, so that it is the same whenever it is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};
use xshell::Shell;

const PACKAGE: &str = "unity";
const NAME: &str = "com.turbohttp.client";

/// The folders of `Plugins` with the platforms of Unity that load what is in them, and their processors.
const PLATFORMS: [(&str, &str, &str); 10] = [
    ("Android/arm64-v8a", "Android", "ARM64"),
    ("Android/armeabi-v7a", "Android", "ARMv7"),
    ("Android/x86_64", "Android", "X86_64"),
    ("Linux/arm64", "Linux64", "ARM64"),
    ("Linux/x86_64", "Linux64", "x86_64"),
    ("Windows/arm64", "Win64", "ARM64"),
    ("Windows/x86_64", "Win64", "x86_64"),
    ("iOS", "iOS", "ARM64"),
    ("macOS", "OSXUniversal", "AnyCPU"),
    ("tvOS", "tvOS", "ARM64"),
];

/// The systems of the editor, by the platforms that their libraries are for.
const EDITORS: [(&str, &str); 3] = [
    ("Linux64", "Linux"),
    ("Win64", "Windows"),
    ("OSXUniversal", "OSX"),
];

/// What is imported, by path without the package's own: those of the tools and of the hidden end in `~` or begin
/// with a dot, and have none.
fn assets(sh: &Shell) -> Result<Vec<PathBuf>> {
    let (mut assets, mut folders) = (Vec::new(), vec![PathBuf::from(PACKAGE)]);
    while let Some(folder) = folders.pop() {
        for path in sh.read_dir(&folder)? {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let path = folder.join(&name);
            if name.ends_with('~') || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                folders.push(path.clone());
            }
            assets.push(path);
        }
    }
    Ok(assets)
}

fn is_meta(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "meta")
}

/// Each `.meta` file that there has to be.
pub(super) fn files(sh: &Shell) -> Result<BTreeMap<PathBuf, String>> {
    let assets = assets(sh)?.into_iter().filter(|path| !is_meta(path));
    assets
        .map(|path| {
            let inside = path
                .strip_prefix(PACKAGE)?
                .to_string_lossy()
                .replace('\\', "/");
            let text = format!(
                "fileFormatVersion: 2\nguid: {}\n{}",
                guid(&inside),
                importer(&inside, path.is_dir())
            );
            Ok((format!("{}.meta", path.display()).into(), text))
        })
        .collect()
}

/// Each `.meta` file whose file is gone.
pub(super) fn stale(sh: &Shell) -> Result<Vec<PathBuf>> {
    let stale = |path: &PathBuf| is_meta(path) && !path.with_extension("").exists();
    Ok(assets(sh)?.into_iter().filter(stale).collect())
}

fn guid(inside: &str) -> String {
    let hash = Sha256::digest(format!("{NAME}/{inside}"));
    hash[..16].iter().fold(String::new(), |mut guid, byte| {
        let _ = write!(guid, "{byte:02x}");
        guid
    })
}

fn importer(inside: &str, is_folder: bool) -> String {
    let plain = |name: &str| {
        format!(
            "{name}:\n  externalObjects: {{}}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
        )
    };
    let extension = Path::new(inside)
        .extension()
        .and_then(|extension| extension.to_str());
    match extension {
        // The bundle of macOS is a folder, but a plugin to Unity.
        Some("so" | "dll" | "a" | "dylib" | "bundle") => plugin(inside),
        _ if is_folder => format!("folderAsset: yes\n{}", plain("DefaultImporter")),
        Some("cs") => "MonoImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  defaultReferences: []\n  executionOrder: 0\n  icon: {instanceID: 0}\n  userData: \n  assetBundleName: \n  assetBundleVariant: \n".to_owned(),
        Some("asmdef") => plain("AssemblyDefinitionImporter"),
        _ if inside == "package.json" => plain("PackageManifestImporter"),
        Some("md" | "txt" | "json" | "xml") => plain("TextScriptImporter"),
        _ => plain("DefaultImporter"),
    }
}

/// Which platforms load a library: the one of its folder, and the editor of that system on x86-64, or on any
/// processor where one file has several.
fn plugin(inside: &str) -> String {
    let folder = PLATFORMS
        .iter()
        .find(|(folder, ..)| inside.starts_with(&format!("Plugins/{folder}/")));
    let mut text = "PluginImporter:\n  externalObjects: {}\n  serializedVersion: 2\n  iconMap: {}\n  executionOrder: {}\n  defineConstraints: []\n  isPreloaded: 0\n  isOverridable: 0\n  isExplicitlyReferenced: 0\n  validateReferences: 1\n  platformData:\n".to_owned();
    let mut block = |first: &str, second: &str, is_enabled: bool, settings: &[(&str, &str)]| {
        let _ = write!(
            text,
            "  - first:\n      {first}: {second}\n    second:\n      enabled: {}\n",
            u8::from(is_enabled)
        );
        let empty = if settings.is_empty() { " {}" } else { "" };
        let _ = writeln!(text, "      settings:{empty}");
        for (name, value) in settings {
            let _ = writeln!(text, "        {name}: {value}");
        }
    };
    block("Any", "", false, &[]);
    if let Some((_, platform, processor)) = folder {
        let editor = EDITORS
            .iter()
            .find(|(of, _)| of == platform && *processor != "ARM64");
        let settings = [
            ("CPU", editor.map_or("AnyCPU", |_| *processor)),
            ("DefaultValueInitialized", "true"),
            ("OS", editor.map_or("AnyOS", |(_, os)| *os)),
        ];
        block("Editor", "Editor", editor.is_some(), &settings);
        let kind = if matches!(*platform, "Android" | "iOS" | "tvOS") {
            *platform
        } else {
            "Standalone"
        };
        block(kind, platform, true, &[("CPU", processor)]);
    }
    text.push_str("  userData: \n  assetBundleName: \n  assetBundleVariant: \n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_loaded_by_the_platform_of_its_folder() {
        let android = plugin("Plugins/Android/arm64-v8a/libturbohttp_ffi.so");
        assert!(android.contains("      Android: Android\n    second:\n      enabled: 1\n      settings:\n        CPU: ARM64\n"));
        assert!(android.contains("      Editor: Editor\n    second:\n      enabled: 0\n"));
        let linux = plugin("Plugins/Linux/x86_64/libturbohttp_ffi.so");
        assert!(
            linux.contains("      Editor: Editor\n    second:\n      enabled: 1\n")
                && linux.contains("OS: Linux\n")
        );
    }

    #[test]
    fn a_guid_is_of_the_path_alone() {
        assert_eq!(guid("Runtime").len(), 32);
        assert_ne!(guid("Runtime"), guid("Editor"));
    }
}
