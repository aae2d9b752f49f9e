//! The Unity package compiled ahead in full, where no code can be made at run time: as IL2CPP demands, on Mono; and the
//! library linked into the program, as on iOS.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use xshell::cmd;

use super::ground::Ground;
use super::managed;
use crate::run;

/// What the tests use of the class library.
const CLASSES: [&str; 9] = [
    "mscorlib",
    "System",
    "System.Core",
    "System.Net.Http",
    "System.Configuration",
    "System.Xml",
    "Mono.Security",
    "System.Numerics",
    "System.Security",
];

const CLASS_LIBRARY: &str = "/usr/lib/mono/4.5";

/// Mistakes that work where code is compiled at run time.
const CONTROLS: [&str; 5] = [
    "NoAttribute",
    "InstanceDelegate",
    "Closure",
    "EmittedMethod",
    "CompiledExpression",
];

/// What a control says that was not stopped.
const WORKED: &str = "turbohttp-control: worked";

/// The folder of the compiled class library, named by what it was compiled from.
fn classes(ground: &Ground) -> Result<PathBuf> {
    let mut hash = Sha256::new_with_prefix(cmd!(ground.sh, "mono --version").quiet().read()?);
    for name in CLASSES {
        hash.update(std::fs::read(
            Path::new(CLASS_LIBRARY).join(format!("{name}.dll")),
        )?);
    }
    let hash = hash.finalize();
    let name: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(run::target_dir().join("mono-class-library").join(name))
}

/// Compiles one assembly ahead; its image lies beside it.
fn compile_ahead(ground: &Ground, assembly: &Path, path: &Path) -> Result<()> {
    run::collect(
        cmd!(ground.sh, "mono --aot=full {assembly}")
            .env("MONO_PATH", path)
            .quiet(),
    )?;
    Ok(())
}

/// Compiles Mono's class library ahead, unless it was.
pub(super) fn class_library(ground: &Ground) -> Result<String> {
    let (sh, folder) = (&ground.sh, classes(ground)?);
    if folder.exists() {
        return Ok("as it was".to_owned());
    }
    let making = folder.with_extension("making");
    sh.remove_path(&making)?;
    sh.create_dir(&making)?;
    for name in CLASSES {
        sh.copy_file(
            Path::new(CLASS_LIBRARY).join(format!("{name}.dll")),
            &making,
        )?;
    }
    for name in CLASSES {
        compile_ahead(ground, &making.join(format!("{name}.dll")), &making)?;
    }
    std::fs::rename(&making, &folder)?;
    Ok(format!(
        "{} assemblies in {}",
        CLASSES.len(),
        folder.display()
    ))
}

/// A folder of the gate, where images lie beside their assemblies.
fn folder(ground: &Ground, name: &str) -> PathBuf {
    ground.folder.join(name)
}

/// Where the assemblies of a folder are looked for.
fn search_path(ground: &Ground, folder: &Path) -> Result<String> {
    Ok(format!(
        "{}:{}",
        folder.display(),
        classes(ground)?.display()
    ))
}

/// Compiles the library and some programs of a folder ahead into another.
fn compile_all(ground: &Ground, from: &Path, to: &Path, programs: &[&str]) -> Result<()> {
    ground.sh.remove_path(to)?;
    ground.sh.create_dir(to)?;
    let files: Vec<String> = programs
        .iter()
        .map(|name| format!("{name}.exe"))
        .chain(["TurboHttp.dll".to_owned()])
        .collect();
    for file in &files {
        ground.sh.copy_file(from.join(file), to)?;
    }
    let path = search_path(ground, to)?;
    files
        .iter()
        .try_for_each(|file| compile_ahead(ground, &to.join(file), Path::new(&path)))
}

pub(super) fn compile(ground: &Ground) -> Result<String> {
    let programs = [&CONTROLS[..], &["TurboHttp.Tests"]].concat();
    compile_all(
        ground,
        &managed::folder(ground),
        &folder(ground, "ahead"),
        &programs,
    )?;
    Ok(format!("{} assemblies", programs.len() + 1))
}

