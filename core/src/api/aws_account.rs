//! The resource `AwsAccount`: how an account is reached, and who may do what in it.
//!
//! A field of a later version may narrow a grant: an entry with a field that this version does not
//! know is an error, and never a wider grant.

#![expect(
    clippy::doc_markdown,
    reason = "the documentation of the fields is what `kubectl explain` prints"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "every printcolumn has a type and a path of its own"
)]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NEVER_OBSERVED, never_observed, rules, schema::exactly_one};

/// How an AWS account is reached, and which namespaces may do what in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "amity.dev",
    version = "v1alpha1",
    kind = "AwsAccount",
    plural = "awsaccounts",
    shortname = "awsacct",
    category = "amity",
    status = "AwsAccountStatus",
    derive = "PartialEq",
    doc = "An AWS account that MachineImages live in: how Amity reaches it, and what each \
           namespace may do there. Nothing is allowed that is not granted here. One AwsAccount \
           per account id.",
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountId",
        description = "The account's id."
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status",
        description = "Whether the account was reached and proved to be the right one."
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
        description = "What is true, or what to do about it.",
        priority = 1
    )
)]
#[x_kube(validation = rules::role_is_in_account())]
pub struct AwsAccountSpec {
    /// The account's id: 12 digits in quotes, for example "111122223333". Amity proves that it is
    /// there before it changes anything. It cannot be changed: make another AwsAccount instead.
    #[schemars(length(max = 32))]
    #[x_kube(
        validation = rules::account_id(),
        validation = rules::immutable("accountId cannot be changed, since images of this account are managed under it; make another AwsAccount for another account")
    )]
    pub account_id: String,

    /// The role that Amity assumes to reach the account. Default: none, that is, the
    /// controller's own credentials, which must then be of this account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,

    /// The regions that Amity reads in this account, at most 40, whatever MachineImages ask for
    /// today: an image may be wanted only in one of these. Default: none written, that is, every
    /// region that is enabled for the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_regions")]
    pub regions: Vec<String>,

    /// What the namespaces may do in this account. Default: nothing.
    #[serde(default)]
    pub grants: Grants,
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// The role, of the account in accountId, for example
    /// arn:aws:iam::111122223333:role/amity.
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::role_arn())]
    pub role_arn: String,

    /// The external id that the role's trust policy asks for: 2 to 1224 letters, digits and
    /// = , . @ : / - + _. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1224))]
    #[x_kube(validation = rules::external_id())]
    pub external_id: Option<String>,

    /// With which tags the sessions are marked in which Amity changes something in the account.
    /// Namespace: with amity.dev/namespace, the namespace of the MachineImage that it is done for,
    /// so that the account's policies can tell namespaces apart by the condition key
    /// aws:PrincipalTag/amity.dev/namespace, and CloudTrail shows it. What serves all of them,
    /// such as lists, is read without it. The role's trust policy has to allow sts:TagSession
    /// (docs/iam.md). Default: no tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_tags: Option<SessionTags>,
}

// No documentation on the type and on its value, for users: `kubectl explain` would show it
// instead of the field's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum SessionTags {
    Namespace,
}

