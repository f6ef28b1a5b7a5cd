//! What a world holds: accounts, regions, instances, snapshots, images.
//!
//! Everything is ordered and hashable, so that two worlds can be compared as wholes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lag::{Lag, Lagged, View};

/// Tags as one account sees them.
pub type Tags = BTreeMap<String, String>;

/// An AWS account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Account {
    /// What EC2 calls it in `imageOwnerAlias`, such as `amazon`.
    pub alias: Option<String>,
    /// The opt-in regions that it has enabled.
    pub opted_in: BTreeSet<String>,
    /// Its roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Its settings by region.
    pub places: BTreeMap<String, Place>,
}

/// A role that other accounts may assume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Role {
    /// The accounts whose principals may assume it.
    pub trusts: BTreeSet<String>,
    /// What the caller must give as `ExternalId`.
    #[serde(default)]
    pub external_id: Option<String>,
}

/// The settings of an account in a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Whether new snapshots are encrypted although nobody asked.
    pub encryption_by_default: bool,
    /// The ARN of the key used when none is named; none: the AWS managed key `aws/ebs`.
    pub default_key: Option<String>,
    /// The ARNs of the keys that a copy takes and then fails with.
    pub broken_keys: BTreeSet<String>,
}

/// Who has an access key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Principal {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// Temporary credentials: their token and their end.
    pub session: Option<(String, Timestamp)>,
}

/// What a region holds, of all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Region {
    /// Whether an account must opt in before it can use it.
    pub opt_in: bool,
    /// Images by id, deregistered ones too.
    pub images: BTreeMap<String, Image>,
    /// Snapshots by id, deleted ones too.
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Instances by id.
    pub instances: BTreeMap<String, Instance>,
    /// Tags by resource and by the account that set them: tags on somebody else's public image
    /// are visible only to who set them (docs: `Using_Tags`).
    pub(crate) tags: BTreeMap<String, BTreeMap<String, Lagged<Tags>>>,
}

impl Region {
    /// The tags of a resource as `account` wrote them last.
    pub fn tags(&self, resource: &str, account: &str) -> Tags {
        let lagged = self
            .tags
            .get(resource)
            .and_then(|by_account| by_account.get(account));
        lagged.map(|tags| tags.latest().clone()).unwrap_or_default()
    }

    pub(crate) fn tags_seen(&self, resource: &str, account: &str, view: View) -> Tags {
        let lagged = self
            .tags
            .get(resource)
            .and_then(|by_account| by_account.get(account));
        lagged
            .map(|tags| tags.read(view).clone())
            .unwrap_or_default()
    }

    /// Sets the tags that a resource is born with; they are seen whenever the resource is.
    pub(crate) fn born_with_tags(&mut self, resource: &str, account: &str, tags: Tags) {
        if !tags.is_empty() {
            let by_account = self.tags.entry(resource.to_owned()).or_default();
            by_account.insert(account.to_owned(), Lagged::new(tags));
        }
    }
}

/// The state of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageState {
    /// Being made.
    Pending,
    /// Can be launched.
    Available,
    /// Could not be made; final.
    Failed,
    /// Hidden by its owner.
    Disabled,
    /// Gone, and listed for a short while more.
    Deregistered,
}

impl fmt::Display for ImageState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Deregistered => "deregistered",
        })
    }
}

/// Why something is in its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct StateReason {
    /// For programs.
    pub code: String,
    /// For persons.
    pub message: String,
}

/// An Amazon Machine Image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// `ami-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// Its name; copies of one account and region may share it.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// What its instances are.
    pub machine: Machine,
    /// When it was asked for.
    pub created: Timestamp,
    /// Its state, whatever readers see yet.
    pub state: ImageState,
    /// Why it failed.
    pub reason: Option<StateReason>,
    /// Its block devices.
    pub devices: Vec<Device>,
    /// The instance that it was captured from.
    pub source_instance: Option<String>,
    /// Region and id of the image that it was copied from, or that its instance was launched from.
    pub source_image: Option<(String, String)>,
    /// Whether everybody may launch it.
    pub public: bool,
    /// The accounts that may launch it.
    pub shared_with: BTreeSet<String>,
    /// When and how it went.
    pub deregistered: Option<Deregistered>,
    pub(crate) born: Lag,
    pub(crate) work: Option<Work>,
}

/// The end of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deregistered {
    /// When it was deregistered.
    pub at: Timestamp,
    /// Until when readers that know of it still find it listed.
    pub listed_until: Timestamp,
    pub(crate) lag: Lag,
}

/// What is being done to make a pending image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Work {
    pub kind: WorkKind,
    pub failure: Option<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum WorkKind {
    Capture { reboots: bool },
    Copy { region: String, image: String },
}

