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

/// How EC2 launches Windows images fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::fast_launch_has_a_target())]
pub struct FastLaunch {
    /// How many snapshots EC2 keeps ready in each region, 1 to 1000; each launch takes one, and is
    /// made good. They are stored, and billed, beside the image's own. Default: none, which switches
    /// fast launch off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_resource_count: Option<i32>,

    /// How many instances EC2 launches at a time to make them, 6 to 1000. What the images of an
    /// account may have of that together in a region is limited, to 40 unless AWS raised the quota.
    /// Default: 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 6, max = 1000))]
    pub max_parallel_launches: Option<i32>,
}

/// The least that EC2 takes (EC2 API, `EnableFastLaunch`).
const LEAST_PARALLEL_LAUNCHES: i32 = 6;

impl FastLaunch {
    /// How many instances EC2 launches at a time.
    pub fn max_parallel_launches(self) -> i32 {
        self.max_parallel_launches
            .unwrap_or(LEAST_PARALLEL_LAUNCHES)
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
