//! The resource `MachineImage`: which image, and where.

#![expect(
    clippy::doc_markdown,
    reason = "the documentation of the fields is what `kubectl explain` prints"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "every printcolumn has a type and a path of its own"
)]

mod adopt;
mod attributes;
mod build;
mod duration;
mod follow;
mod publish;
mod region;
mod retention;
mod sharing;
mod source;
mod status;
mod words;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

pub use adopt::AdoptedImage;
pub use attributes::{
    Deprecation, DeregistrationProtection, FastLaunch, ImdsSupport, SupersededImages,
};
pub use build::BuildSource;
pub use follow::Follow;
pub use publish::Publish;
pub use region::{AccountTarget, Encryption, RegionTarget};
pub use retention::Retention;
pub use sharing::{Sharing, Visibility};
pub use source::{
    ImageSource, InstanceSource, InstanceVolumes, Reboot, SnapshotSource, SnapshotVolume, Source,
};
pub use status::{
    ImageUser, MachineImageStatus, NextStep, ProgressingRevision, PublishedRevision,
    RegionProgress, RegionStatus,
};
pub use words::{Architecture, BootMode, EnaSupport, PlatformDetails};

/// Which image, and where it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "amity.dev",
    version = "v1alpha1",
    kind = "MachineImage",
    plural = "machineimages",
    shortname = "ami",
    category = "amity",
    namespaced,
    status = "MachineImageStatus",
    derive = "PartialEq",
    validation = rules::image_name_fits(),
    validation = rules::publish_tags_are_not_tags(),
    validation = rules::publish_tags_are_not_tags_of_a_region(),
    validation = rules::tags_are_not_too_many_in_regions(),
    validation = rules::tags_are_not_too_many_in_accounts(),
    validation = rules::source_is_another_image(),
    validation = rules::source_can_be_followed(),
    validation = rules::accounts_are_others(),
    validation = rules::shared_key_can_be_shared(),
    validation = rules::adopted_regions_are_wanted(),
    validation = rules::adopted_image_is_not_the_source(),
    doc = "An Amazon Machine Image that Amity makes, copies to every region asked for, and \
           publishes once it is complete everywhere. It is made of revisions, as a Deployment is \
           of ReplicaSets: a change of spec.source or spec.rebuild builds a new revision beside \
           the published one, which stays until the new one is published, and after that as long \
           as spec.retention says.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether EC2 matches the spec."
    ),
    printcolumn(
        name = "Revision",
        type_ = "string",
        json_path = ".status.published.revision",
        description = "The published revision."
    ),
    printcolumn(
        name = "Regions",
        type_ = "string",
        json_path = ".status.regionsReady",
        description = "In how many of the regions asked for the wanted revision is available."
    ),
    printcolumn(
        name = "Source",
        type_ = "string",
        json_path = ".status.source",
        description = "What the wanted revision is made from."
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        description = "What is true, what is awaited, or what to do about it.",
        priority = 1
    )
)]
pub struct MachineImageSpec {
    /// The AwsAccount that the image lives in. Default: `default`. It cannot be changed: make
    /// another MachineImage instead.
    #[serde(default = "default_account")]
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::account_name(), validation = rules::immutable("accountName cannot be changed, since the images are in that account; make another MachineImage for another account"))]
    pub account_name: String,

    /// The name of the image in EC2, the same in every region. `{revision}` stands for the
    /// revision (10 hex digits) and is required; `{name}` and `{namespace}` stand for those of
    /// this object. Besides them: letters, digits, spaces and - _ . / ( ) [ ] ' @, and at most 128
    /// characters when all is filled in. Default: `{name}-{revision}`, for example web-3f9a1c07d2.
    /// It cannot be changed: the name is what keeps EC2 from making the same image twice.
    #[serde(default = "default_name_template")]
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = rules::name_template_has_revision(),
        validation = rules::name_template_characters(),
        validation = rules::name_template_is_trimmed(),
        validation = rules::immutable("nameTemplate cannot be changed, since the name keeps EC2 from making an image twice; make another MachineImage for another name")
    )]
    pub name_template: String,

    /// The description that every image has in EC2, at most 255 characters. A change of it, here or
    /// in EC2, is brought into line on the images that stand. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,

    /// What the image is made from: exactly one of instance, snapshot, image. A change builds a
    /// new revision; the published one stays until the new one is complete everywhere.
    pub source: Source,

    /// Any text. Change it to take the same source again as a new revision, for example to the
    /// date: "2026-03-01". Putting an old text back goes back to that revision while its images
    /// are still there (see retention); after that, the source is taken again, and an instance with
    /// reboot: Once restarted again. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rebuild: Option<String>,

    /// Looks at the source again by itself, and makes a new revision when it leads to another image:
    /// one that was published under the same owner and name, to which the parameter was set, or
    /// which the other MachineImage has published. The published one stays until the new one is
    /// complete everywhere. Without it only a change of source or rebuild makes a new revision;
    /// taking it away goes back to none. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,

    /// The regions that shall have the image, 1 to 40. The region of the source need not be
    /// among them. A region that is added is filled with a copy of the published revision; in a
    /// region that is removed the image is deregistered (see deletionPolicy).
    #[schemars(length(max = 40))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = rules::some_regions()
    )]
    pub regions: Vec<RegionTarget>,

    /// Other accounts that shall have images of their own, at most 20. Each gets one copy of this
    /// account's image, for which that one is shared with it for as long as the copy takes, and
    /// copies from there to its other regions. In an account or region that is taken out the image
    /// is deregistered (see deletionPolicy). Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub accounts: Vec<AccountTarget>,

    /// Images of the account that stand for the wanted revision in their regions as if they had been
    /// made for this object, at most one for each region: what Packer or a person made, or what
    /// deletionPolicy: Retain left. At first it is only reported what would change, and nothing is
    /// made or copied. Once the annotation amity.dev/adopt has the word that the report names, which
    /// is one for this revision and this list, the images and their snapshots get this object's
    /// tags, and from then on are published, kept and deregistered as all others. What is listed
    /// for another revision than that of the annotation is left alone. The AwsAccount must grant it (grants.adopt), except for what this namespace's own
    /// MachineImages retained. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["region".into()]))]
    pub adopt: Vec<AdoptedImage>,

    /// Tags for the images and their snapshots, at most 30, from the moment they are made and
    /// kept as they are written here. Tags of others on the same images are left alone. Keys
    /// have 1 to 127 characters and start neither with aws: nor with amity.dev/; values have at
    /// most 256. For example `team: web`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 30, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(
        validation = rules::tag_keys_have_a_length(),
        validation = rules::tag_keys_are_not_reserved()
    )]
    pub tags: BTreeMap<String, String>,

    /// Tags for the snapshots alone, at most 10, besides those of tags and of the region and in
    /// place of those of the same keys, for example for whoever makes backups or bills by tags. They
    /// are kept as tags are, and with those no more than 30. The snapshots that a source names stay
    /// yours, without any. For example `backup: never`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 10, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(
        validation = rules::tag_keys_have_a_length(),
        validation = rules::tag_keys_are_not_reserved()
    )]
    pub snapshot_tags: BTreeMap<String, String>,

    /// What happens to images and snapshots that are no longer wanted: when this object is
    /// deleted, a region is removed, or a superseded revision is kept no longer (see retention).
    /// Delete (the default) deregisters the images and deletes the snapshots that Amity made;
    /// Retain leaves them in EC2 with their tags. The source is never touched by either.
    /// It may be changed while the object is being deleted: Retain is the way out when the
    /// account can no longer be reached.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Which superseded revisions are kept besides the published one. Default: the last one.
    #[serde(default)]
    pub retention: Retention,

    /// How others learn which image to launch, besides the status. Default: they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish: Option<Publish>,

    /// How long a copy may take: hours and minutes in steps of fifteen minutes,
    /// for example 30m, from 15m to 48h. EC2 charges such copies by the GiB, more for shorter
    /// times. Copies that are under way are not changed. Default: as long as it takes, for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::copy_duration())]
    pub copy_duration: Option<String>,

    /// Who else may launch the images, in effect from publication on: a superseded image that is
    /// kept loses whoever is taken out here, and nobody is added to it. Whoever it is must be
    /// granted by the AwsAccount. Absent: not managed; `{}`: nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,

    /// From when on EC2 calls the images deprecated, which hides them from whoever searches for
    /// images and stops no launch. Absent: not managed; `{}`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<Deprecation>,

    /// Whether EC2 refuses to deregister the images: Disabled, Enabled, or EnabledWithCooldown,
    /// which still refuses it for 24 hours after it was disabled. Enabled leaves a cooldown that
    /// is there as it is. Amity disables it on an image
    /// that is no longer wanted, and waits out the cooldown. Default: not managed; then an image
    /// that somebody protected stays until the protection is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistration_protection: Option<DeregistrationProtection>,

    /// v2.0: instances launched from the images use version 2 of the instance metadata service
    /// only. EC2 cannot take that back from an image: without this field later ones are made as
    /// their source is. Default: as the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imds_support: Option<ImdsSupport>,

    /// Windows only: lets EC2 launch instances of the published images fast, by snapshots that it
    /// makes before they are needed (EC2 Fast Launch). For that it launches instances in the account,
    /// and takes minutes to an hour in each region, in which Ready is false. The images must come
    /// from Sysprep with shutdown. Other settings are in force once EC2 has removed the snapshots of
    /// the former ones. A superseded image loses it, and so does one before it is deregistered.
    /// Absent: not managed, so that what is on stays on; `{}`: switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_launch: Option<FastLaunch>,

    /// While true, nothing is made, copied, tagged or retired, but the deletion of this object
    /// still goes on. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

