//! What is measured: the workloads, and the cases made of them.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::peers::PeerName;

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
}

/// One table of the report.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) workload: Workload,
    pub(crate) callers: usize,
    pub(crate) multi_thread: bool,
    pub(crate) tls: bool,
}

impl Case {
    /// Enough requests for counts per request to be steady, and for the callers' own tasks not to
    /// show in them.
    pub(crate) fn requests_to_count(&self) -> u64 {
        match self.workload.is_bulk() {
            true => 4,
            false => (64 * self.callers as u64).max(4096),
        }
    }

    /// Whether this peer is in the table. Left out is who would only show what another table has
    /// shown already, and who cannot do it.
    pub(crate) fn has(&self, peer: PeerName) -> bool {
        use Workload::{Bytes64k, Small};
        let is_plain = !self.tls && !self.multi_thread;
        match peer {
            PeerName::LimitTokio
            | PeerName::Turbohttp
            | PeerName::HyperConn
            | PeerName::HyperUtil
            | PeerName::Reqwest => true,
            PeerName::LimitEpoll => is_plain && !self.workload.is_bulk(),
            PeerName::TurbohttpQueue => {
                matches!(self.workload, Small | Workload::Post) && !self.tls
            }
            // Slow: with 256 callers they would tell the same once more.
            PeerName::Ureq => !self.multi_thread && !self.workload.is_bulk() && self.callers < 256,
            PeerName::Isahc => is_plain && !self.workload.is_bulk() && self.callers < 256,
            PeerName::Wrk => is_plain && matches!(self.workload, Small | Bytes64k),
        }
    }
}

const fn case(name: &'static str, title: &'static str, workload: Workload, callers: usize) -> Case {
    Case {
        name,
        title,
        workload,
        callers,
        multi_thread: false,
        tls: false,
    }
}

/// Every case, in the order of the report.
pub(crate) const CASES: [Case; 10] = [
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
    Case {
        tls: true,
        ..case("tls", "small over TLS, 64 callers", Workload::Small, 64)
    },
];

/// What a run consists of besides the cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What layers cost, without a socket.
    Mock,
    /// The demands on the limiter.
    Limiter,
    /// The demand that no host waits for a dead one.
    DeadHost,
}

impl Part {
    const ALL: [(&'static str, Part); 3] = [
        ("mock", Part::Mock),
        ("limiter", Part::Limiter),
        ("dead-host", Part::DeadHost),
    ];
}

/// What is to be measured.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) cases: Vec<Case>,
    pub(crate) parts: Vec<Part>,
}

impl Selection {
    /// What these names stand for; without any, everything, the demands only for a gate.
    pub(crate) fn read(names: &[String], gate: bool) -> Result<Selection> {
        if names.is_empty() {
            let parts = match gate {
                true => vec![Part::Mock, Part::Limiter, Part::DeadHost],
                false => vec![Part::Mock],
            };
            return Ok(Selection {
                cases: CASES.to_vec(),
                parts,
            });
        }
        let part = |name: &&String| Part::ALL.iter().find(|(known, _)| known == name);
        let is_case = |name: &&String| part(name).is_none();
        let cases: Vec<String> = names.iter().filter(is_case).cloned().collect();
        Ok(Selection {
            cases: select(&cases, &[])?,
            parts: names
                .iter()
                .filter_map(|name| part(&name))
                .map(|(_, part)| *part)
                .collect(),
        })
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn everything_is_measured_unless_something_is_named() {
        let all = Selection::read(&[], false).unwrap();
        assert_eq!(
            (all.cases.len(), all.parts),
            (CASES.len(), vec![Part::Mock])
        );
        assert_eq!(Selection::read(&[], true).unwrap().parts.len(), 3);
        let some = Selection::read(&names(&["tls", "dead-host"]), true).unwrap();
        assert_eq!((some.cases.len(), some.cases[0].name), (1, "tls"));
        assert!(some.has(Part::DeadHost) && !some.has(Part::Limiter));
        assert!(Selection::read(&names(&["tsl"]), false).is_err());
    }

    #[test]
    fn every_case_has_what_ratios_are_made_of() {
        for case in CASES {
            for peer in [PeerName::LimitTokio, PeerName::Turbohttp, PeerName::Reqwest] {
                assert!(case.has(peer), "{} at {}", peer.name(), case.name);
            }
        }
    }

    #[test]
    fn slow_peers_are_in_few_cases() {
        let cases = CASES.iter().filter(|case| case.has(PeerName::Isahc));
        let cases: Vec<&str> = cases.map(|case| case.name).collect();
        assert_eq!(cases, ["small-1", "small-64", "64k", "chunked", "post"]);
    }
}
