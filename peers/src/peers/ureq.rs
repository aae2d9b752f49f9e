//! ureq's agent, which blocks: every caller is a thread. By default it keeps three idle connections
//! per host; here it has room for one per caller.

use std::io;
use std::sync::Arc;

use ::ureq::http::Uri;
use ::ureq::tls::{Certificate, RootCerts, TlsConfig};
use ::ureq::{Agent, Body};
use anyhow::Result;

use super::Work;
use crate::load::BlockingPeer;

/// A clone of the one agent.
pub(super) struct Ureq {
    agent: Agent,
    uri: Uri,
    work: Arc<Work>,
}

impl BlockingPeer for Ureq {
    fn callers(work: Arc<Work>, count: usize) -> Result<Vec<Ureq>> {
        let config = Agent::config_builder()
            .proxy(None)
            .no_delay(true)
            .max_idle_connections(count)
            .max_idle_connections_per_host(count);
        let config = match &work.root_pem {
            None => config,
            Some(pem) => config.tls_config(tls_config(pem)?),
        };
        let agent = config.build().new_agent();
        let uri: Uri = work.url.parse()?;
        let caller = || Ureq {
            agent: agent.clone(),
            uri: uri.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    fn exchange(&mut self) -> Result<()> {
        let uri = self.uri.clone();
        let mut response = match self.work.content {
            None => self.agent.get(uri).call()?,
            Some(content) => self.agent.post(uri).send(content)?,
        };
        let content_type = response.headers().get("content-type");
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        self.work
            .check_length(read(response.body_mut(), &self.work)?)
    }
}

fn tls_config(root_pem: &str) -> Result<TlsConfig> {
    let root = Certificate::from_pem(root_pem.as_bytes())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[root]))
        .unversioned_rustls_crypto_provider(provider);
    Ok(config.build())
}

fn read(body: &mut Body, work: &Work) -> Result<u64> {
    if work.is_collected() {
        let config = body.with_config().limit(u64::MAX);
        return Ok(std::hint::black_box(config.read_to_vec()?).len() as u64);
    }
    Ok(io::copy(&mut body.as_reader(), &mut io::sink())?)
}
