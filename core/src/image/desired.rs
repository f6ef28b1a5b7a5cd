//! What a `MachineImage` asks for, with its references resolved and its grants checked.
//!
//! A refusal is part of what is desired, not an early return: grants gate making and exposing images,
//! never cleaning up, so that a plan is made in any case.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::identity::{Identity, Place, Reference, Revision};
use super::observed::{SourceImage, SourceInstance};
use super::plan::Finding;
use crate::api::conditions::{self, Reason};
use crate::api::{AwsAccount, DeletionPolicy, MachineImage, Namespace, Reboot, Source};

/// The finalizer that keeps an object until nothing of it is left in EC2.
pub const FINALIZER: &str = "amity.dev/cleanup";

/// The annotation that records a capture before it is asked for: `REVISION TIME`.
pub const CAPTURED: &str = "amity.dev/captured";

/// What is the same for every object of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// `--owner-id`.
    pub owner: String,
    /// The uid of namespace `kube-system`.
    pub cluster: String,
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
    /// The regions that the account was proven to have; `None` before it was reached.
    pub account_regions: Option<&'a [String]>,
}

/// What one `MachineImage` asks for.
#[derive(Clone, Debug, PartialEq)]
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
    pub origin: Reference,
    /// Whether an instance may be restarted for its capture; `None` for other sources.
    pub reboot: Option<Reboot>,
    /// The places that shall have the image, in the spec's order.
    pub places: Vec<Place>,
    /// The AMI name of that revision.
    pub image_name: String,
    /// The description of images that are made from now on.
    pub description: Option<String>,
    /// `spec.tags`.
    pub tags: BTreeMap<String, String>,
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
    /// How long EC2's reads may lag behind its writes.
    pub consistency_window: SignedDuration,
    /// Why nothing may be made at all: a missing account or grant, a region that is not the account's.
    pub refusals: Vec<Finding>,
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

/// The grants of the account that concern the source, for the object's namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceGrants {
    account: Option<AwsAccount>,
    namespace: String,
    labels: BTreeMap<String, String>,
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
        let revision = Revision::of(&source, spec.rebuild.as_deref());
        let mut refusals = refusals_of_references(image, references);
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
        Self {
            identity: Identity {
                owner: installation.owner.clone(),
                cluster: installation.cluster.clone(),
                object: image.key(),
            },
            account_name: spec.account_name.clone(),
            revision,
            origin: Reference::new(spec.source.region(), spec.source.id().unwrap_or_default()),
            reboot: match &spec.source {
                Source::Instance(instance) => Some(instance.reboot()),
                Source::Snapshot(_) | Source::Image(_) => None,
            },
            places: spec.region_names().map(place).collect(),
            image_name,
            description: spec.description.clone(),
            tags: spec.tags.clone(),
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
            captured: image
                .metadata
                .annotations
                .as_ref()
                .and_then(|all| Captured::parse(all.get(CAPTURED)?)),
            consistency_window: installation.consistency_window,
            refusals,
            grants: SourceGrants {
                account: references.account.cloned(),
                namespace: image.namespace().to_owned(),
                labels: references.namespace_labels.clone(),
            },
            account_id,
        }
    }

    /// The place that a capture is made in.
    pub fn origin_place(&self) -> Place {
        Place::new(
            self.account_id.clone().unwrap_or_default(),
            self.origin.region.clone(),
        )
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

impl SourceGrants {
    /// Whether the object's namespace may capture this instance.
    pub fn check_instance(&self, instance: &SourceInstance) -> Result<(), Finding> {
        self.check(|account, namespace| account.grants_capture(namespace, &instance.tags))
    }

    /// Whether the object's namespace may use images of this owner.
    pub fn check_image(&self, image: &SourceImage) -> Result<(), Finding> {
        self.check(|account, namespace| {
            account.grants_source_owner(namespace, &image.owner, image.owner_alias.as_deref())
        })
    }

    fn check<E: std::fmt::Display>(
        &self,
        ask: impl FnOnce(&AwsAccount, Namespace<'_>) -> Result<(), E>,
    ) -> Result<(), Finding> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        ask(
            account,
            Namespace {
                name: &self.namespace,
                labels: &self.labels,
            },
        )
        .map_err(|missing| Finding {
            reason: conditions::NOT_GRANTED,
            place: None,
            message: missing.to_string(),
        })
    }
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
