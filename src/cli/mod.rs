//! The command line: one file a subcommand.

pub mod crds;
pub mod run;

use clap::{Parser, Subcommand};

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
    /// Print the custom resource definitions, or write them to a folder.
    Crds(crds::Crds),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What the subcommand could not do, in a sentence for whoever typed it.
    pub fn run(self) -> Result<(), Error> {
        match self.command {
            Command::Run(run) => run.run(),
            Command::Crds(crds) => crds.run().map_err(Into::into),
        }
    }
}
