//! Where the time of a request went: the same URL twice, so that the second finds a connection.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use turbohttp::{Client, Result, Timeline};

const COLUMNS: f64 = 48.0;

fn print(timeline: &Timeline) {
    let total = timeline.total().as_secs_f64();
    let column = |seconds: f64| (seconds / total * COLUMNS) as usize;
    for span in timeline.spans() {
        let (from, to) = (span.start.as_secs_f64(), span.end.as_secs_f64());
        let bar = span
            .phase
            .row()
            .glyph
            .to_string()
            .repeat((column(to) - column(from)).max(1));
        let bar = format!("{}{bar}", " ".repeat(column(from)));
        println!(
            "{:>8} |{bar:<49}| {:.3?}",
            span.phase.name(),
            span.end - span.start
        );
    }
    let connection = match timeline.connection_id() {
        Some(id) if timeline.is_connection_reused() => format!("connection {id}, used before"),
        Some(id) => format!("connection {id}, new"),
        None => "no connection".to_owned(),
    };
    println!("{:>8} {:.3?} in all, {connection}\n", "", timeline.total());
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = std::env::args().nth(1);
    let url = url.unwrap_or_else(|| "https://example.com/".to_owned());
    let client = Client::new()?;
    for _ in 0..2 {
        match client.get(&url).send().await {
            Ok(mut response) => {
                while response.chunk().await?.is_some() {}
                print(response.timeline());
            }
            // A failed request has a timeline too.
            Err(error) => {
                println!("{error}");
                error.timeline().into_iter().for_each(print);
            }
        }
    }
    Ok(())
}
