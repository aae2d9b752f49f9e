//! What a request says of the answers that it takes.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
