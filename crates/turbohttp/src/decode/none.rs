//! Stands for `decode` where no content coding is compiled in.

use http::HeaderValue;

use crate::error::Result;
use crate::response::Response;

#[derive(Clone, Copy)]
pub(crate) struct Decoding;

impl Decoding {
    pub(crate) const fn all() -> Decoding {
        Decoding
    }

    pub(crate) fn accept_encoding(self) -> Option<HeaderValue> {
        None
    }

    pub(crate) fn decode(self, _response: &mut Response) -> Result<()> {
        Ok(())
    }
}
