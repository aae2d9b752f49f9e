//! What became of a line.

use turbohttp::{CacheStatus, Error, ErrorKind, Phase, Timeline, Version};

use crate::output;

/// What became of one line of a batch.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) line: u64,
    /// The line's part of the whole, for progress.
    pub(crate) weight: u64,
    /// `None` if the line had none that could be read.
    pub(crate) url: Option<String>,
    /// Bytes of body received.
    pub(crate) bytes: u64,
    pub(crate) verdict: Verdict,
    pub(crate) timeline: Option<Box<Timeline>>,
    /// Of the response, once its head has come.
    pub(crate) version: Option<Version>,
    /// What the cache had to do with it, if there is one and the head has come.
    pub(crate) cache: Option<CacheStatus>,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    /// Answered with this status, the body whole.
    Answered(u16),
    Failed(Failed),
    /// Not sent, as its file is there.
    Skipped,
    /// The line asks for nothing that could be sent, for this reason.
    Bad(String),
}

/// Why a request failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) kind: &'static str,
    pub(crate) phase: Option<Phase>,
    pub(crate) message: String,
    /// The status, if the head had come.
    pub(crate) status: Option<u16>,
}

impl Failed {
    pub(crate) fn by_client(error: &Error, status: Option<u16>) -> Failed {
        Failed {
            kind: error.kind().name(),
            phase: error.phase(),
            message: output::client_chain(error),
            status,
        }
    }

    /// The line was answered by a redirect, which is not followed.
    pub(crate) fn redirected(message: String, status: u16) -> Failed {
        Failed {
            kind: "redirect",
            phase: None,
            message,
            status: Some(status),
        }
    }

    /// The body could not be written where it was to go.
    pub(crate) fn by_output(error: &anyhow::Error, status: Option<u16>) -> Failed {
        Failed {
            kind: "output",
            phase: None,
            message: output::chain(error),
            status,
        }
    }
}

impl Outcome {
    /// Of a line of which nothing is known yet.
    pub(crate) fn new(line: u64, weight: u64) -> Outcome {
        Outcome {
            line,
            weight,
            url: None,
            bytes: 0,
            verdict: Verdict::Answered(0),
            timeline: None,
            version: None,
            cache: None,
        }
    }

    /// Whether a signal ended it.
    pub(crate) fn is_canceled(&self) -> bool {
        let canceled = ErrorKind::Canceled.name();
        matches!(&self.verdict, Verdict::Failed(failed) if failed.kind == canceled)
    }

    /// Whether the request was answered below 400 and whole.
    pub(crate) fn is_ok(&self) -> bool {
        match self.verdict {
            Verdict::Answered(status) => status < 400,
            Verdict::Skipped => true,
            Verdict::Failed(_) | Verdict::Bad(_) => false,
        }
    }

    /// What went wrong, in one line; `None` if nothing did.
    pub(crate) fn complaint(&self) -> Option<String> {
        let what = match &self.verdict {
            Verdict::Answered(status) if *status < 400 => return None,
            Verdict::Skipped => return None,
            Verdict::Answered(status) => format!("server answered {status}"),
            Verdict::Failed(failed) => failed.message.clone(),
            Verdict::Bad(reason) => reason.clone(),
        };
        Some(match &self.url {
            Some(url) => format!("line {}: {url}: {what}", self.line),
            None => format!("line {}: {what}", self.line),
        })
    }
}
