//! Many requests of every kind at once, and an oracle beside them that counts by itself.
//!
//! A [`plan`] of ten thousand orders is drawn from a seed: hosts with different limits, priorities,
//! requests sent at once and through queues, answers that are slow, fail, panic or never come, and
//! callers that read slowly, leave, cancel or lose their patience. The [`crew`] sends them, the
//! [`booth`] answers, or a [`bare`] mock, and the [`oracle`] counts what the booth saw and what every caller got, by means
//! of its own. At the end its complaints must be none, and what the client says of itself must agree.
//!
//! The same against real sockets is [`field`], small as a test, and for minutes as a [`soak`]; over
//! [`http2`], against a [`wild`] server.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::large_futures,
    reason = "tests panic, say what they did, spawn and hold futures as their users do"
)]

mod bare;
mod booth;
mod crew;
mod field;
mod http2;
mod mock;
mod oracle;
mod plan;
mod planted;
mod process;
mod soak;
mod sockets;
mod wild;

/// After so long by the clock of the wall a hang becomes a message; it decides nothing else. A storm takes
/// a second or two, and a machine under load may take a minute for all of them.
const HANG: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Panics on purpose begin like this, and are not shown.
const ON_PURPOSE: &str = "as asked";

/// Lets panics on purpose say nothing; those of assertions do.
fn silence_expected_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload().downcast_ref::<&str>();
            if !payload.is_some_and(|said| said.starts_with(ON_PURPOSE)) {
                hook(info);
            }
        }));
    });
}
