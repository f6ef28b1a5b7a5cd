//! What users write and what they read: the custom resources `MachineImage` and `AwsAccount`,
//! and every condition and reason that their status may show.
//!
//! Types here hold no behaviour beyond reading themselves. A field exists only if it does
//! something, and whatever the API server can refuse, it refuses with a sentence that says what
//! to write instead.

mod aws_account;
pub mod conditions;
mod machine_image;
mod rules;
mod schema;

pub use aws_account::{
    AdoptionGrant, AssumeRole, AwsAccount, AwsAccountSpec, AwsAccountStatus, BuildGrant,
    CaptureGrant, Grants, Namespace, NamespaceSelector, NotGranted, ParameterGrant, PublicGrant,
    SessionTags, SharingGrant, SnapshotGrant, SourceOwnerGrant, Stray, Strays,
};
pub use machine_image::{
    AccountTarget, AdoptedImage, Architecture, BootMode, BuildSource, DeletionPolicy, Deprecation,
    DeregistrationProtection, EnaSupport, Encryption, FastLaunch, Follow, ImageSource, ImageUser,
    ImdsSupport, InstanceSource, InstanceVolumes, MachineImage, MachineImageSpec,
    MachineImageStatus, NameTooLong, NextStep, PlatformDetails, ProgressingRevision, Publish,
    PublishedRevision, Reboot, RegionProgress, RegionStatus, RegionTarget, Retention, Sharing,
    SnapshotSource, SnapshotVolume, Source, SupersededImages, Visibility,
};
pub use schema::crds;

/// The API group of every resource of Amity.
pub const GROUP: &str = "amity.dev";

/// The version of [`GROUP`] that this crate speaks.
pub const VERSION: &str = "v1alpha1";

/// The `observedGeneration` of a status that nobody has written yet: no object has it, so that
/// nothing passes for current before it was looked at.
pub const NEVER_OBSERVED: i64 = -1;

pub(crate) fn never_observed() -> i64 {
    NEVER_OBSERVED
}
