//! What Amity writes into a `MachineImage`: what it saw, and what it does next.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::{NEVER_OBSERVED, never_observed};

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

    /// What the wanted revision is made from, for example us-east-1/i-0a1b2c3d4e5f60718. An image
    /// that is given by its name stands here as region/owner/name, by a parameter as
    /// region/ssm:name, and by another MachineImage as region/ami:name, until it is found, and from
    /// then on with its id, for example us-east-1/ami-0123456789abcdef0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub source: Option<String>,

    /// The revision that is published: complete in every region at the time, and tagged
    /// amity.dev/published. Absent until the first one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<PublishedRevision>,

    /// The revision that is being built. Absent while none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressing: Option<ProgressingRevision>,

    /// How many GiB the snapshots that Amity made of this object store at most, in all regions of
    /// all accounts. EC2 says of each how much it holds, but not what it shares with others of the
    /// region. It stands as of the last change of this status. Absent until every region was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub stored_gib: Option<i64>,

    /// What that costs in a month at most, where Amity was told what a GiB costs
    /// (--price-per-gib-month), for example "3.20".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cost_per_month: Option<String>,

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
    /// The revision: 10 hex digits that follow from spec.source and spec.rebuild, and with
    /// spec.follow from where the source led, also the value of the tag amity.dev/revision on its
    /// images.
    #[schemars(length(max = 64))]
    pub revision: String,

    /// When it was published.
    pub time: Time,

    /// What it was made from, for example us-east-1/i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 512))]
    pub source: String,
}

/// A revision that is being built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressingRevision {
    /// The revision: 10 hex digits that follow from spec.source and spec.rebuild, and with
    /// spec.follow from where the source led, also the value of the tag amity.dev/revision on its
    /// images.
    #[schemars(length(max = 64))]
    pub revision: String,

    /// What it is made from, for example us-east-1/i-0a1b2c3d4e5f60718.
    #[schemars(length(max = 512))]
    pub source: String,

    /// When its building began.
    pub start_time: Time,
}

/// Something that Amity is about to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextStep {
    /// The AwsAccount that it is done in, where that is not the one in spec.accountName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub account_name: Option<String>,

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

    /// How many GiB the snapshots that Amity made of this object store here at most, those of
    /// superseded revisions included. Absent until that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub stored_gib: Option<i64>,

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

    /// What still uses images here that are no longer wanted, the first 10: they are not
    /// deregistered while anything does. Once nothing does, they go by themselves. To
    /// deregister them all the same, annotate this object with
    /// amity.dev/deregister-in-use: REVISION. Empty when nothing is held up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub in_use_by: Vec<ImageUser>,
}

/// What uses an image that is no longer wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageUser {
    /// The image that is used, for example ami-0123456789abcdef0.
    #[schemars(length(max = 32))]
    pub image_id: String,

    /// What kind of resource uses it, in EC2's words, for example ec2:Instance,
    /// ec2:LaunchTemplate or ssm:Parameter.
    #[schemars(length(max = 64))]
    pub resource_type: String,

    /// The resource that uses it, for example
    /// arn:aws:ec2:eu-west-1:111122223333:instance/i-0a1b2c3d4e5f60718. Absent where it is in
    /// another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,

    /// The other account that uses it, of which EC2 tells no more than how many resources do.
    /// Absent where it is in the image's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12))]
    pub account_id: Option<String>,

    /// How many resources of that other account there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub count: Option<i64>,
}

impl ImageUser {
    /// A resource of the image's own account.
    pub fn own(image_id: &str, resource_type: &str, arn: &str) -> Self {
        Self {
            image_id: image_id.to_owned(),
            resource_type: resource_type.to_owned(),
            arn: Some(arn.to_owned()),
            account_id: None,
            count: None,
        }
    }

    /// So many resources of another account.
    pub fn elsewhere(image_id: &str, resource_type: &str, account_id: &str, count: i64) -> Self {
        Self {
            image_id: image_id.to_owned(),
            resource_type: resource_type.to_owned(),
            arn: None,
            account_id: Some(account_id.to_owned()),
            count: Some(count),
        }
    }
}

impl fmt::Display for ImageUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.arn, &self.account_id) {
            (Some(arn), _) => f.write_str(arn),
            (None, Some(account)) => write!(
                f,
                "{} {} of account {account}",
                self.count.unwrap_or_default(),
                self.resource_type
            ),
            (None, None) => f.write_str(&self.resource_type),
        }
    }
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

impl RegionStatus {
    /// Whether it is of the same region of the same account.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.account_name, &self.name) == (&other.account_name, &other.name)
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

impl MachineImageStatus {
    /// What a condition says, while it is true.
    pub fn says(&self, type_: &str) -> Option<&Condition> {
        let mut conditions = self.conditions.iter();
        conditions.find(|one| one.type_ == type_ && one.status == "True")
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
            stored_gib: None,
            cost_per_month: None,
            next_steps: Vec::new(),
            regions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
