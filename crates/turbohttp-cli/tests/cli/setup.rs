//! What is installed beside the command.

use std::fs;
#[cfg(unix)]
use std::process::Command;

use super::support::{Directory, run};

#[test]
fn completions_know_the_commands_and_their_options() {
    for shell in ["bash", "fish", "zsh"] {
        let run = run(&["completions", shell]);
        run.is_quietly_ok();
        for word in ["batch", "selfcheck", "write-out", "skip-existing"] {
            // A build without `selfcheck` has none.
            let is_built = word != "selfcheck" || cfg!(feature = "selfcheck");
            assert!(run.text().contains(word) || !is_built, "{shell}: {word}");
        }
    }
    run(&["completions", "tcsh"]).fails_with_usage();
}

#[cfg(unix)]
#[test]
fn bash_takes_its_completions() {
    let script = run(&["completions", "bash"]);
    let directory = Directory::new();
    let file = directory.write("turbohttp", script.text());
    let checked = Command::new("bash").args(["-n", &file]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn every_command_has_a_man_page() {
    let directory = Directory::new();
    let target = directory.file("man/man1");
    run(&["man", &target]).is_quietly_ok();
    for name in [
        "turbohttp.1",
        "turbohttp-get.1",
        "turbohttp-batch.1",
        "turbohttp-bench.1",
    ] {
        let page = fs::read_to_string(directory.path().join("man/man1").join(name)).unwrap();
        assert!(page.contains(".TH"), "{name}");
    }
    let file = directory.write("file", "");
    run(&["man", &file]).fails_with(1, &["man pages cannot be written to"]);
}
