//! The callers: one task for each order, which does what the order says and notes what it gets.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use turbohttp::{
    Client, ClientBuilder, Error, ErrorKind, Limits, MockTransport, Origin, Phase, QueueOptions,
    Request, RequestQueue, Response, Result, Scheme, SubmitOptions, Ticket,
};

use crate::HANG;
use crate::bare::BareMock;
use crate::booth::{Again, Booth, ID, Inspector, Pace};
use crate::oracle::{Oracle, Outcome};
use crate::plan::{HOSTS, Order, Plan, Route, Whim};

/// Jobs that wait at each level; small enough that some find no room.
const ROOM: usize = 200;

/// A client, its queues, and the oracle that watches them.
#[derive(Clone)]
pub(crate) struct Crew {
    pub(crate) plan: Arc<Plan>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) client: Client,
    pub(crate) queued: RequestQueue,
    pub(crate) streamed: RequestQueue,
    pub(crate) mock: MockTransport,
    /// Where the client holds the mock itself.
    pub(crate) bare: Option<Arc<BareMock>>,
    pace: Pace,
}

impl Crew {
    /// Must be called in a runtime, as the queues are started.
    pub(crate) fn new(plan: Plan, pace: Pace) -> Crew {
        let plan = Arc::new(plan);
        let oracle = Oracle::new(plan.clone());
        let (booth, mock) = Booth::new(&plan, &oracle, pace);
        let builder = builder(&plan);
        let client = if plan.is_layered {
            let (inspected, tried) = (plan.clone(), plan.clone());
            let inspector = Inspector {
                plan: inspected,
                oracle: oracle.clone(),
            };
            let again = Again { plan: tried, pace };
            builder.with(inspector).with(again).transport(booth).build()
        } else {
            builder.transport(booth).build()
        };
        Crew::start(plan, oracle, client.unwrap(), mock, None, pace)
    }

    /// A crew whose client holds the mock without a box, on a paused clock; in a runtime, too.
    pub(crate) fn bare(plan: Plan) -> Crew {
        assert!(!plan.is_layered, "a stack of middlewares is boxed");
        let plan = Arc::new(plan);
        let oracle = Oracle::new(plan.clone());
        let (bare, mock) = BareMock::new(&plan, &oracle);
        let client = builder(&plan).transport(mock.clone()).build().unwrap();
        Crew::start(plan, oracle, client, mock, Some(bare), Pace::Clock)
    }

    fn start(
        plan: Arc<Plan>,
        oracle: Arc<Oracle>,
        client: Client,
        mock: MockTransport,
        bare: Option<Arc<BareMock>>,
        pace: Pace,
    ) -> Crew {
        let options = QueueOptions::default().workers(40).per_priority(ROOM);
        let queued = RequestQueue::new(&client, options.submitters(10_000)).unwrap();
        let options = options.submitters(10_000).streamed(true);
        let streamed = RequestQueue::new(&client, options).unwrap();
        for queue in [&queued, &streamed] {
            queue.start().unwrap();
        }
        Crew {
            plan,
            oracle,
            client,
            queued,
            streamed,
            mock,
            bare,
            pace,
        }
    }

    /// Carries out the whole plan.
    pub(crate) async fn work(&self) {
        let tasks: Vec<_> = (0..self.plan.orders.len())
            .map(|id| {
                let crew = self.clone();
                tokio::spawn(async move {
                    crew.pace.patience(crew.plan.orders[id].arrives).await;
                    // On `None` a complaint was made. A panic is noted where the task is joined.
                    if let Some(outcome) = crew.carry_out(id).await {
                        crew.oracle.settle(id, outcome);
                    }
                })
            })
            .collect();
        let all = async {
            for (id, task) in tasks.into_iter().enumerate() {
                match task.await {
                    Ok(()) => {}
                    Err(error) if error.is_panic() => self.oracle.settle(id, Outcome::Panicked),
                    Err(error) => self.oracle.complain(format!("task of order {id}: {error}")),
                }
            }
        };
        if tokio::time::timeout(self.hang(), all).await.is_err() {
            self.oracle.complain("the storm never ends".to_owned());
        }
    }

    /// On a paused clock longer than any storm takes, and over at once when nothing moves.
    fn hang(&self) -> Duration {
        match self.pace {
            Pace::Clock => Duration::from_secs(24 * 60 * 60),
            Pace::Turns => HANG,
        }
    }

    async fn carry_out(&self, id: usize) -> Option<Outcome> {
        let order = self.plan.orders[id];
        let request = self.request(&order);
        match order.route {
            Route::Direct => self.send(&order, request).await,
            Route::Queued => self.submit(&order, request, &self.queued).await,
            Route::Streamed => self.submit(&order, request, &self.streamed).await,
        }
    }

    pub(crate) fn request(&self, order: &Order) -> Request {
        let mut builder = self
            .client
            .get(order.url())
            .header(ID, order.id.to_string());
        builder = builder.priority(order.priority);
        if let Whim::Impatient(steps) = order.whim {
            builder = builder.timeout(self.time(steps));
        }
        builder.build().unwrap()
    }

    /// Where the clock is not paused, a time that is over soon.
    fn time(&self, steps: u64) -> Duration {
        match self.pace {
            Pace::Clock => Duration::from_millis(steps),
            Pace::Turns => Duration::from_micros(steps),
        }
    }

