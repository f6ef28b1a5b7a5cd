//! The world file: how a world begins, as YAML. `examples/world.yaml` explains every field.

mod load;
mod naming;
mod network;
mod organizations;

pub use network::{
    InstanceProfileFile, KeyPairFile, SecurityGroupFile, SubnetFile, VpcFile, ZoneFile,
};

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::knobs::Knobs;
use crate::state::{DataType, Guest, ImageState, InstanceState, KeyState, Platform, Role, Tags};

/// The world that the server serves when it is given none.
pub const EXAMPLE: &str = include_str!("../../examples/world.yaml");

/// Why a world file is not one.
#[derive(Debug, thiserror::Error)]
pub enum WorldFileError {
    /// It is not YAML, or not of this shape.
    #[error("{0}")]
    Shape(String),
    /// It contradicts itself.
    #[error("{place}: {reason}")]
    Content {
        /// Which item.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A world as it is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WorldFile {
    /// Where all chance comes from.
    pub seed: u64,
    /// How slow, how late, how unreliable it is.
    pub knobs: Knobs,
    /// What nobody could say about EC2, and what it shall be here.
    pub facts: Facts,
    /// The regions there are.
    pub regions: BTreeMap<String, RegionFile>,
    /// The accounts by id.
    pub accounts: BTreeMap<String, AccountFile>,
    /// The organizations that accounts are in, by id.
    pub organizations: BTreeMap<String, OrganizationFile>,
    /// Who has which policies.
    pub iam: IamFile,
}

/// An organization of accounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OrganizationFile {
    /// Its management account, which is in it and in all its ARNs.
    pub management: String,
    /// The accounts in it that are in none of its units.
    #[serde(default)]
    pub accounts: BTreeSet<String>,
    /// Its units by id.
    #[serde(default)]
    pub units: BTreeMap<String, UnitFile>,
}

/// An organizational unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UnitFile {
    /// The unit that it is part of.
    pub parent: Option<String>,
    /// The accounts in it that are in none of the units below it.
    pub accounts: BTreeSet<String>,
}

/// IAM policies, as JSON or as the same in YAML.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IamFile {
    /// Identity-based policies by access key id or by the ARN of a role. Who has none may do
    /// everything, and whose list is empty, nothing.
    pub policies: BTreeMap<String, Vec<serde_json::Value>>,
    /// Service control policies by account; AWS's `FullAWSAccess` is thought to be there besides.
    pub service_control_policies: BTreeMap<String, Vec<serde_json::Value>>,
}

/// A region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RegionFile {
    /// Whether an account must enable it first.
    pub opt_in: bool,
    /// Its zones by name; `a`, `b` and `c` if none are listed.
    pub zones: BTreeMap<String, ZoneFile>,
    /// The instance types that it offers; a usual choice if none are listed.
    pub instance_types: BTreeSet<String>,
}

/// An account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountFile {
    /// What EC2 calls it as an owner, such as `amazon`.
    pub alias: Option<String>,
    /// The ids of its long-lived access keys.
    pub access_keys: BTreeSet<String>,
    /// The opt-in regions that it has enabled.
    pub opted_in: BTreeSet<String>,
    /// Its roles by name.
    pub roles: BTreeMap<String, Role>,
    /// Its instance profiles by name.
    pub instance_profiles: BTreeMap<String, InstanceProfileFile>,
    /// What it has, by region.
    pub places: BTreeMap<String, PlaceFile>,
}

