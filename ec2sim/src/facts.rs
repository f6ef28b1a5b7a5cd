//! What nobody could say about EC2, so that this simulator has to choose: one switch for each,
//! so that a client can be tried against either answer.
//!
//! The defaults are the choice that is harder on the client. Three more such choices are knobs,
//! because they are durations and limits: `nameHoldSeconds` (how soon the name of a deregistered
//! image is free; 0: at once), `snapshotHoldSeconds`, and `concurrentSnapshotCopies` (whether the
//! snapshots of `CopyImage` count; null: they do not).

use serde::{Deserialize, Serialize};

/// The facts of a world, in the world file under `facts`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that is answered with yes or no"
)]
pub struct Facts {
    /// Whether the client token of `CopyImage` still answers the image's id when the image is
    /// deregistered. If not, the same call makes another copy.
    pub copy_token_outlives_image: bool,
    /// What `CopyImage` answers while the source is pending.
    pub copy_of_pending_source: PendingSource,
    /// The code in the state reason of a copy that failed; the message is known.
    pub failed_copy_code: String,
    /// Whether a pending copy of another account's image goes on when that account takes the
    /// grant of the image or of a snapshot of it away. If not, it fails late.
    pub copies_outlive_their_grants: bool,
    /// Whether a copy is deprecated when its source is.
    pub copies_keep_deprecation: bool,
    /// Whether a copy has the IMDS support of its source, as users infer (NixOS/amis#71).
    pub copies_keep_imds_support: bool,
    /// Whether `CopyImage` copies the source owner's tags below `ec2:SharedTag/` without
    /// `CopyImageTags`, too: user guide and API reference disagree.
    pub shared_tags_are_always_copied: bool,
    /// Whether the half-made snapshots of a pending image go on when the image is deregistered,
    /// and are left behind. If not, they go with it.
    pub pending_snapshots_outlive_image: bool,
    /// The code that `DeregisterImage` answers for a protected image.
    pub protected_image_code: String,
    /// Whether `EnableImageDeregistrationProtection` without the cooldown takes it away from an
    /// image that has it or is in it. If not, such an image keeps it.
    pub cooldown_can_be_dropped: bool,
    /// How `deregistrationProtection` writes the end of the cooldown after the words `disabled
    /// after`, which are known (ekristen/aws-nuke): with the conversions of `strftime`.
    pub cooldown_end_format: String,
    /// The code that `EnableImageDeprecation` and `DisableImageDeprecation` answer where the
    /// deprecation of a public image would come later, or not at all.
    pub public_deprecation_code: String,
    /// Whether the name of an image in the Recycle Bin is taken.
    pub recycled_names_are_taken: bool,
    /// What `RegisterImage` makes of a snapshot without billing metadata. Documented is that
    /// `PlatformDetails` may then be "empty, or doesn't match" (docs: UG creating-an-ami-ebs).
    pub missing_billing_metadata: MissingBilling,
    /// The code that `RegisterImage` and `ModifySnapshotAttribute` answer for a snapshot that is
    /// not completed.
    pub unfinished_snapshot_code: String,
    /// Whether `DescribeImageReferences` counts a launch template whose image is
    /// `resolve:ssm:NAME` as a reference to the image that the parameter holds.
    pub template_parameters_are_references: bool,
    /// Whether `DescribeImageReferences` counts a parameter of data type `text` that holds an
    /// image id, and not only those of `aws:ec2:image`.
    pub text_parameters_are_references: bool,
    /// Whether an image that is pending when it is validated is good for a parameter of data
    /// type `aws:ec2:image`. Documented is that it must be "available in your account" (model
    /// ssm: `PutParameter`).
    pub parameters_may_name_pending_images: bool,
    /// Whether a new parameter whose value is not validated yet is in the way of another
    /// `PutParameter` without `Overwrite`. If not, both succeed.
    pub unvalidated_parameters_exist: bool,
    /// Whether a value that was refused when it was validated has used up its version number. If
    /// not, the next value has it.
    pub refused_values_use_up_versions: bool,
    /// Whether a call about a resource that is not there is denied where the caller's policies
    /// allow the action only under a condition on what the resource is, such as its tags. If not,
    /// it is answered that there is no such resource.
    pub missing_resources_are_denied: bool,
    /// Whether a one-time spot instance that its system shuts down is stopped where its shutdown
    /// behavior says so. If not, it is terminated.
    pub one_time_spots_stop_from_within: bool,
    /// The HTTP status of `DryRunOperation`.
    pub dry_run_status: u16,
}

/// What `CopyImage` answers while the source is pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PendingSource {
    /// `InvalidAMIID.Unavailable`, the documented code for images in the wrong state.
    #[default]
    Unavailable,
    /// `InvalidRequest`, as for other sources that cannot be copied.
    InvalidRequest,
    /// The id of a copy that fails later.
    FailsLate,
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
            copy_token_outlives_image: true,
            copy_of_pending_source: PendingSource::Unavailable,
            failed_copy_code: "Client.InternalError".to_owned(),
            copies_outlive_their_grants: false,
            copies_keep_deprecation: false,
            copies_keep_imds_support: true,
            shared_tags_are_always_copied: false,
            pending_snapshots_outlive_image: true,
            protected_image_code: "OperationNotPermitted".to_owned(),
            cooldown_can_be_dropped: false,
            cooldown_end_format: "%Y-%m-%dT%H:%M:%S.%3fZ".to_owned(),
            public_deprecation_code: "OperationNotPermitted".to_owned(),
            recycled_names_are_taken: true,
            missing_billing_metadata: MissingBilling::Linux,
            unfinished_snapshot_code: "IncorrectState".to_owned(),
            template_parameters_are_references: false,
            text_parameters_are_references: false,
            parameters_may_name_pending_images: false,
            unvalidated_parameters_exist: false,
            refused_values_use_up_versions: false,
            missing_resources_are_denied: true,
            one_time_spots_stop_from_within: false,
            dry_run_status: 412,
        }
    }
}
