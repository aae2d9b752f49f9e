//! Content codings through the client: what is asked for, what is undone, and where it ends.

use std::io::Write;

use turbohttp::{Client, Decoding, ErrorKind, Limits, Response, Result, RetryPolicy};

use crate::ground::{Origin, Seen, assert_idle, client, coded, redirect, reply};

const TEXT: &str = "a body that is said again and again, again and again, again and again";

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn brotli(content: &[u8]) -> Vec<u8> {
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &*content, &mut coded, &Default::default()).unwrap();
    coded
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

/// The text in each coding, under the path of its name.
fn origin() -> Origin {
    Origin::new(|seen: &Seen| {
        let text = TEXT.as_bytes();
        match seen.path() {
            "/gzip" => coded("gzip", &gzip(text)),
            "/X-GZip" => coded("X-GZip", &gzip(text)),
            "/members" => coded("gzip", &[gzip(&text[..9]), gzip(&text[9..])].concat()),
            "/deflate" => coded("deflate", &zlib(text)),
            "/raw" => coded("deflate", &raw_deflate(text)),
            "/br" => coded("br", &brotli(text)),
            "/zstd" => coded("zstd", &[zstd(&text[..9]), zstd(&text[9..])].concat()),
            "/nested" => coded("gzip, br", &brotli(&gzip(text))),
            "/identity" => coded("identity", text),
            "/unknown" => coded("compress", text),
            "/five" => coded("gzip,gzip,gzip,gzip,gzip", text),
            "/truncated" => coded("gzip", &gzip(text)[..30]),
            "/garbage" => coded("gzip", &[&*gzip(text), &b"\0garbage"[..]].concat()),
            "/corrupt" => coded("br", b"\xff\xff\xff\xff"),
            "/empty" => coded("gzip", b""),
            "/error" => {
                let coded = gzip(text);
                let head = format!(
                    "HTTP/1.1 404 X\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
                    coded.len()
                );
                [head.into_bytes(), coded].concat()
            }
            "/moved" => redirect(302, "/gzip").into_bytes(),
            _ => reply(200, &[], TEXT).into_bytes(),
        }
    })
}

async fn text_of(response: Result<Response>) -> Result<String> {
    response?.text().await
}

#[tokio::test]
async fn every_coding_is_undone() {
    let origin = origin();
    let client = Client::new().unwrap();
    let paths = [
        "/gzip",
        "/X-GZip",
        "/members",
        "/deflate",
        "/raw",
        "/br",
        "/zstd",
        "/nested",
        "/identity",
        "/plain",
        "/error",
        "/moved",
    ];
    for path in paths {
        let response = client.get(origin.url(path)).send().await.unwrap();
        let is_coded = !matches!(path, "/identity" | "/plain");
        if is_coded {
            // What the fields say is true of what is read.
            for name in ["content-encoding", "content-length"] {
                assert_eq!(response.header(name), None, "{path}");
                assert!(!response.headers().contains_key(name), "{path}");
            }
            assert_eq!(
                (response.remaining(), response.content_length()),
                (None, None),
                "{path}"
            );
        }
        assert_eq!(response.text().await.unwrap(), TEXT, "{path}");
        assert_idle(&client);
    }
    let asked = origin.seen().into_iter().next().unwrap();
    assert_eq!(
        asked.field("accept-encoding"),
        Some("gzip, deflate, br, zstd")
    );
    let opened = client.stats().net.unwrap().opened;
    assert_eq!(opened, 1, "a decoded body gives its connection back");
}

#[tokio::test]
async fn wrong_bodies_are_errors_of_their_kind() {
    let origin = origin();
    let client = Client::new().unwrap();
    for (path, kind) in [
        ("/truncated", ErrorKind::Truncated),
        ("/garbage", ErrorKind::Decode),
        ("/corrupt", ErrorKind::Decode),
        ("/five", ErrorKind::TooLarge),
    ] {
        let error = text_of(client.get(origin.url(path)).send().await)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{path}: {error}");
        assert!(
            error.origin().is_some() && error.timeline().is_some(),
            "{path}"
        );
        drop(error);
        assert_idle(&client);
    }
    for path in ["/empty", "/unknown"] {
        let response = client.get(origin.url(path)).send().await.unwrap();
        assert!(response.header("content-encoding").is_some(), "{path}");
        response.bytes().await.unwrap();
    }
}

/// Who asks for codings by itself gets them; a range is not asked for in a coding.
#[tokio::test]
async fn bodies_are_raw_on_request() {
    let origin = origin();
    let client = Client::new().unwrap();
    let own = client
        .get(origin.url("/gzip"))
        .header("accept-encoding", "gzip");
    let response = own.send().await.unwrap();
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(response.bytes().await.unwrap(), gzip(TEXT.as_bytes()));
    let layered =
        crate::ground::client(|builder| builder.on_request(|_: &mut turbohttp::Request| {}));
    for client in [&client, &layered] {
        client
            .get(origin.url("/"))
            .header("range", "bytes=0-3")
            .send()
            .await
            .unwrap();
        assert_eq!(origin.seen().pop().unwrap().field("accept-encoding"), None);
        assert_eq!(
            text_of(client.get(origin.url("/gzip")).send().await)
                .await
                .unwrap(),
            TEXT
        );
    }
    let off = crate::ground::client(|builder| builder.decoding(Decoding::none()));
    let response = off.get(origin.url("/gzip")).send().await.unwrap();
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    assert_eq!(origin.seen().pop().unwrap().field("accept-encoding"), None);
    let fixed = crate::ground::client(|builder| {
        builder.default_header(turbohttp::header::ACCEPT_ENCODING, "br".parse().unwrap())
    });
    let response = fixed.get(origin.url("/br")).send().await.unwrap();
    assert_eq!(response.header("content-encoding"), Some("br"));
    // HEAD says what a GET would bring.
    let head = client.head(origin.url("/gzip")).send().await.unwrap();
    assert_eq!(head.header("content-encoding"), Some("gzip"));
}

