//! HAProxy in front of nginx: one port that keeps connections, one that closes them as soon as they are
//! idle, and one that carries TLS through.

use std::path::Path;

use crate::child::{Served, are_there, fill, write};
use crate::nginx::Nginx;

/// From where HAProxy connects to nginx.
pub(crate) const FROM: &str = "127.0.0.3";

const CONFIG: &str = "
global
    maxconn 200
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
    option http-server-close
frontend keeping
    bind 127.0.0.1:@KEEPING@
    default_backend plain
frontend hasty
    bind 127.0.0.1:@HASTY@
    timeout http-keep-alive 1ms
    default_backend plain
frontend sealed
    bind 127.0.0.1:@SEALED@
    mode tcp
    default_backend tls
backend plain
    server nginx 127.0.0.1:@PLAIN@ source @FROM@
backend tls
    mode tcp
    server nginx 127.0.0.1:@TLS@ source @FROM@
";

/// HAProxy with a file of its own.
#[derive(Debug)]
pub(crate) struct Haproxy {
    _served: Served,
    pub(crate) keeping: u16,
    pub(crate) hasty: u16,
    pub(crate) sealed: u16,
}

impl Haproxy {
    /// `None` where it cannot be had.
    pub(crate) fn start(behind: &Nginx) -> Option<Haproxy> {
        if !are_there(&["haproxy", "setpriv"]) {
            return None;
        }
        let prepare = |folder: &Path, [keeping, hasty, sealed]: &[u16; 3]| {
            let config = fill(
                CONFIG,
                &[
                    ("KEEPING", keeping),
                    ("HASTY", hasty),
                    ("SEALED", sealed),
                    ("PLAIN", &behind.plain),
                    ("TLS", &behind.tls),
                    ("FROM", &FROM),
                ],
            );
            write(folder, "haproxy.cfg", config);
            ["-db", "-f", "haproxy.cfg"].map(str::to_owned).to_vec()
        };
        let (served, [keeping, hasty, sealed]) = Served::start("haproxy", prepare);
        Some(Haproxy {
            _served: served,
            keeping,
            hasty,
            sealed,
        })
    }
}
