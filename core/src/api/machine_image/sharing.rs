//! Who else may launch the images.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::rules;

/// Who else may launch the images. What is written here is all: a permission that somebody else
/// gave is taken away again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sharing {
    /// The accounts that may launch and copy the published images, at most 300, each as 12 digits
    /// in quotes, for example "222233334444". The snapshots that Amity made are shared with them
    /// too, or they could not copy. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_accounts")]
    pub accounts: Vec<String>,

    /// The organizations whose accounts may launch the published images, at most 20, each by its
    /// whole ARN, for example
    /// arn:aws:organizations::111122223333:organization/o-0123456789. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_organizations")]
    pub organizations: Vec<String>,

    /// The organizational units whose accounts may launch the published images, at most 100, each
    /// by its whole ARN, for example
    /// arn:aws:organizations::111122223333:ou/o-0123456789/ou-ab12-0123abcd. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_organizational_units")]
    pub organizational_units: Vec<String>,

    /// Private (the default), or Public: everybody may launch the published images. EC2 refuses
    /// that of encrypted images, and while the account blocks public access to images.
    #[serde(default)]
    pub visibility: Visibility,
}

// As for Reboot: the field explains the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Visibility {
    #[default]
    Private,
    Public,
}
