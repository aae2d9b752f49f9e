//! `walk`: the files and functions that one warm GET goes through, and the locks that it takes, from
//! callgrind's call graph of the program `count`. Fails beyond the bounds below.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, ensure};

use crate::gates::{self, outside::Counted};
use crate::{run, tools};

const FILES_MAX: usize = 18;
const LOCKS_MAX: f64 = 6.0;

/// From one caller: each finds a warm connection and waits for nothing but the server.
const REQUESTS: u64 = 2_000;

/// A function is called once per request if it is called so often: the first few go other ways.
const CALLS_MIN: u64 = REQUESTS * 95 / 100;

pub(crate) fn command() -> Result<()> {
    if !tools::can("the walk", "valgrind")? || !tools::can("the walk", "objdump")? {
        return Ok(());
    }
    gates::build_count()?;
    let counted = Counted::start()?;
    let file = run::target_dir().join("walk.callgrind");
    let out = format!("--callgrind-out-file={}", file.display());
    let tool = "valgrind --tool=callgrind --dump-instr=yes --compress-pos=no";
    let tool: Vec<&str> = tool.split(' ').chain([out.as_str()]).collect();
    counted.under(&tool, "get", 1, REQUESTS, None)?;
    let code = run::output("objdump", &["-d", "--no-show-raw-insn", &counted.program()])?;
    let sites = code.stdout.lines().filter_map(lock_site).collect();
    let (files, locks) = read(&std::fs::read_to_string(&file)?, &sites);
    for (file, functions) in &files {
        println!("{file}\n    {}", functions.join("\n    "));
    }
    let (walked, locks) = (files.len(), locks as f64 / REQUESTS as f64);
    println!("{walked} files, at most {FILES_MAX}; {locks:.2} locks, at most {LOCKS_MAX}");
    ensure!(
        walked > 0 && locks > 0.0,
        "the call graph was not understood"
    );
    ensure!(
        walked <= FILES_MAX,
        "a warm GET walks through {walked} files"
    );
    ensure!(locks < LOCKS_MAX + 0.1, "a warm GET takes {locks:.2} locks");
    Ok(())
}

/// The address of a `lock cmpxchg` on 32 bits, by which std's mutex is taken on x86-64.
fn lock_site(line: &str) -> Option<u64> {
    let register = line.split_once("lock cmpxchg %")?.1.split(',').next()?;
    let is_32_bits = register.starts_with('e') || register.ends_with('d');
    let address = line.trim().split(':').next().filter(|_| is_32_bits)?;
    u64::from_str_radix(address, 16).ok()
}

/// The functions of the libraries by their files, and the locks taken for the client. Lines are
/// `fl=(1) file`, `fn=(2) function`, `cfn=(3) callee`, `calls=N …` with the callee's cost in the next
/// line, and `address line cost`; a name stands only where its number is new.
fn read(text: &str, sites: &HashSet<u64>) -> (BTreeMap<String, Vec<String>>, u64) {
    let (mut files, mut calls) = (BTreeMap::<_, Vec<_>>::new(), HashMap::<_, u64>::new());
    let (mut names, mut owners) = (HashMap::<_, String>::new(), BTreeMap::new());
    let (mut file, mut function, mut callee) = (String::new(), String::new(), String::new());
    let mut locks = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let (first, rest) = value.split_once(' ').unwrap_or((value, ""));
        let name = names.entry((key.ends_with("fn"), first)).or_default();
        if key.len() <= 3 && name.is_empty() {
            rest.clone_into(name);
        }
        match key {
            "fl" => file.clone_from(name),
            "cfn" => callee.clone_from(name),
            "fn" => {
                function.clone_from(name);
                owners.insert(function.clone(), file.clone());
            }
            "calls" => {
                *calls.entry(callee.clone()).or_default() += first.parse().unwrap_or(0);
                lines.next();
            }
            // Code that is inlined into a caller, or drops a value of ours, has our name.
            "" if function.contains("turbohttp") && !function.starts_with("tokio") => {
                let address = first
                    .strip_prefix("0x")
                    .map(|hex| u64::from_str_radix(hex, 16));
                let cost = rest
                    .split(' ')
                    .nth(1)
                    .and_then(|cost| cost.parse::<u64>().ok());
                if let (Some(Ok(address)), Some(cost)) = (address, cost) {
                    locks += if sites.contains(&address) { cost } else { 0 };
                }
            }
            _ => {}
        }
    }
    for (function, file) in owners {
        let count = calls.get(&function).copied().unwrap_or(0);
        let below = file.split_once("/crates/").map_or("", |(_, below)| below);
        if count >= CALLS_MIN
            && ["turbohttp", "turbohttp-core"].contains(&below.split('/').next().unwrap_or(""))
        {
            let times = count as f64 / REQUESTS as f64;
            files
                .entry(below.to_owned())
                .or_default()
                .push(format!("{times:.1} {function}"));
        }
    }
    (files, locks)
}
