//! What `bench` takes.

use std::time::Duration;

use clap::Args as ClapArgs;

use super::ClientArgs;
use super::values::{TOTAL_MAX, duration, number};

/// The most requests a second that may be asked for: the instants between them are counted in nanoseconds.
const RATE_MAX: f64 = 1e7;

#[derive(Debug, ClapArgs)]
pub(crate) struct BenchArgs {
    /// What to load; http and https, and http if it does not say
    pub(crate) url: String,

    /// Callers that send at the same time, over HTTP/1.1 each on a connection of its own, over HTTP/2
    /// all on one
    #[arg(
        short = 'c',
        long = "callers",
        visible_alias = "connections",
        value_name = "N",
        default_value_t = 50,
        value_parser = number::<TOTAL_MAX>,
        help_heading = "Load"
    )]
    pub(crate) callers: usize,

    /// How many requests to send [default: 200, unless --duration is given]
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Load"
    )]
    pub(crate) requests: Option<u64>,

    /// For how long to send, as 10s or 2m; what is under way at its end is dropped
    #[arg(short = 'z', long, value_name = "DURATION", value_parser = duration, help_heading = "Load")]
    pub(crate) duration: Option<Duration>,

    /// How many requests a second are due, in all
    #[arg(long, value_name = "N", value_parser = rate, help_heading = "Load")]
    pub(crate) rate: Option<f64>,

    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD", help_heading = "Request")]
    pub(crate) request: Option<String>,

    /// Send this body with each request; @FILE reads it from a file, @- from stdin
    #[arg(
        short = 'd',
        long,
        value_name = "TEXT|@FILE",
        allow_hyphen_values = true,
        help_heading = "Request"
    )]
    pub(crate) data: Option<String>,

    /// Write the figures as one JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    match rate > 0.0 && rate <= RATE_MAX {
        true => Ok(rate),
        false => Err(format!("more than 0 and at most {RATE_MAX:.0}")),
    }
}
