//! What a plan case may say. Everything has a default that is unremarkable: an account that grants all, a
//! stored finalizer, an object that was at rest, images that are available, sealed and tagged as the spec asks.
//!
//! Times are relative to now: `-3m`, `+30s`, `-2h`, `-1d`. Ids may be short. `revision: current` (the default)
//! is what the spec asks for first, `of us-east-1/ami-2` the one that followed when the source led there; any other
//! name stands for another hash.

#![expect(
    clippy::struct_excessive_bools,
    reason = "each is a peculiarity of its own"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// One file, up to `plan:`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    pub desired: Desired,
    /// By region. Regions that the spec names and that are not here were read and hold nothing.
    #[serde(default)]
    pub observed: BTreeMap<String, Place>,
    /// The source as EC2 shows it; by default as it should be, where the plan needs to know.
    #[serde(default)]
    pub source: Option<Source>,
    /// What the source leads to now, where it is followed.
    #[serde(default)]
    pub followed: Option<Source>,
    /// What EC2 refused of late, by region.
    #[serde(default)]
    pub refused: BTreeMap<String, Refused>,
    /// When the process started; absent: a week ago.
    #[serde(default)]
    pub started: Option<String>,
    /// The last creating call; absent: none since the start of the process.
    #[serde(default)]
    pub last_creation: Option<String>,
    /// How many published images of the account are about to go, of how many.
    #[serde(default)]
    pub departures: Option<(usize, usize)>,
    /// That was not counted.
    #[serde(default)]
    pub departures_uncounted: bool,
    /// The object's ConfigMaps; by default there are none.
    #[serde(default)]
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether somebody else's has the name; absent with `configMapsUnread`.
    #[serde(default)]
    pub config_map_name_taken: bool,
    #[serde(default)]
    pub config_maps_unread: bool,
    #[serde(default)]
    pub account: Account,
    /// The other accounts, by their names, where they are not as they should be.
    #[serde(default)]
    pub other_accounts: BTreeMap<String, Account>,
    /// The other objects of the namespace.
    #[serde(default)]
    pub machine_images: BTreeMap<String, MachineImage>,
    /// Pending images of other objects, by what each is being copied from.
    #[serde(default)]
    pub readers: BTreeMap<String, String>,
    /// The object's machines in the region of the source.
    #[serde(default)]
    pub machines: Vec<Machine>,
    #[serde(default)]
    pub machines_unread: bool,
    /// What EC2 answers instead.
    #[serde(default)]
    pub machines_unreadable: Option<String>,
    /// The status that stands.
    #[serde(default)]
    pub before: Option<Before>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Desired {
    pub source: DesiredSource,
    pub regions: Vec<String>,
    /// The key of each region that shall be encrypted, or `default`.
    #[serde(default)]
    pub encryption: BTreeMap<String, String>,
    /// The regions of other accounts, by the names of those.
    #[serde(default)]
    pub accounts: BTreeMap<String, Vec<String>>,
    /// The `AwsAccount`s in which something was made once, as the annotation has them.
    #[serde(default)]
    pub recorded_accounts: Option<String>,
    #[serde(default)]
    pub rebuild: Option<String>,
    /// `spec.follow.interval`
    #[serde(default)]
    pub follow: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The tags of regions that have some of their own.
    #[serde(default)]
    pub region_tags: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pub snapshot_tags: BTreeMap<String, String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub imds_support: Option<String>,
    /// As a user writes it.
    #[serde(default)]
    pub fast_launch: Option<serde_json::Value>,
    #[serde(default)]
    pub config_map_name: Option<String>,
    #[serde(default)]
    pub publish_tags: BTreeMap<String, String>,
    /// `spec.publish.ssmParameterName`
    #[serde(default)]
    pub ssm_parameter_name: Option<String>,
    /// As a user writes it.
    #[serde(default)]
    pub deprecation: Option<serde_json::Value>,
    #[serde(default)]
    pub deregistration_protection: Option<String>,
    #[serde(default)]
    pub copy_duration: Option<String>,
    /// As a user writes it.
    #[serde(default)]
    pub sharing: Option<serde_json::Value>,
    #[serde(default)]
    pub name_template: Option<String>,
    #[serde(default)]
    pub deletion_policy: Option<String>,
    #[serde(default)]
    pub suspend: bool,
    /// Since when it is being deleted.
    #[serde(default)]
    pub deleted: Option<String>,
    #[serde(default = "yes")]
    pub finalizer: bool,
    /// The recorded capture.
    #[serde(default)]
    pub captured: Option<Captured>,
    /// The recorded launch.
    #[serde(default)]
    pub launched: Option<Launched>,
    /// The recorded discard: the `PlatformDetails` that were shown.
    #[serde(default)]
    pub discarded: Option<String>,
    /// Of which revision.
    #[serde(default = "current")]
    pub discarded_revision: String,
    /// How many superseded revisions are kept: none, unlike for users.
    #[serde(default)]
    pub kept_revisions: i32,
    /// For how long they are kept at least.
    #[serde(default)]
    pub kept_for: Option<String>,
    /// The revision whose images go although something uses them.
    #[serde(default)]
    pub deregister_in_use: Option<String>,
    #[serde(default)]
    pub take_over_from: Option<String>,
    /// The image of each region that is to be taken over.
    #[serde(default)]
    pub adopt: BTreeMap<String, String>,
    /// The revision for which somebody says that it is meant.
    #[serde(default)]
    pub adoption_meant_for: Option<String>,
    /// The list of then, if it was another one.
    #[serde(default)]
    pub adoption_meant_of: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Captured {
    pub at: String,
    #[serde(default = "current")]
    pub revision: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launched {
    pub at: String,
    #[serde(default = "first")]
    pub attempt: u32,
    #[serde(default = "current")]
    pub revision: String,
}

/// `{instance: us-east-1/i-1}`, `{snapshot: us-east-1/snap-1}`, `{image: us-east-1/ami-1}`,
/// `{image: us-east-1, owner: amazon, name: al2023}`, `{image: us-east-1, parameter: /base}`, or
/// `{image: us-east-1, machineImage: base}`; with `build: {…}` an image that is built from that image, with further fields
/// as a user writes them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DesiredSource {
    #[serde(default)]
    pub instance: Option<String>,
    #[serde(default)]
    pub reboot: Option<String>,
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub build: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    pub snapshot: Option<String>,
    /// The snapshot of a data volume, in the same region.
    #[serde(default)]
    pub data: Option<String>,
    #[serde(default)]
    pub platform_details: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub architecture: Option<String>,
    #[serde(default)]
    pub parameter: Option<String>,
    #[serde(default)]
    pub machine_image: Option<String>,
    #[serde(default)]
    pub volumes: Option<String>,
}

/// Another object, of an image by its id in its first region unless it is said to be of another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineImage {
    pub regions: Vec<String>,
    #[serde(default)]
    pub account_name: Option<String>,
    /// The object that it is made of.
    #[serde(default)]
    pub of: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Account {
    #[serde(default)]
    pub missing: bool,
    /// The `AwsAccount` is being deleted.
    #[serde(default)]
    pub deleted: bool,
    /// `spec.regions` of the `AwsAccount`.
    #[serde(default)]
    pub regions: Vec<String>,
    /// The regions that are enabled in AWS.
    #[serde(default)]
    pub enabled: Option<Vec<String>>,
    /// Until when any number of images may go.
    #[serde(default)]
    pub limit_lifted_until: Option<String>,
    /// The same annotation as somebody wrote it.
    #[serde(default)]
    pub limit_lifted_until_text: Option<String>,
    /// Grants nothing.
    #[serde(default)]
    pub grants: Grants,
    /// What other accounts use counts.
    #[serde(default)]
    pub usage_reports: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Grants {
    #[default]
    All,
    None,
    /// Instances with the tag `amity-capture: allowed`.
    TaggedInstances,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Place {
    #[serde(default)]
    pub images: Vec<Image>,
    /// Besides those of the images, which need not be written.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    /// The images that are to be taken over, as EC2 shows them; of those that are not here there are none.
    #[serde(default)]
    pub to_adopt: Vec<Image>,
    /// Whether they were not read.
    #[serde(default)]
    pub to_adopt_unread: bool,
    /// Which images launch fast was not read.
    #[serde(default)]
    pub fast_launch_unread: bool,
    /// Why it cannot be read.
    #[serde(default)]
    pub fast_launch_denied: Option<String>,
    /// How EBS encrypts by default there: `none` (by default), `own` or `managed`, the key, or `unread`, `unknown`.
    #[serde(default)]
    pub encrypts_with: Option<String>,
    /// Whether that is only what encryption uses that is asked for, and not done by default.
    #[serde(default)]
    pub only_if_asked: bool,
    /// The ids of the images, no longer listed, and of their snapshots that the Recycle Bin keeps.
    #[serde(default)]
    pub recycle_bin: BTreeSet<String>,
    #[serde(default)]
    pub dead: Vec<Dead>,
    /// Who has the wanted image name that EC2 said is taken.
    #[serde(default)]
    pub holders: Option<Vec<Image>>,
    #[serde(default)]
    pub as_of: Option<String>,
    /// How many more copies may be under way to it.
    #[serde(default)]
    pub free_copy_slots: Option<usize>,
    /// Why it cannot be read.
    #[serde(default)]
    pub unreadable: Option<String>,
    #[serde(default)]
    pub reason: Option<String>,
    /// The object's parameters by their names, and whatever has the name of the spec; by default it names the image of
    /// `current` that is published there, where the spec asks for one.
    #[serde(default)]
    pub parameters: Option<BTreeMap<String, Parameter>>,
    /// When they were read; by default just now.
    #[serde(default)]
    pub parameters_as_of: Option<String>,
    /// When one was put there last; by default when the process started.
    #[serde(default)]
    pub last_put: Option<String>,
    /// The value that was put last and is not shown yet: since `lastPut`.
    #[serde(default)]
    pub awaited: Option<String>,
    #[serde(default)]
    pub parameters_unread: bool,
    /// Why they cannot be read.
    #[serde(default)]
    pub parameters_denied: Option<String>,
}

/// A parameter of Systems Manager.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Parameter {
    pub value: String,
    #[serde(default)]
    pub whose: WhoseParameter,
    #[serde(default)]
    pub cluster: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhoseParameter {
    #[default]
    Ours,
    /// With the tags, and so the seal, of another parameter.
    CopiedTags,
    /// Of another object.
    AnotherObjects,
    /// Without any tag.
    Stranger,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Image {
    pub id: String,
    #[serde(default = "current")]
    pub revision: String,
    #[serde(default)]
    pub state: State,
    /// Since when lists lack it.
    #[serde(default)]
    pub missing: Option<String>,
    #[serde(default)]
    pub published: bool,
    /// Since when another revision is published instead.
    #[serde(default)]
    pub superseded: Option<String>,
    /// The state of its fast launch, and the settings if they are not as the spec says.
    #[serde(default)]
    pub fast_launch: Option<FastLaunch>,
    /// By default `Linux/UNIX`.
    #[serde(default)]
    pub platform: Option<String>,
    /// The origin of the revision, where it is another than what the source was resolved to.
    #[serde(default)]
    pub origin: Option<String>,
    /// Who uses it; by default EC2 said that nobody does.
    #[serde(default)]
    pub used_by: Vec<String>,
    /// Who uses it was not read.
    #[serde(default)]
    pub usage_unread: bool,
    /// Why it cannot be read who uses it.
    #[serde(default)]
    pub usage_denied: Option<String>,
    /// `absent`, `pending`, `failed` or `unread`; by default EC2 has written a report of who uses it elsewhere.
    #[serde(default)]
    pub usage_report: Option<String>,
    /// Since when there is that report; by default now.
    #[serde(default)]
    pub usage_report_at: Option<String>,
    /// How many instances of other accounts that report names; by default none.
    #[serde(default)]
    pub used_elsewhere: BTreeMap<String, i64>,
    /// Why that report cannot be read.
    #[serde(default)]
    pub usage_report_denied: Option<String>,
    /// The key that it was copied with, or `default`; by default it is as what it was made from.
    #[serde(default)]
    pub encrypted: Option<String>,
    /// The accounts that it is lent to.
    #[serde(default)]
    pub lent_to: Option<String>,
    /// The accounts that it was taken back from, with its snapshots.
    #[serde(default)]
    pub taken_back_from: Vec<String>,
    /// It was taken over; its snapshots are not ours yet, unless the case says so.
    #[serde(default)]
    pub adopted: bool,
    /// Of another object, as its tag says.
    #[serde(default)]
    pub object: Option<String>,
    #[serde(default)]
    pub held_by: Option<String>,
    /// What it was made from: the spec's source in its region, else the first image of the revision there.
    #[serde(default)]
    pub from: Option<String>,
    /// What EC2 shows that it was made from: by default that.
    #[serde(default)]
    pub shown: Option<String>,
    #[serde(default = "yes")]
    pub sealed: bool,
    #[serde(default)]
    pub whose: Whose,
    #[serde(default)]
    pub cluster: Option<String>,
    /// Instead of those that the spec says.
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
    /// The keys among them that Amity put there; by default all of them.
    #[serde(default)]
    pub noted: Option<Vec<String>>,
    /// By default one, and none while it is pending.
    #[serde(default)]
    pub snapshots: Option<Vec<String>>,
    #[serde(default)]
    pub progress: Option<u8>,
    /// By default as the spec asks.
    #[serde(default)]
    pub attributes: Option<Attributes>,
    /// Who else may use it, by id or ARN: by default as the spec asks once it is published.
    #[serde(default)]
    pub shared_with: Option<Vec<String>>,
    /// The same of its snapshots: by default the accounts among them.
    #[serde(default)]
    pub snapshots_shared_with: Option<Vec<String>>,
    /// That was not read.
    #[serde(default)]
    pub permissions_unread: bool,
    /// Why it cannot be read.
    #[serde(default)]
    pub permissions_denied: Option<String>,
    #[serde(default)]
    pub created: Option<String>,
    /// The parameter that it says may be there: where the spec asks for one, a published one of `current` says so;
    /// `none` is none.
    #[serde(default)]
    pub parameter: Option<String>,
    #[serde(default)]
    pub launched: Option<String>,
    #[serde(default)]
    pub state_reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FastLaunch {
    /// EC2's word.
    pub state: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// By default as the spec says.
    #[serde(default)]
    pub target: Option<i32>,
    #[serde(default)]
    pub parallel: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Attributes {
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub imds_v2: bool,
    /// From when on it is deprecated.
    #[serde(default)]
    pub deprecated: Option<String>,
    /// `Enabled`, `EnabledWithCooldown`, or from when on it is disabled.
    #[serde(default)]
    pub protected: Option<String>,
    #[serde(default)]
    pub public: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    Pending,
    #[default]
    Available,
    Failed,
    Disabled,
}

/// What is peculiar about an image that is not plainly ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Whose {
    #[default]
    Ours,
    /// Not sealed, and EC2 does not show what it was made from.
    Unproven,
    /// With the tags, and so the seal, of another image.
    CopiedTags,
    /// Not sealed, and made from something else than the tags say.
    Contradicting,
    /// Let go by a deletion that retained.
    Retained,
    /// Without any tag of ours.
    Stranger,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Snapshot {
    pub id: String,
    #[serde(default = "current")]
    pub revision: String,
    #[serde(default = "yes")]
    pub sealed: bool,
    /// The seal of another.
    #[serde(default)]
    pub seal: Option<String>,
    /// By default the images of the case that list it; `[]` with `unread` set is not known.
    #[serde(default)]
    pub used_by: Vec<String>,
    #[serde(default)]
    pub unread: bool,
    #[serde(default)]
    pub pending: bool,
    #[serde(default)]
    pub retained: bool,
    /// It was taken over with its image.
    #[serde(default)]
    pub adopted: bool,
    /// EC2's words where it could not be made.
    #[serde(default)]
    pub failure: Option<String>,
    #[serde(default)]
    pub cluster: Option<String>,
    #[serde(default)]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub noted: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dead {
    pub id: String,
    #[serde(default = "current")]
    pub revision: String,
    #[serde(default)]
    pub attempt: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    #[serde(default)]
    pub state: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub unsupported: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub alias: Option<String>,
    /// The image that a name or a parameter stands for, by default `ami-newest`; one that is pinned is read by
    /// its id.
    #[serde(default)]
    pub id: Option<String>,
    /// Its name, by default that of the spec.
    #[serde(default)]
    pub name: Option<String>,
    /// Its architecture, by default arm64.
    #[serde(default)]
    pub architecture: Option<String>,
    /// The data devices of an instance.
    #[serde(default)]
    pub devices: Vec<String>,
    #[serde(default)]
    pub missing: Option<String>,
    /// The other object that it is of; by default the one that the spec names.
    #[serde(default)]
    pub object: Option<String>,
    /// The object that the spec names has published nothing.
    #[serde(default)]
    pub unpublished: bool,
    /// What it is instead of an image.
    #[serde(default)]
    pub no_image: Option<String>,
    #[serde(default)]
    pub unreadable: Option<String>,
    #[serde(default)]
    pub unreadable_reason: Option<String>,
    #[serde(default)]
    pub unread: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub action: String,
    pub reason: String,
    pub message: String,
    #[serde(default = "yes")]
    pub certain: bool,
    pub at: String,
    pub retry: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The status of the condition `Available`.
    pub available: bool,
    /// The status of the condition `Ready`, if it is there.
    #[serde(default)]
    pub ready: Option<bool>,
    /// The generation that it is about; the object's is 3.
    #[serde(default = "older")]
    pub generation: i64,
    /// The published image ids by region.
    #[serde(default)]
    pub published: BTreeMap<String, String>,
    /// What the wanted revision is made from, as the status has it.
    #[serde(default)]
    pub source: Option<String>,
    /// The revision that is being made of that; `current` is the spec's first.
    #[serde(default = "current")]
    pub progressing: String,
}

/// A machine with the tags of the object.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Machine {
    pub id: String,
    /// `running` unless said otherwise.
    #[serde(default)]
    pub state: Option<String>,
    pub launched: String,
    #[serde(default = "first")]
    pub attempt: u32,
    #[serde(default = "current")]
    pub revision: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// Somebody launched it like ours.
    #[serde(default)]
    pub stranger: bool,
}

fn first() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn older() -> i64 {
    2
}

fn current() -> String {
    "current".to_owned()
}
