//! What people who come from reqwest 0.13 type by habit: 98 calls, of which most compile here as they are.
//! What to write instead of the others is said by the page "Coming from reqwest".
//!
//! The functions of this file are compiled and not run: whether a call does the right thing is tested
//! where its feature is.
#![cfg(all(feature = "form", feature = "json"))]
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the calls of a user, compiled and not run"
)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use turbohttp as reqwest;
use turbohttp::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use turbohttp::{
    Body, Client, ClientBuilder, Error, Method, Request, RequestBuilder, Response, StatusCode, Url,
    Version,
};

/// The page that says what to write instead.
const PAGE: &str = include_str!("../docs/reqwest.md");

/// Calls that compile below, as they stand in reqwest's documentation.
const COMPILE: [&str; 80] = [
    "reqwest::get",
    "Client::new",
    "Client::builder",
    "Client::get",
    "Client::post",
    "Client::put",
    "Client::patch",
    "Client::delete",
    "Client::head",
    "Client::request",
    "Client::execute",
    "ClientBuilder::new",
    "ClientBuilder::build",
    "ClientBuilder::user_agent",
    "ClientBuilder::default_headers",
    "ClientBuilder::timeout",
    "ClientBuilder::connect_timeout",
    "ClientBuilder::read_timeout",
    "ClientBuilder::pool_idle_timeout",
    "ClientBuilder::pool_max_idle_per_host",
    "ClientBuilder::resolve",
    "ClientBuilder::resolve_to_addrs",
    "ClientBuilder::http1_only",
    "ClientBuilder::http2_prior_knowledge",
    "RequestBuilder::from_parts",
    "RequestBuilder::header",
    "RequestBuilder::headers",
    "RequestBuilder::basic_auth",
    "RequestBuilder::bearer_auth",
    "RequestBuilder::body",
    "RequestBuilder::timeout",
    "RequestBuilder::query",
    "RequestBuilder::version",
    "RequestBuilder::form",
    "RequestBuilder::json",
    "RequestBuilder::build",
    "RequestBuilder::build_split",
    "RequestBuilder::send",
    "RequestBuilder::try_clone",
    "Request::new",
    "Request::method",
    "Request::method_mut",
    "Request::url",
    "Request::headers",
    "Request::headers_mut",
    "Request::body",
    "Request::body_mut",
    "Request::timeout",
    "Request::timeout_mut",
    "Request::try_clone",
    "Request::try_from",
    "Response::status",
    "Response::version",
    "Response::headers",
    "Response::headers_mut",
    "Response::content_length",
    "Response::url",
    "Response::remote_addr",
    "Response::extensions",
    "Response::extensions_mut",
    "Response::text",
    "Response::json",
    "Response::bytes",
    "Response::chunk",
    "Response::bytes_stream",
    "Response::error_for_status",
    "Response::error_for_status_ref",
    "Error::is_timeout",
    "Error::is_connect",
    "Error::is_status",
    "Error::is_body",
    "Error::is_decode",
    "Error::is_builder",
    "Error::is_request",
    "Error::status",
    "Body::as_bytes",
    "Body::wrap",
    "Body::wrap_stream",
    "Body::from(File)",
    "Body::from(String)",
];

/// Calls of which the page says what to write instead.
const INSTEAD: [&str; 18] = [
    "ClientBuilder::redirect",
    "ClientBuilder::retry",
    "ClientBuilder::cookie_store",
    "ClientBuilder::gzip",
    "ClientBuilder::proxy",
    "ClientBuilder::add_root_certificate",
    "ClientBuilder::danger_accept_invalid_certs",
    "ClientBuilder::https_only",
    "ClientBuilder::tcp_nodelay",
    "ClientBuilder::tcp_keepalive",
    "ClientBuilder::local_address",
    "ClientBuilder::dns_resolver",
    "RequestBuilder::multipart",
    "Request::url_mut",
    "Response::cookies",
    "Response::text_with_charset",
    "Response::upgrade",
    "Error::url",
];

