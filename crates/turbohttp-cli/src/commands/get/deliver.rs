//! Where the head and the body of a response go.

use std::fs::DirBuilder;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use turbohttp::Response;

use crate::exit::{Exit, Told};
use crate::output::heads::raw_head;
use crate::output::{note, visible};
use crate::pace::Pace;
use crate::plan::{Destination, Group, Place, name};
use crate::progress::Progress;
use crate::target::{Outlet, Target};

/// How much of a body is looked at for what no terminal shows, in bytes: as much as curl does.
const LOOKED_AT_BYTES: u64 = 2_000;

/// What has been delivered of a body so far.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    pub(super) bytes: u64,
    /// The file that it went to.
    pub(super) file: Option<String>,
}

/// Writes head and body to where they are wanted.
pub(super) async fn deliver(
    group: &Group,
    destination: &Destination,
    response: &mut Response,
    delivered: &mut Delivered,
    is_alone: bool,
) -> anyhow::Result<()> {
    let most = group.args.series.max_filesize;
    if let (Some(most), Some(length)) = (most, response.remaining())
        && length > most
    {
        return Err(too_long(most).into());
    }
    show_head(group, destination, response).await?;
    let limit = group.args.client.times.timeout;
    let began = response.timeline().began();
    let deadline = began
        .zip(limit)
        .and_then(|(began, limit)| began.checked_add(limit));
    let mut body = Arriving {
        response,
        delivered,
        most,
        pace: group.args.content.limit_rate.map(Pace::new),
        deadline,
    };
    match destination {
        Destination::Stdout { is_typed } => to_stdout(&mut body, *is_typed).await,
        Destination::File {
            path,
            place,
            is_named,
        } => {
            let named = name::of_response(body.response).filter(|_| *is_named);
            let (path, place) = match (named, *place) {
                (Some(name), place) => (path.with_file_name(name), place),
                // The URL was chosen by the user.
                (None, Place::New) => (path.clone(), Place::Replace),
                (None, place) => (path.clone(), place),
            };
            Box::pin(to_file(group, &mut body, &path, place, is_alone)).await
        }
    }
}

/// Shows the head where --include or --head wants it, unless it goes into a file with the body.
pub(super) async fn show_head(
    group: &Group,
    destination: &Destination,
    response: &Response,
) -> anyhow::Result<()> {
    let goes_to_file = group.args.head && matches!(destination, Destination::File { .. });
    if goes_to_file || !(group.args.show.include || group.args.head) {
        return Ok(());
    }
    let mut stdout = stdout()?;
    let head = raw_head(response);
    stdout.write_all(&head).await.with_context(unwritten)
}

/// A body on its way, counted, bounded and slowed down.
struct Arriving<'a> {
    response: &'a mut Response,
    delivered: &'a mut Delivered,
    most: Option<u64>,
    pace: Option<Pace>,
    /// The end of --timeout, which the client watches only while it reads.
    deadline: Option<Instant>,
}

impl Arriving<'_> {
    async fn chunk(&mut self) -> anyhow::Result<Option<&[u8]>> {
        let Some(chunk) = self.response.chunk().await? else {
            return Ok(None);
        };
        self.delivered.bytes += chunk.len() as u64;
        if let Some(most) = self.most.filter(|most| self.delivered.bytes > *most) {
            return Err(too_long(most).into());
        }
        if let Some(pace) = &mut self.pace
            && !pace.wait(chunk.len(), self.deadline).await
        {
            let said = "--limit-rate let no more of the body come within --timeout";
            return Err(Told::new(Exit::Timeout, said).into());
        }
        Ok(Some(chunk))
    }
}

fn too_long(most: u64) -> Told {
    Told::new(
        Exit::TooLong,
        format!("the body is longer than --max-filesize {most}"),
    )
}

async fn to_stdout(body: &mut Arriving<'_>, is_typed: bool) -> anyhow::Result<()> {
    let is_guarded = !is_typed && io::stdout().is_terminal();
    let mut stdout = None;
    let mut written = 0;
    while let Some(chunk) = body.chunk().await? {
        if is_guarded && written < LOOKED_AT_BYTES && chunk.contains(&0) {
            return Err(anyhow!(Told::unwritten(
                "the body is binary and stdout a terminal: write it to a file with -o FILE, or give \
                 -o - to see it anyway"
            )));
        }
        written += chunk.len() as u64;
        if stdout.is_none() {
            // Not before there is something to write: without that a closed stdout is no fault.
            stdout = Some(self::stdout()?);
        }
        if let Some(stdout) = &mut stdout {
            stdout.write_all(chunk).await.with_context(unwritten)?;
        }
    }
    Ok(())
}

fn stdout() -> anyhow::Result<Outlet> {
    Outlet::stdout().with_context(unwritten)
}

fn unwritten() -> Told {
    Told::unwritten("stdout cannot be written")
}

async fn to_file(
    group: &Group,
    body: &mut Arriving<'_>,
    path: &Path,
    place: Place,
    is_alone: bool,
) -> anyhow::Result<()> {
    let show = &group.args.show;
    let mut target = open(group, path, place).await?;
    body.delivered.file = Some(target.shown());
    let tell = |in_place: Option<String>| {
        if let (true, Some(in_place)) = (show.verbose, in_place) {
            note(&format!("* {}", visible(&in_place)));
        }
    };
    tell(target.in_place());
    if group.args.head {
        // An empty body would only empty the file.
        target.write_all(&raw_head(body.response)).await?;
    }
    if let (true, Some(time)) = (group.args.files.remote_time, last_modified(body.response)) {
        target.set_modified(time);
    }
    let shows_progress = is_alone && !show.silent && !show.no_progress_meter;
    let progress = Progress::of_bytes(shows_progress, body.response.remaining());
    while let Some(chunk) = body.chunk().await? {
        progress.advance(chunk.len() as u64);
        target.write_all(chunk).await?;
    }
    let finished = target.finish().await?;
    body.delivered.file = Some(finished.path.display().to_string());
    tell(finished.in_place);
    Ok(())
}

async fn open(group: &Group, path: &Path, place: Place) -> anyhow::Result<Target> {
    if group.args.files.create_dirs {
        create_directories(path)?;
    }
    match place {
        Place::Behind => Target::open_end(path).await,
        Place::New => Target::open_free(vec![path.to_owned()]),
        Place::Numbered if !is_special(path) => Target::open_free(name::numbered(path)),
        Place::Numbered | Place::Replace => Target::open(path).await,
    }
}

/// Whether a pipe or a device has the name: what is written there replaces nothing.
pub(super) fn is_special(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

fn create_directories(path: &Path) -> anyhow::Result<()> {
    let Some(directory) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        // As curl makes them.
        builder.mode(0o750);
    }
    let unmade = || Told::unwritten(format!("{} cannot be made", directory.display()));
    builder.create(directory).with_context(unmade)
}

fn last_modified(response: &Response) -> Option<std::time::SystemTime> {
    httpdate::parse_http_date(response.header("last-modified")?).ok()
}
