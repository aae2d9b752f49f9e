//! `codegen`: what is written from the sources of the C ABI, and committed: the header for C, the bindings for C#, and
//! the `.meta` files by which Unity knows the files of its package.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use xshell::{Shell, cmd};

use crate::run;

mod meta;

/// Where the C ABI stands, in the order in which its functions are written.
const SOURCES: [&str; 6] = [
    "abi.rs",
    "exports/library.rs",
    "exports/client.rs",
    "exports/request.rs",
    "exports/events.rs",
    "exports/body.rs",
];

/// Where the constants are.
const ABI: &str = "crates/turbohttp-ffi/src/abi.rs";

const HEADER: &str = "crates/turbohttp-ffi/include/turbohttp.h";
const BINDINGS: &str = "unity/Runtime/Native/NativeMethods.g.cs";

/// Where the library is linked into the program, and has no file of its own.
const STATIC: &str =
    "(UNITY_IOS || UNITY_TVOS || UNITY_VISIONOS || TURBOHTTP_STATIC) && !UNITY_EDITOR";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Writes nothing, and fails with a diff where a committed file is another.
    #[arg(long)]
    check: bool,
}

pub(crate) fn command(options: &Options) -> Result<()> {
    if options.check {
        return check();
    }
    let sh = run::shell()?;
    for (path, text) in generate(&sh)? {
        sh.write_file(path, text)?;
    }
    for stale in meta::stale(&sh)? {
        sh.remove_path(stale)?;
    }
    Ok(())
}

/// Fails where a committed file is not what is written from the sources.
pub(crate) fn check() -> Result<()> {
    let sh = run::shell()?;
    let fresh = run::target_dir().join("codegen");
    let mut wrong = meta::stale(&sh)?;
    for stale in &wrong {
        println!("{}: what it belongs to is gone", stale.display());
    }
    for (path, text) in generate(&sh)? {
        if std::fs::read_to_string(&path).is_ok_and(|committed| committed == text) {
            continue;
        }
        let written = fresh.join(&path);
        sh.write_file(&written, text)?;
        let committed = if path.exists() {
            path.as_path()
        } else {
            Path::new("/dev/null")
        };
        cmd!(sh, "git --no-pager diff --no-index {committed} {written}")
            .quiet()
            .ignore_status()
            .run()?;
        wrong.push(path);
    }
    ensure!(
        wrong.is_empty(),
        "{} files are not as generated: run `cargo xtask codegen`",
        wrong.len()
    );
    Ok(())
}

/// Every file, by its path from the root.
fn generate(sh: &Shell) -> Result<BTreeMap<PathBuf, String>> {
    let mut files = meta::files(sh)?;
    files.insert(HEADER.into(), header()?);
    files.insert(BINDINGS.into(), bindings()?);
    Ok(files)
}

fn sources() -> impl Iterator<Item = PathBuf> {
    let folder = run::root().join("crates/turbohttp-ffi/src");
    SOURCES.into_iter().map(move |source| folder.join(source))
}

fn header() -> Result<String> {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some("/* TurboHTTP for C. Written by `cargo xtask codegen` from crates/turbohttp-ffi/src. */".to_owned()),
        include_guard: Some("TURBOHTTP_H".to_owned()),
        no_includes: true,
        sys_includes: vec!["stdint.h".to_owned()],
        cpp_compat: true,
        line_length: 110,
        ..cbindgen::Config::default()
    };
    let builder = cbindgen::Builder::new().with_config(config);
    let bindings = sources()
        .fold(builder, |builder, source| builder.with_src(source))
        .generate()?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

/// No function pointers and no `nuint`: C# 7.2 has neither, which is what Mono's compiler reads. The constants are ours:
/// csbindgen knows those only that are one literal, and `-1` is not.
fn bindings() -> Result<String> {
    let file = run::target_dir().join("codegen/NativeMethods.g.cs");
    let builder = csbindgen::Builder::default()
        .csharp_namespace("TurboHttp.Native")
        .csharp_class_name("NativeMethods")
        .csharp_dll_name("turbohttp_ffi")
        .csharp_dll_name_if(STATIC, "__Internal")
        .csharp_use_function_pointer(false)
        .csharp_use_nint_types(false)
        .csharp_file_footer(constants(&std::fs::read_to_string(run::root().join(ABI))?));
    sources()
        .fold(builder, |builder, source| builder.input_extern_file(source))
        .generate_csharp_file(&file)
        .map_err(|error| anyhow!("csbindgen: {error}"))?;
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(tidied(&text))
}

/// The constants of the ABI, as a part of the class of the functions.
fn constants(abi: &str) -> String {
    let mut text = "namespace TurboHttp.Native\n{\n    internal static unsafe partial class NativeMethods\n    {\n".to_owned();
    for constant in run::pattern(r"(?m)^pub const (TH_\w+): (\w+) = (.+);$").captures_iter(abi) {
        let [name, kind, value] = constant.extract().1;
        let (kind, largest) = match kind {
            "i32" => ("int", "int.MaxValue"),
            "u32" => ("uint", "uint.MaxValue"),
            _ => ("ulong", "ulong.MaxValue"),
        };
        let value = if value.ends_with("::MAX") {
            largest
        } else {
            value
        };
        let _ = writeln!(text, "        internal const {kind} {name} = {value};");
    }
    text + "    }\n}"
}

/// Without spaces at the ends of lines, and without one empty line after another.
fn tidied(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    for line in text.lines().map(str::trim_end) {
        if !line.is_empty() || !tidied.ends_with("\n\n") {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_as_csharp() {
        let abi = "/// Stale.\npub const TH_STALE: i32 = -1;\npub const TH_UNKNOWN: u64 = u64::MAX;\npub const TH_V: u32 = 1 << 16;\n";
        let text = constants(abi);
        assert!(text.contains(
            " const int TH_STALE = -1;\n        internal const ulong TH_UNKNOWN = ulong.MaxValue;"
        ));
        assert!(text.contains(" const uint TH_V = 1 << 16;"));
    }

    #[test]
    fn generated_text_has_no_spaces_at_the_ends_of_lines() {
        assert_eq!(tidied("a  \n\n \n\n  b\n"), "a\n\n  b\n");
    }
}
