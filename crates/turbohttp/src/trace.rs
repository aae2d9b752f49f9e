//! What `tracing` is told, behind the feature of that name: a span per request and an event per wait,
//! all at `DEBUG`, so that nothing is said at the levels that programs show by default. Field values
//! and queries are left out: both can be secrets.

pub(crate) use imp::{RequestSpan, Spanned, waited};

#[cfg(feature = "tracing")]
mod imp {
    use std::future::Future;
    use std::time::Duration;

    use http::Method;
    use tracing::instrument::{Instrument, Instrumented};
    use turbohttp_core::origin::Origin;
    use turbohttp_core::timeline::Phase;

    /// A future inside a span.
    pub(crate) type Spanned<F> = Instrumented<F>;

    /// The span of one request, up to the head of its response.
    pub(crate) struct RequestSpan(tracing::Span);

    impl RequestSpan {
        pub(crate) fn new(method: &Method, origin: Option<&Origin>) -> RequestSpan {
            let origin = origin.map(tracing::field::display);
            RequestSpan(tracing::debug_span!(target: "turbohttp", "request", %method, origin))
        }

        /// Begins inside the span what is polled inside it: a transport may do some of its work at once.
        pub(crate) fn around<F: Future>(self, begin: impl FnOnce() -> F) -> Spanned<F> {
            let sending = self.0.in_scope(begin);
            sending.instrument(self.0)
        }
    }

    /// A request has waited before it was sent.
    pub(crate) fn waited(phase: Phase, length: Duration) {
        tracing::debug!(target: "turbohttp", reason = phase.name(), ?length, "waited");
    }
}

#[cfg(not(feature = "tracing"))]
mod imp {
    use std::time::Duration;

    use http::Method;
    use turbohttp_core::origin::Origin;
    use turbohttp_core::timeline::Phase;

    pub(crate) type Spanned<F> = F;

    pub(crate) struct RequestSpan;

    impl RequestSpan {
        #[inline]
        pub(crate) fn new(_method: &Method, _origin: Option<&Origin>) -> RequestSpan {
            RequestSpan
        }

        #[inline]
        pub(crate) fn around<F>(self, begin: impl FnOnce() -> F) -> Spanned<F> {
            begin()
        }
    }

    #[inline]
    pub(crate) fn waited(_phase: Phase, _length: Duration) {}
}
