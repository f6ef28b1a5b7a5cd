//! What a `MachineImage` asks for, with its references resolved and its grants checked.
//!
//! A refusal is part of what is desired, not an early return: grants gate making and exposing images,
//! never cleaning up, so that a plan is made in any case.

mod chain;
mod follow;
mod parameter;
mod sharing;
mod source;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::attributes::Protection;
use super::encryption::{Encryption, VARIANT_SOURCE};
use super::identity::{Identity, Place, Reference, Revision, tag};
use super::observed::{Image, ImageState};
use super::parameters::PublishedParameter;
use super::permissions::Sharing;
use super::plan::Finding;
use crate::api::conditions::{self, Reason};
use crate::api::{
    AwsAccount, DeletionPolicy, Deprecation, Follow, MachineImage, MachineImageSpec,
    MachineImageStatus,
};
pub use chain::chain;
pub use follow::{Lineage, Recorded};
pub use source::{
    ImageName, Parameter, Published, RegisteredVolume, Registration, Source, SourceGrants,
};

/// The finalizer that keeps an object until nothing of it is left in EC2.
pub const FINALIZER: &str = "amity.dev/cleanup";

/// The annotation that records a capture before it is asked for: `REVISION TIME`.
pub const CAPTURED: &str = "amity.dev/captured";

/// The annotation that records that an image was discarded: `REVISION PLATFORM-DETAILS`.
pub const DISCARDED: &str = "amity.dev/discarded";

/// The annotation by which a user says that images of a revision go although something uses them: `REVISION`.
pub const DEREGISTER_IN_USE: &str = "amity.dev/deregister-in-use";

/// The annotation of an `AwsAccount` by which its keeper says until when any number of images may go: a time of
/// RFC 3339.
pub const LIMIT_LIFTED_UNTIL: &str = "amity.dev/deregistration-limit-lifted-until";

/// What is the same for every object of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// `--owner-id`.
    pub owner: String,
    /// The uid of namespace `kube-system`.
    pub cluster: String,
    /// The uid of the cluster that was rebuilt as this one (`--take-over-from`).
    pub take_over_from: Option<String>,
    /// How long EC2's reads may lag behind its writes (`--consistency-window`).
    pub consistency_window: SignedDuration,
}

/// The part of the cluster that a spec refers to.
#[derive(Clone, Copy, Debug)]
pub struct References<'a> {
    /// The `AwsAccount` of `spec.accountName`, if there is one that can be used.
    pub account: Option<&'a AwsAccount>,
    /// Why the `AwsAccount` of that name, which is there, cannot be used.
    pub unusable: Option<&'a str>,
    /// The labels of the object's namespace, which grants select by.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The other objects that this one is made of, as [`chain()`] has them.
    pub machine_images: &'a [MachineImage],
    /// The regions that the account was proven to have; `None` before it was reached.
    pub account_regions: Option<&'a [String]>,
}

