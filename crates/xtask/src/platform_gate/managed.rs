//! The Unity package on Mono, compiled when it runs: as in the editor.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use xshell::{Cmd, cmd};

use super::ground::Ground;
use super::package::{PACKAGE, under};
use crate::run;

/// The newest C# that both Mono's compiler and Unity 2021 read is 7.2.
const MCS: [&str; 4] = ["-langversion:7.2", "-warnaserror", "-unsafe", "-optimize+"];

/// The longest that a domain may take to be unloaded, in milliseconds.
const UNLOAD_MAX: u32 = 500;

/// How often the tests of threads are repeated.
const REPEATS: u32 = 10;

/// A call of the compiler, in C#'s forward order: `kind` is `library` or `exe`.
pub(super) fn mcs<'a>(ground: &'a Ground, kind: &str, output: &Path) -> Cmd<'a> {
    mcs_alone(ground, kind, output).arg("-r:System.Net.Http.dll")
}

/// The same, without a reference to Mono's own class library.
pub(super) fn mcs_alone<'a>(ground: &'a Ground, kind: &str, output: &Path) -> Cmd<'a> {
    let output = output.display().to_string();
    cmd!(ground.sh, "mcs {MCS...} -target:{kind} -out:{output}").quiet()
}

/// Sources below a folder of the package, without those of NUnit, which is not here.
pub(super) fn sources(ground: &Ground, folder: &str) -> Result<Vec<PathBuf>> {
    let mut sources = under(&ground.sh, &Path::new(PACKAGE).join(folder), "cs")?;
    sources.retain(|path| !path.components().any(|part| part.as_os_str() == "NUnit"));
    ensure!(!sources.is_empty(), "there are no sources in {folder}");
    Ok(sources)
}

/// Compiles the library and its tests into a folder.
pub(super) fn compile_into(ground: &Ground, folder: &Path, define: &str) -> Result<()> {
    let library = ground.sh.create_dir(folder)?.join("TurboHttp.dll");
    let reference = format!("-r:{}", library.display());
    run::collect(
        mcs(ground, "library", &library)
            .arg(define)
            .args(sources(ground, "Runtime")?),
    )?;
    let tests = mcs(ground, "exe", &folder.join("TurboHttp.Tests.exe")).arg(&reference);
    run::collect(
        tests
            .args(sources(ground, "Tests/Runtime")?)
            .args(sources(ground, "Tests~/Console")?),
    )?;
    let reload = mcs(ground, "exe", &folder.join("Reload.exe")).arg(&reference);
    run::collect(reload.args(sources(ground, "Tests~/Reload")?))?;
    Ok(())
}

pub(super) fn folder(ground: &Ground) -> PathBuf {
    ground.folder.join("managed")
}

pub(super) fn compile(ground: &Ground) -> Result<String> {
    compile_into(ground, &folder(ground), "-define:TURBOHTTP_GATE")?;
    for control in sources(ground, "Tests~/Controls")? {
        let name = control
            .file_stem()
            .unwrap_or_default()
            .display()
            .to_string();
        let output = folder(ground).join(format!("{name}.exe"));
        run::collect(
            mcs(ground, "exe", &output)
                .arg("-r:System.Core.dll")
                .arg(&control),
        )?;
    }
    Ok(format!("TurboHttp.dll in {}", folder(ground).display()))
}

/// How many tests the table has.
pub(super) fn tests_in_table(ground: &Ground) -> Result<usize> {
    let table = Path::new(PACKAGE).join("Tests/Runtime/TestTable.cs");
    Ok(ground.sh.read_file(table)?.matches("new TestCase(").count())
}

/// All of them passed, by the summary; Mono with Boehm's collector says something else at its exit.
pub(super) fn all_passed(ground: &Ground, tests: Cmd<'_>) -> Result<String> {
    let line = Ground::line(tests, "turbohttp-tests:")?;
    let expected = format!(
        "turbohttp-tests: {} passed, 0 failed",
        tests_in_table(ground)?
    );
    ensure!(line == expected, "{line}, not {expected}");
    Ok(line)
}

pub(super) fn tests(ground: &Ground, mono: &str) -> Result<String> {
    let tests = folder(ground).join("TurboHttp.Tests.exe");
    all_passed(
        ground,
        ground
            .within(240)
            .arg(mono)
            .arg(tests)
            .arg(ground.origins()),
    )
}

/// The tests of which thread runs what, again and again.
pub(super) fn threads(ground: &Ground) -> Result<String> {
    let tests = folder(ground).join("TurboHttp.Tests.exe");
    for _ in 0..REPEATS {
        let parallel = ground
            .within(60)
            .arg("mono")
            .arg(&tests)
            .args([ground.origins(), "parallel"]);
        let line = Ground::line(parallel, "turbohttp-tests:")?;
        ensure!(line == "turbohttp-tests: 2 passed, 0 failed", "{line}");
    }
    Ok(format!("{REPEATS} times"))
}

/// Domains that are unloaded with requests in flight leave no client, and end in time.
pub(super) fn reload(ground: &Ground, mono: &str) -> Result<String> {
    let (program, rounds) = (
        folder(ground).join("Reload.exe"),
        ground.reloads.to_string(),
    );
    let reload = ground
        .within(30 + ground.reloads * 3)
        .arg(mono)
        .arg(program);
    let line = Ground::line(reload.args([ground.url(), &rounds]), "turbohttp-reload:")?;
    let worst: u32 = run::find(r"worst unload (\d+) ms", &line)?;
    ensure!(line.ends_with(" 0 clients left"), "{line}");
    ensure!(worst < UNLOAD_MAX, "{line}: at most {UNLOAD_MAX} ms");
    Ok(line)
}
