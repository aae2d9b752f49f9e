//! Command lines with curl's options for content, output, files and many requests.

use crate::row::{Row, row};
use crate::run::run_all;

mod files;
mod many;

const ROWS: &[&[Row]] = &[
    FORMS,
    CONTENT,
    UPLOADS,
    FIELDS,
    SHOWN,
    WRITTEN_OUT,
    files::FILES,
    files::CONTINUED,
    many::MANY,
    many::CONFIGURED,
    many::TOGETHER,
];

#[test]
fn turbohttp_takes_the_options_of_curl() {
    run_all(&ROWS.concat());
}

const MISSING: &str = "a file that is not there is no empty one";
const CONTRADICTION: &str = "what has arrived cannot be kept and removed";
const IGNORED: &str = "nothing that was typed is ignored";

const FORM: &[(&str, &str)] = &[("form", "a b&c=\u{e9}/?+")];

const CONTENT: &[Row] = &[
    row("raw data", "--data-raw @x {plain}/body").shows(&["@x"]),
    row("binary data", "--data-binary @{dir}/form {plain}/body").files(&[("form", "a=1&b=2")]),
    row(
        "binary data of lines",
        "-X PUT --data-binary @{dir}/lines {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x",
    )
    .files(&[("lines", "a\r\nb\n\n")]),
    row("encoded text", "--data-urlencode 'a b&c' {plain}/body").shows(&["a+b%26c"]),
    row(
        "encoded text behind a sign",
        "--data-urlencode '=a b=c' {plain}/body",
    )
    .shows(&[" a+b%3Dc"]),
    row(
        "an encoded value",
        "--data-urlencode 'n m=a+b/\u{e9}~' {plain}/body",
    )
    .shows(&["n m=a%2Bb%2F%C3%A9~"]),
    row(
        "an encoded file",
        "--data-urlencode @{dir}/form {plain}/body",
    )
    .files(FORM),
    row(
        "an encoded file with a name",
        "--data-urlencode n@{dir}/form {plain}/body",
    )
    .files(FORM)
    .shows(&["n=a+b"]),
    row("encoded stdin", "--data-urlencode n@- {plain}/body")
        .input("a b")
        .shows(&["n=a+b"]),
    row(
        "no file to encode",
        "--data-urlencode n@{dir}/none {plain}/body",
    )
    .own_code(26, MISSING)
    .own_output(MISSING)
    .own_requests(MISSING),
    row(
        "data of all kinds",
        "-d a=1 --data-urlencode 'b= ' --data-raw c=@3 --data-binary d -d e {plain}/body",
    )
    .shows(&["a=1&b=+&c=@3&d&e"]),
    row("data as a query", "-G -d a=1 -d b=2 {plain}/echo").shows(&["GET /echo?a=1&b=2"]),
    row(
        "data behind a query",
        "-G --data-urlencode 'b=a b' '{plain}/echo?a=1#part'",
    )
    .shows(&["/echo?a=1&b=a+b"]),
    row(
        "data of a file as a query",
        "-G -d @{dir}/form {plain}/echo",
    )
    .files(&[("form", "a=1\n&b=2\n")])
    .shows(&["?a=1&b=2"]),
    row("a head with a query", "-I -G -d a=1 {plain}/echo").shows(&["HEAD /echo?a=1"]),
    row("a query alone", "-G {plain}/echo").shows(&["GET /echo "]),
    row("JSON as a query", "-G --json a=1 {plain}/echo"),
];

const SMALL: &[(&str, &str)] = &[("small", "sent\n"), ("a b", "blank\n")];
const BIG: &[(&str, &str)] = &[("big", "{mib}{mib}")];

