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
        let name = after(&release, "PRETTY_NAME=").unwrap_or(std::env::consts::OS);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = after(&processor, "model name").unwrap_or("unknown");
        Environment {
            version: env!("CARGO_PKG_VERSION"),
            cpu: model.to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
            os: format!("{name}, kernel {}", kernel.trim()),
            rustc: env!("TURBOHTTP_BENCH_RUSTC"),
            target: env!("TURBOHTTP_BENCH_TARGET"),
            profile: concat!(
                env!("TURBOHTTP_BENCH_PROFILE"),
                ", opt-level ",
                env!("TURBOHTTP_BENCH_OPT_LEVEL")
            ),
            features: match cfg!(feature = "tracing") {
                true => "rustls, json, tracing",
                false => "rustls, json",
            },
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let built = [self.rustc, self.target, self.profile].join(", ");
        let (cpu, cores, os) = (&self.cpu, self.cores, &self.os);
        writeln!(f, "turbohttp  {}, features {}", self.version, self.features)?;
        writeln!(f, "built      {built}")?;
        writeln!(f, "on         {cpu}, cores: {cores}, {os}")
    }
}

/// What follows `key` on the first line that begins with it, without what it is set apart by.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(rest.trim_matches(['"', ' ', '\t', ':']))
}

#[cfg(test)]
mod tests {
    use super::Environment;

    #[test]
    fn the_environment_is_named() {
        let environment = Environment::now();
        let rustc = environment.rustc;
        assert!(rustc.starts_with("rustc "), "{rustc}");
        assert!(environment.cores >= 1 && !environment.target.is_empty());
        let text = environment.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