/// What an account has in a region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlaceFile {
    /// Whether EBS encryption by default is on.
    pub encryption_by_default: bool,
    /// The key for it: id, alias or ARN; absent: `aws/ebs`.
    pub default_key: Option<String>,
    /// Its KMS keys by id; none: every well-formed name is a working key.
    pub kms_keys: BTreeMap<String, KeyFile>,
    /// Keys that a copy takes and then fails with: ids, aliases or ARNs.
    pub broken_keys: BTreeSet<String>,
    /// Whether images may be made public: EC2's block public access is on by default.
    pub allows_public_images: bool,
    /// For how many days deregistered images are kept in the Recycle Bin; 0: they are not.
    pub recycle_bin_days: u64,
    /// For how many days deleted snapshots are kept there; 0: they are not.
    pub snapshot_recycle_bin_days: u64,
    /// Snapshots by id.
    pub snapshots: BTreeMap<String, SnapshotFile>,
    /// Images by id.
    pub images: BTreeMap<String, ImageFile>,
    /// Instances by id.
    pub instances: BTreeMap<String, InstanceFile>,
    /// VPCs by id; absent: those of a new account.
    pub vpcs: Option<BTreeMap<String, VpcFile>>,
    /// Key pairs by name.
    pub key_pairs: BTreeMap<String, KeyPairFile>,
    /// Launch templates by id.
    pub launch_templates: BTreeMap<String, LaunchTemplateFile>,
    /// Parameters of Systems Manager by name. Those below `/aws/` are public.
    pub parameters: BTreeMap<String, ParameterFile>,
}

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotFile {
    /// In GiB.
    pub size: u64,
    /// How much of it was written, in bytes; absent: all.
    #[serde(default)]
    pub full_bytes: Option<u64>,
    /// What is on it.
    #[serde(default)]
    pub platform: Platform,
    /// Whether it tells how that is billed, so that an image registered over it shows it.
    #[serde(default = "yes")]
    pub billing_metadata: bool,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// The volume it was made from.
    #[serde(default)]
    pub volume: Option<String>,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// Whether everybody may use it.
    #[serde(default)]
    pub public: bool,
    /// The accounts that may use it.
    #[serde(default)]
    pub shared_with: BTreeSet<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// An image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own that the file answers with yes or no"
)]
pub struct ImageFile {
    /// Its name.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// `x86_64` if absent.
    #[serde(default)]
    pub architecture: Option<String>,
    /// What it runs.
    #[serde(default)]
    pub platform: Platform,
    /// How it boots.
    #[serde(default)]
    pub boot_mode: Option<String>,
    /// `/dev/xvda` if absent.
    #[serde(default)]
    pub root_device: Option<String>,
    /// `available` if absent; not `pending` and not `deregistered`.
    #[serde(default)]
    pub state: Option<ImageState>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// Whether everybody may launch it.
    #[serde(default)]
    pub public: bool,
    /// The accounts that may launch it.
    #[serde(default)]
    pub shared_with: BTreeSet<String>,
    /// The ARNs of the organizations and units whose accounts may launch it.
    #[serde(default)]
    pub shared_with_organizations: BTreeSet<String>,
    /// Whether those who may launch it may also copy it: their right to the snapshots that are
    /// not listed under `snapshots`.
    #[serde(default = "yes")]
    pub storage_shared: bool,
    /// From when on others find it only by its id.
    #[serde(default)]
    pub deprecation: Option<Timestamp>,
    /// Whether it is protected against being deregistered.
    #[serde(default)]
    pub protected: bool,
    /// Whether a protected image still is for the 24 hours after its protection is disabled.
    #[serde(default)]
    pub cooldown: bool,
    /// Whether its instances ask for version 2 of the metadata service.
    #[serde(default)]
    pub imds_support: Option<ImdsSupport>,
    /// What runs in its machines.
    #[serde(default)]
    pub guest: Guest,
    /// The instance it was captured from.
    #[serde(default)]
    pub source_instance: Option<String>,
    /// The image it comes from.
    #[serde(default)]
    pub source_image: Option<SourceImageFile>,
    /// Its block devices.
    pub devices: Vec<DeviceFile>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// The version of the instance metadata service that an image's instances ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImdsSupport {
    /// Version 2, with its tokens.
    #[serde(rename = "v2.0")]
    V2,
}

/// Where an image comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceImageFile {
    /// The region of the source.
    pub region: String,
    /// Its id.
    pub id: String,
}