/// What namespaces may do in an account. Nothing is allowed that no entry allows. Grants are asked
/// before something is made, never before it is cleaned up: taking one back removes no image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grants {
    /// Who may capture instances (source.instance), at most 32 entries; one that fits is enough.
    /// Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub capture: Vec<CaptureGrant>,

    /// Who may make images from snapshots of this account (source.snapshot), at most 32 entries;
    /// one that fits is enough. A snapshot of another account needs its account id in
    /// sourceOwners instead. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub snapshots: Vec<SnapshotGrant>,

    /// Who may make images from existing images (source.image), and from snapshots of other
    /// accounts (source.snapshot), by the owner of those, at most 32 entries; one that fits is
    /// enough. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub source_owners: Vec<SourceOwnerGrant>,

    /// Who may share images with whom (spec.sharing), at most 32 entries; one that fits is enough.
    /// Default: nobody with nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sharing: Vec<SharingGrant>,

    /// Who may make images public (spec.sharing.visibility), at most 32 entries. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub public: Vec<PublicGrant>,

    /// Whose images are looked up in EC2's usage reports before they are deregistered, so that what
    /// other accounts launch from them counts as use, at most 32 entries. A report is a day late,
    /// is made for each published image that is to go, and makes it wait until EC2 has written it.
    /// Default: nobody's, that is, only what this account itself uses counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub usage_reports: Vec<UsageReportGrant>,

    /// Who may take over images of this account that others made (spec.adopt), at most 32 entries;
    /// one that fits is enough. Whoever takes an image over may deregister it. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub adopt: Vec<AdoptionGrant>,

    /// Who may write which parameters of Systems Manager (spec.publish.ssmParameterName), at most
    /// 32 entries; one that fits is enough. Whoever writes a parameter decides what is launched by
    /// it. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub parameters: Vec<ParameterGrant>,

    /// Who may launch machines to build images (source.build), at most 32 entries; one that fits
    /// is enough. A machine costs while it runs, and its user data runs with the rights of its
    /// instance profile. Default: nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub builds: Vec<BuildGrant>,
}

/// These namespaces may launch machines to build images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The instance profiles that the machines may have, at most 64, by their names. Default:
    /// none, that is, only machines without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_instance_profiles")]
    pub instance_profiles: Vec<String>,
}

/// These namespaces may take over these images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AdoptionGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The tags that an image must have, all of them, at most 16, for example
    /// `amity-adopt: allowed`. Default: none written, that is, any image that the account owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(validation = rules::some_image_tags())]
    pub image_tags: Option<BTreeMap<String, String>>,
}

/// These namespaces may write these parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParameterGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The paths under which they may, 1 to 64, each from / to /, for example /golden/, which is
    /// every parameter whose name begins so. / alone is every parameter.
    #[schemars(schema_with = "rules::list_of_parameter_paths")]
    pub paths: Vec<String>,
}

/// These namespaces may share images with these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::somebody_is_granted())]
pub struct SharingGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// Accounts, at most 300, each as 12 digits in quotes. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_accounts")]
    pub accounts: Vec<String>,

    /// Organizations, at most 20, each by its whole ARN. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_organizations")]
    pub organizations: Vec<String>,

    /// Organizational units, at most 100, each by its whole ARN. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::list_of_organizational_units")]
    pub organizational_units: Vec<String>,
}

/// These namespaces may make images public.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,
}

/// The images of these namespaces are looked up in usage reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageReportGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,
}

/// These namespaces may capture these instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaptureGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The tags that an instance must have, all of them, at most 16, for example
    /// `amity-capture: allowed`. Default: none written, that is, any instance of the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(validation = rules::some_instance_tags())]
    pub instance_tags: Option<BTreeMap<String, String>>,
}

/// These namespaces may make images from these snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The tags that a snapshot must have, all of them, at most 16, for example
    /// `amity-register: allowed`. Data volumes' snapshots need them, too. Default: none written,
    /// that is, any snapshot that the account owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    #[x_kube(validation = rules::some_snapshot_tags())]
    pub snapshot_tags: Option<BTreeMap<String, String>>,
}

/// These namespaces may make images from images of these owners.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceOwnerGrant {
    /// The namespaces: exactly one of matchNames, matchLabels, all.
    pub namespaces: NamespaceSelector,

    /// The owners, 1 to 64: account ids of 12 digits in quotes, self (this account) or amazon
    /// (images that EC2 shows as Amazon's).
    #[schemars(schema_with = "rules::list_of_owners")]
    pub owners: Vec<String>,
}

/// Which namespaces: exactly one of matchNames, matchLabels, all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = exactly_one)]
pub enum NamespaceSelector {
    /// The namespaces with these names, 1 to 64, for example [images].
    #[schemars(with = "rules::NamespaceNames")]
    MatchNames(Vec<String>),
    /// The namespaces that have all these labels, 1 to 16, for example `team: web`. Whoever may
    /// label a namespace then decides.
    #[schemars(with = "rules::NamespaceLabels")]
    MatchLabels(BTreeMap<String, String>),
    /// Every namespace, if true: written on purpose, never by leaving something out.
    #[schemars(with = "rules::OnlyTrue")]
    All(bool),
}

