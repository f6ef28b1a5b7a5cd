//! Windows fast launch: snapshots that are made before they are needed.

use std::fmt;

use jiff::Timestamp;

/// The settings of an image that an account launches fast.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FastLaunch {
    pub state: FastLaunchState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// How many snapshots are kept.
    pub target: u32,
    pub max_parallel_launches: u32,
    pub template: Option<FastLaunchTemplate>,
    /// The snapshots that there are.
    pub snapshots: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum FastLaunchState {
    Enabling,
    EnablingFailed,
    Enabled,
    Disabling,
}

/// What the instances that make the snapshots are launched with; its version as text, as the
/// caller wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FastLaunchTemplate {
    pub id: Option<String>,
    pub name: Option<String>,
    pub version: String,
}

impl fmt::Display for FastLaunchState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Enabling => "enabling",
            Self::EnablingFailed => "enabling-failed",
            Self::Enabled => "enabled",
            Self::Disabling => "disabling",
        })
    }
}