/// What one `MachineImage` asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, as the spec, the object and the status have it"
)]
pub struct Desired {
    /// Whose images these are.
    pub identity: Identity,
    /// `spec.accountName`.
    pub account_name: String,
    /// The account's id; `None` when there is no such `AwsAccount`.
    pub account_id: Option<String>,
    /// The revision that the spec asks for.
    pub revision: Revision,
    /// What that revision is made from.
    pub source: Source,
    /// What the status says that a source that has to be found out was resolved to for this revision.
    pub pinned: Option<Reference>,
    /// What it was resolved to just now, for this revision; to be recorded in the status.
    pub resolved: Option<Reference>,
    /// How often it is looked at again.
    pub follow: Option<SignedDuration>,
    /// What the revisions of this spec have in common.
    pub lineage: Lineage,
    /// What the status says that revisions were made from.
    pub recorded: Recorded,
    /// The places that cannot be read, and may hold the revision that is wanted.
    pub undecided: Vec<Place>,
    /// The image of each place that the status names as published: somebody may be launching it at this moment.
    pub told: BTreeMap<Place, String>,
    /// The places that shall have the image, in the spec's order.
    pub places: Vec<Place>,
    /// How the images are encrypted where the spec says that; elsewhere as what they are made from.
    pub encryption: BTreeMap<Place, Encryption>,
    /// The AMI name of that revision.
    pub image_name: String,
    /// The same of any revision, with `{revision}` in it.
    pub image_names: String,
    /// The description of the images; `None`: not managed.
    pub description: Option<String>,
    /// Whether instances launched from the images shall use IMDSv2 only.
    pub requires_imds_v2: bool,
    /// When the images are deprecated; `None`: not managed.
    pub deprecation: Option<Deprecation>,
    /// Whether the images can be deregistered; `None`: not managed.
    pub protection: Option<Protection>,
    /// `spec.tags`.
    pub tags: BTreeMap<String, String>,
    /// `spec.publish.configMapName`.
    pub config_map: Option<String>,
    /// `spec.publish.ssmParameterName`.
    pub parameter: Option<PublishedParameter>,
    /// `spec.publish.tags`.
    pub publish_tags: BTreeMap<String, String>,
    /// Within how many minutes a copy shall be done; `None`: as EC2 does it for nothing.
    pub copy_minutes: Option<i64>,
    /// Who else may use the images; `None`: not managed.
    pub sharing: Option<Sharing>,
    /// Whether the status says that EC2 matches this very spec: a hint that nothing need be read at once.
    pub was_in_sync: bool,
    /// How many superseded revisions are kept for a revert.
    pub kept_revisions: usize,
    /// How long a superseded revision is kept at least.
    pub kept_for: SignedDuration,
    /// The revision whose images go although something uses them.
    pub deregister_in_use: Option<Revision>,
    /// Until when any number of the account's images may go at once.
    pub limit_lifted_until: Option<Timestamp>,
    /// What becomes of images that are no longer wanted.
    pub deletion_policy: DeletionPolicy,
    /// `spec.suspend`.
    pub suspended: bool,
    /// Since when the object is being deleted.
    pub deleted_since: Option<Timestamp>,
    /// Whether the finalizer is stored.
    pub has_finalizer: bool,
    /// The capture that was last recorded.
    pub captured: Option<Captured>,
    /// The image that was discarded.
    pub discarded: Option<Discarded>,
    /// How long EC2's reads may lag behind its writes.
    pub consistency_window: SignedDuration,
    /// Why nothing may be made at all: a missing account or grant, a region that is not the account's.
    pub refusals: Vec<Finding>,
    /// What to say while the object that the spec names as its source has published nothing.
    pub awaited: Option<Finding>,
    /// What the account's grants say of a source, asked once EC2 has shown it.
    pub grants: SourceGrants,
}

/// The record of a capture that was about to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The revision.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
}

/// The record of an image that was not what the spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// The revision.
    pub revision: Revision,
    /// What EC2 showed.
    pub platform_details: String,
}