/// What Amity last saw of the account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct AwsAccountStatus {
    /// The generation of the spec that this status is about; -1 until the first look.
    #[serde(default = "never_observed")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,

    /// Ready: the account was reached and proved to be the one in accountId. Reconciling and
    /// Stalled are there only while True: it is tried again by itself, or waits for you. The
    /// message says what to do; every reason is listed in docs/conditions.md.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// What carries the tags of this installation in the account although there is no
    /// MachineImage of the name in its tag amity.dev/object, for example since somebody removed
    /// that object's finalizer by hand. Amity never deletes it by itself: apply the MachineImage
    /// again, or remove it in EC2. Absent when there is nothing of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strays: Option<Strays>,
}

/// Images and snapshots without a MachineImage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Strays {
    /// How many images there are.
    #[schemars(range(min = 0))]
    pub images: i32,

    /// How many snapshots there are, those of the images included.
    #[schemars(range(min = 0))]
    pub snapshots: i32,

    /// The size of the volumes that the snapshots were made of, in GiB: what they may cost at
    /// most.
    #[schemars(range(min = 0))]
    pub gib: i64,

    /// Some of them, at most 10.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub examples: Vec<Stray>,
}

/// An image or snapshot without a MachineImage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stray {
    /// The region that it is in, for example eu-west-1.
    #[schemars(length(max = 32))]
    pub region: String,

    /// The image or snapshot, for example ami-0123456789abcdef0.
    #[schemars(length(max = 32))]
    pub id: String,

    /// The namespace and name of the MachineImage that it was made for, as its tag
    /// amity.dev/object says, for example images/web.
    #[schemars(length(max = 256))]
    pub object: String,
}

/// What a grant has to know of the namespace that asks.
#[derive(Clone, Copy, Debug)]
pub struct Namespace<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// The grant that is missing, said so that it can be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotGranted(String);

impl AwsAccount {
    /// The object's name; empty only on an object that no API server has seen.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Whether `namespace` may capture an instance that has the tags `instance_tags`.
    ///
    /// # Errors
    /// No entry of `spec.grants.capture` fits; the error names what is missing.
    pub fn grants_capture(
        &self,
        namespace: Namespace<'_>,
        instance_tags: &BTreeMap<String, String>,
    ) -> Result<(), NotGranted> {
        let entries = self.spec.grants.capture.iter();
        let entries = entries.map(|grant| (&grant.namespaces, grant.instance_tags.as_ref()));
        self.grants_by_tags(
            namespace,
            entries,
            instance_tags,
            ["capture", "instances", "instance", "capture"],
        )
    }

    /// Whether `namespace` may make an image from a snapshot that the account `owner` owns and
    /// that has the tags `snapshot_tags`. EC2 shows the tags of own snapshots only, so that
    /// another account's is granted by its owner.
    ///
    /// # Errors
    /// No entry of `spec.grants.snapshots`, or for another account's of `spec.grants.sourceOwners`,
    /// fits; the error names what is missing.
    pub fn grants_snapshot(
        &self,
        namespace: Namespace<'_>,
        owner: &str,
        snapshot_tags: &BTreeMap<String, String>,
    ) -> Result<(), NotGranted> {
        let account = self.name();
        let asking = namespace.name;
        if owner != self.spec.account_id {
            if self.lets_use(namespace, |granted| granted == owner) {
                return Ok(());
            }
            return Err(NotGranted(format!(
                "AwsAccount {account:?} does not let namespace {asking:?} use snapshots of owner \
                 {owner}: add an entry with owners [{owner:?}] for it to spec.grants.sourceOwners"
            )));
        }
        let entries = self.spec.grants.snapshots.iter();
        let entries = entries.map(|grant| (&grant.namespaces, grant.snapshot_tags.as_ref()));
        self.grants_by_tags(
            namespace,
            entries,
            snapshot_tags,
            ["use", "snapshots", "snapshot", "snapshots"],
        )
    }

