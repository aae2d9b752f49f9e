//! The library as C and Python see it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use xshell::cmd;

use super::ground::Ground;
use crate::run;

const SOURCES: &str = "crates/turbohttp-ffi/c";
const HEADER: &str = "crates/turbohttp-ffi/include/turbohttp.h";
const FLAGS: [&str; 6] = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g",
    "-Icrates/turbohttp-ffi/include",
];

/// What Rust's standard library needs of the system where it is linked into a program.
const SYSTEM: [&str; 4] = ["-lpthread", "-ldl", "-lm", "-lgcc_s"];

/// The header compiles as C and C++, and its structures have the same sizes as the library's with pointers of 64 and of
/// 32 bits.
pub(super) fn header(ground: &Ground) -> Result<String> {
    let sh = &ground.sh;
    for bits in ["-m64", "-m32"] {
        run::collect(cmd!(
            sh,
            "gcc {FLAGS...} {bits} -ffreestanding -fsyntax-only {SOURCES}/layout.c"
        ))?;
    }
    run::collect(cmd!(sh, "c++ -Wall -Werror -fsyntax-only -x c++ {HEADER}"))?;
    Ok("C with 64 and 32 bits, C++".to_owned())
}

/// The shared library exports what the header declares, and nothing else.
pub(super) fn exports(ground: &Ground) -> Result<String> {
    let (sh, library) = (&ground.sh, ground.release.join("libturbohttp_ffi.so"));
    let listed = cmd!(sh, "nm -D --defined-only {library}").quiet().read()?;
    let exported: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let header = sh.read_file(HEADER)?;
    let declared = run::pattern(r"(?m)^u?int32_t (\w+)\(");
    let declared: BTreeSet<&str> = declared
        .captures_iter(&header)
        .map(|found| found.extract::<1>().1[0])
        .collect();
    ensure!(!declared.is_empty(), "no function was found in {HEADER}");
    ensure!(
        exported == declared,
        "exported, or declared, alone: {:?}",
        &exported ^ &declared
    );
    Ok(format!("{} functions", exported.len()))
}

/// Compiles a program against the shared library, or with the static one in it.
fn compile(ground: &Ground, source: &str, is_static: bool, flags: &[&str]) -> Result<PathBuf> {
    let (sh, release) = (&ground.sh, &ground.release);
    let program = ground.folder.join(format!(
        "c-{source}{}{}",
        if is_static { "-static" } else { "" },
        flags.concat()
    ));
    let gcc = cmd!(
        sh,
        "gcc {FLAGS...} {flags...} {SOURCES}/{source}.c -o {program}"
    );
    let gcc = match is_static {
        true => gcc.arg(release.join("libturbohttp_ffi.a")),
        false => gcc.arg("-L").arg(release).arg("-lturbohttp_ffi"),
    };
    run::collect(gcc.args(SYSTEM).quiet())?;
    Ok(program)
}

fn example_and_tests(ground: &Ground, is_static: bool) -> Result<String> {
    let url = ground.url();
    let example = compile(ground, "example", is_static, &[])?;
    Ground::line(
        ground
            .within(20)
            .arg(example)
            .arg(format!("{url}/bytes/100000")),
        "100000 bytes;",
    )?;
    let tests = compile(ground, "test", is_static, &[])?;
    Ground::line(ground.within(60).arg(tests).arg(url), "c-tests:")
}

pub(super) fn shared(ground: &Ground) -> Result<String> {
    example_and_tests(ground, false)
}

pub(super) fn linked(ground: &Ground) -> Result<String> {
    example_and_tests(ground, true)
}

/// Watches the program in C, and what the library copies from and to its memory through libc.
pub(super) fn sanitizer(ground: &Ground) -> Result<String> {
    let tests = compile(ground, "test", false, &["-fsanitize=address,undefined"])?;
    Ground::line(ground.within(60).arg(tests).arg(ground.url()), "c-tests:")
}

/// Watches both sides, and counts what is lost.
pub(super) fn valgrind(ground: &Ground) -> Result<String> {
    let tests = compile(ground, "test", false, &[])?;
    let valgrind = [
        "valgrind",
        "-q",
        "--error-exitcode=9",
        "--leak-check=full",
        "--errors-for-leak-kinds=definite",
    ];
    Ground::line(
        ground
            .within(120)
            .args(valgrind)
            .arg(tests)
            .arg(ground.url()),
        "c-tests:",
    )
}

pub(super) fn soak(ground: &Ground) -> Result<String> {
    let soak = compile(ground, "soak", false, &[])?;
    Ground::line(ground.within(60).arg(soak).arg(ground.url()), "c-soak:")
}

pub(super) fn python(ground: &Ground) -> Result<String> {
    let library = ground.release.join("libturbohttp_ffi.so");
    let example = ["python3", "crates/turbohttp-ffi/python/example.py"];
    let url = format!("{}/bytes/100000", ground.url());
    Ground::line(
        ground.within(20).args(example).arg(library).arg(url),
        "200 100000 bytes",
    )
}
