//! Requests per second on one connection, beside reqwest, the h2 crate, and what bounds any client.

use anyhow::Result;
use turbohttp_loopback::tls::TestCa;
use turbohttp_loopback::{Answerer, AnswererOptions};

use super::sender::{Peer, Sender, Target};
use super::{Plan, bare, h2load, one_thread};
use crate::children::{CLIENT_CORE, SERVER_CORE};
use crate::load::{Crowd, Rate};
use crate::machine;
use crate::sample::median;
use crate::verdict::Verdict;

struct Case {
    name: &'static str,
    callers: usize,
    workers: usize,
    bytes: usize,
    is_tls: bool,
    /// How many times the rate of reqwest, and of the h2 crate, is demanded.
    floors: (f64, f64),
    limit: Limit,
}

/// What is measured besides, without a demand.
#[derive(Clone, Copy)]
enum Limit {
    Nothing,
    BareLoop,
    H2load,
}

impl Limit {
    fn name(self) -> Option<&'static str> {
        match self {
            Limit::Nothing => None,
            Limit::BareLoop => Some("bare loop"),
            Limit::H2load => Some("h2load"),
        }
    }
}

const CASES: [Case; 5] = [
    Case {
        name: "small GET, 64 streams, one thread",
        callers: 64,
        workers: 1,
        bytes: 13,
        is_tls: false,
        floors: (3.2, 1.4),
        limit: Limit::H2load,
    },
    Case {
        name: "small GET over TLS, 64 streams, one thread",
        callers: 64,
        workers: 1,
        bytes: 13,
        is_tls: true,
        // Of the h2 crate nothing is demanded over TLS.
        floors: (1.8, 0.0),
        limit: Limit::Nothing,
    },
    Case {
        name: "small GET, 64 streams, two workers",
        callers: 64,
        workers: 2,
        bytes: 13,
        is_tls: false,
        floors: (3.5, 1.0),
        limit: Limit::Nothing,
    },
    Case {
        name: "small GET, one caller",
        callers: 1,
        workers: 1,
        bytes: 13,
        is_tls: false,
        floors: (1.5, 1.0),
        limit: Limit::BareLoop,
    },
    Case {
        name: "64 KiB, 16 streams",
        callers: 16,
        workers: 1,
        bytes: 64 * 1024,
        is_tls: false,
        floors: (1.8, 1.0),
        limit: Limit::Nothing,
    },
];

pub(super) fn measure(plan: &Plan, verdict: &mut Verdict) -> Result<()> {
    let cases: Vec<_> = CASES.iter().filter(|case| plan.has(case.name)).collect();
    if cases.is_empty() {
        return Ok(());
    }
    println!(
        "| case | turbohttp/s | reqwest/s | h2/s | of reqwest | of h2 | slowest round | CPU us of each | limit | limit/s | of limit |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    // Those of one thread first, which are pinned.
    machine::pin(CLIENT_CORE);
    for case in cases.iter().filter(|case| case.workers == 1) {
        measure_case(case, plan, verdict)?;
    }
    machine::unpin();
    for case in cases.iter().filter(|case| case.workers > 1) {
        measure_case(case, plan, verdict)?;
    }
    Ok(())
}

fn measure_case(case: &Case, plan: &Plan, verdict: &mut Verdict) -> Result<()> {
    let ca = case.is_tls.then(TestCa::new);
    let tls = ca
        .as_ref()
        .map(|ca| ca.server_config_with_alpn(&["127.0.0.1"], &["h2"]));
    let server = Answerer::start(AnswererOptions {
        content_bytes: case.bytes,
        core: (case.workers == 1).then_some(SERVER_CORE),
        tls,
        ..AnswererOptions::default()
    })?;
    let target = Target {
        root_pem: ca.map(|ca| ca.pem()),
        ..Target::of(&server)
    };
    let peers = [Peer::Ours, Peer::Reqwest, Peer::H2];
    let (mut rates, mut limits) = ([(); 3].map(|()| Vec::new()), Vec::new());
    for _ in 0..plan.rounds {
        for (peer, rates) in peers.iter().zip(&mut rates) {
            rates.push(round(case, *peer, &target, plan.seconds)?);
        }
        limits.extend(round_of_limit(case, &target, plan.seconds)?);
    }
    let per_second = |rates: &[Rate]| median(rates.iter().map(|rate| rate.per_second));
    let [ours, reqwest, h2] = [0, 1, 2].map(|at| per_second(&rates[at]));
    let all = rates[0].iter().map(|rate| rate.per_second);
    let slowest = all.fold(f64::INFINITY, f64::min) / ours;
    // Workers are threads of their own, whose time is not that of the one that measures.
    let cpu = match case.workers {
        1 => rates.map(|rates| cpu_us(&rates)).join(" / "),
        _ => "-".to_owned(),
    };
    let limit = (!limits.is_empty()).then(|| per_second(&limits));
    let beside = match (case.limit.name(), limit) {
        (None, _) => "- | - | -".to_owned(),
        (Some(name), None) => format!("{name}: not installed | - | -"),
        (Some(name), Some(limit)) => {
            let name = match case.limit {
                Limit::BareLoop => format!("{name}, {} us", cpu_us(&limits)),
                _ => name.to_owned(),
            };
            format!("{name} | {limit:.0} | {:.2}", ours / limit)
        }
    };
    println!(
        "| {} | {ours:.0} | {reqwest:.0} | {h2:.0} | {:.2} | {:.2} | {slowest:.2} | {cpu} | {beside} |",
        case.name,
        ours / reqwest,
        ours / h2
    );
    for (name, rate, floor) in [
        ("reqwest", reqwest, case.floors.0),
        ("the h2 crate", h2, case.floors.1),
    ] {
        if floor == 0.0 {
            continue;
        }
        let ratio = ours / rate;
        let mut line = format!("{}: {ratio:.2} times {name}, at least {floor}", case.name);
        if let (Limit::BareLoop, Some(limit)) = (case.limit, limit) {
            line.push_str(&format!("; a bare loop is {:.2} times", limit / rate));
        }
        verdict.add(ratio >= floor, line);
    }
    Ok(())
}

/// The median, in microseconds per request.
fn cpu_us(rates: &[Rate]) -> String {
    let us = median(rates.iter().map(|rate| rate.cpu_us));
    format!("{us:.2}")
}

fn round(case: &Case, peer: Peer, target: &Target, seconds: f64) -> Result<Rate> {
    let runtime = match case.workers {
        1 => one_thread()?,
        workers => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?,
    };
    runtime.block_on(async {
        let sender = Sender::new(peer, target).await?;
        let crowd = Crowd {
            callers: case.callers,
            url: target.url.as_str().into(),
            bytes: case.bytes,
        };
        crowd.measure(&sender, seconds).await
    })
}

/// The same of what is measured besides; `None` if it is not there. What another process takes of the
/// processor is not known here, and not shown.
fn round_of_limit(case: &Case, target: &Target, seconds: f64) -> Result<Option<Rate>> {
    match case.limit {
        Limit::Nothing => Ok(None),
        Limit::BareLoop => {
            let rate = one_thread()?.block_on(bare::rate(target.addr, seconds))?;
            Ok(Some(rate))
        }
        Limit::H2load => {
            let rate = h2load::rate(&target.url, case.callers, seconds)?;
            Ok(rate.map(|per_second| Rate {
                per_second,
                cpu_us: 0.0,
            }))
        }
    }
}
