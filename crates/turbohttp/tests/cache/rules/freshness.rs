//! How long an answer is fresh: max-age, Expires, Age, Date, and heuristics.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[
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
];
