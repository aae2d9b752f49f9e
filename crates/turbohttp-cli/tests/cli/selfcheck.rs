//! `turbohttp selfcheck`: its report, and its exit codes.

use serde_json::Value;

use super::support::{Directory, run};

#[test]
fn a_gate_that_another_file_tightens_is_missed_and_named() {
    let directory = Directory::new();
    let file = directory.write(
        "gates.toml",
        "[pooling_saves_min]\nbuffers = 2 # more than there is\n",
    );
    let run = run(&["selfcheck", "--quick", "--json", "--gate", &file]);
    run.fails_with(3, &["missed: ", "pooling_saves_min.buffers (buffers)"]);
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
    let missed = gates.iter().filter(|gate| gate["holds"] == false);
    let missed: Vec<&str> = missed.map(|gate| gate["id"].as_str().unwrap()).collect();
    assert!(missed.contains(&"pooling_saves_min.buffers"), "{missed:?}");
    // A machine that is busy with other tests may miss a time; what is counted it may not.
    let is_counted = |id: &&str| id.contains("allocat") || id.starts_with("leaks_max");
    assert!(!missed.iter().any(is_counted), "{missed:?}");
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
    run(&["selfcheck", "--gate", &file]).fails_with(2, &["gates.toml:2: "]);
    let file = directory.write("other.toml", "# mine\n[allocations_max]\n\ngot = 1\n");
    run(&["selfcheck", "--gate", &file])
        .fails_with(2, &["other.toml:4: there is no gate allocations_max.got"]);
    run(&["selfcheck", "--gate", &directory.file("none")]).fails_with(2, &["none cannot be read"]);
    let file = directory.write("counts.toml", "[instructions_max]\nget = 1\n");
    run(&["selfcheck", "--gate", &file]).fails_with(
        2,
        &["counts.toml:1: instructions_max is counted by `cargo xtask gates`"],
    );
    let aims = "[by_hand_requests_per_second_min]\none_core = 1\n";
    let file = directory.write("aims.toml", aims);
    run(&["selfcheck", "--quick", "--gate", &file])
        .fails_with(2, &["aims.toml:1: ", "is not looked at with --quick"]);
}

#[test]
fn the_help_names_the_exit_code_of_a_miss_and_the_bounds_of_a_file() {
    let run = run(&["selfcheck", "--help"]);
    let help = String::from_utf8_lossy(&run.stdout);
    // Wherever the lines are broken.
    let help: Vec<&str> = help.split_whitespace().collect();
    let help = help.join(" ");
    for said in ["3 if a gate was missed", "cargo xtask gates", "by_hand_"] {
        assert!(help.contains(said), "{said}: {help}");
    }
}
