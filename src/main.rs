//! Parses the arguments and dispatches.

use std::process::ExitCode;

use clap::Parser;

/// What reading tens of thousands of images takes is given back to the system within a second; glibc's allocator keeps
/// a tenth more, in pieces among what lives long, and takes a fifth more processor time at that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match amity::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("amity: {error}");
            ExitCode::FAILURE
        }
    }
}