/// A block device of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceFile {
    /// Such as `/dev/xvda`.
    pub name: String,
    /// Its snapshot; one that is not listed under `snapshots` is made with this size.
    pub snapshot: String,
    /// In GiB; that of the snapshot if absent.
    #[serde(default)]
    pub size: Option<u64>,
    /// `gp3` if absent.
    #[serde(default, rename = "type")]
    pub volume_type: Option<String>,
    /// Whether it goes with the instance.
    #[serde(default = "yes")]
    pub delete_on_termination: bool,
    /// Whether a snapshot that is made for it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key of a snapshot that is made for it; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
}

/// An instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceFile {
    /// `running` if absent.
    #[serde(default)]
    pub state: InstanceState,
    /// The image it was launched from; it need not be in the world any more.
    pub image: String,
    /// `t3.micro` if absent.
    #[serde(default, rename = "type")]
    pub instance_type: Option<String>,
    /// `x86_64` if absent.
    #[serde(default)]
    pub architecture: Option<String>,
    /// What it runs.
    #[serde(default)]
    pub platform: Platform,
    /// How it boots.
    #[serde(default)]
    pub boot_mode: Option<String>,
    /// `/dev/xvda` if absent.
    #[serde(default)]
    pub root_device: Option<String>,
    /// When it was launched.
    #[serde(default)]
    pub launched: Option<Timestamp>,
    /// Its zone; the first of the region if absent.
    #[serde(default)]
    pub zone: Option<String>,
    /// The name of its instance profile.
    #[serde(default)]
    pub instance_profile: Option<String>,
    /// What runs in it; what runs in machines of its image if absent.
    #[serde(default)]
    pub guest: Option<Guest>,
    /// Its volumes.
    pub volumes: Vec<VolumeFile>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A volume of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeFile {
    /// Such as `/dev/xvda`.
    pub device: String,
    /// In GiB.
    pub size: u64,
    /// `vol-…`; made from the instance's id if absent.
    #[serde(default)]
    pub id: Option<String>,
    /// `gp3` if absent.
    #[serde(default, rename = "type")]
    pub volume_type: Option<String>,
    /// Whether it goes with the instance.
    #[serde(default = "yes")]
    pub delete_on_termination: bool,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
}

/// A customer managed KMS key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyFile {
    /// `enabled` if absent.
    #[serde(default)]
    pub state: KeyState,
    /// Whether its policy lets its own account use it for EBS.
    #[serde(default = "yes")]
    pub usable: bool,
    /// Its aliases, such as `alias/ami`.
    #[serde(default)]
    pub aliases: BTreeSet<String>,
    /// The other accounts that its policy lets use it.
    #[serde(default)]
    pub shared_with: BTreeSet<String>,
}

/// A launch template.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LaunchTemplateFile {
    /// Its name.
    pub name: String,
    /// Its versions from number 1 on.
    pub versions: Vec<TemplateVersionFile>,
    /// The number of its default version.
    #[serde(default = "one")]
    pub default_version: u64,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A version of a launch template.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TemplateVersionFile {
    /// The image: an id, or `resolve:ssm:NAME`; absent: the version names none.
    pub image_id: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// The name of a key pair.
    pub key_name: Option<String>,
    /// The ids of security groups.
    pub security_group_ids: Vec<String>,
    /// The name of an instance profile.
    pub instance_profile: Option<String>,
    /// User data, as it is, not in base64.
    pub user_data: Option<String>,
    /// Free text.
    pub description: Option<String>,
}

/// A parameter of Systems Manager, of type `String`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterFile {
    /// Its value.
    pub value: String,
    /// `text` if absent, or `aws:ec2:image`.
    #[serde(default)]
    pub data_type: DataType,
    /// 1 if absent.
    #[serde(default = "one")]
    pub version: u64,
    /// When it was written last.
    #[serde(default)]
    pub modified: Option<Timestamp>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}
