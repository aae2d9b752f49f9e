//! microsocks: a proxy for SOCKS 5, once for all and once for `user` with the password `secret`.

use crate::child::{Served, are_there};

/// From where microsocks connects to servers.
pub(crate) const FROM: &str = "127.0.0.4";

/// A running microsocks.
#[derive(Debug)]
pub(crate) struct Microsocks {
    _served: Served,
    pub(crate) port: u16,
}

impl Microsocks {
    /// One for all; `None` where it cannot be had.
    pub(crate) fn open() -> Option<Microsocks> {
        Microsocks::start(&[])
    }

    /// One that asks for the user and the password.
    pub(crate) fn guarded() -> Option<Microsocks> {
        Microsocks::start(&["-u", "user", "-P", "secret"])
    }

    fn start(more: &[&str]) -> Option<Microsocks> {
        if !are_there(&["microsocks", "setpriv"]) {
            return None;
        }
        let (served, [port]) = Served::start("microsocks", |_, [port]: &[u16; 1]| {
            let port = port.to_string();
            let fixed = ["-i", "127.0.0.1", "-p", &port, "-b", FROM];
            let words = fixed.iter().chain(more);
            words.map(|word| (*word).to_owned()).collect()
        });
        Some(Microsocks {
            _served: served,
            port,
        })
    }
}