const UPLOADS: &[Row] = &[
    row("a file", "-T {dir}/small {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x")
        .files(SMALL)
        .shows(&["PUT /dav/x HTTP/1.1 201", "sent\n"]),
    row("a file with its name", "-T {dir}/small {plain}/dav/ ; {plain}/dav/small ; -X DELETE {plain}/dav/small")
        .files(SMALL)
        .shows(&["PUT /dav/small HTTP/1.1 201"]),
    row("a file with a blank", "-T '{dir}/a b' {plain}/dav/ ; {plain}/dav/a%20b ; -X DELETE {plain}/dav/a%20b")
        .files(SMALL)
        .shows(&["PUT /dav/a%20b"]),
    row("a large file", "-T {dir}/big {plain}/dav/ ; {plain}/dav/big ; -X DELETE {plain}/dav/big")
        .files(BIG)
        .shows(&["PUT /dav/big HTTP/1.1 201"]),
    row("a large file by TLS", "--cacert {ca} -T {dir}/big {tls}/dav/ ; -X DELETE {plain}/dav/big").files(BIG),
    row("stdin", "-T - {plain}/dav/x ; {plain}/dav/x ; -X DELETE {plain}/dav/x").input("from stdin").shows(&["from stdin"]),
    row("stdin as it comes", "-T . {plain}/dav/x ; -X DELETE {plain}/dav/x").input("from stdin"),
    row("an empty file", "-T {dir}/empty {plain}/dav/x ; -X DELETE {plain}/dav/x").files(&[("empty", "")]),
    row("a file by POST", "-X POST -T {dir}/small {plain}/body").files(SMALL),
    row("two files", "-T {dir}/small -T '{dir}/a b' {plain}/dav/ {plain}/dav/ ; -X DELETE {plain}/dav/small ; -X DELETE {plain}/dav/a%20b")
        .files(SMALL)
        .shows(&["PUT /dav/small", "PUT /dav/a%20b"]),
    row("a file and a URL without", "-T {dir}/small {plain}/dav/x {plain}/dav/x ; -X DELETE {plain}/dav/x").files(SMALL),
    row("a file that is too large", "-f -T {dir}/big {plain}/tight/x").files(BIG).code(22),
    row("no file", "-T {dir}/none {plain}/dav/x").code(26),
    row("a file at a pace", "--limit-rate 10M -T {dir}/big {plain}/dav/x ; -X DELETE {plain}/dav/x").files(BIG),
];

const FORMS: &[Row] = &[
    row("a form", "-F a=1 -F 'b=a b' {apache}/form").shows(&["POST multipart/form-data", "name=\"a\" 1 ", "name=\"b\" 3 "]),
    row("a file in a form", "-F a=@{dir}/small {apache}/form").files(SMALL).shows(&["filename=\"small\"", "octet-stream 5 "]),
    row("a text file in a form", "-F a=@a.txt {apache}/form").files(&[("a.txt", "text")]).shows(&["text/plain 4 "]),
    row("files of many types", "-F a=@a.GIF -F a=@b.jpeg -F a=@c.svg -F a=@d.html -F a=@e.pdf -F a=@f.xml -F a=@g.png {apache}/form")
        .files(&[("a.GIF", ""), ("b.jpeg", ""), ("c.svg", ""), ("d.html", ""), ("e.pdf", ""), ("f.xml", ""), ("g.png", "")])
        .shows(&["image/gif 0 "]),
    row("a large file in a form", "-F a=@{dir}/big -F b=2 {apache}/form").files(BIG).shows(&[" 2097152 "]),
    row("the content of a file", "-F a=<{dir}/small {apache}/form").files(SMALL).shows(&["name=\"a\" 5 "]),
    row("a type and a name", "-F 'a=@{dir}/small;type=image/x-y;filename=other.png' {apache}/form")
        .files(SMALL)
        .shows(&["other.png", "image/x-y"]),
    row("a type with a parameter", "-F 'a=x;type=text/plain; charset=utf-8' {apache}/form").shows(&["text/plain; charset=utf-8 1 "]),
    row("a type by its name", "-F 'a=@{dir}/small;filename=x.html' {apache}/form").files(SMALL).shows(&["text/html 5 "]),
    row("a field of a part", "-F 'a=x;headers=\"X-One: 1; 2\"' {apache}/form").shows(&["x-one: 1; 2"]),
    row("a value in quotes", "-F 'a=\"b;c\\\"d\"' {apache}/form").shows(&[" 5 "]),
    row("a literal value", "--form-string 'a=@x;type=y' -F b=2 {apache}/form").shows(&["name=\"a\" 9 "]),
    row("a name with quotes", "-F 'a\"b=@{dir}/small;filename=\"x\\\"y\"' {apache}/form").files(SMALL).shows(&["a%22b", "x%22y"]),
    row("an empty value", "-F a= {apache}/form").shows(&[" 0 "]),
    row("stdin in a form", "-F a=@- {apache}/form")
        .input("from stdin")
        .shows(&["filename=\"-\"", " 10 "])
        .own_output("a part that is a file has a type, as browsers send it"),
    row("stdin as a text", "-F a=<- {apache}/form").input("from stdin").shows(&[" 10 "]),
    row("a form by PUT", "-X PUT -F a=1 {apache}/form").shows(&["PUT multipart"]),
    row("a form of another type", "-H 'Content-Type: multipart/related' -F a=1 {apache}/form")
        .shows(&["multipart/related"])
        .own_output("the parts stay those of a form"),
    row("no file for a form", "-F a=@{dir}/none {apache}/form").code(26),
    row("no value in a form", "-F a {apache}/form").code(2),
    row("a form and data", "-F a=1 -d b=2 {apache}/form").code(2),
    row("a form that is counted", "-F a=1 -o {dir}/out -w '%{http_code} %{method}' {apache}/form").shows(&["200 POST"]),
    row("a form to two URLs", "-F a=@{dir}/small {apache}/form {apache}/form").files(SMALL),
];

