use super::*;

/// The body of a form of small parts, with `BOUNDARY` for its boundary.
fn text_of(form: Form) -> String {
    let (content_type, body) = form.encode().unwrap();
    let boundary = content_type.to_str().unwrap().split_once('=').unwrap().1;
    let text = str::from_utf8(body.as_bytes().unwrap()).unwrap();
    text.replace(boundary, "BOUNDARY")
}

#[test]
fn a_form_is_written_as_the_standard_says() {
    let picture = Part::bytes(&b"\n\x01"[..])
        .file_name("a \"b\"\r\n\u{e4}.png")
        .mime_str("image/png")
        .unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-a", HeaderValue::from_static("1"));
    let form = Form::new()
        .text("a\nb\r\nc\rd\"%", "x\ny\r\nz\r")
        .part("p", picture.headers(headers))
        .part("q", Part::text("1\n2").file_name("q"));
    assert_eq!(
        text_of(form),
        "--BOUNDARY\r\n\
         content-disposition: form-data; name=\"a%0D%0Ab%0D%0Ac%0D%0Ad%22%\"\r\n\r\n\
         x\r\ny\r\nz\r\n\r\n\
         --BOUNDARY\r\n\
         content-disposition: form-data; name=\"p\"; filename=\"a %22b%22%0D%0A\u{e4}.png\"\r\n\
         content-type: image/png\r\nx-a: 1\r\n\r\n\
         \n\x01\r\n\
         --BOUNDARY\r\n\
         content-disposition: form-data; name=\"q\"; filename=\"q\"\r\n\
         content-type: application/octet-stream\r\n\r\n\
         1\n2\r\n\
         --BOUNDARY--\r\n"
    );
    assert_eq!(text_of(Form::new()), "--BOUNDARY--\r\n");
}

#[test]
fn boundaries_differ_and_are_short_enough() {
    let (first, second) = (boundary(), boundary());
    assert_ne!(first, second);
    // RFC 2046 section 5.1.1.
    assert!(first.len() <= 70, "{first}");
}

#[test]
fn limits_hold_at_their_value_and_fail_one_past() {
    let form = |parts| (0..parts).fold(Form::new(), |form, _| form.text("a", "b"));
    form(MULTIPART_PARTS_MAX).encode().unwrap();
    let error = form(MULTIPART_PARTS_MAX + 1).encode().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().contains("parts"), "{error}");

    let form = |bytes| Form::new().text("a".repeat(bytes), "b");
    form(MULTIPART_HEAD_BYTES_MAX).encode().unwrap();
    let error = form(MULTIPART_HEAD_BYTES_MAX + 1).encode().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
}

#[test]
fn fields_of_the_part_itself_are_refused() {
    for name in ["content-disposition", "content-type"] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static("x/y"));
        let form = Form::new().part("a", Part::text("b").headers(headers));
        let error = form.encode().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn media_types_are_checked() {
    for good in ["image/png", "text/plain; charset=utf-8", "a/b+c", "x/y ; z"] {
        Part::text("").mime_str(good).unwrap();
    }
    for bad in [
        "",
        "png",
        "/png",
        "image/",
        "a b/c",
        "a/b/c",
        "a/b;\r\nx: y",
    ] {
        assert!(Part::text("").mime_str(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn debug_output_has_no_values() {
    let form = Form::new().text("user", "SECRET");
    let shown = format!("{form:?}");
    assert!(
        shown.contains("user") && !shown.contains("SECRET"),
        "{shown}"
    );
}

#[test]
fn small_parts_are_bytes_and_large_ones_can_be_sent_again() {
    let large = vec![7; 4 * INLINE_BODY_BYTES_MAX];
    let form = Form::new().text("a", "b").part("c", Part::bytes(large));
    let (_, body) = form.encode().unwrap();
    assert!(body.is_stream() && body.can_be_sent_again());
    let reader = Body::from_reader(&b"content"[..], Some(7));
    let (_, body) = Form::new()
        .part("a", Part::stream(reader))
        .encode()
        .unwrap();
    assert!(!body.can_be_sent_again());
    assert!(matches!(
        body.length(),
        turbohttp_core::h1::encode::BodyLength::Known(_)
    ));
}
