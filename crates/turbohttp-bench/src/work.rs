//! A kind of request together with the way it is sent: directly, through middlewares, or through a queue.

use bytes::Bytes;
use turbohttp::{Client, Error, ErrorKind, QueueOptions, RequestQueue, Result, Shutdown};

use crate::mock::scenarios;
use crate::scenario::Scenario;

/// Workers of a queue.
const WORKERS: usize = 64;

/// The ways that are no scenarios, each sends the scenario `get`.
const WAYS: [&str; 3] = ["layered", "queue", "queue_streamed"];

/// What carries the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// The client's network.
    Network,
    /// A mock, which answers as the loopback server does.
    Mock,
}

/// Requests of one kind, sent in one way.
#[derive(Debug)]
pub struct Work {
    name: &'static str,
    scenario: Scenario,
    body: Bytes,
    client: Client,
    queue: Option<RequestQueue>,
}

impl Work {
    /// The names of all kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Scenario::ALL.into_iter().map(Scenario::name).chain(WAYS)
    }

    /// Makes the client, and starts the queue if there is one: in the current runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if nothing has this name; those of the client and the queue.
    pub fn new(name: &str, carrier: Carrier) -> Result<Work> {
        let Some(name) = Work::names().find(|known| *known == name) else {
            return Err(Error::new(
                ErrorKind::Config,
                format!("no work is called {name}"),
            ));
        };
        let scenario = Scenario::named(name).unwrap_or(Scenario::Get);
        let hooks = || Client::builder().on_request(|_| ()).on_response(|_| ());
        let client = match (name, carrier) {
            ("layered", Carrier::Network) => hooks().build(),
            ("layered", Carrier::Mock) => hooks().transport(scenarios()).build(),
            (_, Carrier::Network) => Client::new(),
            (_, Carrier::Mock) => Client::builder().transport(scenarios()).build(),
        }?;
        let queue = match name {
            "queue" | "queue_streamed" => {
                let options = QueueOptions::default().workers(WORKERS);
                let options = options.streamed(name == "queue_streamed");
                let queue = RequestQueue::new(&client, options)?;
                queue.start()?;
                Some(queue)
            }
            _ => None,
        };
        Ok(Work {
            name,
            scenario,
            body: scenario.body(),
            client,
            queue,
        })
    }

    /// Its name in budgets and reports.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What is sent.
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// Stops the queue and closes the client, and waits for both: workers let go of their client only
    /// when the runtime next has time for them, which would be while something else is counted.
    pub async fn end(self) {
        if let Some(queue) = &self.queue {
            queue.stop(Shutdown::Now).await;
        }
        self.client.close(Shutdown::Now).await;
    }

    /// One request, and a look at its answer.
    ///
    /// # Errors
    ///
    /// Those of the client, and [`ErrorKind::Transport`] if the answer is not the expected one.
    pub async fn run(&self, url: &str) -> Result<()> {
        let request = self.scenario.request(&self.client, url, &self.body)?;
        let response = match &self.queue {
            None => self.client.send(request).await?,
            Some(queue) => {
                let submitted = queue.submit(request).await;
                let ticket = submitted.map_err(|refused| Error::new(refused.kind(), "refused"))?;
                ticket.await?
            }
        };
        self.scenario.read(response).await
    }
}
