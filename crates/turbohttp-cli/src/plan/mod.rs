//! What was typed, resolved and validated: nothing here sends anything.

mod auth;
mod client;
mod content;
mod cookies;
mod fields;
mod form;
mod get;
mod glob;
mod load;
pub(crate) mod name;
mod netrc;
mod policies;
mod series;
mod times;
pub(crate) mod url;

use std::fs;
use std::sync::Arc;

use anyhow::Context as _;
use turbohttp::{Cache, Client, Limits};

use crate::args::BatchArgs;
use crate::batch::engine::Setup;
use crate::batch::fetch::{Files, Orders};
use crate::batch::line::Rules;
use crate::output::report;
use crate::system;
pub(crate) use auth::Auth;
pub(crate) use cookies::Cookies;
pub(crate) use fields::Fields;
pub(crate) use get::{Destination, Group, Place, Transfer};
pub(crate) use load::LoadPlan;
pub(crate) use series::{Job, Series};

/// A batch that is ready to run.
pub(crate) struct BatchPlan {
    pub(crate) client: Client,
    pub(crate) cookies: Cookies,
    pub(crate) cache: Option<Cache>,
    pub(crate) rules: Rules,
    pub(crate) setup: Setup,
    /// What the user is to know before it begins.
    pub(crate) note: Option<String>,
}

impl BatchPlan {
    pub(crate) fn new(args: &BatchArgs) -> anyhow::Result<BatchPlan> {
        let timeouts = times::phases(&args.client.times)?;
        if let Some(directory) = &args.out_dir {
            fs::create_dir_all(directory)
                .with_context(|| format!("--out-dir {} cannot be made", directory.display()))?;
        }
        let fields = Arc::new(Fields::read(&args.client.headers)?);
        let cookies = Cookies::read(&args.client.cookies)?;
        let rules = Rules {
            fields: fields.clone(),
            cookies: cookies.clone(),
            auth: Arc::new(Auth::read(&args.client.auth)?),
            has_directory: args.out_dir.is_some(),
        };
        let room = system::room(args.total, args.out_dir.is_some());
        let note = (room.total < args.total).then(|| {
            format!(
                "at most {} requests at once in place of {}: the system gives {} open files",
                room.total, args.total, room.descriptors
            )
        });
        // More than the total is no limit, and no wait is put down to it.
        let per_host = args.per_host.unwrap_or(room.total + 1);
        let limits = limits(room.total, per_host);
        let cache = client::cache(&args.cache);
        let idle_total = limits.idle_total.min(room.idle);
        let mut limits = limits.idle_total(idle_total);
        limits.rate_per_host = args.rate_per_host;
        Ok(BatchPlan {
            client: client::client(
                &args.client,
                &fields,
                &cookies,
                cache.as_ref(),
                (limits, timeouts),
                (false, false),
            )?,
            cookies,
            cache,
            rules,
            setup: Setup {
                total: room.total,
                waiting: args.queue,
                drain: args.drain,
                orders: Orders {
                    deadline: args.deadline.or(args.client.times.permit_timeout),
                    // The client's own limit of a whole request would begin in the queue.
                    timeout: args.client.times.timeout,
                    files: args.out_dir.clone().map(|directory| Files {
                        directory,
                        skips_existing: args.skip_existing,
                        connections: args.connections,
                        is_synced: args.fsync,
                        are_raw: !args.client.compressed,
                    }),
                },
            },
            note,
        })
    }
}

/// Waits until what a cache has stored is written, and tells why it could not be.
pub(crate) async fn finish(cache: Option<&Cache>) {
    let Some(cache) = cache else { return };
    cache.flush().await;
    if let Some(failure) = cache.stats().failure {
        report(&format!("turbohttp: --cache: {failure}"));
    }
}

/// Limits for so many requests at once, to all hosts and to one, with as many idle connections: or
/// every round would open new ones.
pub(crate) fn limits(total: usize, per_host: usize) -> Limits {
    let limits = Limits::default().total(total).per_host(per_host);
    let per_origin = limits.idle_per_origin.max(per_host.min(total));
    let in_all = limits.idle_total.max(total);
    limits.idle_per_origin(per_origin).idle_total(in_all)
}
