//! hyper without a client around it: a connection per caller, each driven by a task of its own.

use std::sync::Arc;

use ::hyper_util::rt::TokioIo;
use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Work, tls};
use crate::load::Peer;

/// One connection.
pub(super) struct HyperConn {
    sender: SendRequest<Full<Bytes>>,
    uri: Uri,
    host: HeaderValue,
    work: Arc<Work>,
}

impl Peer for HyperConn {
    async fn callers(work: Arc<Work>, count: usize) -> Result<Vec<HyperConn>> {
        let config = Arc::new(tls::client_config(work.root_pem.as_deref())?);
        let mut callers = Vec::with_capacity(count);
        for _ in 0..count {
            let sender = match work.is_tls() {
                false => open(tls::connect_tcp(&work).await?).await?,
                true => Box::pin(open(tls::connect_tls(&work, config.clone()).await?)).await?,
            };
            callers.push(HyperConn {
                sender,
                uri: work.workload.path().parse()?,
                host: work.authority.parse()?,
                work: work.clone(),
            });
        }
        Ok(callers)
    }

    async fn exchange(&mut self) -> Result<()> {
        self.sender.ready().await?;
        let mut request = Request::new(Full::new(self.work.content()));
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        if self.work.content.is_some() {
            *request.method_mut() = Method::POST;
        }
        let response = self.sender.send_request(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE);
        self.work.check_head(
            response.status().as_u16(),
            content_type.map(|value| value.as_bytes()),
        )?;
        read(response.into_body(), &self.work).await
    }
}

async fn open<S>(stream: S) -> Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends with its sender, and what goes wrong in it the sender is told.
    drop(tokio::spawn(connection));
    Ok(sender)
}

/// Reads content to its end, and checks its length.
pub(super) async fn read(mut content: hyper::body::Incoming, work: &Work) -> Result<()> {
    if work.is_collected() {
        let bytes = std::hint::black_box(content.collect().await?.to_bytes());
        return work.check_length(bytes.len() as u64);
    }
    let mut length = 0;
    while let Some(frame) = content.frame().await {
        length += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    work.check_length(length)
}
