//! What goes out for a request, as another decoder reads it.

use http::header::{self, HeaderName, HeaderValue};

use super::*;

/// Opens a stream for a request, and reads its HEADERS.
fn sent(fixture: &mut Fixture, decoder: &mut Decoder, ask: &Ask<'_>) -> Vec<(String, String)> {
    open(fixture, ask).unwrap();
    let out = fixture.out();
    assert_eq!(out.len(), 1, "{out:?}");
    fields_of(decoder, &out[0])
}

fn open(fixture: &mut Fixture, ask: &Ask<'_>) -> Result<Opened, EncodeError> {
    let (streams, wakes) = (&mut fixture.streams, &mut fixture.wakes);
    let ends = !matches!(ask.body, BodyLength::Unknown | BodyLength::Known(1..));
    let mut waker = Some(fixture.task.waker.clone());
    let opened = ask
        .with(|request| streams.open(request, &[], ends, (0, None), &mut None, &mut waker, wakes));
    wakes.perform();
    opened
}

fn get(defaults: &DefaultFields) -> Ask<'_> {
    Ask {
        method: Method::GET,
        target: "/path",
        headers: HeaderMap::new(),
        body: BodyLength::None,
        urgency: None,
        defaults,
    }
}

fn defaults(fields: &[(HeaderName, &'static str)]) -> DefaultFields {
    let fields = fields.iter().cloned();
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
    DefaultFields::new(fields.collect()).unwrap()
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

const PLAIN: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "a.test"),
    (":path", "/path"),
];

fn plain_with(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    owned(&[&PLAIN, fields].concat())
}

#[test]
fn plain_requests_say_the_same_each_time() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = defaults(&[(header::USER_AGENT, "t"), (header::ACCEPT, "*/*")]);
    for _ in 0..3 {
        let ask = get(&defaults);
        let expected = plain_with(&[("user-agent", "t"), ("accept", "*/*")]);
        assert_eq!(sent(&mut fixture, &mut decoder, &ask), expected);
    }
    // With fields of its own in between: the template holds.
    let mut ask = get(&defaults);
    ask.headers
        .insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    let expected = plain_with(&[("user-agent", "t"), ("accept", "text/html")]);
    assert_eq!(sent(&mut fixture, &mut decoder, &ask), expected);
    let ask = Ask {
        method: Method::DELETE,
        target: "/",
        ..get(&defaults)
    };
    let fields = sent(&mut fixture, &mut decoder, &ask);
    assert_eq!(fields[0].1, "DELETE");
    assert_eq!((&fields[3].1[..], fields.len()), ("/", 6));
}

/// RFC 9113 section 8.2.2.
#[test]
fn fields_of_http1_connections_are_left_out() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = DefaultFields::default();
    let mut ask = get(&defaults);
    for (name, value) in [
        ("connection", "keep-alive"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("proxy-authorization", "Basic x"),
        ("x-own", "1"),
    ] {
        ask.headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    assert_eq!(
        sent(&mut fixture, &mut decoder, &ask),
        plain_with(&[("x-own", "1")])
    );
    ask.headers.clear();
    ask.headers
        .insert(header::TE, HeaderValue::from_static("Trailers"));
    assert_eq!(
        sent(&mut fixture, &mut decoder, &ask),
        plain_with(&[("te", "Trailers")])
    );
    for (name, error) in [
        (header::TRANSFER_ENCODING, EncodeError::TransferEncoding),
        (header::UPGRADE, EncodeError::Upgrade),
    ] {
        ask.headers.clear();
        ask.headers.insert(name, HeaderValue::from_static("x"));
        assert_eq!(open(&mut fixture, &ask), Err(error));
    }
    assert_eq!(fixture.out(), [], "nothing was written");
}

#[test]
fn host_becomes_the_authority() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = DefaultFields::default();
    let mut ask = get(&defaults);
    ask.headers
        .insert(header::HOST, HeaderValue::from_static("other.test:8080"));
    let fields = sent(&mut fixture, &mut decoder, &ask);
    assert_eq!(fields[2], (":authority".into(), "other.test:8080".into()));
    assert_eq!(fields.len(), 4);
    ask.headers
        .append(header::HOST, HeaderValue::from_static("b.test"));
    assert_eq!(open(&mut fixture, &ask), Err(EncodeError::Host));
    ask.headers
        .insert(header::HOST, HeaderValue::from_static("a b"));
    assert_eq!(open(&mut fixture, &ask), Err(EncodeError::HostValue));
}

