//! Methods other than GET: what they are answered by, and what they make useless.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
