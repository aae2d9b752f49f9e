//! URLs: what goes out can neither end a line nor be read in two ways, and the normal form is stable.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turbohttp::{ErrorKind, Method, Request};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let request = match Request::new(Method::GET, text) {
        Ok(request) => request,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Url, "a URL is refused as a URL");
            assert!(!error.to_string().contains('\n'), "a message of one line");
            return;
        }
    };
    let url = request.url();
    assert!(
        url.bytes().all(|byte| byte.is_ascii_graphic()),
        "visible ASCII only: {url:?}"
    );
    assert!(!url.contains('#'), "no fragment: {url:?}");
    let origin = request.origin();
    let host = origin.host();
    assert!(
        !host.is_empty() && !host.bytes().any(|byte| byte.is_ascii_uppercase()),
        "{host:?}"
    );
    assert!(
        !host.ends_with('.') && !host.contains(['/', '@', '?', ' ']),
        "{host:?}"
    );
    let prefix = origin.to_string();
    let target = url.strip_prefix(&prefix);
    assert!(
        target.is_some_and(|target| target.starts_with('/')),
        "{url:?} at {prefix:?}"
    );

    let again = Request::new(Method::GET, url).expect("a normal form is a URL");
    assert_eq!(again.url(), url, "the normal form is stable");
    assert_eq!(again.origin(), origin, "and has the same origin");
    assert!(again.headers().is_empty(), "and holds no credentials");
    let copy = request.try_clone().expect("no body");
    assert_eq!(copy.url(), url, "a clone is the same");
    assert_eq!(copy.headers(), request.headers(), "with the same fields");
});
