//! Rows of many requests in one command.

use super::{IGNORED, SMALL};
use crate::row::{Row, row};

pub(super) const MANY: &[Row] = &[
    row(
        "two URLs on one connection",
        "{plain}/echo {plain}/small.txt",
    )
    .shows(&["Hello"]),
    row(
        "three URLs of two hosts",
        "{plain}/echo {other}/echo {plain}/small.txt",
    ),
    row(
        "two URLs by TLS",
        "--cacert {ca} {tls}/echo {tls}/small.txt",
    ),
    row(
        "two files",
        "-o {dir}/a -o {dir}/b {plain}/small.txt {plain}/echo",
    ),
    row(
        "files and URLs in another order",
        "{plain}/small.txt -O {plain}/echo -o {dir}/b",
    ),
    row(
        "a file and stdout",
        "-o {dir}/a {plain}/small.txt {plain}/echo",
    )
    .shows(&["GET /echo"]),
    row("--url", "--url {plain}/small.txt --url {plain}/echo"),
    row("a list", "{plain}/part/{a,b,}").shows(&["/part/a\n/part/b\n/part/\n"]),
    row("a list and a range", "{plain}/part/{a,b}[1-3:2]")
        .shows(&["/part/a1\n/part/a3\n/part/b1\n"]),
    row("a padded range", "{plain}/part/[008-010]").shows(&["/part/008\n/part/009\n/part/010\n"]),
    row("a range of letters", "{plain}/part/[a-e:2]").shows(&["/part/a\n/part/c\n/part/e\n"]),
    row("a range of one", "{plain}/part/[7-7]"),
    row(
        "a list as names",
        "-o '{dir}/#1_#2.txt' '{plain}/part/{a,b}[1-2]?#3'",
    ),
    row("a list as files", "-O {plain}/part/{a,b}"),
    row("a list of hosts", "{{plain},{other}}/echo"),
    row("braces as they are", "-g '{plain}/part/[1-2]'").shows(&["/part/[1-2]"]),
    row("escaped braces", "'{plain}/part/\\[a\\]'").shows(&["/part/[a]"]),
    row("empty brackets", "'{plain}/part/x?a[]=1'"),
    row("a range that is none", "'{plain}/part/[3-1]'")
        .code(3)
        .own_code(2, "a mistake in what was typed"),
    row("a brace that is open", "'{plain}/part/{a'")
        .code(3)
        .own_code(2, "a mistake in what was typed"),
    row(
        "a failure in between",
        "-f {plain}/nothing {plain}/small.txt",
    )
    .shows(&["Hello"])
    .own_requests("the connection of a failure is kept"),
    row(
        "a failure at the end",
        "-f {plain}/small.txt {plain}/nothing",
    )
    .code(22),
    row(
        "a failure that ends it",
        "-f --fail-early {plain}/nothing {plain}/small.txt",
    )
    .code(22),
    row(
        "no connection in between",
        "http://{refused}/ {plain}/small.txt",
    )
    .shows(&["Hello"]),
    row(
        "two groups",
        "-d a=1 {plain}/body --next -I {plain}/small.txt",
    )
    .shows(&["POST ", "HTTP/1.1 200"]),
    row(
        "two groups by a short name",
        "-o {dir}/a {plain}/echo -: -o {dir}/b {plain}/small.txt",
    ),
    row(
        "two groups of options",
        "-H 'X: 1' {plain}/echo --next -H 'X: 2' {plain}/echo",
    )
    .shows(&["x=1", "x=2"]),
    row(
        "cookies of two groups",
        "-b a=1 {plain}/echo --next {plain}/echo",
    ),
    row(
        "the jar of a list",
        "-c {dir}/jar {plain}/cookie/one {plain}/cookie/seen",
    )
    .shows(&["sid=7"]),
    row("data to two URLs", "-d a=1 {plain}/body {plain}/body"),
    row("stdin to two URLs", "-d @- {plain}/body {plain}/body")
        .input("a=1")
        .code(0)
        .own_code(2, "stdin is not kept")
        .own_output("stdin is not kept")
        .own_requests("stdin is not kept"),
    row(
        "credentials of two URLs",
        "-u user:secret {plain}/private/file.txt {plain}/private/file.txt",
    ),
    row(
        "beside one another",
        "-Z -o {dir}/a -o {dir}/b {apache}/plain/text.txt {lighttpd}/plain/text.txt",
    ),
    row(
        "beside one another, one at a time",
        "-Z --parallel-max 1 {plain}/part/[1-5]",
    ),
    row(
        "beside one another at once",
        "-Z --parallel-immediate -o '{dir}/#1' {apache}/plain/text.txt?[1-9]",
    ),
    row(
        "beside one another, with a failure",
        "-Z -f -o {dir}/a -o {dir}/b {apache}/none {apache}/plain/text.txt",
    )
    .code(22),
    row("at a rate", "--rate 1000/s {plain}/part/[1-3]"),
    row(
        "more files than URLs",
        "-o {dir}/a -o {dir}/b {plain}/small.txt",
    )
    .own_code(2, IGNORED)
    .own_output(IGNORED)
    .own_requests(IGNORED),
    row("no URL", "-s").code(2),
    row("many on one connection", "{plain}/part/[1-50]"),
];

