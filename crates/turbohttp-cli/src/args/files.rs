//! Where bodies go.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs};

/// The files of bodies
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Files")]
pub(crate) struct FileArgs {
    /// Write the body to this file, which appears only when it is whole; - is stdout
    ///
    /// A file that is there keeps its mode, owner, links, ACL and attributes. Pipes, devices and
    /// descriptors (/dev/stdout, /dev/fd/3) are written to as they are. #1 stands for what the first {} or []
    /// of the URL is replaced by.
    #[arg(short = 'o', long, value_name = "FILE")]
    output: Vec<PathBuf>,

    /// As --output, with the last part of the URL's path as the name
    #[arg(short = 'O', long, action = ArgAction::Append, num_args = 0, default_missing_value = "true")]
    remote_name: Vec<bool>,

    /// Both, in the order in which they were typed: one for each URL.
    #[arg(skip)]
    pub(crate) outputs: Vec<Output>,

    /// Give every URL without -o a -O
    #[arg(long)]
    pub(crate) remote_name_all: bool,

    /// With -O: take the name that the server gives in content-disposition; no file is overwritten
    ///
    /// Of the name, only what stands behind the last / and \ is taken, without control characters and without
    /// dots at its beginning.
    #[arg(short = 'J', long, conflicts_with_all = ["include", "head", "continue_at"])]
    pub(crate) remote_header_name: bool,

    /// Write files into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,

    /// Make the directories that a file needs
    #[arg(long)]
    pub(crate) create_dirs: bool,

    /// Overwrite no file: FILE.1 is written instead, up to FILE.100
    #[arg(long, overrides_with = "clobber", conflicts_with = "continue_at")]
    pub(crate) no_clobber: bool,

    /// Overwrite files, with --remote-header-name too
    #[arg(long)]
    pub(crate) clobber: bool,

    /// Accepted: a file appears only when it is whole
    #[arg(long, conflicts_with = "continue_at")]
    remove_on_error: bool,

    /// Go on at this offset of the file, in bytes, or at its end with -
    ///
    /// The rest is asked for and written to the end of the file, in place: what has arrived stays when the
    /// transfer breaks off, and the next one goes on from there. A server that sends no such part is an
    /// error, exit code 33.
    #[arg(short = 'C', long, value_name = "OFFSET|-", value_parser = offset, conflicts_with_all = ["range", "upload_file"])]
    pub(crate) continue_at: Option<Offset>,

    /// Give the file the time of last-modified
    #[arg(short = 'R', long)]
    pub(crate) remote_time: bool,
}

impl FileArgs {
    /// Where the body of the URL at `place` goes; `None` is stdout.
    pub(crate) fn output(&self, place: usize) -> Option<Output> {
        let typed = self.outputs.get(place).cloned();
        typed.or(self.remote_name_all.then_some(Output::Remote))
    }

    /// Whether a file has its name from its URL.
    pub(crate) fn asks_for_remote_name(&self) -> bool {
        self.remote_name_all || self.outputs.contains(&Output::Remote)
    }
}

/// Where one body goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// `-o`.
    File(PathBuf),
    /// `-O`.
    Remote,
}

/// Where a file is continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offset {
    /// At its end.
    End,
    /// At this byte, from 0.
    At(u64),
}

fn offset(text: &str) -> Result<Offset, String> {
    match text {
        "-" => Ok(Offset::End),
        text => text
            .parse()
            .map(Offset::At)
            .map_err(|_| "write a number of bytes, or - for the end of the file".to_owned()),
    }
}