/// How a copy will fail: what the image says and what its snapshots say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Failure {
    pub reason: StateReason,
    pub snapshots_say: String,
}

impl Image {
    /// The state that a reader sees; none if it does not find the image.
    pub(crate) fn seen(&self, view: View) -> Option<ImageState> {
        if !self.born.seen(view) {
            return None;
        }
        match &self.deregistered {
            Some(end) if end.lag.seen(view) => {
                (view.now < end.listed_until).then_some(ImageState::Deregistered)
            }
            _ => Some(self.state),
        }
    }

    /// Whether an account may see it at all.
    pub(crate) fn visible_to(&self, account: &str) -> bool {
        let others = self.state != ImageState::Disabled
            && (self.public || self.shared_with.contains(account));
        self.owner == account || others
    }

    /// Whether it is there and uses this snapshot.
    pub fn uses(&self, snapshot: &str) -> bool {
        self.deregistered.is_none() && self.maps(snapshot)
    }

    pub(crate) fn maps(&self, snapshot: &str) -> bool {
        self.snapshot_ids().any(|id| id == snapshot)
    }

    /// The snapshots of its devices.
    pub fn snapshot_ids(&self) -> impl Iterator<Item = &str> {
        self.devices
            .iter()
            .filter_map(|device| device.ebs.as_ref()?.snapshot.as_deref())
    }
}

/// What an image and its instances have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    /// `x86_64`, `arm64`, …
    pub architecture: String,
    /// Whether it runs Windows.
    pub windows: bool,
    /// The name of its root device.
    pub root_device: String,
    /// How it boots, such as `uefi-preferred`.
    pub boot_mode: Option<String>,
}

impl Machine {
    pub(crate) fn platform(&self) -> Option<&'static str> {
        self.windows.then_some("windows")
    }

    pub(crate) fn platform_details(&self) -> &'static str {
        if self.windows {
            "Windows"
        } else {
            "Linux/UNIX"
        }
    }

    pub(crate) fn usage_operation(&self) -> &'static str {
        if self.windows {
            "RunInstances:0002"
        } else {
            "RunInstances"
        }
    }
}

/// A block device of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Device {
    /// The name, such as `/dev/xvda`.
    pub name: String,
    /// What it is, unless it is an instance store.
    pub ebs: Option<Ebs>,
    /// The instance store, such as `ephemeral0`.
    pub virtual_name: Option<String>,
}

/// The volume that a device becomes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ebs {
    /// What it is filled from; none: an empty volume.
    pub snapshot: Option<String>,
    /// Its size in GiB.
    pub size_gib: u64,
    /// `gp3`, `io2`, …
    pub volume_type: String,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
}

/// The state of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SnapshotState {
    /// Being made.
    Pending,
    /// Done.
    Completed,
    /// Could not be made; final.
    Error,
}

impl fmt::Display for SnapshotState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        })
    }
}

/// An EBS snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// The account that it belongs to.
    pub owner: String,
    /// The volume it was made from; arbitrary for copies.
    pub volume: String,
    /// The size of that volume in GiB.
    pub size_gib: u64,
    /// Free text.
    pub description: String,
    /// The ARN of the key it is encrypted with.
    pub key: Option<String>,
    /// When it was asked for.
    pub started: Timestamp,
    /// When it will be, or was, done.
    pub ends: Timestamp,
    /// Its state, whatever readers see yet.
    pub state: SnapshotState,
    /// Why it is in error.
    pub message: Option<String>,
    /// Whether everybody may use it.
    pub public: bool,
    /// The accounts that may use it.
    pub shared_with: BTreeSet<String>,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    pub(crate) born: Lag,
    pub(crate) gone: Option<Lag>,
    /// Whether it is made by a copy, for the limit on those.
    pub(crate) copied: bool,
}

impl Snapshot {
    pub(crate) fn seen(&self, view: View) -> bool {
        self.born.seen(view) && !self.gone.is_some_and(|lag| lag.seen(view))
    }

    pub(crate) fn usable_by(&self, account: &str) -> bool {
        self.owner == account || self.public || self.shared_with.contains(account)
    }

    /// How much is done, in per cent.
    pub(crate) fn progress(&self, now: Timestamp) -> u64 {
        match self.state {
            SnapshotState::Completed => 100,
            SnapshotState::Pending | SnapshotState::Error => {
                let whole = self.ends.duration_since(self.started).as_millis().max(1);
                let done = now.duration_since(self.started).as_millis().clamp(0, whole);
                u64::try_from(done * 99 / whole).unwrap_or_default()
            }
        }
    }
}

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
