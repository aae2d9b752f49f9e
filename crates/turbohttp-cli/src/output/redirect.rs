//! Redirects, which are not followed, and so are no success.

use turbohttp::Response;

use super::visible;

/// What is shown of where a redirect points to, in characters.
const LOCATION_CHARS_MAX: usize = 200;

/// Whether a status sends the client elsewhere. 304 does not: it says that what the client has is right.
pub(crate) fn is_redirect(status: u16) -> bool {
    (300..400).contains(&status) && status != 304
}

/// What is to be told of a redirect.
pub(crate) fn told(response: &Response) -> Option<String> {
    let status = response.status();
    if !is_redirect(status.as_u16()) {
        return None;
    }
    let to = match response.header_bytes("location") {
        Some(location) => {
            let location = visible(&String::from_utf8_lossy(location));
            let shown: String = location.chars().take(LOCATION_CHARS_MAX).collect();
            format!(" to {shown}")
        }
        None => String::new(),
    };
    Some(format!(
        "server answered {status}: the redirect{to} is not followed"
    ))
}
