//! The resource `MachineImage`: which image, and where.

#![expect(
    clippy::doc_markdown,
    reason = "the documentation of the fields is what `kubectl explain` prints"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "every printcolumn has a type and a path of its own"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NEVER_OBSERVED, never_observed, rules, schema::exactly_one};

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
    doc = "An Amazon Machine Image that Amity makes, copies to every region asked for, and \
           publishes once it is complete everywhere. It is made of revisions, as a Deployment is \
           of ReplicaSets: a change of spec.source or spec.rebuild builds a new revision beside \
           the published one, which is retired when the new one is published.",
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
    /// this object. Besides them: letters, digits and - _ . / ( ), and at most 128 characters
    /// when all is filled in. Default: `{name}-{revision}`, for example web-3f9a1c07d2.
    /// It cannot be changed: the name is what keeps EC2 from making the same image twice.
    #[serde(default = "default_name_template")]
    #[schemars(length(max = 128))]
    #[x_kube(
        validation = rules::name_template_has_revision(),
        validation = rules::name_template_characters(),
        validation = rules::immutable("nameTemplate cannot be changed, since the name keeps EC2 from making an image twice; make another MachineImage for another name")
    )]
    pub name_template: String,

    /// The description that every image has in EC2, at most 255 characters. Default: none. A
    /// change reaches the images that are made after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub description: Option<String>,

    /// What the image is made from: exactly one of instance, image. A change builds a new
    /// revision; the published one stays until the new one is complete everywhere.
    pub source: Source,

    /// Any text. Change it to take the same source again as a new revision, for example to the
    /// date: "2026-03-01". Putting an old text back goes back to that revision while its images
    /// are still there; after that, the source is taken again, and an instance with reboot: Once
    /// restarted again. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub rebuild: Option<String>,

    /// The regions that shall have the image, 1 to 40. The region of the source need not be
    /// among them. A region that is added is filled with a copy of the published revision; in a
    /// region that is removed the image is deregistered (see deletionPolicy).
    #[schemars(length(max = 40))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = rules::some_regions()
    )]
    pub regions: Vec<RegionTarget>,

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

    /// What happens to images and snapshots that are no longer wanted: when this object is
    /// deleted, a region is removed, or a revision is superseded.
    /// Delete (the default) deregisters the images and deletes the snapshots that Amity made;
    /// Retain leaves them in EC2 with their tags. The source is never touched by either.
    /// It may be changed while the object is being deleted: Retain is the way out when the
    /// account can no longer be reached.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// While true, nothing is made, copied, tagged or retired, but the deletion of this object
    /// still goes on. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

/// What the image is made from: exactly one of instance, image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = exactly_one)]
pub enum Source {
    /// Capture an instance of the account. Needs a capture grant in the AwsAccount.
    Instance(InstanceSource),
    /// Copy an existing image. It is always copied, also within its own region, and the original
    /// is never changed. Needs a source owner grant in the AwsAccount.
    Image(ImageSource),
}

/// An instance to capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::reboot_is_said())]
pub struct InstanceSource {
    /// The region of the instance, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The instance, running or stopped, for example i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::instance_id())]
    pub instance_id: String,

    /// Whether a running instance may be restarted for the capture. Required, since no default
    /// is right for everybody: Once restarts it once per revision, so that its file systems are
    /// consistent; Never leaves it running, and the image is what a power cut would leave behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot: Option<Reboot>,
}

// No documentation on the type and its values for users: `kubectl explain` would show it instead
// of the field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Reboot {
    Once,
    Never,
}

/// An existing image to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSource {
    /// The region of the image, for example us-east-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,

    /// The image, for example ami-0123456789abcdef0.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::image_id())]
    pub image_id: String,
}

/// A region that shall have the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionTarget {
    /// The region, for example eu-west-1. It must be one of the AwsAccount's regions.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub name: String,
}

// As for Reboot: the field explains the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum DeletionPolicy {
    #[default]
    Delete,
    Retain,
}

/// What Amity last saw and what it does next. It can be deleted at any time without harm: EC2 is
/// what counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct MachineImageStatus {
    /// The generation of the spec that this status is about; -1 until the first look.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,

    /// Ready: EC2 matches the spec. Available: some revision is published in every region.
    /// SourceResolved: the source was found and may be used. Reconciling and Stalled are there
    /// only while True: work goes on by itself, or waits for you. The message says what is
    /// awaited or what to do; every reason is listed in docs/conditions.md.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// In how many of the regions asked for the wanted revision is available, for example 1/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub regions_ready: Option<String>,

    /// What the wanted revision is made from, for example us-east-1/i-0a1b2c3d4e5f60718.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub source: Option<String>,

    /// The revision that is published: complete in every region at the time, and tagged
    /// amity.dev/published. Absent until the first one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedRevision>,

    /// The revision that is being built. Absent while none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressing: Option<ProgressingRevision>,

    /// What Amity does next, in order, and what each step waits for; the first 5. Empty at rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub next_steps: Vec<NextStep>,

    /// The images, place by place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 800))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub regions: Vec<RegionStatus>,
}