/// What a program of a folder does where nothing is compiled at run time.
fn full_aot<'a>(ground: &'a Ground, folder: &Path, program: &str) -> Result<xshell::Cmd<'a>> {
    let program = folder.join(format!("{program}.exe"));
    let mono = ground
        .within(240)
        .env("MONO_PATH", search_path(ground, folder)?);
    // Where Mono writes down its crashes, which the stages below provoke.
    let there = mono.args(["env", "--chdir"]).arg(folder);
    Ok(there.args(["mono", "--full-aot"]).arg(program))
}

pub(super) fn tests(ground: &Ground) -> Result<String> {
    let tests = full_aot(ground, &folder(ground, "ahead"), "TurboHttp.Tests")?;
    managed::all_passed(ground, tests.arg(ground.origins()))
}

/// Each mistake works where code is compiled at run time, and fails here: otherwise the stage before shows nothing.
pub(super) fn controls(ground: &Ground) -> Result<String> {
    for control in CONTROLS {
        let jit = ground
            .within(30)
            .arg("mono")
            .arg(managed::folder(ground).join(format!("{control}.exe")));
        Ground::line(jit, WORKED)
            .with_context(|| format!("{control} does not even work when compiled at run time"))?;
        let output = full_aot(ground, &folder(ground, "ahead"), control)?
            .ignore_status()
            .output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(
            !output.status.success() && !said.contains(WORKED),
            "{control} worked"
        );
        ensure!(
            said.contains("ExecutionEngineException"),
            "{control} failed otherwise: {said}"
        );
    }
    Ok(format!("{} mistakes, each caught", CONTROLS.len()))
}

/// An assembly without its image is refused, and not compiled after all.
pub(super) fn missing_image(ground: &Ground) -> Result<String> {
    let (ahead, without) = (folder(ground, "ahead"), folder(ground, "without-image"));
    ground.sh.remove_path(&without)?;
    ground.sh.create_dir(&without)?;
    for file in [
        "TurboHttp.Tests.exe",
        "TurboHttp.Tests.exe.so",
        "TurboHttp.dll",
    ] {
        ground.sh.copy_file(ahead.join(file), &without)?;
    }
    let output = full_aot(ground, &without, "TurboHttp.Tests")?
        .arg(ground.url())
        .ignore_status()
        .output()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(
        !output.status.success() && !said.contains("turbohttp-tests:"),
        "it ran: {said}"
    );
    ensure!(said.contains("AOT"), "it failed otherwise: {said}");
    Ok("refused".to_owned())
}

/// Compiles what is linked into its program, and the program.
fn link(ground: &Ground) -> Result<(PathBuf, PathBuf)> {
    let (sh, from, to) = (
        &ground.sh,
        folder(ground, "static"),
        folder(ground, "static-ahead"),
    );
    managed::compile_into(ground, &from, "-define:TURBOHTTP_STATIC")?;
    compile_all(ground, &from, &to, &["TurboHttp.Tests"])?;
    let host = to.join("host");
    let flags = cmd!(sh, "pkg-config --cflags --libs mono-2")
        .quiet()
        .read()?;
    let library = ground.release.join("libturbohttp_ffi.a");
    let gcc = cmd!(sh, "gcc unity/Tests~/Static/host.c -o {host}").args(flags.split_whitespace());
    let whole = gcc
        .arg("-Wl,--whole-archive")
        .arg(library)
        .arg("-Wl,--no-whole-archive");
    run::collect(
        whole
            .args(["-rdynamic", "-lpthread", "-ldl", "-lm"])
            .quiet(),
    )?;
    Ok((host, to))
}

/// The tests with Mono and the library in one program, all compiled ahead.
pub(super) fn static_link(ground: &Ground) -> Result<String> {
    let (host, folder) = link(ground)?;
    let tests = ground
        .within(240)
        .env("MONO_PATH", search_path(ground, &folder)?);
    // Without the shared library: it must be the one that is linked.
    let tests = tests
        .env_remove("LD_LIBRARY_PATH")
        .arg(host)
        .arg(folder.join("TurboHttp.Tests.exe"));
    managed::all_passed(ground, tests.arg(ground.origins()))
}