    async fn send(&self, order: &Order, request: Request) -> Option<Outcome> {
        let whole = async {
            let sent = self.client.send(request).await;
            self.receive(order, sent).await
        };
        match order.whim {
            Whim::Leave(0) => Some(Outcome::Unpolled),
            Whim::Leave(polls) => match poll_times(whole, polls).await {
                None => Some(Outcome::Left),
                Some(outcome) => outcome,
            },
            Whim::Cancel(steps) => tokio::select! {
                biased;
                outcome = whole => outcome,
                () = self.pace.patience(steps) => Some(Outcome::Left),
            },
            _ => whole.await,
        }
    }

    async fn submit(
        &self,
        order: &Order,
        request: Request,
        queue: &RequestQueue,
    ) -> Option<Outcome> {
        let submitted = match order.whim {
            Whim::Try => queue.try_submit(request),
            Whim::Expire(steps) => {
                let options = SubmitOptions::default().within(self.time(steps));
                queue.submit_with(request, options).await
            }
            Whim::Leave(0) => {
                drop(queue.submit(request));
                return Some(Outcome::Unpolled);
            }
            _ => queue.submit(request).await,
        };
        let ticket = match submitted {
            Ok(ticket) => ticket,
            Err(rejected) if rejected.kind() == ErrorKind::Full => return Some(Outcome::Refused),
            Err(rejected) => return self.explain(order, Err(rejected.into())),
        };
        match order.whim {
            Whim::Leave(polls) => {
                let mut ticket = ticket;
                let result = poll_times(&mut ticket, polls).await;
                self.keep_or_cancel(order, ticket, result).await
            }
            Whim::Cancel(steps) => {
                let mut ticket = ticket;
                // Looked at all the while: a streamed answer holds its permit in the ticket.
                let result = tokio::select! {
                    biased;
                    result = &mut ticket => Some(result),
                    () = self.pace.patience(steps) => None,
                };
                self.keep_or_cancel(order, ticket, result).await
            }
            _ => {
                let result = ticket.await;
                self.receive(order, result).await
            }
        }
    }

    /// Takes what there is, and gives the ticket up if there is nothing yet.
    async fn keep_or_cancel(
        &self,
        order: &Order,
        ticket: Ticket<Response>,
        result: Option<Result<Response>>,
    ) -> Option<Outcome> {
        match result {
            Some(result) => self.receive(order, result).await,
            None => self.cancel(order, ticket).await,
        }
    }

    async fn cancel(&self, order: &Order, ticket: Ticket<Response>) -> Option<Outcome> {
        // On several threads it may start between the two calls.
        let was_waiting = self.pace == Pace::Clock && ticket.position().is_some();
        let was_canceled = ticket.cancel();
        let result = ticket.await;
        match (was_canceled, result) {
            (true, Err(error)) if error.kind() == ErrorKind::Canceled => {
                Some(Outcome::Canceled(was_waiting))
            }
            (true, other) => {
                let complaint = format!("order {} was canceled and is {other:?}", order.id);
                self.oracle.complain(complaint);
                None
            }
            (false, result) => self.receive(order, result).await,
        }
    }

    /// Reads an answer as the order says, or sees why there is none.
    pub(crate) async fn receive(&self, order: &Order, sent: Result<Response>) -> Option<Outcome> {
        let mut response = match sent {
            Ok(response) => response,
            Err(error) => return self.explain(order, Err(error)),
        };
        if let Some(bare) = &self.bare {
            bare.is_answered(order.id);
        }
        if order.whim == Whim::DropUnread {
            return Some(Outcome::Unread);
        }
        // A collected answer has given its permit back; an unread one holds it.
        if let (Whim::ReadSlowly(steps), false) = (order.whim, order.route == Route::Queued) {
            let reading = self.oracle.read_slowly(order.id);
            self.pace.work(steps).await;
            drop(reading);
        }
        let is_own = response.header(ID) == Some(&order.id.to_string());
        let body = match order.id % 2 {
            0 => response.bytes().await.map(|bytes| bytes.to_vec()),
            _ => chunks(&mut response).await,
        };
        match body {
            Ok(body) if is_own && body == order.body() => Some(Outcome::Answered),
            Ok(_) => {
                self.oracle
                    .complain(format!("order {} has another one's answer", order.id));
                None
            }
            Err(error) => self.explain(order, Err(error)),
        }
    }

    /// The outcome that an error stands for.
    fn explain(&self, order: &Order, result: Result<()>) -> Option<Outcome> {
        let error: Error = result.err()?;
        let is_wait = matches!(
            error.phase(),
            Some(Phase::Pause | Phase::HostPermit | Phase::TotalPermit)
        );
        match error.kind() {
            ErrorKind::Transport => Some(Outcome::Failed),
            ErrorKind::Panicked => Some(Outcome::Panicked),
            ErrorKind::Timeout if is_wait => Some(Outcome::LateInLine),
            ErrorKind::Timeout => Some(Outcome::Late),
            ErrorKind::ExpiredInQueue => Some(Outcome::Expired),
            _ => {
                self.oracle
                    .complain(format!("order {} is {error:?}", order.id));
                None
            }
        }
    }
}

/// A client with the limits of the plan.
fn builder(plan: &Plan) -> ClientBuilder {
    let limits = Limits::default().per_host(HOSTS[HOSTS.len() - 1].1);
    let mut builder = Client::builder().limits(limits.total(plan.total));
    for (host, limit) in &HOSTS[..HOSTS.len() - 1] {
        builder = builder.host_limit(Origin::new(Scheme::Http, host, 80), *limit);
    }
    builder
}

async fn chunks(response: &mut Response) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(chunk);
    }
    Ok(body)
}

/// Polls `future` at most `polls` times, each time when it was woken, and drops it then.
pub(crate) async fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
