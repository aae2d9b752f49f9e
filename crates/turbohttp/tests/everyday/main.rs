//! From a URL to its answer, as everyday clients have it: redirects, retries, credentials.

#[cfg(feature = "cookies")]
mod cookies;
mod credentials;
#[cfg(all(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod decoding;
mod ground;
mod redirects;
mod retries;
