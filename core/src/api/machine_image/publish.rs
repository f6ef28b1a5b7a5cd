//! How others learn which image to launch.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// How others learn which image to launch, besides the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// A ConfigMap in this object's namespace that Amity writes and keeps: a key for each region, or
    /// ACCOUNT.REGION for those of spec.accounts, and as its value the id of the image that is
    /// published there. It is written when the
    /// revision is published everywhere, and deleted with this object. One of that name which is
    /// not this object's is left alone. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::config_map_name())]
    pub config_map_name: Option<String>,

    /// A parameter of Systems Manager that Amity writes and keeps in every region: of data type
    /// aws:ec2:image, with the id of the image that is published there as its value, for whoever
    /// launches by resolve:ssm:NAME or selects by a parameter, as Karpenter's amiSelectorTerms do.
    /// It is written when the revision is published everywhere, and deleted with this object or
    /// with this field; when the name changes, the new one is written before the old one goes. One
    /// of that name which is not this object's is left alone. The AwsAccount must grant its path.
    /// For example /golden/web. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    #[x_kube(
        validation = rules::published_parameter_characters(),
        validation = rules::published_parameter_is_not_reserved(),
        validation = rules::published_parameter_depth()
    )]
    pub ssm_parameter_name: Option<String>,

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
