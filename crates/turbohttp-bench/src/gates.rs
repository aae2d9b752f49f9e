//! The gates: budgets from a file, counts from this process, and a report of both.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use turbohttp::{Client, Error, ErrorKind, Result};
use turbohttp_loopback::{Options, Server};

use crate::meter::{self, Reading};
use crate::scenario::{Scenario, mock_client};

const BUDGETS: &str = include_str!("../gates.toml");

/// Requests before counting begins: pools fill, buffers grow.
const WARM_UP: u64 = 200;
/// Requests that are counted.
const COUNTED: u64 = 10_000;

/// What a request may cost, as `gates.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Budgets {
    /// Allocations per request, by scenario.
    pub allocations_max: BTreeMap<String, f64>,
    /// The specification's own gates.
    pub specification: Specification,
    /// User-space instructions per request, by scenario.
    pub instructions_max: BTreeMap<String, f64>,
    /// System calls per request, by kind.
    pub system_calls_max: BTreeMap<String, f64>,
}

/// The specification's gates.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Specification {
    /// Bytes allocated per request: the primary gate.
    pub bytes_per_request_max: f64,
    /// Bytes allocated per request: the stretch gate.
    pub bytes_per_request_stretch_max: f64,
    /// Requests per second on the mock, one thread.
    pub mock_requests_per_second_min: f64,
}

impl Budgets {
    /// The budgets that this crate was built with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the line that is wrong.
    pub fn built_in() -> Result<Budgets> {
        Budgets::parse(BUDGETS)
    }

    /// Reads budgets from the text of a file like `gates.toml`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] naming the line that is wrong.
    pub fn parse(text: &str) -> Result<Budgets> {
        toml::from_str(text)
            .map_err(|error| Error::new(ErrorKind::Config, format!("budgets: {error}")))
    }
}

/// One gate: what was measured, and the bound it is held to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Gate {
    /// What is counted, on what.
    pub name: String,
    /// The figure.
    pub measured: f64,
    /// The bound.
    pub bound: f64,
    /// Whether the figure must stay below the bound (or else above it).
    pub is_max: bool,
}

impl Gate {
    /// A figure that must not pass `bound`.
    pub fn at_most(name: impl Into<String>, measured: f64, bound: f64) -> Gate {
        Gate {
            name: name.into(),
            measured,
            bound,
            is_max: true,
        }
    }

    /// A figure that must reach `bound`.
    pub fn at_least(name: impl Into<String>, measured: f64, bound: f64) -> Gate {
        Gate {
            name: name.into(),
            measured,
            bound,
            is_max: false,
        }
    }

    /// Whether the gate holds. A figure that is no number never does.
    pub fn holds(&self) -> bool {
        if self.is_max {
            self.measured <= self.bound
        } else {
            self.measured >= self.bound
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds() { "ok  " } else { "MISS" };
        let relation = if self.is_max { "at most" } else { "at least" };
        let Gate {
            name,
            measured,
            bound,
            ..
        } = self;
        write!(
            f,
            "{verdict} {name:<44} {measured:>14.3}  {relation} {bound}"
        )
    }
}

/// All gates of one run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The format of this report.
    pub version: u32,
    /// The gates, in the order they were measured.
    pub gates: Vec<Gate>,
}

impl Report {
    /// Whether every gate holds.
    pub fn holds(&self) -> bool {
        self.gates.iter().all(Gate::holds)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gates.iter().try_for_each(|gate| writeln!(f, "{gate}"))
    }
}

/// Measures every gate that can be measured in this process, which takes some seconds.
///
/// The process must have installed the [`Meter`](meter::Meter). The runtime that it runs on should be
/// quiet otherwise: all threads are counted.
///
/// # Errors
///
/// [`ErrorKind::Config`] if the meter is not installed; those of the client and the server.
pub async fn run(budgets: &Budgets) -> Result<Report> {
    if !meter::proves_itself() {
        return Err(Error::new(
            ErrorKind::Config,
            "the counting allocator is not installed",
        ));
    }
    let server = Server::start(Options::default())
        .map_err(|error| Error::new(ErrorKind::Io, "loopback server").with_source(error))?;
    let network = Client::new()?;
    let mock = mock_client()?;
    let mut gates = Vec::new();
    for (transport, client) in [("loopback", &network), ("mock", &mock)] {
        for scenario in Scenario::ALL {
            let cost = cost(client, &server.url(scenario.path()), scenario).await?;
            let name = scenario.name();
            // A mock hands its bytes over as they are.
            let bound = budgets
                .allocations_max
                .get(name)
                .copied()
                .unwrap_or_default();
            gates.push(Gate::at_most(
                format!("allocations per request, {name}, {transport}"),
                cost.allocations,
                bound,
            ));
            gates.push(Gate::at_most(
                format!("bytes allocated per request, {name}, {transport}"),
                cost.bytes,
                budgets.specification.bytes_per_request_stretch_max,
            ));
        }
    }
    gates.push(Gate::at_least(
        "requests per second on the mock, one thread",
        mock_rate(&mock).await?,
        budgets.specification.mock_requests_per_second_min,
    ));
    Ok(Report { version: 1, gates })
}

/// Allocations of one request, on average over many.
struct Cost {
    allocations: f64,
    bytes: f64,
}

async fn cost(client: &Client, url: &str, scenario: Scenario) -> Result<Cost> {
    let body = Scenario::body();
    for _ in 0..WARM_UP {
        scenario.run(client, url, &body).await?;
    }
    let before = Reading::now();
    for _ in 0..COUNTED {
        scenario.run(client, url, &body).await?;
    }
    let seen = Reading::now().since(before);
    let per_request = |count: u64| count as f64 / COUNTED as f64;
    Ok(Cost {
        allocations: per_request(seen.allocations),
        bytes: per_request(seen.bytes),
    })
}

async fn mock_rate(client: &Client) -> Result<f64> {
    const WINDOW: Duration = Duration::from_millis(500);
    let body = Scenario::body();
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
    let start = Instant::now();
    let mut done = 0u64;
    while start.elapsed() < WINDOW {
        for _ in 0..100 {
            Scenario::Get
                .run(client, "http://mock.test/small", &body)
                .await?;
        }
        done += 100;
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
