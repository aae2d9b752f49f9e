//! The vectors of the two RFCs, others that Python's `hashlib` has computed, and what servers offer.

use super::super::challenge::parse;
use super::*;

/// The challenge of RFC 7616 section 3.9.1, without algorithm and qop.
const CHALLENGE: &str = "Digest realm=\"http-auth@example.org\", \
    nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
    opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

const TARGET: &str = "/dir/index.html";

fn mufasa() -> DigestState {
    DigestState::new("Mufasa", "Circle of Life")
}

fn challenges(field: &str) -> Vec<Challenge> {
    parse([field.as_bytes()])
}

/// The answer to a challenge of Mufasa's GET.
fn answer(field: &str) -> Option<String> {
    let answer = mufasa().answer_with(&challenges(field), "GET", TARGET, Some(b""), CNONCE);
    shown(answer)
}

fn shown(answer: Result<Option<HeaderValue>>) -> Option<String> {
    let value = answer.unwrap()?;
    assert!(value.is_sensitive());
    Some(String::from_utf8(value.as_bytes().to_owned()).unwrap())
}

/// The parameter of an answer, quotes and all.
fn parameter(answer: &str, name: &str) -> Option<String> {
    let parameters = challenges(answer).remove(0).parameters;
    let value = parameters.value(name)?.to_owned();
    Some(String::from_utf8(value).unwrap())
}

fn response(field: &str) -> String {
    parameter(&answer(field).unwrap(), "response").unwrap()
}

#[test]
fn the_vectors_of_rfc_7616_hold() {
    let field = format!("{CHALLENGE}, qop=\"auth, auth-int\", algorithm=MD5");
    assert_eq!(
        answer(&field).unwrap(),
        "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", \
         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", \
         response=\"8ca523f5e9506fed4657c9700eebdbec\", algorithm=MD5, \
         opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", qop=auth, nc=00000001, \
         cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\""
    );
    let field = format!("{CHALLENGE}, qop=\"auth, auth-int\", algorithm=SHA-256");
    let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    assert_eq!(response(&field), expected);
}

#[test]
fn the_vector_of_rfc_2617_holds() {
    let field = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
    let mut state = DigestState::new("Mufasa", "Circle Of Life");
    let answer = state.answer_with(&challenges(field), "GET", TARGET, None, "0a4f113b");
    let answer = shown(answer).unwrap();
    let response = parameter(&answer, "response").unwrap();
    assert_eq!(response, "6629fae49393a05397450978507c4ef1");
    // It named no algorithm, so the answer names none.
    assert!(!answer.contains("algorithm"), "{answer}");
}

#[test]
fn every_algorithm_and_qop_is_computed() {
    for (algorithm, qop, expected) in [
        ("MD5", "", "7b2cc3b30e75b4777ea31027084363fd"),
        ("md5-SESS", ", qop=auth", "e783283f46242139c486a698fec7211d"),
        ("MD5-sess", "", "37a7f42db2090a3fcac4e26e747d4fc8"),
        (
            "SHA-256-sess",
            ", qop=\"auth-int, auth\"",
            "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
        ),
    ] {
        let field = format!("{CHALLENGE}, algorithm={algorithm}{qop}");
        assert_eq!(response(&field), expected, "{algorithm} {qop}");
    }
}

#[test]
fn content_is_part_of_the_answer_where_only_that_is_offered() {
    for (algorithm, expected) in [
        ("MD5", "d5943d5209a7a9017cda53c6861a3894"),
        ("MD5-sess", "1c89322d30fd73491f5813d740f0f99d"),
        (
            "SHA-256",
            "ca74b3811b6ec0a9748a26ae143cd63edd214546b6d12a7d0d147e3dc0e544aa",
        ),
    ] {
        let challenges = challenges(&format!("{CHALLENGE}, algorithm={algorithm}, qop=auth-int"));
        let mut state = mufasa();
        let answer = state.answer_with(&challenges, "POST", TARGET, Some(b"content"), CNONCE);
        let answer = shown(answer).unwrap();
        assert_eq!(
            parameter(&answer, "response").unwrap(),
            expected,
            "{algorithm}"
        );
        assert!(answer.contains("qop=auth-int, nc=00000001"), "{answer}");
        // The content of a stream is not known beforehand.
        assert_eq!(state.authorize("POST", TARGET, None).unwrap(), None);
        let streamed = mufasa().answer(&challenges, "POST", TARGET, None);
        assert_eq!(streamed.unwrap(), None);
    }
}

