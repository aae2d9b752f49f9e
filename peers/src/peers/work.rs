//! What every caller is to do, and what it checks.

use anyhow::{Result, ensure};
use bytes::Bytes;

use crate::case::Workload;

/// One request, and what its answer must be.
pub(crate) struct Work {
    pub(crate) workload: Workload,
    /// The server, as address:port.
    pub(crate) authority: String,
    /// The whole URL.
    pub(crate) url: String,
    /// The content to send, of a POST.
    pub(crate) content: Option<&'static [u8]>,
    /// The certificate of the authority that vouches for the server, over TLS.
    pub(crate) root_pem: Option<String>,
}

impl Work {
    pub(crate) fn new(server: &str, workload: Workload, root_pem: Option<&str>) -> Result<Work> {
        static CONTENT: [u8; 1024] = [b'x'; 1024];
        let scheme = match root_pem {
            None => "http://",
            Some(_) => "https://",
        };
        let authority = server
            .strip_prefix(scheme)
            .unwrap_or_default()
            .trim_end_matches('/');
        ensure!(
            !authority.is_empty(),
            "the URL is not of the form {scheme}address:port"
        );
        Ok(Work {
            workload,
            authority: authority.to_owned(),
            url: format!("{scheme}{authority}{}", workload.path()),
            content: (workload == Workload::Post).then_some(&CONTENT),
            root_pem: root_pem.map(str::to_owned),
        })
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.root_pem.is_some()
    }

    /// The content to send; none is empty.
    pub(crate) fn content(&self) -> Bytes {
        Bytes::from_static(self.content.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_follows_the_root() {
        let work = Work::new("http://a:1", Workload::Post, None).unwrap();
        assert_eq!(
            (work.authority.as_str(), work.content().len()),
            ("a:1", 1024)
        );
        assert!(!work.is_tls());
        let work = Work::new("https://a:1/", Workload::Small, Some("pem")).unwrap();
        assert_eq!(work.url, "https://a:1/small");
        assert!(Work::new("http://a:1", Workload::Small, Some("pem")).is_err());
        assert!(Work::new("https://", Workload::Small, Some("pem")).is_err());
    }

    #[test]
    fn wrong_answers_are_refused() {
        let work = Work::new("http://a:1", Workload::Small, None).unwrap();
        assert!(work.check_head(200, Some(b"text/plain")).is_ok());
        assert!(work.check_head(503, Some(b"text/plain")).is_err());
        assert!(work.check_head(200, Some(b"")).is_err());
        assert!(work.check_head(200, None).is_err());
        assert!(work.check_length(13).is_ok());
        assert!(work.check_length(12).is_err());
    }
}
