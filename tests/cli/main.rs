//! The command line as a person meets it.

mod links;
mod pages;
mod plan;
mod tutorial;

use std::fs;
use std::path::Path;

use amity::cli::Cli;
use assert_cmd::Command;
use clap::CommandFactory;

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
fn status_without_manifests_is_that_of_a_cluster() {
    let mut command = amity(&["status", "--owner-id", "test"]);
    let words = standard_error(command.env("KUBECONFIG", "/nonexistent"));
    assert!(words.starts_with("amity: "), "{words}");
    let words = standard_error(&mut amity(&["status", "--owner-id", "test", "--recursive"]));
    assert!(words.contains("--filename <FILE>"), "{words}");
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

#[test]
fn a_reason_is_explained() {
    let explained = standard_output(&mut amity(&["explain", "NotGranted"]));
    assert!(explained.contains("What to do: "), "{explained}");
    let words = standard_error(&mut amity(&["explain", "Granted"]));
    assert!(words.contains("perhaps NotGranted"), "{words}");
}

#[test]
fn one_command_without_anything_shows_it_at_work() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/course");
    let mut command = amity(&["apply", "--simulate", "-f", examples, "--owner-id", "demo"]);
    let output = command.assert().success().get_output().stderr.clone();
    let words = String::from_utf8(output).unwrap();
    assert!(words.contains("Ready "), "{words}");
}

#[test]
fn as_a_plugin_it_calls_itself_so() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = folder.path().join("kubectl-amity");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_amity"), &plugin).unwrap();
    let help = standard_output(Command::new(&plugin).arg("--help"));
    assert!(help.contains("Usage: kubectl amity <COMMAND>"), "{help}");
}

#[test]
fn shells_are_told_how_a_line_may_go_on() {
    let mut command = amity(&[]);
    let script = standard_output(command.env("COMPLETE", "bash"));
    assert!(script.contains("complete "), "{script}");
}

#[test]
fn there_is_a_man_page_for_each_command() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man");
    let fresh = tempfile::tempdir().unwrap();
    clap_mangen::generate_to(Cli::command(), fresh.path()).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        clap_mangen::generate_to(Cli::command(), &kept).unwrap();
    }
    for page in fs::read_dir(fresh.path()).unwrap() {
        let name = page.unwrap().file_name();
        let read = |folder: &Path| fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert!(
            read(fresh.path()) == read(&kept),
            "docs/man/{} is not what the source says; run the tests with UPDATE_DOCS=1",
            name.display()
        );
    }
}