pub(super) const TOGETHER: &[Row] = &[
    row("a query by POST", "-X POST -G -d a=1 {plain}/echo")
        .shows(&["POST /echo?a=1"])
        .own_output("a POST without content says so: RFC 9110 section 8.6")
        .own_requests("a POST without content says so: RFC 9110 section 8.6"),
    row(
        "encoded lines",
        "-G --data-urlencode 'q=a\nb\tc' {plain}/echo",
    )
    .shows(&["q=a%0ab%09c"])
    .own_output("hexadecimal digits are capital letters: RFC 3986 section 2.1")
    .own_requests("hexadecimal digits are capital letters: RFC 3986 section 2.1"),
    row("a query of a list", "-G -d a=1 '{plain}/part/{x,y}?b'")
        .shows(&["/part/x?b&a=1\n/part/y?b&a=1\n"]),
    row("data to a list", "-d a=1 {plain}/body?{x,y}"),
    row("a range in a file", "-r 0-4 -o {dir}/out {plain}/small.txt"),
    row(
        "a range and a status",
        "-r 0-4 -w ' %{http_code} %{size_download}' {plain}/small.txt",
    )
    .shows(&["Hello 206 5"]),
    row(
        "a head and its size",
        "-I -w '%{size_download} %{method}' {plain}/small.txt",
    )
    .shows(&["0 HEAD"]),
    row(
        "a head that is not too long",
        "-I --max-filesize 1k {plain}/small.txt",
    ),
    row("heads on stdout twice", "-i -D - {plain}/small.txt")
        .own_output("a head is not mixed with itself, line by line"),
    row("a redirect and the name of the URL", "-L -O {plain}/to/302"),
    row(
        "a redirect, its heads and its status",
        "-L -D {dir}/heads -o {dir}/out -w '%{http_code} %{num_redirects}' {plain}/to/302",
    )
    .shows(&["200 1"]),
    row("a redirect, and a form", "-L -F a=1 {plain}/to/302")
        .shows(&["GET /echo"])
        .own_requests("the boundary is another one, and the connection is kept"),
    row(
        "credentials of one group",
        "-u user:secret {plain}/private/file.txt --next -i {plain}/private/file.txt",
    )
    .shows(&["for user alone", "HTTP/1.1 401"]),
    row(
        "written out beside one another",
        "-Z --parallel-max 1 -w '%{urlnum}:%{http_code}\n' {plain}/gone {plain}/nothing",
    ),
    row(
        "a list in two groups",
        "-o 'a#1' {plain}/part/[1-2] --next -o 'b#1' {plain}/part/{x,y}",
    ),
    row(
        "a group of a file of options in one",
        "-K outer {plain}/echo",
    )
    .files(&[
        ("outer", "config = inner\nuser-agent = x\n"),
        ("inner", "header = \"X: 1\"\n"),
    ])
    .shows(&["x=1"]),
    row("a list in a file of options", "-K config")
        .files(&[("config", "url = \"{plain}/part/{a,b}\"\noutput = \"#1\"\n")]),
    row("a write-out in a file of options", "-K config {plain}/gone")
        .files(&[("config", "write-out = \"%{http_code}\\n\\tend\"\n")])
        .shows(&["204\n\tend"]),
    row(
        "a proxy and two URLs",
        "-x {squid} {plain}/echo {plain}/small.txt",
    )
    .shows(&["Hello"]),
    row(
        "an upload by a proxy",
        "-x {squid} -T small {plain}/dav/ ; -X DELETE {plain}/dav/small",
    )
    .files(SMALL),
    row(
        "an upload that asks for credentials",
        "-u user:secret -T small {plain}/private/x",
    )
    .files(SMALL)
    .shows(&["405"]),
    row(
        "a Digest of two URLs",
        "--digest -u user:secret {apache}/digest/text.txt {apache}/digest/text.txt",
    )
    .shows(&["line 1 of"]),
    row("a coded body as a file", "--compressed -O {plain}/long.txt"),
    row(
        "a referer of every URL",
        "-A x -e http://a.test/ {plain}/fields {plain}/fields",
    ),
];

pub(super) const CONFIGURED: &[Row] = &[
    row("a file of options", "-K {dir}/config")
        .files(&[("config", "# options\nurl = \"{plain}/echo\"\nheader = \"X: a \\\"b\\\"\"\n-A me\nuser = user:secret\n")])
        .shows(&["x=a \"b\""]),
    row("options and a file of them", "-I -K {dir}/config {plain}/echo").files(&[("config", "url={plain}/small.txt")]),
    row("options of stdin", "-K - {plain}/echo").input("data: a=1\n  compressed\n").shows(&["POST /echo"]),
    row("files for URLs", "-K {dir}/config")
        .files(&[("config", "url {plain}/small.txt\noutput a\nurl = {plain}/echo\n-o b\n")]),
    row("groups of a file", "-K {dir}/config")
        .files(&[("config", "url={plain}/body\ndata=a=1\nnext\nurl={plain}/echo\n--silent\n")])
        .shows(&["a=1", "GET /echo"]),
    row("no file of options", "-K {dir}/none {plain}/echo").code(26).own_code(2, "a mistake in what was typed"),
    row("a name that is none", "-K {dir}/config {plain}/echo")
        .files(&[("config", "no-such-option\n")])
        .own_code(2, IGNORED)
        .own_output(IGNORED)
        .own_requests(IGNORED),
];
