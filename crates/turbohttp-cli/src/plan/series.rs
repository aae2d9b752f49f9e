//! All requests of a `get`, in the order in which they are begun.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use turbohttp::Limits;

use super::glob::{Expanded, Glob};
use super::{Group, limits};
use crate::args::{GetArgs, Output};
use crate::system;

/// The groups, and how their requests are run.
pub(crate) struct Series {
    pub(crate) groups: Vec<Arc<Group>>,
    /// The most requests at once, where they run beside one another.
    pub(crate) parallel: Option<usize>,
    /// The least time between two beginnings.
    pub(crate) interval: Option<Duration>,
    pub(crate) fails_early: bool,
    /// What each URL stands for.
    globs: Vec<Vec<Glob>>,
}

/// One request that is to be sent.
pub(crate) struct Job {
    pub(crate) group: Arc<Group>,
    pub(crate) expanded: Expanded,
    pub(crate) output: Option<Output>,
    pub(crate) upload: Option<PathBuf>,
    /// The place of its URL among those that were typed, from 0.
    pub(crate) number: usize,
    pub(crate) is_one_of_many: bool,
}

impl Series {
    /// May block, where a file that is read is a pipe.
    pub(crate) fn new(mut args: GetArgs) -> anyhow::Result<Series> {
        let next = std::mem::take(&mut args.next);
        let all: Vec<GetArgs> = std::iter::once(args).chain(next).collect();
        // As in curl, what is said of the whole series may be said in any group.
        let parallel = all.iter().any(|args| args.series.parallel);
        let most = all.iter().map(|args| args.series.parallel_max).min();
        let parallel = most
            .filter(|_| parallel)
            .map(|most| system::room(most, true).total);
        let rate = all.iter().find_map(|args| args.series.rate);
        let limits = match parallel {
            Some(most) => limits(most, most),
            None => Limits::default(),
        };
        let mut series = Series {
            parallel,
            interval: rate.map(|rate| rate.0).filter(|_| parallel.is_none()),
            fails_early: all.iter().any(|args| args.series.fail_early),
            groups: Vec::new(),
            globs: Vec::new(),
        };
        for args in all {
            let parse = match args.series.globoff {
                true => |url: &String| Ok(Glob::literal(url)),
                false => |url: &String| Glob::parse(url),
            };
            let globs: anyhow::Result<Vec<Glob>> = args.urls.iter().map(parse).collect();
            series.globs.push(globs?);
            let group = Group::new(args, &series.groups, limits)?;
            series.groups.push(Arc::new(group));
        }
        Ok(series)
    }

    /// Whether there is one request alone.
    pub(crate) fn is_single(&self) -> bool {
        match &*self.globs {
            [group] => matches!(&**group, [glob] if glob.is_literal()),
            _ => false,
        }
    }

    /// The requests, each made when it is asked for.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job> + Send + 'static {
        let is_one_of_many = !self.is_single();
        let groups = self.groups.clone().into_iter().zip(self.globs.clone());
        let mut numbers = 0..;
        let urls = groups.flat_map(|(group, globs)| {
            let globs = globs.into_iter().enumerate();
            globs.map(move |(at, glob)| (group.clone(), at, glob))
        });
        urls.flat_map(move |(group, at, glob)| {
            let number = numbers.next().unwrap_or_default();
            glob.expand().map(move |expanded| Job {
                output: group.args.files.output(at),
                upload: group.args.content.upload_file.get(at).cloned(),
                group: group.clone(),
                expanded,
                number,
                is_one_of_many,
            })
        })
    }
}