    /// Whether `namespace` may make an image from an image that the account `owner` owns;
    /// `alias` is EC2's `ImageOwnerAlias`, where it has one.
    ///
    /// # Errors
    /// No entry of `spec.grants.sourceOwners` fits; the error names what is missing.
    pub fn grants_source_owner(
        &self,
        namespace: Namespace<'_>,
        owner: &str,
        alias: Option<&str>,
    ) -> Result<(), NotGranted> {
        let fits = |granted: &str| match granted {
            "self" => owner == self.spec.account_id,
            "amazon" => alias == Some("amazon"),
            id => owner == id,
        };
        if self.lets_use(namespace, fits) {
            return Ok(());
        }
        let whose = if owner == self.spec.account_id {
            "self".to_owned()
        } else if alias == Some("amazon") {
            "amazon".to_owned()
        } else {
            format!("{owner:?}")
        };
        Err(NotGranted(format!(
            "AwsAccount {:?} does not let namespace {:?} use images of owner {owner}: add an \
             entry with owners [{whose}] for it to spec.grants.sourceOwners",
            self.name(),
            namespace.name
        )))
    }

    /// Whether `namespace` may launch machines to build images, with this instance profile.
    ///
    /// # Errors
    /// No entry of `spec.grants.builds` fits; the error names what is missing.
    pub fn grants_build(
        &self,
        namespace: Namespace<'_>,
        instance_profile: Option<&str>,
    ) -> Result<(), NotGranted> {
        let (account, asking) = (self.name(), namespace.name);
        let entries = self.spec.grants.builds.iter();
        let mut entries = entries
            .filter(|grant| grant.namespaces.selects(namespace))
            .peekable();
        if entries.peek().is_none() {
            return Err(NotGranted(format!(
                "AwsAccount {account:?} does not let namespace {asking:?} launch machines to build images: add an entry \
                 for it to spec.grants.builds"
            )));
        }
        let Some(profile) = instance_profile else {
            return Ok(());
        };
        if entries.any(|grant| grant.instance_profiles.iter().any(|name| name == profile)) {
            return Ok(());
        }
        Err(NotGranted(format!(
            "AwsAccount {account:?} does not let namespace {asking:?} build with instance profile {profile:?}: add it to \
             instanceProfiles of an entry for it in spec.grants.builds"
        )))
    }

    /// Whether `namespace` may share images with `whom`: an account's id, or the ARN of an
    /// organization or organizational unit.
    ///
    /// # Errors
    /// No entry of `spec.grants.sharing` names it; the error does.
    pub fn grants_sharing(&self, namespace: Namespace<'_>, whom: &str) -> Result<(), NotGranted> {
        let granted = self
            .spec
            .grants
            .sharing
            .iter()
            .filter(|grant| grant.namespaces.selects(namespace))
            .flat_map(|grant| {
                let organizations = grant.organizations.iter();
                let units = grant.organizational_units.iter();
                grant.accounts.iter().chain(organizations).chain(units)
            })
            .any(|granted| granted == whom);
        if granted {
            return Ok(());
        }
        Err(NotGranted(format!(
            "AwsAccount {:?} does not let namespace {:?} share images with {whom}: add it to an \
             entry for that namespace in spec.grants.sharing",
            self.name(),
            namespace.name
        )))
    }

    /// Whether `namespace` may make images public.
    ///
    /// # Errors
    /// No entry of `spec.grants.public` fits.
    pub fn grants_public(&self, namespace: Namespace<'_>) -> Result<(), NotGranted> {
        let mut grants = self.spec.grants.public.iter();
        if grants.any(|grant| grant.namespaces.selects(namespace)) {
            return Ok(());
        }
        Err(NotGranted(format!(
            "AwsAccount {:?} does not let namespace {:?} make images public: add an entry for it to \
             spec.grants.public",
            self.name(),
            namespace.name
        )))
    }

    /// Whether the use of `namespace`'s images by other accounts is looked up.
    pub fn grants_usage_reports(&self, namespace: Namespace<'_>) -> bool {
        let mut grants = self.spec.grants.usage_reports.iter();
        grants.any(|grant| grant.namespaces.selects(namespace))
    }

