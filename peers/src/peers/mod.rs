//! The clients that are compared. Each does the same for a request: it checks that the status is
//! 200, looks the content type up by name, reads the whole content and checks its length. wrk alone,
//! a program of its own, only tells of a status that is no success and of a connection that broke.
//!
//! Each is set up as its users should: no proxies from the environment, `TCP_NODELAY` on, and no
//! connection closed for want of room among the idle ones.

mod answer;
mod hyper_conn;
mod hyper_util;
#[cfg(feature = "libcurl")]
mod isahc;
#[cfg(target_os = "linux")]
mod limit_epoll;
mod limit_tokio;
pub(crate) mod reqwest;
pub(crate) mod tls;
mod turbohttp;
mod turbohttp_queue;
mod ureq;
mod work;
pub(crate) mod wrk;

use std::sync::Arc;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::environment;
use crate::load::{Load, Peer, Tasks, Threads};

pub(crate) use work::Work;

/// The rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PeerName {
    /// A socket, a loop and prebuilt bytes: what the kernel and tokio cost.
    LimitTokio,
    /// The same without tokio: what the kernel costs.
    LimitEpoll,
    /// Ours.
    Turbohttp,
    /// Ours, through a queue with a worker for each caller.
    TurbohttpQueue,
    /// hyper alone, a connection for each caller.
    HyperConn,
    /// hyper-util's pooled client.
    HyperUtil,
    /// reqwest's client.
    Reqwest,
    /// ureq's agent, which blocks: a thread for each caller.
    Ureq,
    /// isahc's client, which is libcurl.
    Isahc,
    /// The load generator wrk, a program of its own.
    Wrk,
}

impl PeerName {
    pub(crate) const ALL: [PeerName; 10] = [
        PeerName::LimitTokio,
        PeerName::LimitEpoll,
        PeerName::Turbohttp,
        PeerName::TurbohttpQueue,
        PeerName::HyperConn,
        PeerName::HyperUtil,
        PeerName::Reqwest,
        PeerName::Ureq,
        PeerName::Isahc,
        PeerName::Wrk,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            PeerName::LimitTokio => "limit-tokio",
            PeerName::LimitEpoll => "limit-epoll",
            PeerName::Turbohttp => "turbohttp",
            PeerName::TurbohttpQueue => "turbohttp-queue",
            PeerName::HyperConn => "hyper-conn",
            PeerName::HyperUtil => "hyper-util",
            PeerName::Reqwest => "reqwest",
            PeerName::Ureq => "ureq",
            PeerName::Isahc => "isahc",
            PeerName::Wrk => "wrk",
        }
    }

    /// Why it cannot be measured here, if so.
    pub(crate) fn obstacle(self) -> Option<&'static str> {
        match self {
            PeerName::Isahc if !cfg!(feature = "libcurl") => Some("built without `libcurl`"),
            PeerName::LimitEpoll if !cfg!(target_os = "linux") => Some("needs Linux"),
            PeerName::Wrk if !environment::has_wrk() => Some("not installed"),
            _ => None,
        }
    }

    /// Whether it is a program of its own, which tells neither latencies nor memory.
    pub(crate) fn is_external(self) -> bool {
        self == PeerName::Wrk
    }

    /// Whether it is ours.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, PeerName::Turbohttp | PeerName::TurbohttpQueue)
    }

    /// The part of a round's time that is enough for it. The slow ones are far from every bound, so
    /// that how exact their figures are matters less than how long a run takes.
    pub(crate) fn share_of_time(self) -> f64 {
        match self {
            PeerName::Ureq | PeerName::Isahc => 0.5,
            _ => 1.0,
        }
    }

    /// Makes the client and its callers.
    pub(crate) fn load(self, setup: &Setup) -> Result<Box<dyn Load>> {
        use limit_tokio::LimitTokio;
        let is_tls = setup.work.is_tls();
        match self {
            PeerName::LimitTokio if is_tls => tasks::<LimitTokio<tls::Stream>>(setup),
            PeerName::LimitTokio => tasks::<LimitTokio<TcpStream>>(setup),
            #[cfg(target_os = "linux")]
            PeerName::LimitEpoll => Ok(Box::new(limit_epoll::LimitEpoll::new(setup)?)),
            PeerName::Turbohttp => tasks::<turbohttp::Turbohttp>(setup),
            PeerName::TurbohttpQueue => tasks::<turbohttp_queue::TurbohttpQueue>(setup),
            PeerName::HyperConn => tasks::<hyper_conn::HyperConn>(setup),
            PeerName::HyperUtil if is_tls => tasks::<hyper_util::HyperUtil<hyper_util::Tls>>(setup),
            PeerName::HyperUtil => tasks::<hyper_util::HyperUtil<hyper_util::Plain>>(setup),
            PeerName::Reqwest => tasks::<reqwest::Reqwest>(setup),
            PeerName::Ureq => Ok(Box::new(Threads::<ureq::Ureq>::new(setup)?)),
            #[cfg(feature = "libcurl")]
            PeerName::Isahc => tasks::<isahc::Isahc>(setup),
            #[allow(unreachable_patterns, reason = "by system and features")]
            PeerName::LimitEpoll | PeerName::Isahc | PeerName::Wrk => {
                bail!("{} makes no requests in this program", self.name())
            }
        }
    }
}

/// What a client and its callers are made for.
pub(crate) struct Setup {
    pub(crate) work: Arc<Work>,
    pub(crate) callers: usize,
    pub(crate) multi_thread: bool,
}

fn tasks<P: Peer>(setup: &Setup) -> Result<Box<dyn Load>> {
    Ok(Box::new(Tasks::<P>::new(setup)?))
}

#[cfg(test)]
mod tests;
