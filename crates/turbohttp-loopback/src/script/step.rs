//! The steps of a script.

use std::sync::Arc;

use tokio::sync::SetOnce;

use super::frames::Frame;

/// What a scripted connection does next. When the steps are done, the connection is closed as by
/// [`Step::Close`]; when the peer ends it in a step that reads or writes, the rest is skipped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Reads until the empty line that ends a request head. What follows it stays for later steps.
    ReadHead,
    /// Reads this many bytes.
    ReadExact(usize),
    /// Reads the preface of HTTP/2 and the SETTINGS that follow it.
    ReadPreface,
    /// Reads frames of HTTP/2 until one of this kind has come, on this stream or on any.
    ReadFrame(u8, Option<u32>),
    /// Reads frames of HTTP/2 until the wanted one has come; see [`Step::read_until`].
    ReadUntil(Wanted),
    /// Reads until the peer ends its side.
    ReadToEnd,
    /// Sends these bytes, at once if the system takes them.
    Send(Vec<u8>),
    /// Sends these bytes in pieces of this size, each in a segment of its own as far as the system
    /// allows: it yields between them and waits for nothing.
    SendSplit(Vec<u8>, usize),
    /// Sends what is computed of the frame of HTTP/2 that was read last; see [`Step::answer`].
    Answer(Answer),
    /// Plays these steps again and again until the peer ends the connection.
    Repeat(Vec<Step>),
    /// Sends these bytes again and again until the peer ends the connection.
    Flood(Vec<u8>),
    /// Waits until the test has set the signal.
    Await(Signal),
    /// Sends nothing more, and reads until the peer ends the connection.
    Stall,
    /// Neither sends nor reads until the server ends. What the peer sends fills the buffers of the
    /// system, then its writes block. Such a connection counts as open even after the peer left.
    Deaf,
    /// Ends the sending side (FIN; over TLS also close_notify). Reading goes on.
    HalfClose,
    /// Ends the connection in order, over TLS with close_notify. What has arrived is read first,
    /// since unread bytes would make it a reset.
    Close,
    /// Ends TCP in order but TLS not at all: no close_notify.
    Truncate,
    /// Ends the connection by RST.
    Reset,
    /// Speaks TLS from here on.
    #[cfg(feature = "tls")]
    Handshake(Arc<rustls::ServerConfig>),
}

impl Step {
    /// [`Step::Send`] of a string or of bytes.
    pub fn send(bytes: impl Into<Vec<u8>>) -> Step {
        Step::Send(bytes.into())
    }

    /// [`Step::ReadFrame`] of this kind on any stream.
    pub fn read_frame(kind: u8) -> Step {
        Step::ReadFrame(kind, None)
    }

    /// Reads frames until one has come that is wanted, as one that ends its stream:
    /// `|frame| frame.kind == frames::DATA && frame.has(frames::END_STREAM)`.
    pub fn read_until(wanted: impl Fn(&Frame) -> bool + Send + Sync + 'static) -> Step {
        Step::ReadUntil(Wanted(Arc::new(wanted)))
    }

    /// Sends what `answer` makes of the frame that was read last.
    pub fn answer(answer: impl Fn(&Frame) -> Vec<u8> + Send + Sync + 'static) -> Step {
        Step::Answer(Answer(Arc::new(answer)))
    }

    /// [`Step::SendSplit`] of a string or of bytes.
    pub fn send_split(bytes: impl Into<Vec<u8>>, piece_bytes: usize) -> Step {
        Step::SendSplit(bytes.into(), piece_bytes)
    }
}

/// Makes bytes of a frame, for [`Step::Answer`].
#[derive(Clone)]
pub struct Answer(Arc<ToBytes>);

type ToBytes = dyn Fn(&Frame) -> Vec<u8> + Send + Sync;

impl Answer {
    pub(crate) fn to(&self, frame: &Frame) -> Vec<u8> {
        (self.0)(frame)
    }
}

/// Says which frame is wanted, for [`Step::ReadUntil`].
#[derive(Clone)]
pub struct Wanted(Arc<IsWanted>);

type IsWanted = dyn Fn(&Frame) -> bool + Send + Sync;

impl Wanted {
    pub(crate) fn is(&self, frame: &Frame) -> bool {
        (self.0)(frame)
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Wanted(..)")
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Answer(..)")
    }
}

/// Lets a script wait for its test: once set, every [`Step::Await`] of it goes on.
#[derive(Clone, Debug, Default)]
pub struct Signal(Arc<SetOnce<()>>);

impl Signal {
    /// A signal that is not set.
    pub fn new() -> Signal {
        Signal::default()
    }

    /// Lets every waiter go on, now and later.
    pub fn set(&self) {
        // A second time changes nothing.
        let _ = self.0.set(());
    }

    pub(crate) async fn wait(&self) {
        self.0.wait().await;
    }
}
