//! Parses the arguments and dispatches.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match amity::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("amity: {error}");
            ExitCode::FAILURE
        }
    }
}
