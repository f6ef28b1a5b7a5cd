//! The regions that shall have the image, of the home account and of others, and how it is encrypted there.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// Another account that shall have the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountTarget {
    /// The AwsAccount. Its spec.grants.sourceOwners must let this namespace use images that the
    /// account in accountName owns.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::account_name())]
    pub name: String,

    /// The regions of that account that shall have the image, 1 to 40.
    #[schemars(length(max = 40))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = rules::some_regions()
    )]
    pub regions: Vec<RegionTarget>,
}

/// A region that shall have the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::key_is_of_the_region())]
pub struct RegionTarget {
    /// The region, for example eu-west-1. It must be one of the AwsAccount's regions.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub name: String,

    /// Encrypts the image's snapshots in this region. A change makes another copy of the same
    /// revision, publishes that, and then retires the one before. Absent: as what the image is made
    /// from, which a copy to another region keeps unencrypted only while the account does not
    /// encrypt by default there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,

    /// Tags for the image and its snapshots in this region, at most 10, besides those of spec.tags
    /// and in place of those of the same keys. They are kept as spec.tags are, and with them and
    /// spec.snapshotTags no more than 30. The keys are as those of spec.tags, and none of
    /// spec.publish.tags. For example `stage: prod`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 10, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(
        validation = rules::tag_keys_have_a_length(),
        validation = rules::tag_keys_are_not_reserved()
    )]
    pub tags: BTreeMap<String, String>,
}

/// How the image's snapshots are encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Encryption {
    /// The KMS key of this region: its id, its ARN, or the name or ARN of an alias, for example
    /// alias/images. What an alias leads to is looked at by EC2 when it copies, and not again.
    /// Default: the key that the account encrypts EBS volumes with by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 384))]
    #[x_kube(validation = rules::kms_key())]
    pub kms_key_id: Option<String>,
}
