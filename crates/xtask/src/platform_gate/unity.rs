//! The assemblies that need Unity, against stubs of the types that they use: that they compile, not that they work.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::ground::Ground;
use super::managed::{mcs, sources};
use super::package::PACKAGE;
use crate::run;

/// The versions of Unity whose types differ, by what each defines.
const VERSIONS: [&str; 3] = [
    "UNITY_2021_3_OR_NEWER",
    "UNITY_2021_3_OR_NEWER;UNITY_2023_1_OR_NEWER",
    "UNITY_2021_3_OR_NEWER;UNITY_2023_1_OR_NEWER;UNITY_6000_5_OR_NEWER",
];

/// The ways to build.
const TARGETS: [&str; 3] = ["UNITY_EDITOR", "UNITY_STANDALONE", "UNITY_IOS"];

/// An assembly: its name, its sources in the package, and what else it is compiled against.
type Assembly = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const ASSEMBLIES: [Assembly; 13] = [
    ("UnityEngine", &["Stubs~/UnityEngine.cs"], &[]),
    (
        "UnityEditor",
        &["Stubs~/UnityEditor.cs", "Stubs~/UnityBuild.cs"],
        &["UnityEngine"],
    ),
    ("NUnit", &["Stubs~/NUnit.cs"], &[]),
    ("UniTask", &["Stubs~/UniTask.cs"], &[]),
    ("TurboHttp", &["Runtime"], &[]),
    (
        "TurboHttp.Unity",
        &["Runtime.Unity"],
        &["TurboHttp", "UnityEngine"],
    ),
    (
        "TurboHttp.UniTask",
        &["Runtime.UniTask"],
        &["TurboHttp", "UniTask", "UnityEngine"],
    ),
    (
        "TurboHttp.Awaitable",
        &["Runtime.Awaitable"],
        &["TurboHttp", "UnityEngine"],
    ),
    (
        "TurboHttp.Editor",
        &["Editor"],
        &["TurboHttp", "TurboHttp.Unity", "UnityEngine", "UnityEditor"],
    ),
    (
        "Sample",
        &["Samples~/FirstRequest"],
        &["TurboHttp", "TurboHttp.Unity", "UnityEngine"],
    ),
    (
        "TurboHttp.Tests",
        &["Tests/Runtime", "Tests/Runtime/NUnit/TableTests.cs"],
        &["TurboHttp", "NUnit"],
    ),
    (
        "TurboHttp.Validation",
        &["../tests/unity-project/Assets/Validation"],
        &[
            "TurboHttp",
            "TurboHttp.Unity",
            "TurboHttp.Tests",
            "UnityEngine",
        ],
    ),
    (
        "TurboHttp.Validation.Editor",
        &["../tests/unity-project/Assets/Editor"],
        &["UnityEngine", "UnityEditor"],
    ),
];

/// Sources of a folder, or one file.
fn files(ground: &Ground, path: &str) -> Result<Vec<PathBuf>> {
    match path.ends_with(".cs") {
        true => Ok(vec![Path::new(PACKAGE).join(path)]),
        false => sources(ground, path),
    }
}

/// Every assembly, for each version and target.
pub(super) fn assemblies(ground: &Ground) -> Result<String> {
    let mut count = 0;
    for (version, number) in VERSIONS.iter().zip(0..) {
        for target in TARGETS {
            let folder = ground
                .sh
                .create_dir(ground.folder.join(format!("unity-{number}-{target}")))?;
            for (name, from, against) in ASSEMBLIES {
                if name.ends_with("Editor") && target != "UNITY_EDITOR" {
                    continue;
                }
                let compile = mcs(ground, "library", &folder.join(format!("{name}.dll")));
                let compile = compile.arg(format!("-define:{version};{target}"));
                let library =
                    |other: &&str| format!("-r:{}", folder.join(format!("{other}.dll")).display());
                let mut compile = compile.args(against.iter().map(library));
                for path in from {
                    compile = compile.args(files(ground, path)?);
                }
                run::collect(compile)?;
                count += 1;
            }
        }
    }
    Ok(format!(
        "{count} compiled, for {} versions and {} targets",
        VERSIONS.len(),
        TARGETS.len()
    ))
}

/// Compiles a program of `Tests~` against assemblies of a folder, and runs it; the line of what it says that begins with
/// this.
fn program(
    ground: &Ground,
    folder: &str,
    name: &str,
    libraries: &[&str],
    begin: &str,
) -> Result<String> {
    let folder = ground.folder.join(folder);
    let program = folder.join(format!("{name}Program.exe"));
    let library = |name: &&str| format!("-r:{}", folder.join(format!("{name}.dll")).display());
    let compile = mcs(ground, "exe", &program).args(libraries.iter().map(library));
    run::collect(compile.args(sources(ground, &format!("Tests~/{name}"))?))?;
    let mono = ground.within(120).arg("mono").arg(program);
    Ground::line(mono.arg(ground.url()), begin)
}

/// The adapter for UniTask, over the stub of its types, allocates nothing.
pub(super) fn unitask(ground: &Ground) -> Result<String> {
    let libraries = ["TurboHttp", "UniTask", "TurboHttp.UniTask", "UnityEngine"];
    let folder = "unity-0-UNITY_STANDALONE";
    program(ground, folder, "UniTask", &libraries, "turbohttp-unitask:")
}

/// The pump in the player loop and the hooks of the Editor, over the stubs.
pub(super) fn hooks(ground: &Ground) -> Result<String> {
    let libraries = [
        "TurboHttp",
        "TurboHttp.Unity",
        "TurboHttp.Editor",
        "UnityEngine",
        "UnityEditor",
    ];
    let folder = "unity-0-UNITY_EDITOR";
    program(ground, folder, "Unity", &libraries, "turbohttp-unity:")
}
