//! hyper-util's pooled client, with the settings its users should choose: it keeps any number of idle
//! connections by default, but leaves Nagle's algorithm on.

use std::sync::Arc;

use ::hyper_util::client::legacy::Client;
use ::hyper_util::client::legacy::connect::{Connect, HttpConnector};
use ::hyper_util::rt::TokioExecutor;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};

use super::{Work, hyper_conn, tls};
use crate::load::Peer;

pub(super) type Plain = HttpConnector;
pub(super) type Tls = HttpsConnector<HttpConnector>;

/// A clone of the one client.
pub(super) struct HyperUtil<C> {
    client: Client<C, Full<Bytes>>,
    uri: Uri,
    work: Arc<Work>,
}

/// How connections are made.
pub(super) trait Connector: Connect + Clone + Send + Sync + 'static {
    fn make(work: &Work) -> Result<Self>;
}

impl Connector for Plain {
    fn make(_: &Work) -> Result<Plain> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(connector)
    }
}

impl Connector for Tls {
    fn make(work: &Work) -> Result<Tls> {
        let mut tcp = Plain::make(work)?;
        tcp.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client_config(work.root_pem.as_deref())?)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(connector)
    }
}

impl<C: Connector> Peer for HyperUtil<C> {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<HyperUtil<C>>> {
        let client = Client::builder(TokioExecutor::new()).build(C::make(&work)?);
        let uri: Uri = work.url.parse()?;
        let caller = || HyperUtil {
            client: client.clone(),
            uri: uri.clone(),
            work: work.clone(),
        };
        Ok((0..count).map(|_| caller()).collect())
    }

    async fn exchange(&mut self) -> Result<()> {
        let mut request = Request::new(Full::new(self.work.content()));
        *request.uri_mut() = self.uri.clone();
        if self.work.content.is_some() {
            *request.method_mut() = Method::POST;
        }
        let response = self.client.request(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        hyper_conn::read(response.into_body(), &self.work).await
    }
}
