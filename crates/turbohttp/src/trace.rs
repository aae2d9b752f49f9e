//! What `tracing` is told, behind the feature of that name: a span per call, up to the head of its
//! response, and an event per wait inside it, all at `DEBUG`, so that nothing is said at the levels that
//! programs show by default. Field values and queries are left out: both can be secrets.

pub(crate) use imp::{RequestSpan, waited};

#[cfg(feature = "tracing")]
mod imp {
    use std::time::Duration;

    use http::Method;
    use turbohttp_core::origin::Origin;
    use turbohttp_core::timeline::Phase;

    /// The span of one call, entered whenever its future is polled.
    pub(crate) struct RequestSpan(tracing::Span);

    impl RequestSpan {
        /// Of a call that has not begun.
        pub(crate) fn none() -> RequestSpan {
            RequestSpan(tracing::Span::none())
        }

        pub(crate) fn new(method: &Method, origin: Option<&Origin>) -> RequestSpan {
            // The origin and not the URL: a path or a query may carry a secret.
            let origin = origin.map(tracing::field::display);
            RequestSpan(tracing::debug_span!(target: "turbohttp", "request", %method, origin))
        }

        /// Enters the span until the guard is dropped, which is before the poll returns.
        pub(crate) fn enter(&self) -> tracing::span::EnteredSpan {
            self.0.clone().entered()
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

    pub(crate) struct RequestSpan;

    /// Stands for a guard of `tracing`.
    pub(crate) struct Entered;

    impl RequestSpan {
        #[inline]
        pub(crate) fn none() -> RequestSpan {
            RequestSpan
        }

        #[inline]
        pub(crate) fn new(_method: &Method, _origin: Option<&Origin>) -> RequestSpan {
            RequestSpan
        }

        #[inline]
        pub(crate) fn enter(&self) -> Entered {
            Entered
        }
    }

    #[inline]
    pub(crate) fn waited(_phase: Phase, _length: Duration) {}
}