/// A revision that is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublishedRevision {
    /// The revision: 10 hex digits that follow from spec.source and spec.rebuild, also the value
    /// of the tag amity.dev/revision on its images.
    #[schemars(length(max = 64))]
    pub revision: String,

    /// When it was published.
    pub time: Time,

    /// What it was made from, for example us-east-1/i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 128))]
    pub source: String,
}

/// A revision that is being built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressingRevision {
    /// The revision: 10 hex digits that follow from spec.source and spec.rebuild, also the value
    /// of the tag amity.dev/revision on its images.
    #[schemars(length(max = 64))]
    pub revision: String,

    /// What it is made from, for example us-east-1/i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 128))]
    pub source: String,

    /// When its building began.
    pub start_time: Time,
}

/// Something that Amity is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// What is done: an EC2 call, for example CopyImage, or a write to this object.
    #[schemars(length(max = 64))]
    pub step: String,

    /// The region that it is done in. Absent for a write to this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,

    /// Why it is needed, for example "wanted by spec.regions".
    #[schemars(length(max = 256))]
    pub why: String,

    /// What it waits for, for example "ami-… in us-east-1 to become available". Absent when it
    /// waits for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub waits_for: Option<String>,
}

/// The image in one region of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionStatus {
    /// The AwsAccount.
    #[schemars(length(max = 63))]
    pub account_name: String,

    /// The region.
    #[schemars(length(max = 32))]
    pub name: String,

    /// The image to use here. Absent until a revision is published that is available here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub published_image_id: Option<String>,

    /// How far the revision that is being built is here. Absent while none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressing: Option<RegionProgress>,

    /// What is the matter here, for example why the region cannot be read. Absent when nothing
    /// is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// How far an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionProgress {
    /// The image that is being made. Absent until EC2 has given it an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub image_id: Option<String>,

    /// EC2's word for the state of the image (pending, available, failed, …), or waiting while
    /// there is no image yet.
    #[schemars(length(max = 32))]
    pub state: String,

    /// How much of it is done, in percent, in steps of 10.
    #[schemars(range(min = 0, max = 100))]
    pub percent: i32,
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

    /// Whether `region` is wanted.
    pub fn wants(&self, region: &str) -> bool {
        self.region_names().any(|name| name == region)
    }
}

impl Source {
    /// The region that the source is in.
    pub fn region(&self) -> &str {
        match self {
            Self::Instance(instance) => &instance.region,
            Self::Image(image) => &image.region,
        }
    }

    /// The id of the instance or image.
    pub fn id(&self) -> &str {
        match self {
            Self::Instance(instance) => &instance.instance_id,
            Self::Image(image) => &image.image_id,
        }
    }
}

/// `region/id`, as the tag `amity.dev/origin` and the status write it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.region(), self.id())
    }
}

impl InstanceSource {
    /// Whether the instance may be restarted. The API server insists that it is said; an object
    /// that came past it without a word gets the answer that cannot hurt.
    pub fn reboot(&self) -> Reboot {
        self.reboot.unwrap_or(Reboot::Never)
    }
}

impl DeletionPolicy {
    /// Whether anything may be deregistered or deleted at all.
    pub fn allows_deleting(self) -> bool {
        self == Self::Delete
    }
}

impl RegionProgress {
    /// The [`state`](Self::state) of an image that was not asked for yet.
    pub const WAITING: &'static str = "waiting";

    /// Nothing yet.
    pub fn waiting() -> Self {
        Self {
            image_id: None,
            state: Self::WAITING.into(),
            percent: 0,
        }
    }

    /// An image in EC2's `state`, `percent` of it done: rounded down to a step of 10, so that
    /// progress alone causes at most ten writes.
    pub fn of(image_id: impl Into<String>, state: impl Into<String>, percent: i32) -> Self {
        Self {
            image_id: Some(image_id.into()),
            state: state.into(),
            percent: percent.clamp(0, 100) / 10 * 10,
        }
    }
}

impl Default for MachineImageStatus {
    fn default() -> Self {
        Self {
            observed_generation: NEVER_OBSERVED,
            conditions: Vec::new(),
            regions_ready: None,
            source: None,
            published: None,
            progressing: None,
            next_steps: Vec::new(),
            regions: Vec::new(),
        }
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

    #[test]
    fn progress_comes_in_steps_of_ten() {
        let percent = |percent| RegionProgress::of("ami-1", "pending", percent).percent;
        assert_eq!(
            [-5, 0, 9, 10, 59, 100, 250].map(percent),
            [0, 0, 0, 10, 50, 100, 100]
        );
    }

    #[test]
    fn a_status_nobody_wrote_is_of_no_generation() {
        let empty: MachineImageStatus = serde_json::from_value(json!({})).unwrap();
        assert_eq!(empty, MachineImageStatus::default());
        assert_eq!(empty.observed_generation, -1);
    }
}
