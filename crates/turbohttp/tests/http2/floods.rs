//! Servers that send what costs work and brings nothing: the connection ends, and no other one notices.

use bytes::Bytes;
use turbohttp::{Client, ErrorKind, Limits};
use turbohttp_loopback::script::{Script, floods};

use super::ground::{builder, idles, run, server};

async fn read(client: &Client, url: &str) -> turbohttp::Result<Bytes> {
    client.get(url).send().await?.bytes().await
}

#[test]
fn floods_end_their_connection_and_no_other() {
    let calm = server();
    let floods = floods::all();
    let clients = floods.len() as u64;
    for flood in floods {
        let (name, is_behind_the_answer) = (flood.name, flood.is_behind_the_answer);
        let server = Script::new().accept(flood.steps()).start().unwrap();
        run(async {
            let limits = Limits::default().per_host(8);
            let client = builder().limits(limits).build().unwrap();
            let small = calm.url("/bytes/100000");
            read(&client, &small).await.unwrap();
            let beside: Vec<_> = (0..4)
                .map(|_| {
                    let (client, small) = (client.clone(), small.clone());
                    tokio::spawn(async move { read(&client, &small).await })
                })
                .collect();
            let flooded = read(&client, &server.url("/")).await;
            // The connection is ended by the client: the script would go on for ever.
            server.all_closed().await;
            if let Err(error) = flooded {
                let kinds = [ErrorKind::Protocol, ErrorKind::TooLarge];
                assert!(kinds.contains(&error.kind()), "{name}: {error:?}");
            } else {
                assert!(is_behind_the_answer, "{name}");
            }
            for other in beside {
                other.await.unwrap().unwrap();
            }
            idles(&client).await;
        });
    }
    // One connection for each client.
    assert_eq!(calm.stop().connections, clients);
}