// As for Reboot: the field explains the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
}

impl MachineImage {
    /// `namespace/name`: what the tag `amity.dev/object` holds.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace(), self.name())
    }

    /// The object's name; empty only on an object that no API server has seen.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// The object's namespace; empty only on an object that no API server has seen.
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Whether somebody asked for the object to be deleted.
    pub fn is_being_deleted(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// The name in EC2 of the images of `revision`: `spec.nameTemplate`, filled in.
    ///
    /// # Errors
    /// The API server bounds the template; only here, where the namespace is known, can the whole
    /// name be measured against EC2's 128 characters.
    pub fn image_name(&self, revision: &str) -> Result<String, NameTooLong> {
        // Neither a name nor a namespace can hold a brace, so that the order does not matter.
        let name = self
            .spec
            .name_template
            .replace("{name}", self.name())
            .replace("{namespace}", self.namespace())
            .replace("{revision}", revision);
        if name.len() <= MAX_IMAGE_NAME {
            Ok(name)
        } else {
            Err(NameTooLong { name })
        }
    }
}

/// EC2's limit on the name of an image, in characters, which are ASCII here.
const MAX_IMAGE_NAME: usize = 128;

/// A name template that is too long for EC2 when it is filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the image name that spec.nameTemplate gives, {name:?}, has {} characters and EC2 takes at \
     most {MAX_IMAGE_NAME}; make a MachineImage with a shorter nameTemplate", name.len()
)]
pub struct NameTooLong {
    /// The whole name.
    pub name: String,
}