#[test]
fn the_strongest_known_algorithm_is_taken() {
    let md5 = "Digest realm=a, nonce=md5, algorithm=MD5, qop=auth";
    let sha = "Digest realm=a, nonce=sha, algorithm=SHA-256, qop=auth";
    let other = "Digest realm=a, nonce=sha512, algorithm=SHA-512-256, qop=auth";
    let nonce = |field: &str| answer(field).and_then(|answer| parameter(&answer, "nonce"));
    assert_eq!(nonce(&format!("{md5}, {sha}, {other}")).unwrap(), "sha");
    assert_eq!(
        nonce(&format!("Basic realm=a, {other}, {md5}")).unwrap(),
        "md5"
    );
    assert_eq!(
        nonce(&format!("{md5}, {}", md5.replace("nonce=md5", "nonce=2"))).unwrap(),
        "md5"
    );
    for field in [
        other,
        "Basic realm=a",
        "Digest realm=a",
        "Digest nonce=n",
        "Digest realm=a, nonce=n, qop=other",
        "Digest realm=a, nonce=n, qop=\"\"",
        "Digest",
    ] {
        assert_eq!(answer(field), None, "{field}");
    }
}

#[test]
fn requests_of_a_session_are_counted() {
    let mut state = mufasa();
    assert_eq!(state.authorize("GET", TARGET, None).unwrap(), None);
    let challenges = challenges(&format!("{CHALLENGE}, qop=auth"));
    let first = shown(state.answer(&challenges, "GET", TARGET, None)).unwrap();
    let second = shown(state.authorize("GET", TARGET, None)).unwrap();
    assert!(first.contains("nc=00000001") && second.contains("nc=00000002"));
    assert_ne!(
        parameter(&first, "response"),
        parameter(&second, "response")
    );
    // 16 random bytes for each session.
    let cnonce = parameter(&first, "cnonce").unwrap();
    assert_eq!(
        (cnonce.len(), parameter(&second, "cnonce")),
        (32, Some(cnonce.clone()))
    );
    let again = shown(state.answer(&challenges, "GET", TARGET, None)).unwrap();
    assert!(again.contains("nc=00000001") && !again.contains(&cnonce));
    // The server is asked again when the count has no more digits.
    state.session.as_mut().unwrap().count = u32::MAX - 1;
    assert!(
        shown(state.authorize("GET", TARGET, None))
            .unwrap()
            .contains("nc=ffffffff")
    );
    assert_eq!(state.authorize("GET", TARGET, None).unwrap(), None);
    assert_eq!(state.authorize("GET", TARGET, None).unwrap(), None);
}

#[test]
fn the_next_nonce_is_taken_over() {
    let mut state = mufasa();
    state.accept_info(b"nextnonce=\"n\"");
    let challenges = challenges(&format!("{CHALLENGE}, algorithm=MD5-sess, qop=auth"));
    state.answer(&challenges, "GET", TARGET, None).unwrap();
    let a1 = state.session.as_ref().unwrap().a1.clone();
    for info in [
        &b"qop=auth, nc=00000001, nextnonce=\"next\""[..],
        b"rspauth=\"x\"",
        b"nextnonce=\"",
        b"",
    ] {
        state.accept_info(info);
        let answer = shown(state.authorize("GET", TARGET, None)).unwrap();
        assert_eq!(parameter(&answer, "nonce").unwrap(), "next");
    }
    let session = state.session.as_ref().unwrap();
    assert_eq!((session.count, &session.a1), (4, &a1));
    state.forget();
    assert_eq!(state.authorize("GET", TARGET, None).unwrap(), None);
}

