//! Where the figures come from: the machine, the system, the compiler and what was built.

use std::fmt;
use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

/// The environment of a run. What cannot be found out is `unknown`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Environment {
    /// The version of this crate, which is that of the client.
    pub version: &'static str,
    /// The processor, by its own name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The system and its kernel.
    pub os: String,
    /// The compiler, by its own name.
    pub rustc: &'static str,
    /// The target that was built for.
    pub target: &'static str,
    /// The profile it was built with, and the optimisation.
    pub profile: &'static str,
    /// The features of the client.
    pub features: &'static str,
}

impl Environment {
    /// Looks around.
    pub fn now() -> Environment {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let name = after(&release, "PRETTY_NAME=").map_or(std::env::consts::OS, unquoted);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            after(&processor, "model name").map(|rest| rest.trim_start_matches([' ', '\t', ':']));
        Environment {
            version: env!("CARGO_PKG_VERSION"),
            cpu: model.unwrap_or("unknown").to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            os: format!("{name}, kernel {}", kernel.trim()),
            rustc: env!("TURBOHTTP_BENCH_RUSTC"),
            target: env!("TURBOHTTP_BENCH_TARGET"),
            profile: concat!(
                env!("TURBOHTTP_BENCH_PROFILE"),
                ", opt-level ",
                env!("TURBOHTTP_BENCH_OPT_LEVEL")
            ),
            features: if cfg!(feature = "tracing") {
                "rustls, json, tracing"
            } else {
                "rustls, json"
            },
        }
    }

    /// Whether figures of wall time say something of what is shipped.
    pub fn is_optimised() -> bool {
        !cfg!(debug_assertions)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "turbohttp  {}, features {}", self.version, self.features)?;
        writeln!(
            f,
            "built      {}, {}, {}",
            self.rustc, self.target, self.profile
        )?;
        writeln!(
            f,
            "on         {}, cores: {}, {}",
            self.cpu, self.cores, self.os
        )
    }
}

/// What follows `key` on the first line that begins with it.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key))
}

fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn the_environment_is_named() {
        let environment = Environment::now();
        assert!(
            environment.rustc.starts_with("rustc "),
            "{}",
            environment.rustc
        );
        assert!(environment.cores >= 1 && !environment.target.is_empty());
        let text = environment.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