impl Desired {
    /// What `image` asks for.
    pub fn of(
        image: &MachineImage,
        installation: &Installation,
        references: References<'_>,
    ) -> Self {
        let spec = &image.spec;
        let account_id = references
            .account
            .map(|account| account.spec.account_id.clone());
        let source = serde_json::to_value(&spec.source).unwrap_or_default();
        let lineage = Lineage::new(source, spec.rebuild.clone());
        let revision = lineage.first();
        let recorded = Recorded::of(image);
        let mut refusals = refusals_of_references(image, references);
        refusals.extend(chain::refusal(image, references.machine_images));
        let image_name = image
            .image_name(revision.as_str())
            .unwrap_or_else(|too_long| {
                refusals.push(Finding {
                    reason: conditions::INVALID_SPEC,
                    place: None,
                    message: too_long.to_string(),
                });
                String::new()
            });
        let place = |region: &str| Place::new(account_id.clone().unwrap_or_default(), region);
        let annotation = |key: &str| image.annotations().get(key).map(String::as_str);
        Self {
            identity: Identity {
                owner: installation.owner.clone(),
                cluster: installation.cluster.clone(),
                predecessor: installation.take_over_from.clone(),
                object: image.key(),
            },
            account_name: spec.account_name.clone(),
            source: Source::of(&spec.source, image.namespace()),
            pinned: recorded.of_revision(&revision, spec.source.region()),
            resolved: None,
            follow: spec.follow.as_ref().map(Follow::interval),
            lineage,
            recorded,
            undecided: Vec::new(),
            told: told(image, place),
            discarded: annotation(DISCARDED)
                .and_then(Discarded::parse)
                .filter(|discarded| discarded.revision == revision),
            revision,
            places: spec.region_names().map(place).collect(),
            encryption: encryption(spec, place),
            image_names: image.image_name("{revision}").unwrap_or_default(),
            image_name,
            description: spec.description.clone(),
            requires_imds_v2: spec.imds_support.is_some(),
            deprecation: spec.deprecation.clone(),
            protection: spec.deregistration_protection.map(Into::into),
            tags: spec.tags.clone(),
            config_map: spec
                .publish
                .as_ref()
                .and_then(|publish| publish.config_map_name.clone()),
            parameter: spec
                .publish
                .as_ref()
                .and_then(|publish| publish.ssm_parameter_name.as_ref())
                .map(|name| parameter::parameter(name, image.namespace(), references)),
            publish_tags: spec.publish.clone().unwrap_or_default().tags,
            copy_minutes: spec.copy_minutes(),
            sharing: spec
                .sharing
                .as_ref()
                .map(|asked| sharing::sharing(asked, image.namespace(), references)),
            was_in_sync: was_in_sync(image),
            kept_revisions: usize::try_from(spec.retention.revisions).unwrap_or_default(),
            kept_for: spec.retention.min_age(),
            limit_lifted_until: references
                .account
                .and_then(|account| account.annotations().get(LIMIT_LIFTED_UNTIL)?.parse().ok()),
            deletion_policy: spec.deletion_policy,
            suspended: spec.suspend,
            deleted_since: image
                .metadata
                .deletion_timestamp
                .as_ref()
                .map(|time| time.0),
            has_finalizer: image
                .metadata
                .finalizers
                .iter()
                .flatten()
                .any(|name| name == FINALIZER),
            captured: annotation(CAPTURED).and_then(Captured::parse),
            deregister_in_use: annotation(DEREGISTER_IN_USE).map(Revision::from),
            consistency_window: installation.consistency_window,
            refusals,
            awaited: chain::awaited(image, references.machine_images),
            grants: SourceGrants {
                account: references.account.cloned(),
                namespace: image.namespace().to_owned(),
                labels: references.namespace_labels.clone(),
            },
            account_id,
        }
    }

    /// The place of the source, in which a capture is made.
    pub fn source_place(&self) -> Place {
        Place::new(
            self.account_id.clone().unwrap_or_default(),
            self.source.region(),
        )
    }

    /// What EC2 bills for an image of the wanted revision that was registered, where that is not what the spec
    /// says: its billing code is missing or another's (EC2 API, `RegisterImage`).
    pub fn other_platform_of<'a>(&self, image: &'a Image) -> Option<&'a str> {
        let Source::Snapshot { registration, .. } = &self.source else {
            return None;
        };
        let source = image.tags.get(tag::SOURCE)?.parse::<Reference>().ok()?;
        let was_published = [tag::PUBLISHED, tag::SUPERSEDED]
            .iter()
            .any(|key| image.tags.contains_key(key));
        let is_registered = source.is_snapshot()
            && !was_published
            && image.state == ImageState::Available
            && image.tags.get(tag::REVISION) == Some(self.revision.as_str());
        let shown = image.platform_details.as_deref().unwrap_or_default();
        (is_registered && shown != registration.platform_details).then_some(shown)
    }

    /// How an image in `place` shall be encrypted, as the tag `amity.dev/variant` says it.
    pub fn variant(&self, place: &Place) -> &str {
        let asked = self.encryption.get(place);
        asked.map_or(VARIANT_SOURCE, |encryption| encryption.variant.as_str())
    }

    /// Whether the spec wants an image in `place`.
    pub fn wants(&self, place: &Place) -> bool {
        self.places.contains(place)
    }

    /// Whether the object is being deleted.
    pub fn is_being_deleted(&self) -> bool {
        self.deleted_since.is_some()
    }
}

