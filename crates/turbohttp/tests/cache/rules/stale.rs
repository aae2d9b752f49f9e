//! Stale answers that may be used all the same, and until when.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
