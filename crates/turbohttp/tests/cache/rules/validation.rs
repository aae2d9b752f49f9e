//! Validation: a 304 and what it changes, and conditions of the caller's own.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
