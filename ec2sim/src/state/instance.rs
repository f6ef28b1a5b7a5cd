//! Instances and their volumes.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::{ConsoleLine, Generalised, Guest, LaunchData, Machine, Platform, StateReason};

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
    /// Its zone, such as `us-east-1a`.
    pub zone: String,
    /// Where it is attached; none where the world file does not say.
    pub network: Option<Attached>,
    /// What its launch asked for, that of its template included.
    pub asked: LaunchData,
    /// The token of its launch.
    pub client_token: Option<String>,
    /// Its instance profile.
    pub profile: Option<UsedProfile>,
    /// Why it is in its state.
    pub reason: Option<StateReason>,
    /// The same for persons, with the time.
    pub transition: String,
    /// How often its state has changed: what was to happen in an earlier one does not.
    pub episode: u32,
    /// How often it was started.
    pub boots: u32,
    /// When it began to run.
    pub booted: Option<Timestamp>,
    /// What runs in it.
    pub guest: Guest,
    /// What Sysprep left behind; the next start undoes it.
    pub generalised: Option<Generalised>,
    /// Whether the first `EC2Launch` was told to run at the next start.
    pub scheduled: bool,
    /// What it wrote on its console.
    pub console: Vec<ConsoleLine>,
}

/// Where an instance is attached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attached {
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// Its security groups: id and name.
    pub groups: Vec<(String, String)>,
}

/// The instance profile of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsedProfile {
    /// Its ARN.
    pub arn: String,
    /// `AIPA…`
    pub id: String,
    /// Whether its role lets the agent of Systems Manager register.
    pub systems_manager: bool,
}

/// A volume without an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DetachedVolume {
    /// The account that it belongs to.
    pub owner: String,
    /// Its zone.
    pub zone: String,
    /// When it was made.
    pub created: Timestamp,
    /// The volume.
    pub volume: Volume,
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
    /// The snapshot that it was filled from.
    pub snapshot: Option<String>,
}

/// A reboot that `CreateImage` caused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Reboot {
    /// When.
    pub at: Timestamp,
    /// For which image.
    pub image: String,
}

impl Instance {
    /// An instance of which nothing is said, running.
    pub(crate) fn new() -> Self {
        Self {
            id: String::new(),
            owner: String::new(),
            state: InstanceState::Running,
            image: String::new(),
            instance_type: String::new(),
            machine: Machine::of(Platform::Linux),
            launched: Timestamp::UNIX_EPOCH,
            volumes: Vec::new(),
            reboots: Vec::new(),
            zone: String::new(),
            network: None,
            asked: LaunchData::default(),
            client_token: None,
            profile: None,
            reason: None,
            transition: String::new(),
            episode: 0,
            boots: 0,
            booted: None,
            guest: Guest::default(),
            generalised: None,
            scheduled: false,
            console: Vec::new(),
        }
    }
}
