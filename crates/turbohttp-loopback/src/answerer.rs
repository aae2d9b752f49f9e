//! A server of HTTP/2 that gives every request the same answer, with as little work as there is: for
//! benchmarks, which must not measure their server.

mod machine;
mod template;

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::server::OwnThread;
use crate::socket;
use machine::Machine;
use template::Template;

/// How much is read at once: what is answered by one write.
const INBOX_BYTES: usize = 128 * 1024;

/// What an [`Answerer`] answers. The default is what `/small` says.
#[derive(Clone, Debug)]
pub struct AnswererOptions {
    /// The length of the content: bytes of the pattern, or `Hello, world!` if it is 13.
    pub content_bytes: usize,
    /// Whether the fields are sent once and then by their places in the dynamic table of HPACK, as
    /// usual servers do; else as literals each time. A client that announces a table of less than
    /// 4,096 bytes gets literals.
    pub is_indexed: bool,
    /// Whether a trailer field called `x-checksum` follows the content. Without content there is none.
    pub has_trailers: bool,
    /// SETTINGS_MAX_CONCURRENT_STREAMS. It is announced and not enforced.
    pub max_concurrent_streams: u32,
    /// The core to pin the thread to, where the system can.
    pub core: Option<usize>,
    /// Speaks TLS with this configuration, whose only ALPN protocol should be `h2`.
    #[cfg(feature = "tls")]
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for AnswererOptions {
    fn default() -> Self {
        AnswererOptions {
            content_bytes: 13,
            is_indexed: true,
            has_trailers: false,
            max_concurrent_streams: 1024,
            core: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// A running server of HTTP/2, by prior knowledge or over TLS, on a thread of its own.
///
/// It answers each stream that its client has ended with status 200, six fields and the content, and
/// keeps to the rules that this needs: the windows and frame sizes of its client, acknowledgements of
/// SETTINGS and PING, and credit for content that it reads and forgets. Field blocks are passed over
/// without decoding, so that it knows neither method nor path, and HEAD gets content. A client that
/// breaks the framing is disconnected.
///
/// Dropping it closes all connections and joins its thread.
///
/// ```
/// use turbohttp_loopback::{Answerer, AnswererOptions};
///
/// # fn main() -> std::io::Result<()> {
/// let server = Answerer::start(AnswererOptions { content_bytes: 65_536, ..Default::default() })?;
/// assert!(server.url("/any").starts_with("http://127.0.0.1:"));
/// assert_eq!(server.requests(), 0);
/// # Ok(())
/// # }
/// ```
pub struct Answerer {
    shared: Arc<Shared>,
    thread: OwnThread,
}

struct Shared {
    template: Template,
    max_concurrent_streams: u32,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ServerConfig>>,
    requests: AtomicU64,
    connections: AtomicU64,
}

impl Answerer {
    /// Starts a server on a free port of 127.0.0.1; when this returns it accepts connections.
    ///
    /// # Errors
    ///
    /// When there is no port, thread or runtime to be had.
    pub fn start(options: AnswererOptions) -> io::Result<Answerer> {
        let shared = Arc::new(Shared {
            template: Template::new(
                options.content_bytes,
                options.is_indexed,
                options.has_trailers,
            ),
            max_concurrent_streams: options.max_concurrent_streams,
            #[cfg(feature = "tls")]
            tls: options.tls,
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let also_shared = shared.clone();
        let thread = OwnThread::start("loopback-answerer", address, move |listener, stopped| {
            if let Some(core) = options.core {
                socket::pin_thread(core);
            }
            serve(listener, also_shared, stopped)
        })?;
        Ok(Answerer { shared, thread })
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.thread.addr
    }

    /// The URL of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.shared.scheme(), self.addr())
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn scheme(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return "https";
        }
        "http"
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    // Dropped at the end, which closes every connection.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((tcp, _)) = accepted {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(open(tcp, shared.clone()));
            }
        }
    }
}

/// Makes ready a connection that was accepted, and answers on it.
async fn open(tcp: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    #[cfg(feature = "tls")]
    if let Some(config) = &shared.tls {
        let acceptor = tokio_rustls::TlsAcceptor::from(config.clone());
        let tls = Box::pin(acceptor.accept(tcp)).await?;
        return Box::pin(answer_all(tls, &shared)).await;
    }
    answer_all(tcp, &shared).await
}

/// Reads what is there, answers all of it by one write, and again.
async fn answer_all<S>(mut stream: S, shared: &Shared) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut machine = Machine::new(&shared.template);
    let mut out = machine.greeting(shared.max_concurrent_streams);
    let mut inbox = vec![0; INBOX_BYTES].into_boxed_slice();
    let mut unread = 0;
    loop {
        if !out.is_empty() {
            stream.write_all(&out).await?;
            // A TLS session keeps what the socket has not taken.
            stream.flush().await?;
            out.clear();
        }
        // Never full: what is left of a batch is less than one frame.
        let space = &mut inbox[unread..];
        let read = match machine.has_more() {
            false => stream.read(space).await?,
            true => match read_now(&mut stream, space).await? {
                Some(read) => read,
                None => {
                    machine.go_on(&mut out);
                    continue;
                }
            },
        };
        if read == 0 {
            return Ok(());
        }
        let end = unread + read;
        let Ok(used) = machine.take(&inbox[..end], &mut out) else {
            return Ok(());
        };
        inbox.copy_within(used..end, 0);
        unread = end - used;
        let answered = machine.take_answered();
        shared.requests.fetch_add(answered, Ordering::Relaxed);
    }
}

/// Reads what has arrived already; `None` if that is nothing.
async fn read_now(
    stream: &mut (impl AsyncRead + Unpin),
    space: &mut [u8],
) -> io::Result<Option<usize>> {
    let mut space = ReadBuf::new(space);
    poll_fn(|context| {
        let read = Pin::new(&mut *stream).poll_read(context, &mut space);
        Poll::Ready(match read {
            Poll::Ready(Ok(())) => Ok(Some(space.filled().len())),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(None),
        })
    })
    .await
}
