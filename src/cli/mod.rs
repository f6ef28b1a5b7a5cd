//! The command line: one file a subcommand.

mod accounts;
pub mod apply;
pub mod cluster;
pub mod crds;
pub mod explain;
pub mod import;
pub mod look;
pub mod manifests;
pub mod plan;
pub mod run;
#[cfg(feature = "simulate")]
mod simulate;
pub mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::aws::calls::EC2Calls;
use crate::aws::session::Sessions;
use crate::clock::Clock;

/// Why a subcommand failed, for a person.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Makes, copies, publishes and retires Amazon Machine Images until EC2 matches what Kubernetes asks for.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[expect(clippy::doc_markdown, reason = "help prints it as it stands")]
    /// Run the controller.
    ///
    /// Of several replicas one acts and the others stand by: they agree by the Lease amity.
    ///
    /// The cluster is the one of the kubeconfig (KUBECONFIG), or else the one that the process runs in. AWS
    /// credentials are found as by every AWS client; AWS_ENDPOINT_URL stands for AWS where it is set.
    Run(Box<run::Run>),
    /// Print what would be done, and do nothing.
    ///
    /// The manifests are read from files; without --context nothing but them and EC2 is asked. What the plan says is what
    /// the controller would do, since it plans with the same code. AWS credentials are found as by every AWS client, and
    /// need only what deploy/iam/plan.json allows.
    Plan(plan::Plan),
    /// Do it, without a cluster.
    ///
    /// The same controller as in a cluster, until EC2 matches the manifests. It can be stopped at any moment and started
    /// again, here or elsewhere: EC2 is the database. One at a time is enough; two do no harm.
    Apply(apply::Apply),
    #[expect(clippy::doc_markdown, reason = "help prints it as it stands")]
    /// Show the images and snapshots of each MachineImage, and those of none.
    Status(status::Status),
    /// Print manifests that take over images which others made, by hand or with Packer.
    Import(import::Import),
    /// Say what a reason of a condition means, and what to do.
    Explain(explain::Explain),
    /// Print the custom resource definitions, or write them to a folder.
    Crds(crds::Crds),
}

/// As which file the program is a plugin of kubectl.
const PLUGIN: &str = "kubectl-amity";

impl Cli {
    /// What was typed. A mistake in it, or a question for help, ends the process.
    pub fn from_arguments() -> Self {
        let called = std::env::args_os().next().map(PathBuf::from);
        let is_plugin =
            called.is_some_and(|path| path.file_stem().is_some_and(|name| name == PLUGIN));
        let command = if is_plugin {
            Self::command().bin_name(PLUGIN.replace('-', " "))
        } else {
            Self::command()
        };
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// Does what was asked for.
    ///
    /// # Errors
    /// What the subcommand could not do, in a sentence for whoever typed it.
    pub fn run(self) -> Result<ExitCode, Error> {
        match self.command {
            Command::Run(run) => run.run().map(|()| ExitCode::SUCCESS),
            Command::Plan(plan) => in_runtime(plan.run()),
            Command::Apply(apply) => in_runtime(apply.run()),
            Command::Status(status) => in_runtime(status.run()),
            Command::Import(import) => in_runtime(import.run()),
            Command::Explain(explain) => explain.run().map(|()| ExitCode::SUCCESS),
            Command::Crds(crds) => Ok(crds.run().map(|()| ExitCode::SUCCESS)?),
        }
    }
}

fn in_runtime<T>(task: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime()?.block_on(task)
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// The time, and AWS with the credentials of the environment.
async fn aws() -> (Clock, Sessions) {
    let clock = Clock::real();
    let sessions = Sessions::from_environment(clock.clone(), EC2Calls::default()).await;
    (clock, sessions)
}