/// 24 MiB of zeros in 24 kB: refused by the ratio, by the bytes that a collected body may have, and by those
/// that any may have; both numbers are in the message.
#[tokio::test]
async fn bombs() {
    let zeros = vec![0; 1 << 20];
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..24).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    let mut small = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut small, 4096, 9, 22);
    (0..24).for_each(|_| writer.write_all(&zeros).unwrap());
    drop(writer);
    let origin = Origin::new(move |seen: &Seen| match seen.path() {
        "/gzip" => coded("gzip", &bomb),
        _ => coded("br", &small),
    });
    for path in ["/gzip", "/br"] {
        let client = Client::new().unwrap();
        let mut response = client.get(origin.url(path)).send().await.unwrap();
        let (mut bytes, error) = (0, loop_to_error(&mut response).await);
        bytes += error.0;
        assert_eq!(error.1.kind(), ErrorKind::TooLarge, "{path}: {}", error.1);
        assert!(bytes < 8 << 20, "{path}: {bytes}");
        assert!(error.1.to_string().contains("1000"), "{}", error.1);
        drop((response, error));
        assert_idle(&client);
        let limits = Limits::default().body_bytes(100_000);
        let client = crate::ground::client(|builder| builder.limits(limits));
        let error = text_of(client.get(origin.url(path)).send().await)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{path}: {error}");
        let decoding = Decoding::all().ratio_max(u64::MAX).bytes_max(3 << 20);
        let client = crate::ground::client(|builder| builder.decoding(decoding));
        let mut response = client.get(origin.url(path)).send().await.unwrap();
        let (bytes, error) = loop_to_error(&mut response).await;
        assert!(bytes <= 3 << 20, "{path}: {bytes}");
        assert!(
            error.to_string().contains(&(3 << 20).to_string()),
            "{error}"
        );
    }
}

async fn loop_to_error(response: &mut Response) -> (usize, turbohttp::Error) {
    let mut bytes = 0;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes += chunk.len(),
            Ok(None) => panic!("{bytes} bytes and no error"),
            Err(error) => return (bytes, error),
        }
    }
}

/// 10 GiB in 10 MB, by the members of one stream: read to their end where that is wanted, with flat memory, and
/// refused by default.
#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "takes seconds in a release build, and minutes in another one"]
async fn a_bomb_of_ten_gigabytes() {
    const MEMBERS: usize = 640;
    // One member of a mebibyte would stay just below the ratio.
    let member = gzip(&vec![0; 1 << 24]);
    let origin = Origin::new(move |_: &Seen| {
        let length = member.len() * MEMBERS;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {length}\r\n\r\n"
        );
        [head.into_bytes(), member.repeat(MEMBERS)].concat()
    });
    let status = || std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = || {
        let status = status();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap()
            * 1024
    };
    let decoding = Decoding::all().ratio_max(u64::MAX);
    let client = client(|builder| builder.decoding(decoding));
    let mut response = client.get(origin.url("/")).send().await.unwrap();
    let (mut bytes, mut most, first) = (0, 0, resident());
    while let Some(chunk) = response.chunk().await.unwrap() {
        bytes += chunk.len();
        if bytes % (1 << 28) < chunk.len() {
            most = most.max(resident());
        }
    }
    assert_eq!(bytes, MEMBERS << 24);
    assert!(most < first + (8 << 20), "{first} {most}");
    let plain = Client::new().unwrap();
    let mut response = plain.get(origin.url("/")).send().await.unwrap();
    let (bytes, error) = loop_to_error(&mut response).await;
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    // A thousand times what the first read has brought.
    assert!(bytes < 16 << 20, "{bytes}");
}

/// Chunked, streamed, dropped half read: the connection and the permit come back as they do undecoded.
#[tokio::test]
async fn decoded_bodies_hold_what_others_hold() {
    let content: Vec<u8> = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
    let whole = content.clone();
    let origin = Origin::new(move |_: &Seen| coded("zstd", &zstd(&whole)));
    let limits = Limits::default().per_host(1);
    let client = client(|builder| builder.limits(limits).retry(RetryPolicy::default()));
    for _ in 0..3 {
        let mut response = client.get(origin.url("/")).send().await.unwrap();
        assert!(response.chunk().await.unwrap().is_some());
        assert_eq!(client.audit().scheduler.running, 1);
        drop(response);
        assert_idle(&client);
        let response = client.get(origin.url("/")).send().await.unwrap();
        assert_eq!(response.bytes().await.unwrap(), content);
        assert_idle(&client);
    }
}
