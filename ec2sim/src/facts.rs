//! What nobody could say about EC2, so that this simulator has to choose: one switch for each,
//! so that a client can be tried against either answer.
//!
//! The defaults are the choice that is harder on the client. Three more such choices are knobs,
//! because they are durations and limits: `nameHoldSeconds` (how soon the name of a deregistered
//! image is free), `snapshotHoldSeconds`, and `concurrentSnapshotCopies` (whether the snapshots
//! of `CopyImage` count; null: they do not).

use serde::{Deserialize, Serialize};

/// The facts of a world, in the world file under `facts`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Facts {
    /// What `RegisterImage` makes of a snapshot without billing metadata. Documented is that
    /// `PlatformDetails` may then be "empty, or doesn't match" (docs: UG creating-an-ami-ebs).
    pub missing_billing_metadata: MissingBilling,
    /// Whether `DescribeImageReferences` counts a launch template whose image is
    /// `resolve:ssm:NAME` as a reference to the image that the parameter holds.
    pub template_parameters_are_references: bool,
    /// Whether `DescribeImageReferences` counts a parameter of data type `text` that holds an
    /// image id, and not only those of `aws:ec2:image`.
    pub text_parameters_are_references: bool,
}

/// What an image shows whose snapshot does not tell how it is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingBilling {
    /// `Linux/UNIX`, whatever is on the disk: it looks right and is wrong.
    #[default]
    Linux,
    /// Neither `platformDetails` nor `usageOperation`.
    Empty,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            missing_billing_metadata: MissingBilling::Linux,
            template_parameters_are_references: false,
            text_parameters_are_references: false,
        }
    }
}