/// Whether the literal of this name is in the block with this first half of a byte (RFC 7541 section 6.2).
fn representation(payload: &[u8], value: &[u8]) -> u8 {
    let at = payload
        .windows(value.len())
        .position(|window| window == value);
    // Names of the static table from 15 on take two bytes, and the length of the value one.
    payload[at.unwrap() - 3] & 0xf0
}

#[test]
fn secrets_are_never_indexed() {
    let mut fixture = Fixture::new();
    let mut secret = HeaderValue::from_static("sensitive-1");
    secret.set_sensitive(true);
    let plain = HeaderValue::from_static("ordinary-1");
    let defaults = DefaultFields::new(
        [(header::AUTHORIZATION, HeaderValue::from_static("default-1"))]
            .into_iter()
            .collect(),
    );
    let defaults = defaults.unwrap();
    let mut ask = get(&defaults);
    ask.headers
        .insert(header::COOKIE, HeaderValue::from_static("session-1"));
    ask.headers.insert(header::REFERER, secret.clone());
    ask.headers.insert(header::RANGE, plain);
    for _ in 0..2 {
        open(&mut fixture, &ask).unwrap();
        let out = fixture.out();
        for value in [&b"default-1"[..], b"session-1", b"sensitive-1"] {
            assert_eq!(
                representation(&out[0].payload, value),
                0x10,
                "never indexed"
            );
        }
        assert_eq!(
            representation(&out[0].payload, b"ordinary-1"),
            0x00,
            "not indexed"
        );
    }
    // Behind the content too.
    let key = fixture.post();
    fixture.out();
    let trailers = [(header::REFERER, secret)].into_iter().collect();
    assert!(
        fixture
            .streams
            .send_trailers(key, &trailers, &mut fixture.wakes)
    );
    let out = fixture.out();
    assert!(out[0].has(END));
    assert_eq!(representation(&out[0].payload, b"sensitive-1"), 0x10);
    let error = fixture
        .streams
        .send_trailers(key, &trailers, &mut fixture.wakes);
    assert!(!error, "it has ended");
}

#[test]
fn lengths_priorities_and_expectations() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = DefaultFields::default();
    let mut say = |method, body, urgency, headers: &[(HeaderName, &'static str)]| {
        let headers = headers.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let ask = Ask {
            method,
            body,
            urgency,
            headers: headers.collect(),
            ..get(&defaults)
        };
        sent(&mut fixture, &mut decoder, &ask).split_off(4)
    };
    let (post, put, get) = (Method::POST, Method::PUT, Method::GET);
    let priority = HeaderName::from_static("priority");
    assert_eq!(
        say(post.clone(), BodyLength::Known(12), None, &[]),
        owned(&[("content-length", "12")])
    );
    assert_eq!(
        say(put, BodyLength::None, None, &[]),
        owned(&[("content-length", "0")])
    );
    assert_eq!(
        say(post.clone(), BodyLength::Unknown, None, &[]),
        owned(&[])
    );
    assert_eq!(
        say(get.clone(), BodyLength::None, Some(0), &[]),
        owned(&[("priority", "u=0")])
    );
    assert_eq!(
        say(get.clone(), BodyLength::None, Some(9), &[]),
        owned(&[("priority", "u=7")])
    );
    let own = [(priority, "u=1, i")];
    assert_eq!(
        say(get, BodyLength::None, Some(0), &own),
        owned(&[("priority", "u=1, i")])
    );
    let expect = [
        (header::EXPECT, "100-continue"),
        (header::CONTENT_LENGTH, "3"),
    ];
    let said = say(post, BodyLength::Known(3), None, &expect);
    assert_eq!(
        said,
        owned(&[("content-length", "3"), ("expect", "100-continue")])
    );
}

