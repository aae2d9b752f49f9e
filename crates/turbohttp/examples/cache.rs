//! A cache: what is fresh is not asked for, what is stale is confirmed, and what changes something empties it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Cache, Client, MockReply, MockTransport, Request, Result, StatusCode};

/// Stands for a server: a page that is fresh for a minute, and a list that is confirmed each time.
fn answer(request: &Request) -> MockReply {
    let ok = MockReply::new(StatusCode::OK);
    if request.url().ends_with("/page") {
        return ok.header("cache-control", "max-age=60").body("a page");
    }
    let known = request.headers().get("if-none-match");
    let list = match known.is_some_and(|tag| tag == "\"v1\"") {
        true => MockReply::new(StatusCode::NOT_MODIFIED),
        false => ok.body("a long list"),
    };
    list.header("cache-control", "no-cache")
        .header("etag", "\"v1\"")
}

async fn show(client: &Client, path: &str) -> Result<()> {
    let response = client
        .get(format!("https://shop.test{path}"))
        .send()
        .await?;
    let cache = response.cache_status().map_or("-", |status| status.name());
    let age = response.header("age").unwrap_or("-").to_owned();
    println!("{path}: {cache}, age {age}: {}", response.text().await?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mock = MockTransport::with_handler(answer);
    // `Cache::directory(path, bytes)` keeps files instead, which the next run finds.
    let cache = Cache::memory(16 * 1024 * 1024);
    let client = Client::builder()
        .transport(mock.clone())
        .cache(cache.clone())
        .build()?;
    for path in ["/page", "/page", "/list", "/list"] {
        show(&client, path).await?;
    }

    // A request that changes the page removes what is stored of it.
    client
        .put("https://shop.test/page")
        .body("new")
        .send()
        .await?;
    show(&client, "/page").await?;

    let stats = cache.stats();
    println!(
        "{} hits, {} revalidated, {} misses; {} requests were sent",
        stats.hits,
        stats.revalidated,
        stats.misses,
        mock.stats().entered
    );
    Ok(())
}
