//! Every command with its flags, as clap knows them.

use std::fmt::Write;

use amity::cli::Cli;
use clap::{Arg, Command, CommandFactory};

use super::{cell, check, code};

#[test]
fn the_page_of_commands_has_every_flag() {
    let mut cli = Cli::command();
    cli.build();
    let mut page = String::from(
        "<!-- Written from src/cli/. -->\n# Commands and flags\n\nThe same is shown by `amity COMMAND --help`, and the man pages \
         are in `docs/man`. How the commands behave is in [a page of its own](../command-line.md). A flag that has an \
         environment variable may be given by it.\n",
    );
    let commands: Vec<Command> = cli.get_subcommands().cloned().collect();
    for command in commands {
        if command.get_name() != "help" {
            section(&mut page, command);
        }
    }
    check("commands.md", &page);
}

fn section(page: &mut String, mut command: Command) {
    let usage = command.render_usage().to_string();
    let said = command.get_long_about().or(command.get_about());
    let said = said.map(ToString::to_string).unwrap_or_default();
    let _ = write!(
        page,
        "\n## amity {}\n\n{}\n\n```console\n$ {}\n```\n\n| | environment | |\n| --- | --- | --- |\n",
        command.get_name(),
        said.trim(),
        usage.trim_start_matches("Usage: ").trim(),
    );
    for argument in command.get_arguments() {
        if !["help", "version"].contains(&argument.get_id().as_str()) {
            row(page, argument);
        }
    }
}

fn row(page: &mut String, argument: &Arg) {
    let value = argument.get_value_names().unwrap_or_default().join(" ");
    let takes_value = argument
        .get_num_args()
        .is_some_and(|many| many.takes_values());
    let value = if takes_value { value } else { String::new() };
    let long = argument.get_long().map(|long| format!("--{long} {value}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let names: Vec<_> = [short, long].into_iter().flatten().collect();
    let name = if names.is_empty() {
        value
    } else {
        names.join(", ")
    };
    let variable = argument.get_env().map(|name| code(&name.to_string_lossy()));
    let mut said = argument
        .get_long_help()
        .or(argument.get_help())
        .map_or(String::new(), ToString::to_string);
    if takes_value {
        let values: Vec<_> = argument
            .get_possible_values()
            .iter()
            .map(|value| code(value.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(said, ". {}", values.join(" or "));
        }
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|one| code(&one.to_string_lossy()))
            .collect();
        if !defaults.is_empty() {
            let _ = write!(said, ". Default: {}", defaults.join(" "));
        }
    }
    let must = if argument.is_required_set() {
        " **Required**."
    } else {
        ""
    };
    let _ = writeln!(
        page,
        "| {} | {} | {}.{must} |",
        code(name.trim()),
        variable.unwrap_or_default(),
        cell(said.trim_end_matches('.'))
    );
}
