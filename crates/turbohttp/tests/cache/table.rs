//! How the rows of `rules.rs` are run.

use turbohttp::{Client, Method, Request};

use crate::ground::{Clock, Server, cache, dated};

/// One story: what the server answers, what is asked and seen, and how many requests reach the server.
///
/// A step is `+SECONDS METHOD PATH; name: value; ... => CACHE STATUS BODY; name: value; !name`. The seconds go by
/// before it. Behind the arrow stand what the response says of the cache, its status, its body, fields that it
/// has, and fields that it has not.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) answers: &'static [&'static str],
    pub(crate) steps: &'static [&'static str],
    pub(crate) requests: usize,
}

pub(crate) async fn run(row: &Row) -> Result<(), String> {
    let server = Server::new(row.answers);
    let (cache, clock) = cache();
    let client = server.client(&cache);
    for step in row.steps {
        let seen = take(&client, &clock, step).await;
        seen.map_err(|seen| format!("{}: {step}: {seen}", row.name))?;
        // What is validated in the background has its turn.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    }
    for seen in server.seen() {
        let is_conditional = |name| seen.headers.get_all(name).iter().count() > 1;
        assert!(!is_conditional("if-none-match"), "{}", row.name);
    }
    let requests = server.seen().len();
    match requests == row.requests {
        true => Ok(()),
        false => Err(format!(
            "{}: {requests} requests, not {}",
            row.name, row.requests
        )),
    }
}

async fn take(client: &Client, clock: &Clock, step: &str) -> Result<(), String> {
    let step = dated(step);
    let (asked, expected) = step.split_once(" => ").unwrap();
    let mut asked = asked.split("; ");
    let mut line = asked.next().unwrap().split(' ');
    clock.advance(line.next().unwrap().parse().unwrap());
    let method: Method = line.next().unwrap().parse().unwrap();
    let url = format!("http://a.test{}", line.next().unwrap());
    let mut request = Request::new(method, url).unwrap();
    for field in asked {
        let (name, value) = field.split_once(": ").unwrap();
        let name: turbohttp::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let mut expected = expected.split("; ");
    let first = expected.next().unwrap();
    let response = match client.send(request).await {
        Ok(response) => response,
        Err(_) if first == "error" => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    for field in expected {
        let is_right = match (field.strip_prefix('!'), field.split_once(": ")) {
            (Some(name), _) => response.header(name).is_none(),
            (None, Some((name, value))) => response.header(name) == Some(value),
            (None, None) => panic!("{field} is no expectation"),
        };
        if !is_right {
            let fields: Vec<_> = response.headers().iter().collect();
            return Err(format!("{field} is not so in {fields:?}"));
        }
    }
    let status = response.status().as_u16();
    let cache = response.cache_status().map_or("-", |status| status.name());
    let body = response.text().await.map_err(|error| error.to_string())?;
    let seen = format!("{cache} {status} {body}");
    match seen.trim_end() == first {
        true => Ok(()),
        false => Err(seen),
    }
}
