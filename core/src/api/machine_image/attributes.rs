//! What EC2 lets change of an image after it was made.

use jiff::SignedDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duration;
use crate::api::rules;

/// From when on EC2 calls images deprecated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deprecation {
    /// How long after EC2 made it an image is deprecated: hours (h), minutes (m) and seconds (s),
    /// for example 2160h for ninety days, at most 87600h; EC2 counts in minutes. An image that is
    /// older already is deprecated at once. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::deprecation_after())]
    pub after: Option<String>,

    /// What becomes of a superseded revision that spec.retention keeps: Keep (the default) leaves
    /// its deprecation as it is, DeprecateAtOnce deprecates it when it is superseded and names its
    /// successor in the tag amity.dev/successor. Going back to it takes that back.
    #[serde(default)]
    pub superseded: SupersededImages,
}

// As for Reboot: the field explains the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum SupersededImages {
    #[default]
    Keep,
    DeprecateAtOnce,
}

impl Deprecation {
    /// How long after EC2 made it an image is deprecated; never, if `None` or what the API server
    /// refuses.
    pub fn after(&self) -> Option<SignedDuration> {
        duration::parse(self.after.as_ref()?)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum DeregistrationProtection {
    Disabled,
    Enabled,
    EnabledWithCooldown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum ImdsSupport {
    #[serde(rename = "v2.0")]
    V2,
}
