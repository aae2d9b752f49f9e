//! Middlewares for servers that fail, are slow, or are asked the same by many: each is opt-in, and a layer of
//! its own.

mod breaker;
mod circuit;
mod hedge;
mod latencies;
mod origins;
mod single_flight;

pub use breaker::CircuitBreaker;
pub use hedge::Hedge;
pub use single_flight::SingleFlight;
