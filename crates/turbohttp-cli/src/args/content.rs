//! What is sent.

use std::path::PathBuf;

use clap::{ArgMatches, Args as ClapArgs};

use super::get::{indexed, sorted};
use super::rates::{ByteRate, byte_rate};

/// The content of a request
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Content")]
pub(crate) struct ContentArgs {
    /// Send this body; @FILE streams a file as it is, @- stdin. Given again, the parts are joined by &
    #[arg(
        short = 'd',
        long,
        visible_alias = "data-ascii",
        value_name = "TEXT|@FILE",
        allow_hyphen_values = true
    )]
    data: Vec<String>,

    /// As --data, and @ means nothing
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data_raw: Vec<String>,

    /// The same as --data
    #[arg(long, value_name = "TEXT|@FILE", allow_hyphen_values = true)]
    data_binary: Vec<String>,

    /// As --data, percent-encoded: TEXT, =TEXT, NAME=TEXT, @FILE or NAME@FILE, of which NAME stays as it is
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data_urlencode: Vec<String>,

    /// As --data, with content-type and accept application/json; parts are joined by nothing
    #[arg(
        long,
        value_name = "TEXT|@FILE",
        allow_hyphen_values = true,
        conflicts_with = "content"
    )]
    json: Vec<String>,

    /// All of these, in the order in which they were typed.
    #[arg(skip)]
    pub(crate) parts: Vec<Datum>,

    /// Send a form with files: NAME=TEXT, NAME=@FILE, or NAME=<FILE for the content of a file as a text
    ///
    /// Behind it may stand ;type=TYPE, ;filename=NAME and ;headers="NAME: VALUE". A text or a name with ; or ,
    /// stands in quotes. @- is stdin.
    #[arg(short = 'F', long, value_name = "NAME=CONTENT", allow_hyphen_values = true, conflicts_with_all = ["content", "json", "upload_file", "get", "head"])]
    form: Vec<String>,

    /// As --form, and @, < and ; mean nothing
    #[arg(long, value_name = "NAME=TEXT", allow_hyphen_values = true, conflicts_with_all = ["content", "json", "upload_file", "get", "head"])]
    form_string: Vec<String>,

    /// Both, in the order in which they were typed.
    #[arg(skip)]
    pub(crate) form_parts: Vec<FormPart>,

    /// Put the data into the query of the URL, and send no body
    #[arg(short = 'G', long)]
    pub(crate) get: bool,

    /// Send this file with PUT; - is stdin. A URL that ends in / gets the name of the file. The n-th file goes
    /// to the n-th URL
    #[arg(short = 'T', long, value_name = "FILE", conflicts_with_all = ["content", "json", "get"])]
    pub(crate) upload_file: Vec<PathBuf>,

    /// Send and receive at most so many bytes a second, as 100k, 1M or 1G
    ///
    /// A body that is sent so slowly is sent once: a redirect or a retry that needs it again is the answer.
    #[arg(long, value_name = "BYTES", value_parser = byte_rate)]
    pub(crate) limit_rate: Option<ByteRate>,
}

/// One part of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datum {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormPart {
    /// `NAME=CONTENT`.
    pub(crate) text: String,
    /// Whether the content is the text itself.
    pub(crate) is_literal: bool,
}

/// How the text of a [`Datum`] is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `@FILE`, or the text itself.
    Data,
    /// The text itself.
    Raw,
    /// As `--data-urlencode` says.
    Encoded,
    /// As `Data`, and it is JSON.
    Json,
}

/// Where the text of `--data-urlencode` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source<'a> {
    Text(&'a str),
    /// - is stdin.
    File(&'a str),
}

/// The name and the content of `--data-urlencode`.
pub(crate) fn encoded_parts(typed: &str) -> (&str, Source<'_>) {
    match (typed.split_once('='), typed.split_once('@')) {
        (Some((name, text)), _) => (name, Source::Text(text)),
        (None, Some((name, path))) => (name, Source::File(path)),
        (None, None) => ("", Source::Text(typed)),
    }
}

impl ContentArgs {
    /// Puts what may be given by several options into one order.
    pub(super) fn keep_order(&mut self, matches: &ArgMatches) {
        const KINDS: [(&str, Kind); 5] = [
            ("data", Kind::Data),
            ("data_raw", Kind::Raw),
            ("data_binary", Kind::Data),
            ("data_urlencode", Kind::Encoded),
            ("json", Kind::Json),
        ];
        let parts = KINDS.map(|(name, kind)| {
            let texts = indexed::<String>(matches, name).into_iter();
            texts
                .map(|(at, text)| (at, Datum { kind, text }))
                .collect::<Vec<_>>()
        });
        self.parts = sorted(parts.concat());
        let form_parts = [("form", false), ("form_string", true)].map(|(name, is_literal)| {
            let texts = indexed::<String>(matches, name).into_iter();
            texts
                .map(|(at, text)| (at, FormPart { text, is_literal }))
                .collect::<Vec<_>>()
        });
        self.form_parts = sorted(form_parts.concat());
    }

    /// Whether the content is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.parts.iter().any(|part| part.kind == Kind::Json)
    }

    /// Whether something of it is what stdin has.
    pub(crate) fn reads_stdin(&self) -> bool {
        self.parts.iter().any(Datum::reads_stdin)
            || self.form_parts.iter().any(FormPart::reads_stdin)
    }
}

impl Datum {
    /// Whether its content is what stdin has.
    pub(crate) fn reads_stdin(&self) -> bool {
        match self.kind {
            Kind::Data | Kind::Json => self.text == "@-",
            Kind::Raw => false,
            Kind::Encoded => encoded_parts(&self.text).1 == Source::File("-"),
        }
    }
}

impl FormPart {
    fn reads_stdin(&self) -> bool {
        let value = self.text.split_once('=').map(|(_, value)| value);
        let path = value.and_then(|value| value.strip_prefix(['@', '<']));
        let path = path.and_then(|path| path.split(';').next());
        !self.is_literal && path == Some("-")
    }
}
