//! The rules one by one. The cases are those that a private cache meets; time is that of the test.

use crate::table::{Row, run};

#[tokio::test]
async fn every_row_holds() {
    let mut failures = Vec::new();
    for row in ROWS {
        failures.extend(run(row).await.err());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

const ROWS: &[Row] = &[
    Row {
        name: "max-age is fresh up to its last second",
        answers: &["200; cache-control: max-age=60; body=a"],
        steps: &["+0 GET / => miss 200 a", "+59 GET / => hit 200 a; age: 59"],
        requests: 1,
    },
    Row {
        name: "max-age is stale from its end on",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+60 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "max-age=0 is never fresh",
        answers: &[
            "200; cache-control: max-age=0; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "max-age=2147483647 is very long",
        answers: &["200; cache-control: max-age=2147483647; body=a"],
        steps: &["+0 GET / => miss 200 a", "+100000 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "max-age=2147483648 is very long",
        answers: &["200; cache-control: max-age=2147483648; body=a"],
        steps: &["+0 GET / => miss 200 a", "+100000 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "max-age=99999999999 is very long",
        answers: &["200; cache-control: max-age=99999999999; body=a"],
        steps: &["+0 GET / => miss 200 a", "+100000 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "max-age=99999999999999999999999999 is very long",
        answers: &["200; cache-control: max-age=99999999999999999999999999; body=a"],
        steps: &["+0 GET / => miss 200 a", "+100000 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "directives have no case",
        answers: &["200; cache-control: MaX-AgE=60; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "a quoted argument is one",
        answers: &["200; cache-control: max-age=\"60\"; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "a directive in a quoted string is none",
        answers: &[
            "200; cache-control: x=\"max-age=60\"; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "extensions are passed over",
        answers: &["200; cache-control: x, max-age=60, y=\"1,2\"; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "a negative max-age is stale",
        answers: &[
            "200; cache-control: max-age=-60; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a max-age that is no number is stale",
        answers: &[
            "200; cache-control: max-age=6x; expires: {600}; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "of two max-age the first counts",
        answers: &["200; cache-control: max-age=60, max-age=0; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "of two lines the first counts",
        answers: &[
            "200; cache-control: max-age=0; cache-control: max-age=60; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "s-maxage means nothing to a private cache",
        answers: &[
            "200; cache-control: max-age=1, s-maxage=600; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+2 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "private is no hindrance",
        answers: &["200; cache-control: private, max-age=60; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "max-age goes before a past Expires",
        answers: &["200; cache-control: max-age=60; expires: {-60}; body=a"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET / => hit 200 a; expires: {-60}",
        ],
        requests: 1,
    },
    Row {
        name: "max-age=0 goes before a later Expires",
        answers: &[
            "200; cache-control: max-age=0; expires: {60}; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "immutable is fresh no longer than max-age",
        answers: &[
            "200; cache-control: max-age=60, immutable; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+59 GET / => hit 200 a",
            "+1 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "Expires is fresh before it",
        answers: &["200; expires: {60}; body=a"],
        steps: &["+0 GET / => miss 200 a", "+59 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "Expires is stale from then on",
        answers: &[
            "200; expires: {60}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+60 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Expires in the past is stale",
        answers: &[
            "200; expires: {-60}; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Expires counts from Date",
        answers: &[
            "200; date: {-10}; expires: {60}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+59 GET / => hit 200 a",
            "+1 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "Expires is no later than a Date that is ahead",
        answers: &[
            "200; date: {100}; expires: {60}; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Expires 0 is stale",
        answers: &[
            "200; expires: 0; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Expires in the form of RFC 850 is a date",
        answers: &["200; date: {0}; expires: Friday, 15-Jan-27 09:00:00 GMT; body=a"],
        steps: &["+0 GET / => miss 200 a", "+59 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "Expires holds beside a Date that is none",
        answers: &["200; date: soon; expires: {60}; body=a"],
        steps: &["+0 GET / => miss 200 a", "+59 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "Age counts",
        answers: &[
            "200; cache-control: max-age=60; age: 50; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+9 GET / => hit 200 a; age: 59",
            "+1 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "Age beyond max-age is stale",
        answers: &[
            "200; cache-control: max-age=60; age: 61; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Age that is no number is ignored",
        answers: &["200; cache-control: max-age=60; age: abc; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a; age: 1"],
        requests: 1,
    },
    Row {
        name: "Age that is negative is ignored",
        answers: &["200; cache-control: max-age=60; age: -7200; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a; age: 1"],
        requests: 1,
    },
    Row {
        name: "Age that is broken is ignored",
        answers: &["200; cache-control: max-age=60; age: 7200.0; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a; age: 1"],
        requests: 1,
    },
    Row {
        name: "Age 2147483648 is stale",
        answers: &[
            "200; cache-control: max-age=3600; age: 2147483648; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+2 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Age 18446744073709551615 is stale",
        answers: &[
            "200; cache-control: max-age=3600; age: 18446744073709551615; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+2 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Age 99999999999999999999999 is stale",
        answers: &[
            "200; cache-control: max-age=3600; age: 99999999999999999999999; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+2 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "of a list of ages the first counts",
        answers: &["200; cache-control: max-age=60; age: 0, 7200; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a; age: 1"],
        requests: 1,
    },
    Row {
        name: "of two lines of Age the first counts",
        answers: &[
            "200; cache-control: max-age=60; age: 7200; age: 0; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a Date in the past is an age",
        answers: &[
            "200; cache-control: max-age=60; date: {-50}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+9 GET / => hit 200 a; age: 59; date: {-50}",
            "+1 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a Date that is ahead makes nothing younger",
        answers: &[
            "200; cache-control: max-age=60; date: {50}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+60 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a tenth of the time since the last change is fresh",
        answers: &["200; last-modified: {-1000}; body=a"],
        steps: &["+0 GET / => miss 200 a", "+99 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "and not longer",
        answers: &[
            "200; last-modified: {-1000}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+100 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a week at most",
        answers: &[
            "200; last-modified: {-100000000}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+604799 GET / => hit 200 a",
            "+1 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "nothing said is nothing stored",
        answers: &["200; body=a", "200; cache-control: max-age=60; body=b"],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a status without heuristics is not fresh by them",
        answers: &[
            "302; last-modified: {-1000}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 302 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "200 is stored",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "203 is stored",
        answers: &[
            "203; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 203 a", "+1 GET / => hit 203 a"],
        requests: 1,
    },
    Row {
        name: "404 is stored",
        answers: &[
            "404; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 404 a", "+1 GET / => hit 404 a"],
        requests: 1,
    },
    Row {
        name: "410 is stored",
        answers: &[
            "410; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 410 a", "+1 GET / => hit 410 a"],
        requests: 1,
    },
    Row {
        name: "301 is stored",
        answers: &[
            "301; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 301 a", "+1 GET / => hit 301 a"],
        requests: 1,
    },
    Row {
        name: "308 is stored",
        answers: &[
            "308; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 308 a", "+1 GET / => hit 308 a"],
        requests: 1,
    },
    Row {
        name: "501 is stored",
        answers: &[
            "501; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 501 a", "+1 GET / => hit 501 a"],
        requests: 1,
    },
    Row {
        name: "300 is stored",
        answers: &[
            "300; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 300 a", "+1 GET / => hit 300 a"],
        requests: 1,
    },
    Row {
        name: "405 is stored",
        answers: &[
            "405; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 405 a", "+1 GET / => hit 405 a"],
        requests: 1,
    },
    Row {
        name: "414 is stored",
        answers: &[
            "414; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 414 a", "+1 GET / => hit 414 a"],
        requests: 1,
    },
    Row {
        name: "204 is stored",
        answers: &["204; cache-control: max-age=60"],
        steps: &["+0 GET / => miss 204", "+1 GET / => hit 204"],
        requests: 1,
    },
    Row {
        name: "302 is stored if it says so",
        answers: &["302; cache-control: max-age=60; body=a"],
        steps: &["+0 GET / => miss 302 a", "+1 GET / => hit 302 a"],
        requests: 1,
    },
    Row {
        name: "303 is stored if it says so",
        answers: &["303; cache-control: max-age=60; body=a"],
        steps: &["+0 GET / => miss 303 a", "+1 GET / => hit 303 a"],
        requests: 1,
    },
    Row {
        name: "307 is stored if it says so",
        answers: &["307; cache-control: max-age=60; body=a"],
        steps: &["+0 GET / => miss 307 a", "+1 GET / => hit 307 a"],
        requests: 1,
    },
    Row {
        name: "206 is not stored",
        answers: &[
            "206; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 206 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "401 is not stored",
        answers: &[
            "401; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 401 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "429 is not stored",
        answers: &[
            "429; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 429 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "500 is not stored",
        answers: &[
            "500; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 500 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "503 is not stored",
        answers: &[
            "503; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 503 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "599 is not stored",
        answers: &[
            "599; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 599 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "299 is not stored",
        answers: &[
            "299; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 299 a", "+1 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "no-store is not stored",
        answers: &[
            "200; cache-control: no-store, max-age=60; expires: {60}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "No-StOrE is not stored",
        answers: &[
            "200; cache-control: No-StOrE; expires: {60}; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "no-cache is validated each time",
        answers: &[
            "200; cache-control: no-cache, max-age=60; etag: \"1\"; body=a",
            "304; etag: \"1\"",
            "304; etag: \"1\"",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET / => revalidated 200 a",
            "+0 GET / => revalidated 200 a",
        ],
        requests: 3,
    },
    Row {
        name: "no-cache of fields is no-cache",
        answers: &[
            "200; cache-control: no-cache=\"x\", max-age=60; etag: \"1\"; body=a",
            "304",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => revalidated 200 a"],
        requests: 2,
    },
    Row {
        name: "a newer answer with no-store replaces the old one",
        answers: &[
            "200; cache-control: max-age=1; body=a",
            "200; cache-control: no-store; body=b",
            "200; body=c",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+2 GET / => miss 200 b",
            "+0 GET /; cache-control: max-stale => miss 200 c",
        ],
        requests: 3,
    },
    Row {
        name: "must-revalidate is fresh while it is",
        answers: &["200; cache-control: max-age=60, must-revalidate; body=a"],
        steps: &["+0 GET / => miss 200 a", "+59 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "must-revalidate forbids max-stale",
        answers: &[
            "200; cache-control: max-age=60, must-revalidate; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+60 GET /; cache-control: max-stale => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "Pragma of an old server is no-cache",
        answers: &[
            "200; pragma: no-cache; expires: {60}; etag: \"1\"; body=a",
            "304",
        ],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => revalidated 200 a"],
        requests: 2,
    },
    Row {
        name: "Pragma beside Cache-Control is nothing",
        answers: &["200; pragma: no-cache; cache-control: max-age=60; body=a"],
        steps: &["+0 GET / => miss 200 a", "+1 GET / => hit 200 a"],
        requests: 1,
    },
    Row {
        name: "a request with no-store is passed on and leaves nothing",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; cache-control: no-store => bypass 200 a",
            "+0 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a request with no-cache is validated",
        answers: &["200; cache-control: max-age=60; etag: \"1\"; body=a", "304"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET /; cache-control: no-cache => revalidated 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "a request with Pragma is validated",
        answers: &["200; cache-control: max-age=60; etag: \"1\"; body=a", "304"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET /; pragma: no-cache => revalidated 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "a request with max-age=0 is validated",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET /; cache-control: max-age=0 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a request takes what is as young as it says",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET /; cache-control: max-age=10 => hit 200 a",
            "+1 GET /; cache-control: max-age=10 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a request takes what is fresh for long enough",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET /; cache-control: min-fresh=50 => hit 200 a",
            "+1 GET /; cache-control: min-fresh=50 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a request takes what is stale",
        answers: &["200; cache-control: max-age=60; body=a"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1000 GET /; cache-control: max-stale => stale 200 a; age: 1000",
        ],
        requests: 1,
    },
    Row {
        name: "a request takes what is not too stale",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+70 GET /; cache-control: max-stale=10 => stale 200 a",
            "+1 GET /; cache-control: max-stale=10 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "only-if-cached sends nothing",
        answers: &[],
        steps: &["+0 GET /; cache-control: only-if-cached => miss 504"],
        requests: 0,
    },
    Row {
        name: "only-if-cached has what is fresh",
        answers: &["200; cache-control: max-age=60; body=a"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET /; cache-control: only-if-cached => hit 200 a",
            "+60 GET /; cache-control: only-if-cached => miss 504",
        ],
        requests: 1,
    },
    Row {
        name: "the same selection is a hit",
        answers: &["200; cache-control: max-age=60; vary: x; body=a"],
        steps: &[
            "+0 GET /; x: 1 => miss 200 a",
            "+0 GET /; x: 1; y: 2 => hit 200 a",
        ],
        requests: 1,
    },
    Row {
        name: "another selection is a miss",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
        ],
        steps: &[
            "+0 GET /; x: 1 => miss 200 a",
            "+0 GET /; x: 2 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "two variants stay",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
        ],
        steps: &[
            "+0 GET /; x: 1 => miss 200 a",
            "+0 GET /; x: 2 => miss 200 b",
            "+0 GET /; x: 1 => hit 200 a",
            "+0 GET /; x: 2 => hit 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a field that is absent is not one that is there",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET /; x: 1 => miss 200 b",
            "+0 GET / => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "an empty field is not an absent one",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET /; x:  => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Vary * is never the same",
        answers: &[
            "200; cache-control: max-age=60; vary: *; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "Vary * in a list is one",
        answers: &[
            "200; cache-control: max-age=60; vary: x, *; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "every name of Vary counts",
        answers: &[
            "200; cache-control: max-age=60; vary: x, y; vary: z; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; x: 1; y: 2; z: 3 => miss 200 a",
            "+0 GET /; x: 1; y: 2; z: 3 => hit 200 a",
            "+0 GET /; x: 1; y: 2; z: 4 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "every line of a field counts",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
        ],
        steps: &[
            "+0 GET /; x: 1; x: 2 => miss 200 a",
            "+0 GET /; x: 1, 2 => hit 200 a",
            "+0 GET /; x: 1; x: 3 => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "names in Vary have no case",
        answers: &["200; cache-control: max-age=60; vary: X; body=a"],
        steps: &[
            "+0 GET /; x: 1 => miss 200 a",
            "+0 GET /; X: 1 => hit 200 a",
        ],
        requests: 1,
    },
    Row {
        name: "queries are parts of the key",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /?1 => miss 200 a",
            "+0 GET /?2 => miss 200 b",
            "+0 GET /?1 => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "credentials see what is theirs",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; authorization: 1 => miss 200 a",
            "+0 GET /; authorization: 2 => miss 200 b",
            "+0 GET /; authorization: 1 => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "what credentials have brought is not for all",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; authorization: 1 => miss 200 a",
            "+0 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a 304 makes it fresh again",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; body=a",
            "304; cache-control: max-age=100",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => revalidated 200 a; cache-control: max-age=100; age: 0",
            "+99 GET / => hit 200 a; age: 99",
        ],
        requests: 2,
    },
    Row {
        name: "a 304 adds and replaces fields",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; x: 1; y: 1; body=a",
            "304; x: 2; z: 3",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => revalidated 200 a; x: 2; y: 1; z: 3",
            "+0 GET / => hit 200 a; x: 2; y: 1; z: 3",
        ],
        requests: 2,
    },
    Row {
        name: "a 304 does not change the body's own fields",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; content-length: 1; content-encoding: x; body=a",
            "304; content-length: 7; content-encoding: y",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => revalidated 200 a; content-length: 1; content-encoding: x",
        ],
        requests: 2,
    },
    Row {
        name: "a 304 has an age of its own",
        answers: &[
            "200; cache-control: max-age=10; age: 9; etag: \"1\"; body=a",
            "304; age: 3",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 GET / => revalidated 200 a; age: 3",
            "+6 GET / => hit 200 a; age: 9",
        ],
        requests: 2,
    },
    Row {
        name: "a weak validator validates",
        answers: &[
            "200; cache-control: max-age=10; etag: W/\"1\"; body=a",
            "304; etag: W/\"1\"",
        ],
        steps: &["+0 GET / => miss 200 a", "+10 GET / => revalidated 200 a"],
        requests: 2,
    },
    Row {
        name: "a date validates",
        answers: &[
            "200; cache-control: max-age=10; last-modified: {-9}; body=a",
            "304",
        ],
        steps: &["+0 GET / => miss 200 a", "+10 GET / => revalidated 200 a"],
        requests: 2,
    },
    Row {
        name: "a new answer replaces the old one",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => miss 200 b",
            "+1 GET / => hit 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "a 304 about something else is no answer",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; body=a",
            "304; etag: \"2\"",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+10 GET / => miss 200 b"],
        requests: 3,
    },
    Row {
        name: "a 304 with no-store ends it",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; body=a",
            "304; cache-control: no-store",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => revalidated 200 a",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "an error of the server leaves the old one",
        answers: &[
            "200; cache-control: max-age=10; etag: \"1\"; body=a",
            "500; body=x",
            "304",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+10 GET / => miss 500 x",
            "+0 GET / => revalidated 200 a",
        ],
        requests: 3,
    },
    Row {
        name: "the caller's If-None-Match is the caller's",
        answers: &["200; cache-control: max-age=60; body=a", "304; etag: \"1\""],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET /; if-none-match: \"1\" => bypass 304",
        ],
        requests: 2,
    },
    Row {
        name: "the caller's If-Modified-Since is the caller's",
        answers: &["200; cache-control: max-age=60; body=a", "304"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET /; if-modified-since: {0} => bypass 304",
        ],
        requests: 2,
    },
    Row {
        name: "a range is passed on",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "206; cache-control: max-age=60; content-range: bytes 0-0/1; body=a",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET /; range: bytes=0-0 => bypass 206 a",
            "+0 GET / => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "a range leaves nothing",
        answers: &[
            "206; cache-control: max-age=60; content-range: bytes 0-0/2; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; range: bytes=0-0 => bypass 206 a",
            "+0 GET / => miss 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "stale-while-revalidate answers at once and validates behind",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a; age: 20",
            "+1 GET / => hit 200 b",
        ],
        requests: 2,
    },
    Row {
        name: "stale-while-revalidate is confirmed behind",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60; etag: \"1\"; body=a",
            "304",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a",
            "+1 GET / => hit 200 a; age: 1",
        ],
        requests: 2,
    },
    Row {
        name: "stale-while-revalidate has an end",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60; etag: \"1\"; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+71 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "must-revalidate forbids stale-while-revalidate",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60, must-revalidate; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 GET / => miss 200 a", "+20 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "a request with no-cache forbids stale-while-revalidate",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60; etag: \"1\"; body=a",
            "304",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET /; cache-control: no-cache => revalidated 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "what fails behind is tried again",
        answers: &[
            "200; cache-control: max-age=10, stale-while-revalidate=60; etag: \"1\"; body=a",
            "500",
            "304",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a",
            "+1 GET / => stale 200 a",
            "+1 GET / => hit 200 a; age: 1",
        ],
        requests: 3,
    },
    Row {
        name: "stale-if-error stands in for 500",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "500; body=x",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a; age: 20",
        ],
        requests: 2,
    },
    Row {
        name: "stale-if-error stands in for 502",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "502; body=x",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a; age: 20",
        ],
        requests: 2,
    },
    Row {
        name: "stale-if-error stands in for 503",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "503; body=x",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a; age: 20",
        ],
        requests: 2,
    },
    Row {
        name: "stale-if-error stands in for 504",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "504; body=x",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET / => stale 200 a; age: 20",
        ],
        requests: 2,
    },
    Row {
        name: "stale-if-error stands in for a connection that breaks",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "!",
        ],
        steps: &["+0 GET / => miss 200 a", "+20 GET / => stale 200 a"],
        requests: 2,
    },
    Row {
        name: "stale-if-error of a request does, too",
        answers: &["200; cache-control: max-age=10; etag: \"1\"; body=a", "!"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET /; cache-control: stale-if-error=60 => stale 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "stale-if-error does not stand in for 404",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "404; body=x",
        ],
        steps: &["+0 GET / => miss 200 a", "+20 GET / => miss 404 x"],
        requests: 2,
    },
    Row {
        name: "stale-if-error has an end",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "503; body=x",
        ],
        steps: &["+0 GET / => miss 200 a", "+71 GET / => miss 503 x"],
        requests: 2,
    },
    Row {
        name: "must-revalidate forbids stale-if-error",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60, must-revalidate; body=a",
            "!",
        ],
        steps: &["+0 GET / => miss 200 a", "+20 GET / => error"],
        requests: 2,
    },
    Row {
        name: "a request with no-cache forbids stale-if-error",
        answers: &[
            "200; cache-control: max-age=10, stale-if-error=60; etag: \"1\"; body=a",
            "!",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+20 GET /; cache-control: no-cache => error",
        ],
        requests: 2,
    },
    Row {
        name: "without stale-if-error an error is one",
        answers: &["200; cache-control: max-age=10; etag: \"1\"; body=a", "!"],
        steps: &["+0 GET / => miss 200 a", "+20 GET / => error"],
        requests: 2,
    },
    Row {
        name: "HEAD is answered by what a GET has brought",
        answers: &["200; cache-control: max-age=60; content-length: 1; body=a"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+1 HEAD / => hit 200; age: 1; content-length: 1",
        ],
        requests: 1,
    },
    Row {
        name: "HEAD leaves nothing",
        answers: &[
            "200; cache-control: max-age=60",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 HEAD / => miss 200", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "HEAD of what is stale is sent",
        answers: &["200; cache-control: max-age=60; body=a", "200; x: 1"],
        steps: &["+0 GET / => miss 200 a", "+60 HEAD / => miss 200; x: 1"],
        requests: 2,
    },
    Row {
        name: "POST makes what is stored useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 POST / => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "PUT makes what is stored useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 PUT / => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "DELETE makes what is stored useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 DELETE / => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "PATCH makes what is stored useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 PATCH / => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "FROB makes what is stored useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 FROB / => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "POST that fails leaves it",
        answers: &["200; cache-control: max-age=60; body=a", "500; body=x"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 POST / => bypass 500 x",
            "+0 GET / => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "OPTIONS leaves it",
        answers: &["200; cache-control: max-age=60; body=a", "200; body=x"],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 OPTIONS / => bypass 200 x",
            "+0 GET / => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "POST makes its Location useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; location: /; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 POST /p => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "POST makes its Content-Location useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; content-location: http://a.test/; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 POST /p => bypass 200 x",
            "+0 GET / => miss 200 b",
        ],
        requests: 3,
    },
    Row {
        name: "POST makes no Location of another origin useless",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; location: https://a.test/; body=x",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 POST /p => bypass 200 x",
            "+0 GET / => hit 200 a",
        ],
        requests: 2,
    },
    Row {
        name: "POST makes every variant useless",
        answers: &[
            "200; cache-control: max-age=60; vary: x; body=a",
            "200; cache-control: max-age=60; vary: x; body=b",
            "200; body=x",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &[
            "+0 GET /; x: 1 => miss 200 a",
            "+0 GET /; x: 2 => miss 200 b",
            "+0 POST / => bypass 200 x",
            "+0 GET /; x: 1 => miss 200 b",
        ],
        requests: 4,
    },
    Row {
        name: "POST leaves nothing",
        answers: &[
            "200; cache-control: max-age=60; body=a",
            "200; cache-control: max-age=60; body=b",
        ],
        steps: &["+0 POST / => bypass 200 a", "+0 GET / => miss 200 b"],
        requests: 2,
    },
    Row {
        name: "fields of the connection are not stored",
        answers: &[
            "200; cache-control: max-age=60; connection: x; x: 1; y: 1; keep-alive: 1; body=a",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET / => hit 200 a; !x; !connection; !keep-alive; y: 1",
        ],
        requests: 1,
    },
    Row {
        name: "other fields are stored",
        answers: &[
            "200; cache-control: max-age=60; set-cookie: a=b; x: 1; content-type: text/plain; body=a",
        ],
        steps: &[
            "+0 GET / => miss 200 a",
            "+0 GET / => hit 200 a; set-cookie: a=b; x: 1; content-type: text/plain",
        ],
        requests: 1,
    },
    Row {
        name: "a streamed body is stored once it was read",
        answers: &["200; cache-control: max-age=60; streamed; body=a"],
        steps: &["+0 GET / => miss 200 a", "+0 GET / => hit 200 a"],
        requests: 1,
    },
];