impl MachineImageSpec {
    /// The names of the wanted regions, in the order they are written.
    pub fn region_names(&self) -> impl Iterator<Item = &str> {
        self.regions.iter().map(|region| region.name.as_str())
    }

    /// Within how many minutes EC2 shall copy, if that is asked for.
    pub fn copy_minutes(&self) -> Option<i64> {
        Some(duration::parse(self.copy_duration.as_ref()?)?.as_mins())
    }

    /// Whether `region` is wanted.
    pub fn wants(&self, region: &str) -> bool {
        self.region_names().any(|name| name == region)
    }
}

impl DeletionPolicy {
    /// Whether anything may be deregistered or deleted at all.
    pub fn allows_deleting(self) -> bool {
        self == Self::Delete
    }
}

fn default_account() -> String {
    "default".into()
}

fn default_name_template() -> String {
    "{name}-{revision}".into()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(spec: &serde_json::Value) -> MachineImage {
        let mut image = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"name": "web", "namespace": "images"},
            "spec": {
                "source": {"instance": {"region": "us-east-1", "instanceId": "i-1", "reboot": "Once"}},
                "regions": [{"name": "us-east-1"}],
            },
        });
        let fields = image["spec"].as_object_mut().unwrap();
        fields.extend(spec.as_object().cloned().unwrap_or_default());
        serde_json::from_value(image).unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let spec = image(&json!({})).spec;
        assert_eq!(spec.account_name, "default");
        assert_eq!(spec.name_template, "{name}-{revision}");
        assert_eq!(spec.deletion_policy, DeletionPolicy::Delete);
        assert!(!spec.suspend);
    }

    #[test]
    fn the_name_in_ec2_is_the_template_filled_in() {
        let spec = json!({"nameTemplate": "golden/{namespace}/{name}-{revision}"});
        let name = image(&spec).image_name("3f9a1c07d2");
        assert_eq!(name.as_deref(), Ok("golden/images/web-3f9a1c07d2"));
    }

    #[test]
    fn the_regions_that_are_written_are_wanted_and_no_others() {
        let spec = image(&json!({"regions": [{"name": "eu-west-1"}, {"name": "us-east-1"}]})).spec;
        assert!(spec.wants("eu-west-1") && spec.wants("us-east-1"));
        assert!(!spec.wants("eu-west-2"));
        let names: Vec<_> = spec.region_names().collect();
        assert_eq!(names, ["eu-west-1", "us-east-1"], "in their order");
        assert!(spec.deletion_policy.allows_deleting());
        assert!(!DeletionPolicy::Retain.allows_deleting());
    }

    #[test]
    fn the_time_for_a_copy_is_told_in_minutes() {
        let minutes = |said: serde_json::Value| image(&said).spec.copy_minutes();
        assert_eq!(minutes(json!({"copyDuration": "1h30m"})), Some(90));
        assert_eq!(minutes(json!({})), None);
    }

    #[test]
    fn a_name_too_long_for_ec2_is_told_with_its_length() {
        let spec = json!({"nameTemplate": "{namespace}-".repeat(20) + "{revision}"});
        let error = image(&spec)
            .image_name("3f9a1c07d2")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("has 150 characters and EC2 takes at most 128"),
            "{error}"
        );
    }
}
