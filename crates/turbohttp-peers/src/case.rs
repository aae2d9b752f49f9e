//! What is measured: the workloads, and the cases made of them.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What is requested, and what is done with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// GET, 13 bytes behind six fields.
    Small,
    /// GET, 64 KiB.
    #[value(name = "64k")]
    #[serde(rename = "64k")]
    Bytes64k,
    /// GET, 16 chunks of 1 KiB.
    Chunked,
    /// POST of 1 KiB, answered as small.
    Post,
    /// GET, 1 GiB, read piece by piece.
    Stream,
    /// GET, 64 MiB, gathered into one piece of memory.
    Collect,
}

impl Workload {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Workload::Small => "/small",
            Workload::Bytes64k => "/bytes/65536",
            Workload::Chunked => "/chunked/16/1024",
            Workload::Post => "/post",
            Workload::Stream => "/bytes/1073741824",
            Workload::Collect => "/bytes/67108864",
        }
    }

    /// Length of the answer's content.
    pub(crate) fn content_length(self) -> u64 {
        match self {
            Workload::Small | Workload::Post => 13,
            Workload::Bytes64k => 64 * KIB,
            Workload::Chunked => 16 * KIB,
            Workload::Stream => 1024 * MIB,
            Workload::Collect => 64 * MIB,
        }
    }

    /// Whether bytes per second say more than requests per second.
    pub(crate) fn is_bulk(self) -> bool {
        matches!(self, Workload::Stream | Workload::Collect)
    }

    /// Enough requests for counts per request to be steady.
    pub(crate) fn requests_to_count(self) -> u64 {
        if self.is_bulk() { 4 } else { 4096 }
    }
}

/// One table of the report.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) workload: Workload,
    pub(crate) callers: usize,
    pub(crate) multi_thread: bool,
}

const fn case(name: &'static str, title: &'static str, workload: Workload, callers: usize) -> Case {
    Case {
        name,
        title,
        workload,
        callers,
        multi_thread: false,
    }
}

/// Every case, in the order of the report.
pub(crate) const CASES: [Case; 9] = [
    case("small-1", "small, 1 caller", Workload::Small, 1),
    case("small-64", "small, 64 callers", Workload::Small, 64),
    case("small-256", "small, 256 callers", Workload::Small, 256),
    case("64k", "64 KiB, 16 callers", Workload::Bytes64k, 16),
    case(
        "chunked",
        "16 chunks of 1 KiB, 64 callers",
        Workload::Chunked,
        64,
    ),
    case("post", "POST 1 KiB, 64 callers", Workload::Post, 64),
    case("stream", "1 GiB streamed, 1 caller", Workload::Stream, 1),
    case(
        "collect",
        "64 MiB collected, 1 caller",
        Workload::Collect,
        1,
    ),
    Case {
        multi_thread: true,
        ..case(
            "multi",
            "small, 64 callers, multi-thread runtime",
            Workload::Small,
            64,
        )
    },
];

/// The cases of these names; `default` if there are none.
pub(crate) fn select(names: &[String], default: &[&str]) -> Result<Vec<Case>> {
    let find = |name: &str| {
        let known = CASES.map(|case| case.name).join(", ");
        let case = CASES.iter().find(|case| case.name == name).copied();
        case.with_context(|| format!("no case `{name}`; there are {known}"))
    };
    if names.is_empty() {
        return default.iter().map(|name| find(name)).collect();
    }
    names.iter().map(|name| find(name)).collect()
}
