//! What was typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::case::Workload;
use crate::peers::PeerName;

#[derive(Parser)]
#[command(about, version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// One client process: what a round consists of, and what to run under a profiler
    Client(ClientArgs),
    /// The server process; it prints its address and ends with its parent
    Server {
        /// Core to pin it to
        #[arg(long)]
        core: Option<usize>,
        /// Speaks TLS, and prints behind its address the root that vouches for it
        #[arg(long)]
        tls: bool,
        /// Speaks HTTP/2 in the clear, and answers everything with so many bytes
        #[arg(long, value_name = "BYTES", conflicts_with = "tls")]
        answers: Option<usize>,
    },
    /// Keeps a core from halting, at the lowest priority
    Spin {
        /// Core to pin it to
        #[arg(long)]
        core: usize,
    },
    /// A coded body, five redirects and an HTTP proxy beside reqwest: exits with 3 when a demand is missed
    Everyday {
        /// Rounds of every case
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Seconds each round is measured for
        #[arg(long, default_value_t = 0.7)]
        seconds: f64,
    },
    /// HTTP/2 beside reqwest and the h2 crate: exits with 3 when a demand is missed
    Http2 {
        /// Rounds of every case
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// Seconds each round is measured for
        #[arg(long, default_value_t = 0.7)]
        seconds: f64,
        /// Cases whose names contain this
        #[arg(long, value_name = "SUBSTRING")]
        only: Option<String>,
    },
    /// Servers of HTTP/2 that flood, and PING at rest: exits with 3 when a demand is missed
    Http2Floods,
    /// Downloads beside aria2 and curl, and a multipart upload beside reqwest: exits with 3 when a demand is missed
    Files {
        /// Rounds of every case
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// A release build of the command
        #[arg(long, value_name = "FILE", default_value = "target/release/turbohttp")]
        command: PathBuf,
    },
    /// User-space instructions per request and peer, by valgrind's callgrind
    Instructions(CountArgs),
    /// What the limiter costs beside tower's and tokio's; exits with 3 when a demand is missed
    Limiter {
        /// Rounds of every load and contender
        #[arg(long, default_value_t = 11)]
        rounds: u32,
    },
    /// What a client and tower's layers cost on a mock, without a socket
    Mock {
        /// Rounds of every load and contender
        #[arg(long, default_value_t = 5)]
        rounds: u32,
    },
    /// System calls per request and peer, by strace
    Syscalls(CountArgs),
    /// Nine origins that answer beside one that never does: exits with 3 when the nine notice it
    DeadHost {
        /// Rounds of every setup
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// Seconds each round is measured for
        #[arg(long, default_value_t = 0.7)]
        seconds: f64,
    },
}

#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Rounds of every case and peer
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: u32,
    /// Seconds each round is measured for
    #[arg(long, default_value_t = 0.7)]
    pub(crate) seconds: f64,
    /// What to run, all by default: small-1, small-64, …, mock, limiter, dead-host
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// Peers to run, all by default
    #[arg(long, value_delimiter = ',', value_enum, value_name = "PEER")]
    pub(crate) peers: Vec<PeerName>,
    /// Also writes everything to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// How much the run is preferred to whatever else the machine does, if permitted; -20 is most
    #[arg(long, default_value_t = -10, allow_negative_numbers = true)]
    pub(crate) niceness: i32,
    /// Also runs `limiter` and `dead-host`, and exits with 3 when a floor or a demand is missed, or none is
    /// held
    #[arg(long)]
    pub(crate) gate: bool,
}

#[derive(clap::Args)]
pub(crate) struct ClientArgs {
    /// Who makes the requests
    #[arg(long, value_enum)]
    pub(crate) peer: PeerName,
    /// What is requested
    #[arg(long, value_enum, default_value = "small")]
    pub(crate) scenario: Workload,
    /// How many requests are in flight at once
    #[arg(long, default_value_t = 64)]
    pub(crate) callers: usize,
    /// The server, as http://address:port
    #[arg(long)]
    pub(crate) url: String,
    /// The root that vouches for the server, as PEM, where it is https://address:port
    #[arg(long, value_name = "PEM")]
    pub(crate) root_pem: Option<String>,
    /// Makes exactly this many requests and ends
    #[arg(long, conflicts_with = "seconds")]
    pub(crate) requests: Option<u64>,
    /// Measures for this many seconds, after a quarter of them to warm up
    #[arg(long, default_value_t = 0.7)]
    pub(crate) seconds: f64,
    /// With --requests: counts allocations, after as many requests to warm up
    #[arg(long, requires = "requests")]
    pub(crate) count_allocations: bool,
    /// Runs on tokio's multi-thread runtime with two workers
    #[arg(long)]
    pub(crate) multi_thread: bool,
    /// Core to pin the process to
    #[arg(long)]
    pub(crate) core: Option<usize>,
}

#[derive(clap::Args)]
pub(crate) struct CountArgs {
    /// Cases to count; small-1, small-64, chunked and post by default
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    pub(crate) only: Vec<String>,
    /// Peers to count, all by default
    #[arg(long, value_delimiter = ',', value_enum, value_name = "PEER")]
    pub(crate) peers: Vec<PeerName>,
}
