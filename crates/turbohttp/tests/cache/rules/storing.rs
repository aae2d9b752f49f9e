//! What is stored, and what may never be used unasked.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
