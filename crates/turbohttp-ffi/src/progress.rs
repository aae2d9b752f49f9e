//! How far a request is: counted by its task, read by its host at any time.

use std::sync::atomic::{AtomicU64, Ordering};

use turbohttp::{DownloadProgress, UploadProgress};

use crate::abi::{TH_UNKNOWN, ThProgress};

/// Each count is exact, and they may be of different moments.
#[derive(Debug)]
pub(crate) struct Progress {
    sent: AtomicU64,
    to_send: AtomicU64,
    received: AtomicU64,
    to_receive: AtomicU64,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress {
            sent: AtomicU64::new(0),
            to_send: AtomicU64::new(0),
            received: AtomicU64::new(0),
            to_receive: AtomicU64::new(TH_UNKNOWN),
        }
    }

    /// The content of a response is expected, of this length or `TH_UNKNOWN`.
    pub(crate) fn expects(&self, length: u64) {
        self.to_receive.store(length, Ordering::Relaxed);
    }

    /// So much more of it has come.
    pub(crate) fn has_received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What a download says of its file.
    pub(crate) fn downloads(&self, progress: &DownloadProgress) {
        self.received.store(progress.bytes, Ordering::Relaxed);
        self.expects(progress.total.unwrap_or(TH_UNKNOWN));
    }

    /// What the body of the request says; of another attempt it begins anew.
    pub(crate) fn uploads(&self, progress: &UploadProgress) {
        let all = progress.total_bytes.unwrap_or(TH_UNKNOWN);
        self.to_send.store(all, Ordering::Relaxed);
        self.sent.store(progress.sent_bytes, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> ThProgress {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ThProgress {
            struct_size: size_of::<ThProgress>() as u32,
            reserved: 0,
            sent: of(&self.sent),
            to_send: of(&self.to_send),
            received: of(&self.received),
            to_receive: of(&self.to_receive),
        }
    }
}
