//! What the tests share: a client that is audited, expectations, and small servers.

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use turbohttp::{Client, ClientBuilder, Error, ErrorKind, Phase, Response, Timeouts};

/// Longer than anything here takes; only a hang reaches it.
const HANG: Duration = Duration::from_secs(30);

/// A client whose accounts must be settled when it goes: no context, no buffer, no connection but
/// idle ones.
pub(crate) struct TestClient(Client);

impl TestClient {
    pub(crate) fn new() -> TestClient {
        TestClient(Client::new().unwrap())
    }

    pub(crate) fn with(options: impl FnOnce(ClientBuilder) -> ClientBuilder) -> TestClient {
        TestClient(options(Client::builder()).build().unwrap())
    }

    pub(crate) fn timeouts(options: impl FnOnce(Timeouts) -> Timeouts) -> TestClient {
        TestClient::with(|builder| builder.timeouts(options(Timeouts::default())))
    }

    pub(crate) fn audit(&self) {
        let stats = self.0.stats();
        assert_eq!(stats.contexts.outstanding, 0, "contexts: {stats:?}");
        assert_eq!(stats.requests, 0, "requests: {stats:?}");
        let audit = Client::audit(&self.0);
        assert!(audit.is_idle(), "{audit:?}");
        if let Some(net) = &stats.net {
            assert_eq!(net.buffers.outstanding, 0, "buffers: {stats:?}");
            assert_eq!(net.open, net.idle, "connections: {stats:?}");
            assert_eq!(net.opened, net.closed + net.idle, "totals: {stats:?}");
        }
    }

    /// What of the client is out right now.
    pub(crate) fn client_audit(&self) -> turbohttp::Audit {
        Client::audit(&self.0)
    }

    pub(crate) fn net(&self) -> turbohttp::NetStats {
        self.0.stats().net.expect("the client is on the network")
    }

    /// Status and body of a GET; a panic if there is none.
    pub(crate) async fn body_of(&self, url: &str) -> Vec<u8> {
        let mut response = self.0.get(url).send().await.unwrap();
        read(&mut response).await.unwrap()
    }
}

impl From<Client> for TestClient {
    fn from(client: Client) -> TestClient {
        TestClient(client)
    }
}

impl Deref for TestClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl Drop for TestClient {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.audit();
        }
    }
}

/// Reads a body slice by slice. After an error, asking again must not look like its end; after the
/// end, there is nothing more.
pub(crate) async fn read(response: &mut Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                assert!(!chunk.is_empty(), "an empty slice");
                body.extend_from_slice(chunk);
            }
            Ok(None) => {
                assert!(response.chunk().await.unwrap().is_none());
                return Ok(body);
            }
            Err(error) => {
                for _ in 0..2 {
                    let again = response.chunk().await;
                    assert!(again.is_err(), "a failed body looked ended");
                }
                return Err(error);
            }
        }
    }
}

/// Checks kind, phase, message and the origin in the message.
#[track_caller]
pub(crate) fn expect_error(
    error: &Error,
    kind: ErrorKind,
    phase: Phase,
    message: &str,
    at: impl Display,
) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.phase(), Some(phase), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(message), "{text:?} lacks {message:?}");
    assert!(text.ends_with(&format!("({at})")), "{text:?} lacks {at}");
    assert!(error.timeline().is_some(), "{error:?} has no timeline");
}

/// Fails the test if `future` hangs. For real time only: a paused clock would fire at once.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.expect("hangs")
}

/// Lets the reactor notice what has happened to sockets.
pub(crate) async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

/// Polls `future` at most `polls` times, each time when it was woken, and drops it then; `None` if it
/// was not ready by then.
pub(crate) async fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A server of plain blocking code, a thread per connection.
pub(crate) struct Peer {
    addr: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// `serve` gets each connection; it returns when the client has left.
    pub(crate) fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let (flag, serve) = (stopped.clone(), Arc::new(serve));
        let thread = thread::spawn(move || {
            let mut open: Vec<(TcpStream, JoinHandle<()>)> = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                stream.set_nodelay(true).unwrap();
                let twin = stream.try_clone().unwrap();
                let serve = serve.clone();
                let serve = move || {
                    let end = stream.try_clone().unwrap();
                    serve(stream);
                    // The twin keeps the descriptor, so the end has to be said.
                    let _ = end.shutdown(Shutdown::Both);
                };
                open.push((twin, thread::spawn(serve)));
            }
            for (stream, thread) in open {
                let _ = stream.shutdown(Shutdown::Both);
                let _ = thread.join();
            }
        });
        Peer {
            addr,
            stopped,
            thread: Some(thread),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let _ = TcpStream::connect(self.addr);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads a request head from a blocking stream; `None` if the client has left.
pub(crate) fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Polls a future on a thread that has no runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
