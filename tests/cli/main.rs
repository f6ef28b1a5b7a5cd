//! The command line as a person meets it.

use assert_cmd::Command;

fn amity(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_amity"));
    command.env_clear().args(arguments);
    command
}

fn standard_output(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn standard_error(command: &mut Command) -> String {
    String::from_utf8(command.assert().failure().get_output().stderr.clone()).unwrap()
}

#[test]
fn help_names_every_subcommand() {
    insta::assert_snapshot!(standard_output(&mut amity(&["--help"])));
}

#[test]
fn help_of_run_names_every_flag_with_its_environment_variable_and_default() {
    insta::assert_snapshot!(standard_output(&mut amity(&["run", "--help"])));
}

#[test]
fn a_missing_owner_id_is_named() {
    let words = standard_error(&mut amity(&["run"]));
    assert!(words.contains("--owner-id <NAME>"), "{words}");
}

#[test]
fn an_owner_id_that_needs_quoting_is_refused_with_an_example() {
    let words = standard_error(&mut amity(&["run", "--owner-id", "my team"]));
    assert!(words.contains("such as platform-prod"), "{words}");
}

#[test]
fn an_environment_variable_stands_for_its_flag() {
    let mut command = amity(&["run", "--owner-id", "test"]);
    let words = standard_error(command.env("AMITY_CONSISTENCY_WINDOW", "soon"));
    assert!(
        words.contains("write a time of at least a second, such as 10m or 90s"),
        "{words}"
    );
}

#[test]
fn a_cluster_that_cannot_be_found_ends_the_process_with_a_sentence() {
    let mut command = amity(&["run", "--owner-id", "test", "--listen", "127.0.0.1:0"]);
    let words = standard_error(command.env("KUBECONFIG", "/nonexistent"));
    assert!(
        words
            .lines()
            .last()
            .unwrap_or_default()
            .starts_with("amity: "),
        "{words}"
    );
}

#[test]
fn crds_prints_both_definitions() {
    let printed = standard_output(&mut amity(&["crds"]));
    assert_eq!(
        printed.matches("kind: CustomResourceDefinition").count(),
        2,
        "{printed}"
    );
}
