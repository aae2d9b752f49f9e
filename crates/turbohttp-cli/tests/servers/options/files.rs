//! Rows about files: where content goes, and how an unfinished file goes on.

use super::CONTRADICTION;
use crate::row::{Row, row};

pub(super) const FILES: &[Row] = &[
    row("the name of the URL", "-O {plain}/small.txt"),
    row("the name before the query", "-O '{plain}/small.txt?a=/b#c'"),
    row("an encoded name", "-O {plain}/part/a%20b"),
    row("no name", "-O {plain}/").code(23),
    row(
        "all names",
        "--remote-name-all {plain}/small.txt {plain}/empty.txt",
    ),
    row("the name of the response", "-OJ {plain}/given"),
    row(
        "the name of the response that leads up",
        "-OJ {plain}/given/up",
    ),
    row("an extended name", "-OJ {plain}/given/extended")
        .own_output("RFC 6266 section 4.3 prefers filename*"),
    row("no name of the response", "-OJ {plain}/small.txt"),
    row("the name of the response is taken", "-OJ {plain}/given")
        .files(&[("given.txt", "old")])
        .code(23),
    row(
        "the name of the response is taken, and may be",
        "--clobber -OJ {plain}/given",
    )
    .files(&[("given.txt", "old")]),
    row(
        "the name of the response is taken, and may not be",
        "--no-clobber -OJ {plain}/given",
    )
    .files(&[("given.txt", "old")]),
    row(
        "no name of the response, and that of the URL is taken",
        "-OJ {plain}/small.txt",
    )
    .files(&[("small.txt", "old")]),
    row("a head and the name of the response", "-iOJ {plain}/given").code(2),
    row("a file in the way", "-O {plain}/small.txt").files(&[("small.txt", "old")]),
    row("no clobber", "--no-clobber -O {plain}/small.txt")
        .files(&[("small.txt", "old"), ("small.txt.1", "old")]),
    row(
        "no clobber of nothing",
        "--no-clobber -o {dir}/out {plain}/small.txt",
    ),
    row(
        "a directory",
        "--output-dir {dir}/sub -o out {plain}/small.txt",
    )
    .files(&[("sub/x", "")]),
    row(
        "no directory",
        "--output-dir {dir}/sub -O {plain}/small.txt",
    )
    .code(23),
    row(
        "a new directory",
        "--create-dirs --output-dir {dir}/a/b -O {plain}/small.txt",
    ),
    row(
        "new directories of a file",
        "--create-dirs -o {dir}/a/b/c {plain}/small.txt",
    ),
    row("the time of the server", "-R -O {plain}/small.txt"),
    row(
        "the time of Apache",
        "-R -o {dir}/out {apache}/plain/text.txt",
    ),
    row(
        "the time of lighttpd",
        "-R -o {dir}/out {lighttpd}/plain/text.txt",
    ),
    row("no time", "-o {dir}/out {plain}/echo"),
    row(
        "remove on error",
        "--remove-on-error -o {dir}/out {plain}/small.txt",
    ),
    row(
        "remove on an error",
        "--remove-on-error -f -o {dir}/out {plain}/nothing",
    )
    .code(22),
    row("a redirect of lighttpd", "-L -o {dir}/out {lighttpd}/moved"),
];

const PART: &[(&str, &str)] = &[("out", "Hello, ")];

pub(super) const CONTINUED: &[Row] = &[
    row("go on", "-C - -o {dir}/out {plain}/small.txt")
        .files(PART)
        .shows(&["range=\"bytes=7-\""]),
    row("go on with a name of the URL", "-C - -O {plain}/small.txt")
        .files(&[("small.txt", "Hell")])
        .shows(&["bytes=4-"]),
    row("go on from nothing", "-C - -o {dir}/out {plain}/small.txt").shows(&["range=\"-\""]),
    row(
        "go on from an empty file",
        "-C - -o {dir}/out {plain}/small.txt",
    )
    .files(&[("out", "")]),
    row("go on from a byte", "-C 7 -o {dir}/out {plain}/small.txt")
        .files(PART)
        .shows(&["bytes=7-"]),
    row(
        "go on from the beginning",
        "-C 0 -o {dir}/out {plain}/small.txt",
    )
    .files(PART),
    row(
        "go on with what is whole",
        "-C - -o {dir}/out {plain}/small.txt",
    )
    .files(&[("out", "Hello, world!\n")])
    .shows(&[" 416 "]),
    row(
        "go on with what is longer",
        "-C - -o {dir}/out {plain}/small.txt",
    )
    .files(&[("out", "Hello, world!\nand more\n")])
    .own_code(33, "the server says that its file is shorter"),
    row(
        "go on without ranges",
        "-C - -o {dir}/out {plain}/whole.txt",
    )
    .files(PART)
    .code(33),
    row(
        "go on with what is not there",
        "-C - -o {dir}/out {plain}/nothing",
    )
    .files(PART)
    .code(33),
    row(
        "go on with what is not there, and fail",
        "-f -C - -o {dir}/out {plain}/nothing",
    )
    .files(PART)
    .code(22),
    row(
        "go on, and fail for what is whole",
        "-f -C - -o {dir}/out {plain}/small.txt",
    )
    .files(&[("out", "Hello, world!\n")])
    .code(22)
    .own_code(0, "what is whole is no failure"),
    row(
        "go on behind a redirect",
        "-L -C - -o {dir}/out {lighttpd}/moved",
    )
    .files(&[("out", "line 0 of a ")]),
    row(
        "go on by Apache",
        "-C - -o {dir}/out {apache}/plain/text.txt",
    )
    .files(&[("out", "line 0 of a ")]),
    row(
        "go on by TLS",
        "--cacert {ca} -C - -o {dir}/out {tls}/small.txt",
    )
    .files(PART),
    row(
        "go on if it is the same",
        "-C - -H 'If-Range: \"other\"' -o {dir}/out {plain}/small.txt",
    )
    .files(PART)
    .code(33),
    row(
        "go on and remove",
        "--remove-on-error -C - -o {dir}/out {plain}/small.txt",
    )
    .own_code(2, CONTRADICTION)
    .own_output(CONTRADICTION)
    .own_requests(CONTRADICTION),
    row("go on and rename", "-C - -OJ {plain}/given").code(2),
    row("go on on stdout", "-C 7 {plain}/small.txt").shows(&["world!"]),
];
