//! Redirects, which are not followed, and so are no success.

use turbohttp::Response;

use super::visible;

/// What is shown of where a redirect points to, in characters.
const LOCATION_CHARS_MAX: usize = 200;

/// Whether a status sends the client elsewhere. 304 does not: it says that what the client has is right.
pub(crate) fn is_redirect(status: u16) -> bool {
    (300..400).contains(&status) && status != 304
}

/// A URL without what may be a password.
fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("//") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}//{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

/// What is to be told of a redirect.
pub(crate) fn told(response: &Response) -> Option<String> {
    let status = response.status();
    if !is_redirect(status.as_u16()) {
        return None;
    }
    let to = match response.header_bytes("location") {
        Some(location) => {
            let location = String::from_utf8_lossy(location);
            let shown: String = visible(&without_userinfo(&location))
                .chars()
                .take(LOCATION_CHARS_MAX)
                .collect();
            format!(" to {shown}")
        }
        None => String::new(),
    };
    Some(format!(
        "server answered {status}: the redirect{to} is not followed"
    ))
}

#[cfg(test)]
mod tests {
    use super::{is_redirect, without_userinfo};

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("http://joe:pass@h/x@y", "http://h/x@y"),
            ("//joe@h", "//h"),
            ("/x//a@b", "/x//b"),
            ("http://h/?a@b", "http://h/?a@b"),
        ] {
            assert_eq!(without_userinfo(url), shown);
        }
        assert!(is_redirect(300) && is_redirect(399) && !is_redirect(304) && !is_redirect(200));
    }
}