#[test]
fn a_stale_nonce_is_told_from_wrong_credentials() {
    for (field, expected) in [
        ("Digest realm=a, nonce=n, stale=TRUE", true),
        (
            "Digest realm=a, nonce=n, stale=\"true\", qop=auth-int",
            true,
        ),
        ("Digest realm=a, nonce=n, stale=false", false),
        ("Digest realm=a, nonce=n", false),
        ("Basic realm=a, stale=true", false),
    ] {
        assert_eq!(is_stale(&challenges(field)), expected, "{field}");
    }
}

#[test]
fn user_names_may_be_hashed() {
    let answer = answer(&format!(
        "{CHALLENGE}, algorithm=SHA-256, qop=auth, userhash=true"
    ))
    .unwrap();
    let expected = "a947aad205e80e429958a387394944c6b496301e79f89d35a4cc23b6ee12b5b6";
    assert_eq!(parameter(&answer, "username").unwrap(), expected);
    assert!(
        answer.ends_with(", userhash=true") && !answer.contains("Mufasa"),
        "{answer}"
    );
}

#[test]
fn what_goes_into_quotes_cannot_end_them() {
    let field = "Digest realm=\"a\\\"b\\\\c\", nonce=\"n\\\"\", opaque=\"\\\\\", qop=auth";
    let mut state = DigestState::new("x\", uri=\"\\", "secret");
    let answer = state.answer_with(&challenges(field), "GET", "/\"?\\", None, CNONCE);
    let answer = shown(answer).unwrap();
    let expected = "Digest username=\"x\\\", uri=\\\"\\\\\", realm=\"a\\\"b\\\\c\", nonce=\"n\\\"\", \
        uri=\"/\\\"?\\\\\", response=\"";
    assert!(answer.starts_with(expected), "{answer}");
    assert_eq!(parameter(&answer, "username").unwrap(), "x\", uri=\"\\");
    assert_eq!(parameter(&answer, "opaque").unwrap(), "\\");
}

#[test]
fn user_names_with_control_characters_are_refused() {
    for user in ["a\r\nX-Injected: 1", "a\nb", "a\0"] {
        let mut state = DigestState::new(user, "secret");
        let challenges = challenges(&format!("{CHALLENGE}, qop=auth"));
        let error = state.answer(&challenges, "GET", TARGET, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(!format!("{error:?}").contains("secret"));
    }
    // A password is hashed, whatever it holds.
    let mut state = DigestState::new("a", "\r\n");
    let challenges = challenges(CHALLENGE);
    assert!(
        state
            .answer(&challenges, "GET", TARGET, None)
            .unwrap()
            .is_some()
    );
}

#[test]
fn user_names_beyond_ascii_are_sent_as_the_server_takes_them() {
    let name = |charset: &str| {
        let challenges = challenges(&format!("{CHALLENGE}, qop=auth{charset}"));
        let mut state = DigestState::new("J\u{e4}s\u{f8}n Doe", "secret");
        let answer = shown(state.answer(&challenges, "GET", TARGET, None)).unwrap();
        answer.split_once(", ").unwrap().0.to_owned()
    };
    assert_eq!(
        name(", charset=UTF-8"),
        "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe"
    );
    assert_eq!(name(""), "Digest username=\"J\u{e4}s\u{f8}n Doe\"");
}

#[test]
fn debug_shows_no_credentials() {
    let mut state = mufasa();
    state
        .answer(&challenges(CHALLENGE), "GET", TARGET, None)
        .unwrap();
    let shown = format!("{state:?}");
    assert_eq!(shown, "DigestState { has_session: true, .. }");
}