const FIELDS: &[Row] = &[
    row("an agent", "-A 'me/1.0 (x)' {plain}/fields").shows(&["agent=me/1.0 (x)\n"]),
    row("no agent", "-A '' {plain}/fields").shows(&["agent=\n"]),
    row(
        "an agent and a field",
        "-A me -H 'User-Agent: you' {plain}/fields",
    )
    .shows(&["agent=you\n"]),
    row("a referer", "-A x -e http://a.test/b {plain}/fields")
        .shows(&["referer=http://a.test/b\n"]),
    row("a range", "-A x -r 0-4 {plain}/fields").shows(&["range=bytes=0-4\n"]),
    row("a range of a file", "-r 7-11 {plain}/small.txt").shows(&["world"]),
    row("the end of a file", "-i -r -7 {plain}/small.txt").shows(&["HTTP/1.1 206", "world!"]),
    row("from a byte on", "-r 7- {plain}/small.txt").shows(&["world!"]),
    row("two ranges of a file", "-A x -r 0-1,3-4 {plain}/fields").shows(&["bytes=0-1,3-4"]),
    row("a range beyond the end", "-i -r 100- {plain}/small.txt").shows(&["HTTP/1.1 416"]),
    row(
        "a range of lighttpd",
        "-i -r 5-10 {lighttpd}/plain/text.txt",
    )
    .shows(&["HTTP/1.1 206"]),
    row("a range of Apache", "-r 5-10 {apache}/plain/text.txt").shows(&["0 of a"]),
    row(
        "a condition on a range",
        "-r 7- -H 'If-Range: \"other\"' {plain}/small.txt",
    )
    .shows(&["Hello, world!"]),
    row(
        "a referer by itself",
        "-L -A x -e ';auto' {plain}/to/fields",
    )
    .shows(&["/to/fields\n"]),
    row(
        "a referer, then one by itself",
        "-L -A x -e 'http://a.test/;auto' {plain}/to/other/fields",
    )
    .shows(&["/to/other/fields\n"]),
    row(
        "a referer for redirects",
        "-L -A x -e http://a.test/ {plain}/to/fields",
    )
    .shows(&["referer=http://a.test/\n"]),
    row(
        "a referer from https to http",
        "-L -k -A x -e ';auto' {tls}/down/fields",
    )
    .own_output("RFC 9110 section 10.1.3: https is not named to http"),
    row("no buffer", "-N {plain}/small.txt"),
];

const SHOWN: &[Row] = &[
    row(
        "a failure with its body",
        "--fail-with-body {plain}/nothing",
    )
    .code(22)
    .shows(&["nothing here"]),
    row("a failure without its body", "-f {plain}/nothing").code(22),
    row(
        "a failure with its body as a file",
        "--fail-with-body -o {dir}/out {plain}/nothing",
    )
    .code(22),
    row(
        "both kinds of failure",
        "-f --fail-with-body {plain}/nothing",
    )
    .code(2),
    row(
        "a success of the kind",
        "--fail-with-body {plain}/small.txt",
    ),
    row("heads in a file", "-D {dir}/heads {plain}/small.txt").shows(&["Hello"]),
    row("heads on stdout", "-D - {plain}/small.txt").shows(&["HTTP/1.1 200"]),
    row(
        "heads of redirects in a file",
        "-L -D {dir}/heads {plain}/chain/5",
    ),
    row("heads twice", "-i -D {dir}/heads {plain}/small.txt"),
    row(
        "heads of two URLs",
        "-D {dir}/heads {plain}/small.txt {plain}/echo",
    ),
    row(
        "heads of two groups",
        "-D {dir}/heads {plain}/small.txt --next -D {dir}/heads {plain}/echo",
    )
    .own_output("the heads of both groups are kept"),
    row("silent", "-s {plain}/small.txt"),
    row(
        "a body that is not too long",
        "--max-filesize 14 {plain}/small.txt",
    ),
    row(
        "a body that is too long",
        "--max-filesize 1k -o {dir}/out {plain}/large.bin",
    )
    .code(63),
    row(
        "chunks that are too long",
        "--max-filesize 1k -o {dir}/out {plain}/page.shtml",
    )
    .own_code(63, "curl of this version looks at announced lengths only")
    .own_output("curl of this version looks at announced lengths only"),
    row("a body at a pace", "--limit-rate 100M {plain}/large.bin"),
    row(
        "a connection in time",
        "--connect-timeout 5.5 {plain}/small.txt",
    ),
];

