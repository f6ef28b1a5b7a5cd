//! EC2 Fast Launch of Windows images: snapshots that EC2 makes before they are needed, by launching instances of the image
//! (EC2 User Guide, "Use EC2 Fast Launch for your Windows instances"). No list of images shows it, and it has no tags: what
//! is on for an image that is ours is ours to change.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::observed::Unreadable;
use crate::api;

/// How fast launch is set for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FastLaunchSettings {
    /// `SnapshotConfiguration.TargetResourceCount`: how many snapshots are kept ready.
    pub target_resource_count: i32,
    /// `MaxParallelLaunches`: how many instances EC2 launches at a time to make them.
    pub max_parallel_launches: i32,
}

/// What the spec says of fast launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WantedFastLaunch {
    /// No image of the object's has it.
    Off,
    /// The published images have it.
    On(FastLaunchSettings),
}

impl From<api::FastLaunch> for WantedFastLaunch {
    fn from(asked: api::FastLaunch) -> Self {
        let on = |target_resource_count| {
            Self::On(FastLaunchSettings {
                target_resource_count,
                max_parallel_launches: asked.max_parallel_launches(),
            })
        };
        asked.target_resource_count.map_or(Self::Off, on)
    }
}

/// EC2's word for how far it is (EC2 API, `FastLaunchStateCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FastLaunchState {
    /// Snapshots are being made for the first time.
    Enabling,
    /// They could not be made.
    EnablingFailed,
    /// It is on.
    Enabled,
    /// It is on, and no more snapshots can be made.
    EnabledFailed,
    /// The snapshots are being removed.
    Disabling,
    /// They could not be removed.
    DisablingFailed,
}

impl FastLaunchState {
    /// Whether it changes by itself.
    pub fn is_changing(self) -> bool {
        matches!(self, Self::Enabling | Self::Disabling)
    }
}

impl fmt::Display for FastLaunchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabling => "enabling",
            Self::EnablingFailed => "enabling-failed",
            Self::Enabled => "enabled",
            Self::EnabledFailed => "enabled-failed",
            Self::Disabling => "disabling",
            Self::DisablingFailed => "disabling-failed",
        })
    }
}

/// What EC2 says of the fast launch of an image that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastLaunch {
    /// How it is set.
    pub settings: FastLaunchSettings,
    /// How far it is.
    pub state: FastLaunchState,
    /// EC2's words for why it came to that (`StateTransitionReason`).
    pub reason: Option<String>,
    /// Since when it is so (`StateTransitionTime`).
    pub since: Option<Timestamp>,
}

impl FastLaunch {
    /// When it is worth looking again, if it changes by itself: EC2 tells no progress, so that it is asked after a third of
    /// the time that it took so far.
    pub fn looks_again(&self, now: Timestamp) -> Option<Timestamp> {
        let took = now.duration_since(self.since.unwrap_or(now));
        let wait = (took / 3).clamp(LOOKS_AGAIN_AFTER.0, LOOKS_AGAIN_AFTER.1);
        self.state.is_changing().then(|| now + wait)
    }
}

/// At least and at most.
const LOOKS_AGAIN_AFTER: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(5), SignedDuration::from_mins(1));

/// The fast launch of the images of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FastLaunchView {
    /// Of the images that have it, by their ids; of no other.
    Known(BTreeMap<String, FastLaunch>),
    /// It could not be read.
    Unknown(Unreadable),
}

/// `targetResourceCount=5 maxParallelLaunches=6`
impl fmt::Display for FastLaunchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "targetResourceCount={} maxParallelLaunches={}",
            self.target_resource_count, self.max_parallel_launches
        )
    }
}
