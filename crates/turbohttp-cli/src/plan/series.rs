//! All requests of a `get`, in the order in which they are begun.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use turbohttp::Limits;

use super::glob::{Expanded, Glob};
use super::{Group, limits};
use crate::args::{GetArgs, Output};
use crate::system;

/// How many requests run at once where --parallel-max does not say, as in curl.
const PARALLEL: usize = 50;

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
    /// Whether it is the only request of its group.
    pub(crate) is_single: bool,
}

impl Series {
    /// May block, where a file that is read is a pipe.
    pub(crate) fn new(mut args: GetArgs) -> anyhow::Result<Series> {
        let next = std::mem::take(&mut args.next);
        let mut all: Vec<GetArgs> = std::iter::once(args).chain(next).collect();
        // As in curl, what is said of the whole series may be said in any group.
        let is_any = |is_said: fn(&GetArgs) -> bool| all.iter().any(is_said);
        let silent = is_any(|args| args.show.silent);
        let show_error = is_any(|args| args.show.show_error);
        let verbose = is_any(|args| args.show.verbose);
        for args in &mut all {
            args.show.silent = silent;
            args.show.show_error = show_error;
            args.show.verbose = verbose;
        }
        let parallel = all.iter().any(|args| args.series.parallel);
        let most = all.iter().find_map(|args| args.series.parallel_max);
        let most = most.unwrap_or(PARALLEL);
        let parallel = parallel.then(|| system::room(most, true).total);
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

    /// The requests, each made when it is asked for.
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job> + Send + 'static {
        let groups = self.groups.clone().into_iter().zip(self.globs.clone());
        let mut numbers = 0..;
        let urls = groups.flat_map(|(group, globs)| {
            let is_single = matches!(&*globs, [glob] if glob.is_literal());
            let globs = globs.into_iter().enumerate();
            globs.map(move |(at, glob)| (group.clone(), at, glob, is_single))
        });
        urls.flat_map(move |(group, at, glob, is_single)| {
            let number = numbers.next().unwrap_or_default();
            glob.expand().map(move |expanded| Job {
                output: group.args.files.output(at),
                upload: group.args.content.upload_file.get(at).cloned(),
                group: group.clone(),
                expanded,
                number,
                is_single,
            })
        })
    }
}
