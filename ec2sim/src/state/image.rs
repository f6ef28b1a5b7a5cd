//! Machine images.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lag::{Lag, View};
use crate::state::{Generalised, Guest, Platform, Viewer};

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
    /// The ARNs of the organizations and organizational units whose accounts may launch it.
    pub shared_with_organizations: BTreeSet<String>,
    /// From when on others find it only by its id.
    pub deprecation: Option<Timestamp>,
    /// Whether it can be deregistered.
    pub protection: Protection,
    /// When and how it went.
    pub deregistered: Option<Deregistered>,
    /// What runs in its machines.
    pub guest: Guest,
    /// Whether its machine was generalised, and how, when it was captured.
    pub generalised: Option<Generalised>,
    pub(crate) born: Lag,
    /// When readers see the sources above.
    pub(crate) sourced: Lag,
    pub(crate) work: Option<Work>,
}

/// Whether an image can be deregistered (docs: UG ami-deregistration-protection).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protection {
    /// It can.
    #[default]
    Disabled,
    /// It cannot.
    Enabled {
        /// Whether it still cannot in the 24 hours after the protection is disabled.
        with_cooldown: bool,
    },
    /// Its protection was disabled; it can be deregistered from then on.
    CoolingDown {
        /// The end of the 24 hours.
        until: Timestamp,
    },
}

impl Protection {
    /// Whether it keeps an image from being deregistered.
    pub fn holds(self, now: Timestamp) -> bool {
        match self {
            Self::Disabled => false,
            Self::Enabled { .. } => true,
            Self::CoolingDown { until } => now < until,
        }
    }
}

/// The end of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deregistered {
    /// When it was deregistered.
    pub at: Timestamp,
    /// Until when readers that know of it still find it listed.
    pub listed_until: Timestamp,
    /// Until when it is in the Recycle Bin.
    pub recycled_until: Option<Timestamp>,
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
    Register,
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
    pub(crate) fn visible_to(&self, viewer: Viewer<'_>) -> bool {
        let others = self.state != ImageState::Disabled && (self.public || self.shared_to(viewer));
        self.owner == viewer.account || others
    }

    /// Whether it is shared with an account, or with an organization or a unit that it is in.
    pub(crate) fn shared_to(&self, viewer: Viewer<'_>) -> bool {
        let member = || {
            let mut shared = self.shared_with_organizations.iter();
            shared.any(|arn| viewer.member_of.contains(arn))
        };
        self.shared_with.contains(viewer.account) || member()
    }

    /// Whether its deprecation has come.
    pub(crate) fn deprecated(&self, now: Timestamp) -> bool {
        self.deprecation.is_some_and(|from| from <= now)
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
    /// What is on its root disk.
    pub platform: Platform,
    /// What EC2 bills it as, and shows; none: nobody knows.
    pub billed_as: Option<Platform>,
    /// The name of its root device.
    pub root_device: String,
    /// How it boots, such as `uefi-preferred`.
    pub boot_mode: Option<String>,
    /// `hvm` or `paravirtual`.
    pub virtualization: String,
    /// Whether enhanced networking with ENA is on.
    pub ena: bool,
    /// Whether enhanced networking with the older interface is on.
    pub sriov: bool,
    /// Whether instances ask for version 2 of the metadata service unless told otherwise; once
    /// it is so, it stays so.
    pub imds_v2: bool,
}

impl Machine {
    /// A machine as they are today, of this platform.
    pub(crate) fn of(platform: Platform) -> Self {
        Self {
            architecture: "x86_64".to_owned(),
            platform,
            billed_as: Some(platform),
            root_device: "/dev/xvda".to_owned(),
            boot_mode: None,
            virtualization: "hvm".to_owned(),
            ena: true,
            sriov: true,
            imds_v2: false,
        }
    }

    /// `platform`: `windows`, or nothing.
    pub(crate) fn windows(&self) -> Option<&'static str> {
        self.billed_as
            .is_some_and(Platform::is_windows)
            .then_some("windows")
    }

    /// `platformDetails`.
    pub(crate) fn platform_details(&self) -> Option<String> {
        self.billed_as.map(|platform| platform.to_string())
    }

    /// `imdsSupport`.
    pub(crate) fn imds_support(&self) -> Option<&'static str> {
        self.imds_v2.then_some("v2.0")
    }

    /// `usageOperation`.
    pub(crate) fn usage_operation(&self) -> Option<&'static str> {
        self.billed_as.map(Platform::usage_operation)
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
