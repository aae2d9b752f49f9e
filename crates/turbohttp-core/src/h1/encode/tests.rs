use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

pub(crate) fn request<'a>(
    headers: &'a HeaderMap,
    defaults: &'a DefaultFields,
    target: &'a str,
) -> RequestHead<'a> {
    RequestHead {
        method: &Method::GET,
        target,
        authority: "example.com",
        headers,
        defaults,
        // A connection keeps it; here it is kept until the process ends.
        head_template: Box::leak(defaults.head_template("example.com")),
        body: BodyLength::None,
        asks: Asks::Nothing,
    }
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (
            HeaderName::try_from(*name).unwrap(),
            HeaderValue::try_from(*value).unwrap(),
        )
    };
    fields.iter().map(field).collect()
}

#[test]
fn request_heads_are_written_host_first() {
    let headers = map(&[("x-a", "1"), ("accept", "text/html")]);
    let defaults = DefaultFields::new(map(&[("accept", "*/*"), ("user-agent", "t")])).unwrap();
    let mut out = Vec::new();
    request_head(&mut out, &request(&headers, &defaults, "/x?y")).unwrap();
    let expected = "GET /x?y HTTP/1.1\r\nhost: example.com\r\nx-a: 1\r\naccept: text/html\r\nuser-agent: t\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    let (empty, mut out) = (HeaderMap::new(), Vec::new());
    request_head(&mut out, &request(&empty, &defaults, "/x?y")).unwrap();
    let expected = "GET /x?y HTTP/1.1\r\nhost: example.com\r\naccept: */*\r\nuser-agent: t\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn bodies_decide_the_framing_of_a_request() {
    let (empty, none) = (HeaderMap::new(), DefaultFields::default());
    for (method, body, field) in [
        (Method::GET, BodyLength::None, ""),
        (Method::GET, BodyLength::Known(0), ""),
        (Method::HEAD, BodyLength::Known(0), ""),
        (Method::OPTIONS, BodyLength::Known(0), ""),
        (Method::DELETE, BodyLength::Known(0), ""),
        (Method::TRACE, BodyLength::Known(0), ""),
        (Method::GET, BodyLength::Known(1), "content-length: 1\r\n"),
        (Method::POST, BodyLength::None, "content-length: 0\r\n"),
        (Method::PATCH, BodyLength::Known(0), "content-length: 0\r\n"),
        (
            Method::PUT,
            BodyLength::Known(u64::MAX),
            "content-length: 18446744073709551615\r\n",
        ),
        (
            Method::POST,
            BodyLength::Unknown,
            "transfer-encoding: chunked\r\n",
        ),
    ] {
        let mut out = Vec::new();
        let head = RequestHead {
            method: &method,
            body,
            ..request(&empty, &none, "/")
        };
        request_head(&mut out, &head).unwrap();
        let expected = format!("{method} / HTTP/1.1\r\nhost: example.com\r\n{field}\r\n");
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn requests_that_could_be_read_in_two_ways_are_refused() {
    let (empty, none) = (HeaderMap::new(), DefaultFields::default());
    let mut out = Vec::new();
    for target in ["", "/a b", "/a\r\nx: y", "/\0", "/ü"] {
        let refused = request_head(&mut out, &request(&empty, &none, target));
        assert_eq!(refused, Err(EncodeError::Target), "{target:?}");
    }
    for (fields, error) in [
        (
            &[("transfer-encoding", "chunked")][..],
            EncodeError::TransferEncoding,
        ),
        (&[("content-length", "1")], EncodeError::ContentLength),
        (&[("content-length", "0, 0")], EncodeError::ContentLength),
        (&[("upgrade", "h2c")], EncodeError::Upgrade),
    ] {
        let headers = map(fields);
        assert_eq!(
            request_head(&mut out, &request(&headers, &none, "/")),
            Err(error)
        );
    }
    let mut hosts = map(&[("host", "a")]);
    hosts.append("host", HeaderValue::from_static("b"));
    assert_eq!(
        request_head(&mut out, &request(&hosts, &none, "/")),
        Err(EncodeError::Host)
    );
    for (method, body, error) in [
        (Method::CONNECT, BodyLength::None, EncodeError::Connect),
        (
            Method::TRACE,
            BodyLength::Known(1),
            EncodeError::TraceContent,
        ),
        (
            Method::TRACE,
            BodyLength::Unknown,
            EncodeError::TraceContent,
        ),
    ] {
        let head = RequestHead {
            method: &method,
            body,
            ..request(&empty, &none, "/")
        };
        assert_eq!(request_head(&mut out, &head), Err(error), "{method}");
    }
}

#[test]
fn host_is_a_host_and_maybe_a_port() {
    let none = DefaultFields::default();
    for (value, is_authority) in [
        ("a.test", true),
        ("a.test:8080", true),
        ("a.test:", true),
        ("A_b-c.~%20!", true),
        ("127.0.0.1:1", true),
        ("[::1]", true),
        ("[::1]:443", true),
        ("", false),
        (":80", false),
        ("a.test:x", false),
        ("a.test:65536", false),
        ("a.test:+1", false),
        ("a.test:1:2", false),
        ("user@a.test", false),
        ("a.test/path", false),
        ("http://a.test", false),
        ("a.test?x", false),
        ("a test", false),
        ("a,b c", false),
        ("[::1", false),
        ("[a.test]", false),
        ("[::1]x", false),
        ("::1", false),
    ] {
        let headers = map(&[("host", value)]);
        let mut out = Vec::new();
        let written = request_head(&mut out, &request(&headers, &none, "/"));
        let expected = match is_authority {
            true => Ok(Encoded {
                closing: false,
                expects_continue: false,
            }),
            false => Err(EncodeError::HostValue),
        };
        assert_eq!(written, expected, "{value:?}");
    }
}

/// RFC 9110 section 10.1.1: what the caller sets is sent or refused, never dropped.
#[test]
fn expectations_are_sent_or_refused() {
    let none = DefaultFields::default();
    for (value, body, refused) in [
        ("100-continue", BodyLength::Known(1), None),
        ("100-Continue", BodyLength::Unknown, None),
        (
            "100-continue",
            BodyLength::None,
            Some(EncodeError::ExpectWithoutContent),
        ),
        (
            "100-continue",
            BodyLength::Known(0),
            Some(EncodeError::ExpectWithoutContent),
        ),
        ("200-ok", BodyLength::Known(1), Some(EncodeError::Expect)),
        ("", BodyLength::Known(1), Some(EncodeError::Expect)),
    ] {
        let headers = map(&[("expect", value)]);
        let head = RequestHead {
            method: &Method::POST,
            body,
            ..request(&headers, &none, "/")
        };
        let mut out = Vec::new();
        let written = request_head(&mut out, &head);
        assert_eq!(written.err(), refused, "{value:?} {body:?}");
        if refused.is_none() {
            let text = String::from_utf8(out).unwrap();
            assert_eq!(
                text.matches("expect: 100-continue\r\n").count(),
                1,
                "{text}"
            );
            assert!(written.unwrap().expects_continue);
        }
    }
}

#[test]
fn chunk_heads_are_hexadecimal() {
    for (length, text) in [
        (0, "0\r\n"),
        (15, "f\r\n"),
        (16, "10\r\n"),
        (0x00ab_cdef, "abcdef\r\n"),
    ] {
        let mut out = Vec::new();
        chunk_head(&mut out, length);
        assert_eq!(out, text.as_bytes());
    }
}

#[test]
fn credentials_of_a_proxy_go_out_to_proxies_only() {
    let fields = [("user-agent", "t"), ("proxy-authorization", "default")];
    let direct = DefaultFields::new(map(&fields)).unwrap();
    let configured = HeaderValue::from_static("configured");
    let own = map(&[("proxy-authorization", "own"), ("x-a", "1")]);
    let written = |headers: &HeaderMap, defaults: &DefaultFields| {
        let mut out = Vec::new();
        request_head(&mut out, &request(headers, defaults, "http://a.test/x")).unwrap();
        String::from_utf8(out).unwrap()
    };
    let none = HeaderMap::new();
    for headers in [&none, &own] {
        let text = written(headers, &direct);
        assert!(!text.contains("proxy-authorization"), "{text}");
        assert!(text.contains("user-agent: t\r\n"), "{text}");
    }
    for (authorization, shown) in [(None, "default"), (Some(&configured), "configured")] {
        let forwarded = direct.for_proxy(authorization);
        for (headers, shown) in [(&none, shown), (&own, "own")] {
            let text = written(headers, &forwarded);
            assert!(
                text.starts_with("GET http://a.test/x HTTP/1.1\r\n"),
                "{text}"
            );
            let field = format!("proxy-authorization: {shown}\r\n");
            assert_eq!(text.matches("proxy-authorization").count(), 1, "{text}");
            assert!(
                text.contains(&field) && text.contains("user-agent: t\r\n"),
                "{text}"
            );
        }
    }
}