async fn clients(
    address: SocketAddr,
    headers: HeaderMap,
) -> Result<(), Box<dyn std::error::Error>> {
    let body = reqwest::get("https://example.com/").await?.text().await?;
    println!("{body}");
    let client = Client::new()?;
    let other = Client::builder().build()?;
    let client = ClientBuilder::new()
        .user_agent("agent/1.0")
        .default_headers(headers)
        .timeout(Duration::from_secs(10))
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .pool_idle_timeout(Duration::from_secs(90))
        .pool_max_idle_per_host(8)
        .resolve("example.com", address)
        .resolve_to_addrs("example.org", &[address])
        .http1_only()
        .http2_prior_knowledge()
        .build()
        .map(|built| (built, client, other))?
        .0;
    let url = String::from("https://example.com/");
    let parsed = Url::parse(&url)?;
    let uri: http::Uri = url.parse()?;
    for builder in [
        client.get(&url),
        client.get(url.clone()),
        client.post(parsed.clone()),
        client.put(&parsed),
        client.patch(uri),
        client.delete("https://example.com/"),
        client.head("https://example.com/"),
        client.request(Method::OPTIONS, &url),
    ] {
        client.execute(builder.build()?).await?;
    }
    Ok(())
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Login {
    user: String,
    password: Option<String>,
}

async fn requests(client: Client, login: Login) -> reqwest::Result<()> {
    let mut params = HashMap::new();
    params.insert("lang", "rust");
    let builder = client
        .post("https://example.com/")
        .header(CONTENT_TYPE, "application/json")
        .header("x-token", HeaderValue::from_static("1"))
        .headers(HeaderMap::new())
        .basic_auth("user", Some("password"))
        .basic_auth(&login.user, login.password.as_ref())
        .basic_auth("user", None::<&str>)
        .bearer_auth(String::from("token"))
        .timeout(Duration::from_secs(1))
        .query(&[("a", "b"), ("c", "d")])
        .query(&params)
        .query(&login)
        .version(Version::HTTP_11)
        .form(&params)
        .form(&[("a", "b")])
        .json(&login)
        .json(&params)
        .body("text");
    let copy = builder.try_clone().unwrap();
    let (client, request) = copy.build_split();
    let builder = RequestBuilder::from_parts(client, request?);
    let response: Login = builder.send().await?.error_for_status()?.json().await?;
    drop(response);
    let mut request = Request::new(Method::GET, "https://example.com/")?;
    *request.method_mut() = Method::POST;
    request
        .headers_mut()
        .insert(ACCEPT, HeaderValue::from_static("*/*"));
    *request.timeout_mut() = Some(Duration::from_secs(1));
    *request.body_mut() = Body::from("content");
    let copy = request.try_clone().unwrap();
    println!("{} {} {:?}", copy.method(), copy.url(), copy.headers());
    println!("{:?} {:?}", copy.body(), copy.timeout());
    let http = http::Request::builder()
        .uri("https://example.com/")
        .body("content")
        .unwrap();
    let request = Request::try_from(http)?;
    drop(request);
    Ok(())
}

async fn responses(mut response: Response) -> reqwest::Result<()> {
    assert_eq!(response.status(), StatusCode::OK);
    println!("{:?} {}", response.version(), response.url());
    println!(
        "{:?} {:?}",
        response.content_length(),
        response.remote_addr()
    );
    if let Some(kind) = response.headers().get(CONTENT_TYPE) {
        println!("{kind:?}");
    }
    response.headers_mut().remove(CONTENT_TYPE);
    response.extensions_mut().insert(7);
    println!("{:?}", response.extensions().get::<i32>());
    response.error_for_status_ref()?;
    while let Some(chunk) = response.chunk().await? {
        println!("{} bytes", chunk.len());
    }
    Ok(())
}

async fn whole(responses: [Response; 4]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let [text, bytes, json, stream] = responses;
    println!("{}", text.text().await?);
    println!("{:?}", bytes.bytes().await?);
    println!("{:?}", json.json::<HashMap<String, String>>().await?);
    let mut stream = stream.bytes_stream();
    let mut stream = std::pin::pin!(&mut stream);
    let next = std::future::poll_fn(|cx| futures_core::Stream::poll_next(stream.as_mut(), cx));
    println!("{:?}", next.await.transpose()?);
    Ok(())
}

fn errors(error: &Error) -> (Option<StatusCode>, [bool; 7]) {
    let is = [
        error.is_timeout(),
        error.is_connect(),
        error.is_status(),
        error.is_body(),
        error.is_decode(),
        error.is_builder(),
        error.is_request(),
    ];
    (error.status(), is)
}

fn bodies(response: Response, file: std::fs::File) -> [Body; 5] {
    let wrapped = Body::wrap(response.into_stream());
    println!("{:?}", wrapped.as_bytes());
    let stream = Body::wrap_stream(turbohttp_stream());
    [
        wrapped,
        stream,
        Body::from(file),
        Body::from(String::from("text")),
        Body::from(vec![1, 2, 3]),
    ]
}

/// A stream of another crate, with an error of its own.
fn turbohttp_stream() -> impl futures_core::Stream<Item = Result<&'static str, std::fmt::Error>> {
    struct Nothing;
    impl futures_core::Stream for Nothing {
        type Item = Result<&'static str, std::fmt::Error>;

        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(None)
        }
    }
    Nothing
}

/// Every call is named once: here, or on the page with what to write instead.
#[test]
fn every_call_compiles_or_is_on_the_page() {
    let all: std::collections::BTreeSet<_> = COMPILE.iter().chain(&INSTEAD).collect();
    assert_eq!(all.len(), 98);
    for call in INSTEAD {
        let row = PAGE
            .lines()
            .find(|line| line.starts_with(&format!("| `{call}`")));
        assert!(row.is_some(), "the page says nothing of {call}");
    }
}
