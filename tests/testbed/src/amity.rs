//! `amity run` as a process, to be killed and started again at will.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::control_plane::free_ports;
use crate::leash::{Leash, PartFolder};
use crate::{Error, Process, eventually, get_text};

const READY_WITHIN: Duration = Duration::from_mins(1);
const STOPS_WITHIN: Duration = Duration::from_mins(1);

/// A controller that runs, or did.
pub struct Amity {
    process: Process,
    command: Command,
    address: SocketAddr,
    // Last: the process writes into it until it has ended.
    folder: PartFolder,
}

impl Amity {
    /// Starts `amity run` as the user of `kubeconfig` against the EC2 at `endpoint`, with further
    /// `arguments`; `--listen`, for probes and metrics, is a free loopback port.
    ///
    /// Of AWS it knows nothing but the endpoint and a made-up access key: whatever the environment
    /// says of real accounts is withheld from it.
    ///
    /// # Errors
    /// Where it cannot be started. What it says and does later is seen by [`Amity::wait_ready`].
    pub fn start(
        binary: &Path,
        kubeconfig: &Path,
        endpoint: &str,
        arguments: &[&str],
    ) -> Result<Self, Error> {
        Self::start_with(binary, kubeconfig, endpoint, arguments, &[])
    }

    /// As [`Amity::start`], with further variables in its environment, for example
    /// `AWS_ACCESS_KEY_ID` for another account, or `AMITY_LOG`.
    ///
    /// # Errors
    /// As [`Amity::start`].
    pub fn start_with(
        binary: &Path,
        kubeconfig: &Path,
        endpoint: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let folder = Leash::get()?.folder("amity")?;
        let [port] = free_ports()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = Command::new(binary);
        command
            .arg("run")
            .arg("--listen")
            .arg(address.to_string())
            .args(arguments);
        withhold_environment(&mut command);
        command
            .env("KUBECONFIG", kubeconfig)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAEC2SIMHOME000001")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            )
            .envs(environment.iter().copied());
        let process = Process::start(&mut command, &folder.path().join("log"))?;
        Ok(Self {
            process,
            command,
            address,
            folder,
        })
    }

    /// Where it answers probes and metrics.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until `/readyz` succeeds.
    ///
    /// # Errors
    /// [`Error::Ended`] where it stopped instead, [`Error::NotSeen`] after a minute; both quote its
    /// log.
    pub fn wait_ready(&mut self) -> Result<(), Error> {
        let readyz = format!("http://{}/readyz", self.address);
        eventually(READY_WITHIN, "amity is ready", || {
            if let Err(ended) = self.process.check_running() {
                return Ok(Err(ended));
            }
            match get_text(&readyz) {
                Ok(_) => Ok(Ok(())),
                Err(error) => Err(format!("{error}\n{}", self.process.telling_lines())),
            }
        })?
    }

    /// The text at `/metrics`.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn metrics(&self) -> Result<String, Error> {
        get_text(&format!("http://{}/metrics", self.address))
    }

    /// Kills it (SIGKILL), as a node that fails does.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Whether it says that it is the one of all replicas that acts. What cannot be asked does not lead.
    pub fn leads(&self) -> bool {
        self.metrics()
            .is_ok_and(|metrics| metrics.lines().any(|line| line == "amity_leader 1"))
    }

    /// Asks it to stop (SIGTERM), as the kubelet does, and answers how it ended.
    ///
    /// # Errors
    /// [`Error::NotSeen`] where it still runs after a minute.
    pub fn terminate(&mut self) -> Result<ExitStatus, Error> {
        self.process.terminate(STOPS_WITHIN)
    }

    /// Starts it again just as before, killing what still runs. The log goes on.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill9();
        self.process = Process::start(&mut self.command, &self.folder.path().join("log"))?;
        Ok(())
    }

    /// What it wrote so far, over all its starts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process: its number, its memory, its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Nothing that is started here may ever reach a real account, or depend on who starts it.
fn withhold_environment(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if ["AWS_", "AMITY_", "OTEL_"]
            .iter()
            .any(|ours| name.to_string_lossy().starts_with(ours))
        {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
}
