//! How others learn which image to launch.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// How others learn which image to launch, besides the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// Tags that only the published images have, at most 6, for whoever selects images by their
    /// tags, as Karpenter's amiSelectorTerms do. They are put on when the revision is complete
    /// everywhere and taken off an image when another one is published in its stead. The keys are
    /// as those of spec.tags, and none of them. For example `channel: stable`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 6, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(
        validation = rules::tag_keys_have_a_length(),
        validation = rules::tag_keys_are_not_reserved()
    )]
    pub tags: BTreeMap<String, String>,
}