impl Captured {
    /// Reads the annotation; what cannot be read records nothing.
    fn parse(text: &str) -> Option<Self> {
        let (revision, time) = text.split_once(' ')?;
        Some(Self {
            revision: Revision::from(revision),
            at: time.parse().ok()?,
        })
    }

    /// The annotation's value.
    pub fn annotation(revision: &Revision, now: Timestamp) -> String {
        format!("{revision} {}", now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

impl Discarded {
    /// Reads the annotation; what cannot be read records nothing.
    fn parse(text: &str) -> Option<Self> {
        let (revision, platform_details) = text.split_once(' ')?;
        Some(Self {
            revision: Revision::from(revision),
            platform_details: platform_details.to_owned(),
        })
    }

    /// The annotation's value.
    pub fn annotation(revision: &Revision, platform_details: &str) -> String {
        format!("{revision} {platform_details}")
    }
}

fn encryption(
    spec: &MachineImageSpec,
    place: impl Fn(&str) -> Place,
) -> BTreeMap<Place, Encryption> {
    let asked = spec.regions.iter().filter_map(|region| {
        let place = place(&region.name);
        let encryption = Encryption::of(region.encryption.as_ref()?, &place);
        Some((place, encryption))
    });
    asked.collect()
}

/// What the status names as published, of the account that the spec names.
fn told(image: &MachineImage, place: impl Fn(&str) -> Place) -> BTreeMap<Place, String> {
    let regions = image.status.iter().flat_map(|status| &status.regions);
    regions
        .filter(|region| region.account_name == image.spec.account_name)
        .filter_map(|region| Some((place(&region.name), region.published_image_id.clone()?)))
        .collect()
}

fn was_in_sync(image: &MachineImage) -> bool {
    let is_ready = |status: &MachineImageStatus| {
        let mut conditions = status.conditions.iter();
        Some(status.observed_generation) == image.metadata.generation
            && conditions.any(|one| one.type_ == conditions::READY && one.status == "True")
    };
    image.status.as_ref().is_some_and(is_ready)
}

/// What of the spec's references forbids to make anything.
fn refusals_of_references(image: &MachineImage, references: References<'_>) -> Vec<Finding> {
    let refuse = |reason: Reason, message: String| {
        vec![Finding {
            reason,
            place: None,
            message,
        }]
    };
    let name = &image.spec.account_name;
    let Some(account) = references.account else {
        if let Some(why) = references.unusable {
            let message = format!("AwsAccount {name:?} cannot be used: {why}");
            return refuse(conditions::ACCOUNT_NOT_READY, message);
        }
        return refuse(
            conditions::ACCOUNT_NOT_FOUND,
            format!(
                "there is no AwsAccount {name:?}: create it, or name one that exists (kubectl get awsaccounts)"
            ),
        );
    };
    if account.metadata.deletion_timestamp.is_some() {
        let message = format!(
            "AwsAccount {name:?} is being deleted: nothing is made in it any more; delete this MachineImage, too, or \
             create the AwsAccount anew"
        );
        return refuse(conditions::ACCOUNT_NOT_READY, message);
    }
    let outside: Vec<_> = image
        .spec
        .region_names()
        .chain([image.spec.source.region()])
        .filter(|region| {
            !account.may_use(region)
                || references
                    .account_regions
                    .is_some_and(|enabled| !enabled.iter().any(|name| name == region))
        })
        .collect();
    if let Some(region) = outside.first() {
        return refuse(
            conditions::REGION_NOT_IN_ACCOUNT,
            format!(
                "{region} is not among the regions of AwsAccount {name:?}: take it out of spec.regions and spec.source, \
                 add it to the AwsAccount's spec.regions, or enable it for account {}",
                account.spec.account_id
            ),
        );
    }
    Vec::new()
}

#[cfg(test)]
mod tests;
