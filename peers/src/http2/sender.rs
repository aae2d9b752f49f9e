//! The clients, each with one connection.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use turbohttp::{Client, Limits, Tls};
use turbohttp_loopback::Answerer;

use crate::load;
use crate::peers::tls;

/// Requests that ours sends at once.
const PER_HOST: usize = 64;

/// What the h2 crate lets the server send ahead on all streams together.
const H2_CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

#[derive(Clone, Copy)]
pub(super) enum Peer {
    Ours,
    Reqwest,
    H2,
}

/// Where to connect to.
pub(super) struct Target {
    pub(super) addr: SocketAddr,
    pub(super) url: String,
    /// The root that vouches for the server, if it speaks TLS.
    pub(super) root_pem: Option<String>,
    /// What the h2 crate lets the server send ahead on one stream; the others have windows of their own.
    pub(super) h2_stream_window: u32,
}

impl Target {
    pub(super) fn of(server: &Answerer) -> Target {
        Target {
            addr: server.addr(),
            url: server.url("/"),
            root_pem: None,
            h2_stream_window: 256 * 1024,
        }
    }
}

/// A client that is connected, or will be by its first request.
#[derive(Clone)]
pub(super) enum Sender {
    Ours(Client),
    Reqwest(reqwest::Client),
    H2(h2::client::SendRequest<Bytes>),
}

/// Ours; over TLS it speaks what ALPN chooses.
pub(super) fn ours(root_pem: Option<&str>) -> Result<Client> {
    let builder = Client::builder().limits(Limits::default().per_host(PER_HOST));
    let builder = match root_pem {
        None => builder.http2_prior_knowledge(),
        Some(pem) => builder.tls(Tls::default().root_pem(pem.as_bytes()).only_added_roots()),
    };
    Ok(builder.build()?)
}

/// The connections that ours has made.
pub(super) fn opened(client: &Client) -> u64 {
    client.stats().net.map_or(0, |net| net.opened)
}

impl Sender {
    pub(super) async fn new(peer: Peer, target: &Target) -> Result<Sender> {
        let root_pem = target.root_pem.as_deref();
        Ok(match peer {
            Peer::Ours => Sender::Ours(ours(root_pem)?),
            Peer::Reqwest => {
                let mut config = tls::client_config(root_pem)?;
                config.alpn_protocols = vec![b"h2".to_vec()];
                let builder = reqwest::Client::builder().no_proxy();
                let builder = builder.http2_prior_knowledge();
                Sender::Reqwest(builder.tls_backend_preconfigured(config).build()?)
            }
            Peer::H2 => {
                let tcp = tokio::net::TcpStream::connect(target.addr).await?;
                tcp.set_nodelay(true)?;
                let Some(pem) = root_pem else {
                    return handshake(tcp, target).await;
                };
                let mut config = tls::client_config(Some(pem))?;
                config.alpn_protocols = vec![b"h2".to_vec()];
                let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
                let name = target.addr.ip().into();
                let tls = Box::pin(connector.connect(name, tcp)).await?;
                handshake(tls, target).await?
            }
        })
    }
}

/// A connection of the h2 crate.
async fn handshake<S>(stream: S, target: &Target) -> Result<Sender>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(target.h2_stream_window)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .handshake(stream)
        .await?;
    tokio::spawn(connection);
    Ok(Sender::H2(sender))
}

impl load::Sender for Sender {
    async fn get(&mut self, url: &str) -> Result<usize> {
        let mut bytes = 0;
        match self {
            Sender::Ours(client) => {
                let mut response = client.get(url).send().await?;
                while let Some(chunk) = response.chunk().await? {
                    bytes += chunk.len();
                }
            }
            Sender::Reqwest(client) => {
                let mut response = client.get(url).send().await?;
                while let Some(chunk) = response.chunk().await? {
                    bytes += chunk.len();
                }
            }
            Sender::H2(sender) => {
                let mut ready = sender.clone().ready().await?;
                let request = http::Request::get(url).body(())?;
                let (response, _) = ready.send_request(request, true)?;
                let mut body = response.await?.into_body();
                while let Some(chunk) = body.data().await {
                    let chunk = chunk?;
                    bytes += chunk.len();
                    body.flow_control().release_capacity(chunk.len())?;
                }
            }
        }
        Ok(bytes)
    }
}
