//! Instances and their volumes.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::Machine;

/// The state of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Up.
    #[default]
    Running,
    /// On its way down for good.
    ShuttingDown,
    /// Gone, and listed for a while.
    Terminated,
    /// On its way down.
    Stopping,
    /// Down.
    Stopped,
}

impl InstanceState {
    /// The code of the model's `InstanceState`.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// A virtual machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// `i-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// Its state.
    pub state: InstanceState,
    /// The image that it was launched from.
    pub image: String,
    /// `t3.micro`, …
    pub instance_type: String,
    /// What it has from its image.
    pub machine: Machine,
    /// When it was launched.
    pub launched: Timestamp,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// Every reboot, with the image that caused it.
    pub reboots: Vec<Reboot>,
}

/// An attached EBS volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Volume {
    /// `vol-…`
    pub id: String,
    /// The device that it is attached as.
    pub device: String,
    /// Its size in GiB.
    pub size_gib: u64,
    /// `gp3`, `io2`, …
    pub volume_type: String,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// The ARN of the key it is encrypted with.
    pub key: Option<String>,
}

/// A reboot that `CreateImage` caused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Reboot {
    /// When.
    pub at: Timestamp,
    /// For which image.
    pub image: String,
}
