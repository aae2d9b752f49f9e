//! The rules one by one. The cases are those that a private cache meets; time is that of the test.

use crate::table::{Row, run};

mod freshness;
mod methods;
mod requests;
mod selection;
mod stale;
mod storing;
mod validation;

const ROWS: [&[Row]; 7] = [
    freshness::ROWS,
    storing::ROWS,
    requests::ROWS,
    selection::ROWS,
    validation::ROWS,
    stale::ROWS,
    methods::ROWS,
];

#[tokio::test]
async fn every_row_holds() {
    let mut failures = Vec::new();
    for row in ROWS.into_iter().flatten() {
        failures.extend(run(row).await.err());
    }
    assert!(failures.is_empty(), "{failures:#?}");
}