/// RFC 9113 section 6.5.2: what the server does not take is not sent, and the tables stay as they are.
#[test]
fn a_field_list_that_the_server_does_not_take() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = defaults(&[(header::USER_AGENT, "t")]);
    fixture.receive(&settings(&[(setting::FIELD_LIST_BYTES, 2_000)]));
    fixture.out();
    let mut ask = get(&defaults);
    ask.headers.insert(
        "x-large",
        HeaderValue::from_str(&"x".repeat(2_000)).unwrap(),
    );
    for _ in 0..2 {
        assert_eq!(
            open(&mut fixture, &ask),
            Err(EncodeError::HeadTooLarge { max: 2_000 })
        );
    }
    assert_eq!((fixture.out().len(), fixture.streams.used_count()), (0, 0));
    ask.headers.clear();
    assert_eq!(
        sent(&mut fixture, &mut decoder, &ask),
        plain_with(&[("user-agent", "t")])
    );
    assert_eq!(
        sent(&mut fixture, &mut decoder, &ask),
        plain_with(&[("user-agent", "t")])
    );
}

/// The bound is that of what goes out, to the byte: fields that are left out do not count.
#[test]
fn a_field_list_at_the_bound_of_the_server() {
    let defaults = defaults(&[(header::USER_AGENT, "t"), (header::ACCEPT, "*/*")]);
    let mut post = Ask {
        method: Method::POST,
        body: BodyLength::Known(1_234),
        urgency: Some(2),
        ..get(&defaults)
    };
    for (name, value) in [
        ("accept", "text/html"),
        ("x-own", "1"),
        ("host", "other.test"),
        ("connection", "keep-alive"),
        ("proxy-authorization", "Basic secret"),
        ("expect", "100-continue"),
    ] {
        post.headers.insert(name, HeaderValue::from_static(value));
    }
    for ask in [get(&defaults), post] {
        let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
        let fields = sent(&mut fixture, &mut decoder, &ask);
        let bytes = fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 32)
            .sum::<usize>();
        for (bound, is_taken) in [(bytes, true), (bytes - 1, false)] {
            let list = [(setting::FIELD_LIST_BYTES, bound as u32)];
            fixture.receive(&settings(&list));
            fixture.out();
            assert_eq!(open(&mut fixture, &ask).is_ok(), is_taken, "{fields:?}");
        }
    }
}

/// RFC 7541 section 4.2: a smaller table is announced by the next block, the smallest size first.
#[test]
fn a_table_that_changes_in_between() {
    let (mut fixture, mut decoder) = (Fixture::new(), Decoder::new(4_096));
    let defaults = defaults(&[(header::USER_AGENT, "t"), (header::ACCEPT, "*/*")]);
    let ask = get(&defaults);
    let expected = plain_with(&[("user-agent", "t"), ("accept", "*/*")]);
    assert_eq!(sent(&mut fixture, &mut decoder, &ask), expected);
    let sizes: [&[u32]; 5] = [&[0], &[100], &[0, 4_096], &[1 << 30], &[50, 0, 70]];
    for sizes in sizes {
        let list: Vec<(u16, u32)> = sizes
            .iter()
            .map(|size| (setting::TABLE_BYTES, *size))
            .collect();
        fixture.receive(&settings(&list));
        // The decoder knows the sizes when it reads the acknowledgement, and not before.
        assert_eq!(fixture.out(), [Frame::settings_ack()]);
        for _ in 0..2 {
            assert_eq!(
                sent(&mut fixture, &mut decoder, &ask),
                expected,
                "{sizes:?}"
            );
        }
    }
}

/// RFC 9113 section 6.10.
#[test]
fn a_block_of_more_than_a_frame() {
    let mut fixture = Fixture::new();
    let defaults = DefaultFields::default();
    let mut ask = get(&defaults);
    let value = "x".repeat(3 * FRAME_BYTES_MAX);
    ask.headers
        .insert("x-large", HeaderValue::from_str(&value).unwrap());
    open(&mut fixture, &ask).unwrap();
    let out = fixture.out();
    let kinds: Vec<u8> = out.iter().map(|frame| frame.kind).collect();
    let more = kind::CONTINUATION;
    assert_eq!(kinds, [kind::HEADERS, more, more, more]);
    let ends: Vec<bool> = out
        .iter()
        .map(|frame| frame.has(flag::END_HEADERS))
        .collect();
    assert_eq!(ends, [false, false, false, true]);
    assert!(
        out[0].has(END) && !out[3].has(END),
        "END_STREAM is HEADERS' flag"
    );
    let payload = out.iter().flat_map(|frame| frame.payload.clone()).collect();
    let whole = Frame {
        payload,
        ..out[0].clone()
    };
    let fields = fields_of(&mut Decoder::new(4_096), &whole);
    assert_eq!(fields[4], ("x-large".into(), value));
}
