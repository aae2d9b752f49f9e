//! From a URL to its answer, as everyday clients have it: redirects, retries, credentials.

mod credentials;
mod ground;
mod redirects;
mod retries;