    /// Whether `namespace` may take over an image that has the tags `image_tags`.
    ///
    /// # Errors
    /// No entry of `spec.grants.adopt` fits; the error names what is missing.
    pub fn grants_adoption(
        &self,
        namespace: Namespace<'_>,
        image_tags: &BTreeMap<String, String>,
    ) -> Result<(), NotGranted> {
        let entries = self.spec.grants.adopt.iter();
        let entries = entries.map(|grant| (&grant.namespaces, grant.image_tags.as_ref()));
        self.grants_by_tags(
            namespace,
            entries,
            image_tags,
            ["take over", "images", "image", "adopt"],
        )
    }

    /// Whether `namespace` may write the parameter `name`.
    ///
    /// # Errors
    /// No entry of `spec.grants.parameters` has a path that it is under; the error names one.
    pub fn grants_parameter(&self, namespace: Namespace<'_>, name: &str) -> Result<(), NotGranted> {
        let granted = self
            .spec
            .grants
            .parameters
            .iter()
            .filter(|grant| grant.namespaces.selects(namespace))
            .flat_map(|grant| &grant.paths)
            .any(|path| path.ends_with('/') && name.starts_with(path.as_str()));
        if granted {
            return Ok(());
        }
        let path = name.rsplit_once('/').map_or("", |(path, _)| path);
        Err(NotGranted(format!(
            "AwsAccount {:?} does not let namespace {:?} write parameter {name}: add {path}/ to the \
             paths of an entry for that namespace in spec.grants.parameters",
            self.name(),
            namespace.name
        )))
    }

    /// Whether an entry for `namespace` asks for no other tags than these. The words: what is done to which resources, one of
    /// them, and the field.
    fn grants_by_tags<'a>(
        &self,
        namespace: Namespace<'_>,
        entries: impl Iterator<Item = (&'a NamespaceSelector, Option<&'a BTreeMap<String, String>>)>,
        tags: &BTreeMap<String, String>,
        [does, resources, resource, field]: [&str; 4],
    ) -> Result<(), NotGranted> {
        let (account, asking) = (self.name(), namespace.name);
        let mut of_namespace = entries
            .filter(|(namespaces, _)| namespaces.selects(namespace))
            .peekable();
        if of_namespace.peek().is_none() {
            return Err(NotGranted(format!(
                "AwsAccount {account:?} does not let namespace {asking:?} {does} {resources}: add an entry for it to \
                 spec.grants.{field}"
            )));
        }
        if of_namespace.any(|(_, wanted)| has_tags(tags, wanted)) {
            return Ok(());
        }
        Err(NotGranted(format!(
            "AwsAccount {account:?} lets namespace {asking:?} {does} only {resources} with other tags: give the {resource} the \
             tags of an entry of spec.grants.{field}, or add an entry"
        )))
    }

    /// Whether an entry of `spec.grants.sourceOwners` for `namespace` has an owner that fits.
    fn lets_use(&self, namespace: Namespace<'_>, fits: impl Fn(&str) -> bool) -> bool {
        self.spec
            .grants
            .source_owners
            .iter()
            .filter(|grant| grant.namespaces.selects(namespace))
            .any(|grant| grant.owners.iter().any(|owner| fits(owner)))
    }

    /// Whether images may be wanted in `region`, as far as the spec says: whether the region is
    /// enabled is EC2's to say.
    pub fn may_use(&self, region: &str) -> bool {
        self.spec.regions.is_empty() || self.spec.regions.iter().any(|name| name == region)
    }
}

/// Whether a resource with these tags has all that a grant asks for.
fn has_tags(tags: &BTreeMap<String, String>, wanted: Option<&BTreeMap<String, String>>) -> bool {
    wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| tags.get(key) == Some(value))
}

impl NamespaceSelector {
    /// Whether `namespace` is one of these. Nothing is selected by an empty list or map, which
    /// the API server refuses.
    pub fn selects(&self, namespace: Namespace<'_>) -> bool {
        match self {
            Self::MatchNames(names) => names.iter().any(|name| name == namespace.name),
            Self::MatchLabels(labels) => {
                !labels.is_empty()
                    && labels
                        .iter()
                        .all(|(key, value)| namespace.labels.get(key) == Some(value))
            }
            Self::All(all) => *all,
        }
    }
}

