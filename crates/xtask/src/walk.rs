//! `walk`: the files and functions that one warm GET goes through, and the locks that it takes, from
//! callgrind's call graph of the program `count`. Fails beyond the bounds below.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, ensure};
use xshell::cmd;

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
    let (sh, program) = (&counted.sh, &counted.program);
    let file = run::target_dir().join("walk.callgrind");
    let tool = cmd!(
        sh,
        "valgrind --tool=callgrind --dump-instr=yes --compress-pos=no --callgrind-out-file={file}"
    );
    counted.under(tool, "get", 1, REQUESTS, None)?;
    let code = cmd!(sh, "objdump -d --no-show-raw-insn {program}").read()?;
    let (files, locks) = read(&sh.read_file(&file)?, &lock_sites(&code));
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

/// The addresses of each `lock cmpxchg` on 32 bits, by which std's mutex is taken on x86-64. They are as
/// callgrind writes them.
fn lock_sites(code: &str) -> HashSet<&str> {
    let site = run::pattern(r"(?m)^ *([0-9a-f]+):.*lock cmpxchg %(?:e\w+|\w+d),");
    let sites = site
        .captures_iter(code)
        .map(|site| site.extract::<1>().1[0]);
    sites.collect()
}

/// The functions of the libraries by their files, and the locks taken for the client. Lines are
/// `fl=(1) file`, `fn=(2) function`, `cfn=(3) callee`, `calls=N …` with the callee's cost in the next
/// line, and `address line cost`; a name stands only where its number is new.
fn read(text: &str, sites: &HashSet<&str>) -> (BTreeMap<String, Vec<String>>, u64) {
    let (mut names, mut owners) = (HashMap::<_, String>::new(), BTreeMap::new());
    let mut calls = HashMap::<_, u64>::new();
    let (mut file, mut function, mut callee) = (String::new(), String::new(), String::new());
    let mut locks = 0_u64;
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
                let address = first.strip_prefix("0x").unwrap_or_default();
                let cost = rest.split(' ').nth(1).filter(|_| sites.contains(address));
                locks += cost.and_then(|cost| cost.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
    }
    let library = run::pattern("/crates/(turbohttp(?:-core)?/.*)");
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for (function, file) in owners {
        let count = calls.get(&function).copied().unwrap_or(0);
        if let Some(below) = library.captures(&file).filter(|_| count >= CALLS_MIN) {
            let times = count as f64 / REQUESTS as f64;
            let functions = files.entry(below[1].to_owned()).or_default();
            functions.push(format!("{times:.1} {function}"));
        }
    }
    (files, locks)
}
