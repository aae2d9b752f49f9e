//! A response body replaced on its way: every chunk is changed before the caller sees it.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::task::{Context, Poll, ready};

use turbohttp::{
    BodyContext, BodySource, Client, MockReply, MockTransport, ResponseBody, Result, StatusCode,
};

/// Changes every byte to upper case.
struct Upper {
    body: ResponseBody,
    slice: Vec<u8>,
}

impl BodySource for Upper {
    fn poll_chunk(&mut self, cx: &mut Context<'_>, context: BodyContext<'_>) -> Poll<Result<bool>> {
        let more = ready!(self.body.poll_chunk(cx, context))?;
        self.slice.clear();
        self.slice
            .extend(self.body.chunk().iter().map(u8::to_ascii_uppercase));
        Poll::Ready(Ok(more))
    }

    fn chunk(&self) -> &[u8] {
        &self.slice
    }

    fn remaining(&self) -> Option<u64> {
        self.body.remaining()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mock = MockTransport::new(MockReply::new(StatusCode::OK).body("quiet words"));
    let client = Client::builder()
        .transport(mock)
        .with_fn(|request, next| async move {
            let response = next.run(request).await?;
            Ok(response.map_body(|body| Upper {
                body,
                slice: Vec::new(),
            }))
        })
        .build()?;
    println!(
        "{}",
        client.get("http://mock.test/").send().await?.text().await?
    );
    Ok(())
}