impl Default for AwsAccountStatus {
    fn default() -> Self {
        Self {
            observed_generation: NEVER_OBSERVED,
            conditions: Vec::new(),
            strays: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries
            .iter()
            .map(|&(key, value)| (key.into(), value.into()))
            .collect()
    }

    fn account(grants: &serde_json::Value) -> AwsAccount {
        serde_json::from_value(json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "AwsAccount",
            "metadata": {"name": "default"},
            "spec": {"accountId": "111122223333", "grants": grants},
        }))
        .unwrap()
    }

    fn capture(
        grants: &serde_json::Value,
        namespace: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), NotGranted> {
        let labels = map(&[("team", namespace)]);
        account(grants).grants_capture(
            Namespace {
                name: namespace,
                labels: &labels,
            },
            &map(tags),
        )
    }

    fn owner(
        grants: &serde_json::Value,
        owner: &str,
        alias: Option<&str>,
    ) -> Result<(), NotGranted> {
        let labels = BTreeMap::new();
        account(grants).grants_source_owner(
            Namespace {
                name: "images",
                labels: &labels,
            },
            owner,
            alias,
        )
    }

    #[test]
    fn nothing_is_granted_by_default() {
        assert_eq!(
            capture(&json!({}), "images", &[]).unwrap_err().to_string(),
            "AwsAccount \"default\" does not let namespace \"images\" capture instances: add an entry for it to spec.grants.capture"
        );
        assert_eq!(
            owner(&json!({}), "111122223333", None)
                .unwrap_err()
                .to_string(),
            "AwsAccount \"default\" does not let namespace \"images\" use images of owner 111122223333: add an entry with owners [self] for it to spec.grants.sourceOwners"
        );
    }

    #[test]
    fn a_namespace_is_selected_by_name_by_labels_or_with_all_others() {
        for selector in [
            json!({"matchNames": ["other", "images"]}),
            json!({"matchLabels": {"team": "images"}}),
            json!({"all": true}),
        ] {
            let grants = json!({"capture": [{"namespaces": selector}]});
            assert_eq!(capture(&grants, "images", &[]), Ok(()), "{selector}");
        }
    }

    #[test]
    fn a_namespace_is_not_selected_by_accident() {
        for selector in [
            json!({"matchNames": []}),
            json!({"matchNames": ["image"]}),
            json!({"matchLabels": {}}),
            json!({"matchLabels": {"team": "images", "stage": "test"}}),
            json!({"all": false}),
        ] {
            let grants = json!({"capture": [{"namespaces": selector}]});
            assert!(capture(&grants, "images", &[]).is_err(), "{selector}");
        }
    }

    #[test]
    fn an_instance_needs_all_the_tags_of_one_grant() {
        let grants = json!({"capture": [
            {"namespaces": {"all": true}, "instanceTags": {"capture": "allowed", "stage": "test"}},
            {"namespaces": {"matchNames": ["other"]}},
        ]});
        let tagged = [("capture", "allowed"), ("stage", "test"), ("Name", "web")];
        assert_eq!(capture(&grants, "images", &tagged), Ok(()));
        assert_eq!(
            capture(&grants, "images", &tagged[..1])
                .unwrap_err()
                .to_string(),
            "AwsAccount \"default\" lets namespace \"images\" capture only instances with other tags: give the instance the tags of an entry of spec.grants.capture, or add an entry"
        );
        assert_eq!(capture(&grants, "other", &[]), Ok(()));
    }

    #[test]
    fn an_owner_is_granted_by_id_as_self_or_as_amazon() {
        let grants = |owners: &[&str]| json!({"sourceOwners": [{"namespaces": {"matchNames": ["images"]}, "owners": owners}]});
        assert_eq!(owner(&grants(&["self"]), "111122223333", None), Ok(()));
        assert_eq!(
            owner(&grants(&["444455556666"]), "444455556666", None),
            Ok(())
        );
        assert_eq!(
            owner(&grants(&["amazon"]), "137112412989", Some("amazon")),
            Ok(())
        );
        assert!(
            owner(
                &grants(&["self", "amazon"]),
                "444455556666",
                Some("aws-marketplace")
            )
            .is_err()
        );
    }

    fn snapshot(
        grants: &serde_json::Value,
        owner: &str,
        tags: &[(&str, &str)],
    ) -> Result<(), String> {
        let labels = BTreeMap::new();
        let images = Namespace {
            name: "images",
            labels: &labels,
        };
        account(grants)
            .grants_snapshot(images, owner, &map(tags))
            .map_err(|missing| missing.to_string())
    }

    #[test]
    fn snapshots_of_the_account_are_granted_by_their_tags() {
        let tagged = json!({"snapshots": [
            {"namespaces": {"all": true}, "snapshotTags": {"amity-register": "allowed"}},
        ]});
        let own = "111122223333";
        assert_eq!(
            snapshot(&tagged, own, &[("amity-register", "allowed"), ("a", "b")]),
            Ok(())
        );
        assert_eq!(
            snapshot(&tagged, own, &[("amity-register", "no")]).unwrap_err(),
            "AwsAccount \"default\" lets namespace \"images\" use only snapshots with other tags: give the snapshot the tags of an entry of spec.grants.snapshots, or add an entry"
        );
        let owners =
            json!({"sourceOwners": [{"namespaces": {"all": true}, "owners": ["self", own]}]});
        assert_eq!(
            snapshot(&owners, own, &[]).unwrap_err(),
            "AwsAccount \"default\" does not let namespace \"images\" use snapshots: add an entry for it to spec.grants.snapshots"
        );
    }

    #[test]
    fn snapshots_of_another_account_are_granted_by_its_id_alone() {
        let other = "444455556666";
        let by_id = json!({"sourceOwners": [{"namespaces": {"all": true}, "owners": [other]}]});
        assert_eq!(snapshot(&by_id, other, &[]), Ok(()));
        for grants in [
            json!({"snapshots": [{"namespaces": {"all": true}}]}),
            json!({"sourceOwners": [{"namespaces": {"all": true}, "owners": ["self", "amazon"]}]}),
            json!({"sourceOwners": [{"namespaces": {"matchNames": ["x"]}, "owners": [other]}]}),
        ] {
            assert_eq!(
                snapshot(&grants, other, &[]).unwrap_err(),
                "AwsAccount \"default\" does not let namespace \"images\" use snapshots of owner 444455556666: add an entry with owners [\"444455556666\"] for it to spec.grants.sourceOwners"
            );
        }
    }

    #[test]
    fn a_parameter_is_granted_by_a_path_that_it_is_under_and_not_by_half_a_word() {
        let grants = json!({"parameters": [
            {"namespaces": {"matchNames": ["images"]}, "paths": ["/golden/"]},
            {"namespaces": {"matchNames": ["other"]}, "paths": ["/"]},
        ]});
        let labels = BTreeMap::new();
        let asks = |namespace: &str, name: &str| {
            let namespace = Namespace {
                name: namespace,
                labels: &labels,
            };
            let granted = account(&grants).grants_parameter(namespace, name);
            granted.map_err(|missing| missing.to_string())
        };
        assert_eq!(asks("images", "/golden/web"), Ok(()));
        assert_eq!(asks("images", "/golden/team/web"), Ok(()));
        assert_eq!(asks("other", "/anything"), Ok(()));
        for name in ["/golden", "/goldenrod/web", "/web", "golden/web"] {
            assert!(asks("images", name).is_err(), "{name}");
        }
        assert_eq!(
            asks("images", "/team/web").unwrap_err(),
            "AwsAccount \"default\" does not let namespace \"images\" write parameter /team/web: add /team/ to the paths of an entry for that namespace in spec.grants.parameters"
        );
        assert!(asks("nobody", "/golden/web").is_err());
    }

    #[test]
    fn a_grant_with_a_field_of_a_later_version_is_an_error_and_no_wider_grant() {
        for kind in [
            "capture",
            "snapshots",
            "sourceOwners",
            "parameters",
            "adopt",
        ] {
            let grant = json!({"namespaces": {"all": true}, "onlyOn": "Sundays"});
            let grants = serde_json::from_value::<Grants>(json!({kind: [grant]}));
            let error = grants.unwrap_err().to_string();
            assert!(error.starts_with("unknown field `onlyOn`"), "{error}");
        }
    }
}
