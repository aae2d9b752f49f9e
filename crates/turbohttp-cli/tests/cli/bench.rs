//! `turbohttp bench`: its report, and its exit codes.

use serde_json::Value;

use super::support::{Directory, run};

#[test]
fn a_gate_that_another_file_tightens_is_missed_and_named() {
    let directory = Directory::new();
    let file = directory.write(
        "gates.toml",
        "[pooling_saves_min]\nbuffers = 2 # more than there is\n",
    );
    let run = run(&["bench", "--quick", "--json", "--gate", &file]);
    run.fails_with(3, &["1 gate missed: pooling_saves_min.buffers (buffers)"]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    for field in [
        "cpu", "cores", "os", "rustc", "target", "profile", "features",
    ] {
        assert!(
            !report["environment"][field].is_null(),
            "{field} is not in {report}"
        );
    }
    let gates = report["gates"].as_array().unwrap();
    let missed: Vec<&Value> = gates.iter().filter(|gate| gate["holds"] == false).collect();
    assert_eq!(missed.len(), 1, "{missed:?}");
    for section in [
        "allocations_max",
        "bytes_allocated_max",
        "requests_per_second_min",
        "leaks_max",
    ] {
        let is_of = |gate: &Value| gate["id"].as_str().unwrap().starts_with(section);
        assert!(gates.iter().any(is_of), "nothing of {section} was measured");
    }
}

#[test]
fn a_bad_file_of_bounds_is_a_mistake_of_who_typed_it() {
    let directory = Directory::new();
    let file = directory.write("gates.toml", "[allocations_max]\nget = many\n");
    run(&["bench", "--gate", &file]).fails_with(2, &["gates.toml:2: "]);
    let file = directory.write("other.toml", "# mine\n[allocations_max]\n\ngot = 1\n");
    run(&["bench", "--gate", &file])
        .fails_with(2, &["other.toml:4: there is no gate allocations_max.got"]);
    run(&["bench", "--gate", &directory.file("none")]).fails_with(2, &["none cannot be read"]);
}
