//! Which of several answers a request selects: Vary, queries, credentials.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
