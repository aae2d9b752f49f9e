//! `walk`: the files and functions that one warm GET goes through, and the locks that it takes, from
//! callgrind's call graph of the program `count`. Fails beyond the bounds below.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, ensure};

use crate::gates::{self, outside::Counted};
use crate::{run, tools};

const FILES_MAX: usize = 18;
const LOCKS_MAX: f64 = 6.0;

/// One caller, so that each request finds a warm connection and nothing to wait for.
const REQUESTS: u64 = 2_000;

/// A function is called once per request if it is called so many times: a few were made before.
const CALLS_MIN: u64 = REQUESTS * 95 / 100;

/// What callgrind wrote.
#[derive(Default)]
struct Graph {
    /// The file of each function of the libraries, by the first line of its code.
    files: BTreeMap<String, String>,
    calls: HashMap<String, u64>,
    /// How often an instruction ran that takes a lock.
    locks: u64,
}

pub(crate) fn command() -> Result<()> {
    if !tools::can("the walk", "valgrind")? || !tools::can("the walk", "objdump")? {
        return Ok(());
    }
    gates::build_count()?;
    let counted = Counted::start()?;
    let file = run::target_dir().join("walk.callgrind");
    let out = format!("--callgrind-out-file={}", file.display());
    let tool = [
        "valgrind",
        "--tool=callgrind",
        "--dump-instr=yes",
        "--compress-pos=no",
        &out,
    ];
    counted.under(&tool, "get", 1, REQUESTS, None)?;
    let code = run::output("objdump", &["-d", "--no-show-raw-insn", &counted.program()])?;
    let graph = read(&std::fs::read_to_string(&file)?, &lock_sites(&code.stdout));
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (function, file) in &graph.files {
        let calls = graph.calls.get(function).copied().unwrap_or_default();
        if calls >= CALLS_MIN {
            let times = calls as f64 / REQUESTS as f64;
            files
                .entry(file)
                .or_default()
                .push(format!("{times:.1} {function}"));
        }
    }
    for (file, functions) in &files {
        println!("{file}\n    {}", functions.join("\n    "));
    }
    let locks = graph.locks as f64 / REQUESTS as f64;
    println!(
        "{} files, at most {FILES_MAX}; {locks:.2} locks, at most {LOCKS_MAX}",
        files.len()
    );
    ensure!(
        !files.is_empty() && locks > 0.0,
        "the call graph was not understood"
    );
    ensure!(
        files.len() <= FILES_MAX,
        "a warm GET walks through {} files",
        files.len()
    );
    ensure!(locks <= LOCKS_MAX, "a warm GET takes {locks:.2} locks");
    Ok(())
}

/// The addresses of `lock cmpxchg` on 32 bits, by which std's mutex is taken on x86-64.
fn lock_sites(code: &str) -> HashSet<u64> {
    let is_site = |line: &&str| {
        let operand = line
            .split_once("lock cmpxchg %")
            .map(|(_, operand)| operand);
        operand.is_some_and(|name| {
            name.starts_with('e') || name[1..].starts_with(['8', '9', '1']) && name.contains("d,")
        })
    };
    let address = |line: &str| u64::from_str_radix(line.trim().split(':').next()?, 16).ok();
    code.lines().filter(is_site).filter_map(address).collect()
}

/// Lines are `fl=(1) file`, `fn=(2) function`, `cfn=(3) callee`, `calls=N …` with the cost of the callee
/// below it, and `address line cost`; a name stands only where its number is new.
fn read(text: &str, sites: &HashSet<u64>) -> Graph {
    let (mut graph, mut names) = (Graph::default(), HashMap::new());
    let (mut file, mut callee) = (None, String::new());
    let mut is_client = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let kind = if key.ends_with("fn") { "fn" } else { "file" };
        let mut name = || {
            let (number, name) = value.split_once(' ').unwrap_or((value, ""));
            let known: &mut String = names.entry((kind, number)).or_default();
            known.push_str(if known.is_empty() { name } else { "" });
            known.clone()
        };
        match key {
            "fl" => file = ours(&name()),
            // Files of inlined code and of callees: only their numbers are learned.
            "fi" | "fe" | "cfi" | "cfl" => drop(name()),
            "fn" => {
                let function = name();
                // What is inlined into a caller, or dropped for one, counts by the function's name.
                is_client = function.contains("turbohttp") && !function.starts_with("tokio");
                if let Some(file) = &file {
                    graph.files.insert(function, file.clone());
                }
            }
            "cfn" => callee = name(),
            "calls" => {
                let count = value
                    .split(' ')
                    .next()
                    .and_then(|count| count.parse::<u64>().ok());
                *graph.calls.entry(callee.clone()).or_default() += count.unwrap_or(0);
                lines.next();
            }
            "" if is_client => {
                let mut words = value.split(' ');
                let address = words.next().and_then(|word| word.strip_prefix("0x"));
                let address = address.and_then(|word| u64::from_str_radix(word, 16).ok());
                let runs = words.nth(1).and_then(|runs| runs.parse::<u64>().ok());
                let is_site = address.is_some_and(|address| sites.contains(&address));
                graph.locks += runs.filter(|_| is_site).unwrap_or(0);
            }
            _ => {}
        }
    }
    graph
}

/// A file of the libraries, as it stands below `crates`.
fn ours(file: &str) -> Option<String> {
    let below = file.split_once("crates/")?.1;
    let (name, _) = below.split_once("/src/")?;
    ["turbohttp", "turbohttp-core"]
        .contains(&name)
        .then(|| below.to_owned())
}
