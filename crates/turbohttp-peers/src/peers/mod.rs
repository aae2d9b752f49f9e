//! The clients that are compared. Each does the same for a request: it checks that the status is
//! 200, looks the content type up by name, reads the whole content and checks its length.

mod hyper_util;
mod limit_tokio;
mod reqwest;
mod turbohttp;

use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::case::Workload;
use crate::client::Measurement;
use crate::sample::Sample;

/// The rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PeerName {
    /// A socket, a loop and prebuilt bytes: what the kernel and tokio cost.
    LimitTokio,
    /// hyper-util's pooled client.
    HyperUtil,
    /// reqwest's client.
    Reqwest,
    /// Ours.
    Turbohttp,
}

impl PeerName {
    pub(crate) const ALL: [PeerName; 4] = [
        PeerName::LimitTokio,
        PeerName::HyperUtil,
        PeerName::Reqwest,
        PeerName::Turbohttp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            PeerName::LimitTokio => "limit-tokio",
            PeerName::HyperUtil => "hyper-util",
            PeerName::Reqwest => "reqwest",
            PeerName::Turbohttp => "turbohttp",
        }
    }

    /// Lets this peer do a measurement.
    pub(crate) async fn measure(self, measurement: &Measurement) -> Result<Sample> {
        match self {
            PeerName::LimitTokio => measurement.run::<limit_tokio::LimitTokio>().await,
            PeerName::HyperUtil => measurement.run::<hyper_util::HyperUtil>().await,
            PeerName::Reqwest => measurement.run::<reqwest::Reqwest>().await,
            PeerName::Turbohttp => measurement.run::<turbohttp::Turbohttp>().await,
        }
    }
}

/// One caller of a client: makes one request after the other.
pub(crate) trait Peer: Sized + Send + 'static {
    /// This many callers, of one client where there is such a thing.
    fn callers(work: Arc<Work>, count: usize) -> impl Future<Output = Result<Vec<Self>>>;

    /// Makes one request and reads its answer.
    fn exchange(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// What every caller is to do.
pub(crate) struct Work {
    pub(crate) workload: Workload,
    /// The server, as address:port.
    pub(crate) authority: String,
    /// The whole URL.
    pub(crate) url: String,
    /// The content to send, of a POST.
    pub(crate) content: Option<Bytes>,
}

impl Work {
    pub(crate) fn new(server: &str, workload: Workload) -> Result<Work> {
        static CONTENT: [u8; 1024] = [b'x'; 1024];
        let authority = server
            .strip_prefix("http://")
            .unwrap_or_default()
            .trim_end_matches('/');
        ensure!(
            !authority.is_empty(),
            "the URL is not of the form http://address:port"
        );
        Ok(Work {
            workload,
            authority: authority.to_owned(),
            url: format!("http://{authority}{}", workload.path()),
            content: (workload == Workload::Post).then(|| Bytes::from_static(&CONTENT)),
        })
    }

    /// Whether the content is to be in one piece of memory.
    pub(crate) fn is_collected(&self) -> bool {
        self.workload == Workload::Collect
    }

    /// What is checked of every head.
    pub(crate) fn check_head(&self, status: u16, content_type: Option<&[u8]>) -> Result<()> {
        ensure!(status == 200, "status {status}");
        ensure!(
            content_type.is_some_and(|value| !value.is_empty()),
            "no content type"
        );
        Ok(())
    }

    /// What is checked of every content.
    pub(crate) fn check_length(&self, length: u64) -> Result<()> {
        let expected = self.workload.content_length();
        ensure!(
            length == expected,
            "{length} bytes of content instead of {expected}"
        );
        Ok(())
    }
}
