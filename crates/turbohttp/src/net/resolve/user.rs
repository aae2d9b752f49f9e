//! A resolver of the user's.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use turbohttp_core::contain;

/// Finds the addresses of a host, in place of the system's resolver; see
/// [`ClientBuilder::resolver`](crate::ClientBuilder::resolver).
///
/// It is asked for every new connection to a name, under the limit
/// [`Timeouts::dns`](crate::Timeouts::dns): what it finds is not remembered, and requests do not share a
/// question. Its future may be dropped at any await. Of its answer the first 8 addresses are used, families in
/// turn (RFC 8305 section 4). A panic is an error of the request.
///
/// # Examples
///
/// ```
/// use std::io;
/// use std::net::IpAddr;
///
/// struct Table;
///
/// impl turbohttp::Resolve for Table {
///     async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
///         match name {
///             "api.test" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
///             _ => Err(io::Error::new(io::ErrorKind::NotFound, "not in the table")),
///         }
///     }
/// }
///
/// # fn main() -> turbohttp::Result<()> {
/// let client = turbohttp::Client::builder().resolver(Table).build()?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of `name`, the best first. `name` is in lower case and in its IDNA form; it has a final
    /// dot if the URL has one.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

trait Erased: Send + Sync {
    fn look_up<'a>(&'a self, name: &'a str) -> Lookup<'a>;
}

impl<R: Resolve> Erased for R {
    fn look_up<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        Box::pin(self.resolve(name))
    }
}

/// A [`Resolve`] behind a pointer.
#[derive(Clone)]
pub(crate) struct UserResolver(Arc<dyn Erased>);

impl UserResolver {
    pub(crate) fn new(resolver: impl Resolve) -> UserResolver {
        UserResolver(Arc::new(resolver))
    }

    /// What it finds; a panic is an error.
    ///
    /// Cancel safe if the resolver is.
    pub(super) async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut lookup = contain::catch(|| self.0.look_up(name)).map_err(panicked)?;
        poll_fn(|cx| match contain::catch(|| lookup.as_mut().poll(cx)) {
            Ok(polled) => polled,
            Err(payload) => Poll::Ready(Err(panicked(payload))),
        })
        .await
    }
}

#[cold]
fn panicked(payload: Box<dyn std::any::Any + Send>) -> io::Error {
    contain::discard(payload);
    io::Error::other("the resolver panicked")
}