const WRITTEN_OUT: &[Row] = &[
    row("a status", "-o {dir}/out -w '%{http_code} %{response_code}\\n' {plain}/small.txt").shows(&["200 200\n"]),
    row("sizes", "-o {dir}/out -w '%{size_download} %{size_upload} %{size_header}\\t%{num_headers}' {plain}/small.txt")
        .shows(&["14 0 "]),
    row("what was sent", "-d a=1 -w '|%{size_upload} %{method}' {plain}/body").shows(&["|3 POST"]),
    row("what was uploaded", "-T {dir}/small -w '%{size_upload} %{method} %{http_code}' {plain}/dav/x ; -X DELETE {plain}/dav/x")
        .files(SMALL)
        .shows(&["5 PUT 201"]),
    row("stdin that was uploaded", "-T - -w '%{size_upload}' {plain}/dav/x ; -X DELETE {plain}/dav/x")
        .input("12345678")
        .shows(&["18"])
        .own_output("the content is counted, and not the framing of its chunks"),
    row("redirects", "-L -o {dir}/out -w '%{num_redirects} %{num_connects} %{url_effective} %{url}' {plain}/chain/5")
        .shows(&["5 1 "]),
    row("a redirect", "-w '%{redirect_url} %{num_redirects}' {plain}/to/302").shows(&["/echo 0"]),
    row("no redirect", "-w '%{redirect_url}|' {plain}/echo"),
    row("a type", "-w '%{content_type} %header{server} %header{X-No}|' {plain}/small.txt").shows(&["text/plain"]),
    row("addresses", "-w '%{remote_ip} %{remote_port} %{local_ip} %{scheme} %{http_version}' {plain}/echo").shows(&["127.0.0.1"]),
    row("TLS", "--cacert {ca} -w '%{scheme} %{ssl_verify_result} %{http_version}' {tls}/echo").shows(&["HTTPS 0 1.1"]),
    row("a file", "-O -w '%{filename_effective}' {plain}/small.txt").shows(&["small.txt"]),
    row("no file", "-w '%{filename_effective}|%{referer}|' -e http://a.test/ {plain}/small.txt"),
    row("a failure", "-w '%{http_code} %{exitcode} %{num_connects} %{size_download}' http://{refused}/").code(7).shows(&["000 7 0 0"]),
    row("only a failure", "-w 'always%{onerror}never' {plain}/gone").shows(&["always"]),
    row("a failed status", "-f -w '%{http_code} %{exitcode}%{onerror}!' {plain}/nothing").code(22).shows(&["404 22!"]),
    row("percents", "-w '%%{url} 100% %z \\x \\\\n' {plain}/gone").shows(&["%{url} 100% %z"]),
    row("streams", "-w 'a%{stderr}b%{stdout}c' {plain}/gone").shows(&["ac"]),
    row("a format of a file", "-w @{dir}/format {plain}/gone")
        .files(&[("format", "%{http_code}\n\\nline\n")])
        .shows(&["204\nline"]),
    row("a format of stdin", "-w @- {plain}/gone").input("%{http_code}"),
    row("two URLs", "-w '%{urlnum} %{num_connects}\\n' {plain}/gone {plain}/gone").shows(&["0 1\n1 0\n"]),
    row("an unknown variable", "-w '%{nope}|' {plain}/gone")
        .own_code(2, "a variable that is none is refused")
        .own_output("a variable that is none is refused")
        .own_requests("a variable that is none is refused"),
];
