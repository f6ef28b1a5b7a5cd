//! What a `MachineImage` asks for, with its references resolved and its grants checked.
//!
//! A refusal is part of what is desired, not an early return: grants gate making and exposing images,
//! never cleaning up, so that a plan is made in any case.

mod accounts;
mod chain;
mod follow;
mod parameter;
mod sharing;
mod source;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::attributes::Protection;
use super::encryption::{Encryption, VARIANT_SOURCE};
use super::fast_launch::WantedFastLaunch;
use super::identity::{Identity, Place, Reference, Revision, hex_digest, tag};
use super::machines::Launched;
use super::money::Price;
use super::observed::{Image, ImageState};
use super::parameters::PublishedParameter;
use super::permissions::Sharing;
use super::plan::Finding;
use crate::api::conditions;
use crate::api::{
    AwsAccount, DeletionPolicy, Deprecation, Follow, MachineImage, MachineImageStatus,
};
pub use accounts::{
    Account, AccountReference, annotation as accounts_annotation, named as named_accounts,
};
pub use chain::chain;
pub use follow::{Lineage, Recorded};
pub use source::{
    Build, ImageName, Launch, Parameter, Published, RegisteredVolume, Registration, Source,
    SourceGrants,
};

/// The finalizer that keeps an object until nothing of it is left in EC2.
pub const FINALIZER: &str = "amity.dev/cleanup";

/// The annotation that records a capture before it is asked for: `REVISION TIME`.
pub const CAPTURED: &str = "amity.dev/captured";

/// The annotation that records the launch of a machine before it is asked for: `REVISION ATTEMPT REGION TIME`.
pub const LAUNCHED: &str = "amity.dev/launched";

/// The annotation that records that an image was discarded: `REVISION PLATFORM-DETAILS`.
pub const DISCARDED: &str = "amity.dev/discarded";

/// The annotation that records in which `AwsAccount`s something was made, before it is: their names, with commas.
pub const ACCOUNTS: &str = "amity.dev/accounts";

/// The annotation by which a user says that images of a revision go although something uses them: `REVISION`.
pub const DEREGISTER_IN_USE: &str = "amity.dev/deregister-in-use";

/// The annotation by which a user says that what `spec.adopt` lists is to be taken over: what the report says
/// ([`Desired::adoption_word`]).
pub const ADOPT: &str = "amity.dev/adopt";

/// How many digits of a hash tell one list of `spec.adopt` from another.
const ADOPTION_HASH: usize = 8;

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
    /// What a stored GiB costs in a month, where that is given (`--price-per-gib-month`).
    pub price_per_gib_month: Option<Price>,
}

/// The part of the cluster that a spec refers to.
#[derive(Clone, Copy, Debug)]
pub struct References<'a> {
    /// The `AwsAccount`s that the object names, by their names: those of [`named_accounts`].
    pub accounts: &'a BTreeMap<String, AccountReference>,
    /// The labels of the object's namespace, which grants select by.
    pub namespace_labels: &'a BTreeMap<String, String>,
    /// The other objects that this one is made of, as [`chain()`] has them.
    pub machine_images: &'a [MachineImage],
}

impl<'a> References<'a> {
    /// The `AwsAccount` of that name, if there is one that can be used.
    fn account(&self, name: &str) -> Option<&'a AwsAccount> {
        self.accounts.get(name)?.account.as_ref()
    }

    fn id_of(&self, name: &str) -> Option<String> {
        Some(self.account(name)?.spec.account_id.clone())
    }
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
    /// The accounts that the object has images in, or may have, by their ids: those that the spec names, and those in
    /// which something was made once.
    pub accounts: BTreeMap<String, Account>,
    /// The names of the `AwsAccount`s in which something was made once, besides `spec.accountName`.
    pub recorded_accounts: BTreeSet<String>,
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
    /// The images that stand for the revision as if they had been made for the object; none, if what is listed is meant
    /// for another one.
    pub adopt: BTreeMap<Place, String>,
    /// Whether somebody says that they are to be taken over.
    pub adoption_is_meant: bool,
    /// All of `spec.adopt`.
    listed: BTreeMap<Place, String>,
    /// What the annotation [`ADOPT`] says.
    adoption_said: Option<String>,
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
    /// Whether EC2 launches the published images fast; `None`: not managed.
    pub fast_launch: Option<WantedFastLaunch>,
    /// `spec.tags`.
    pub tags: BTreeMap<String, String>,
    /// The tags of regions that have some of their own, which go before `spec.tags`.
    pub region_tags: BTreeMap<Place, BTreeMap<String, String>>,
    /// `spec.snapshotTags`, which go before both.
    pub snapshot_tags: BTreeMap<String, String>,
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
    /// The launch that was last recorded.
    pub launched: Option<Launched>,
    /// The image that was discarded.
    pub discarded: Option<Discarded>,
    /// How long EC2's reads may lag behind its writes.
    pub consistency_window: SignedDuration,
    /// What a stored GiB costs in a month, where that is given.
    pub price_per_gib_month: Option<Price>,
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
        let account_id = references.id_of(&spec.account_name);
        let source = serde_json::to_value(&spec.source).unwrap_or_default();
        let lineage = Lineage::new(source, spec.rebuild.clone());
        let revision = lineage.first();
        let recorded = Recorded::of(image);
        let mut refusals = accounts::refusals(image, references);
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
        let accounts = accounts::accounts(image, references);
        let wanted = || accounts::wanted(image, references);
        let encryption = wanted().filter_map(|(place, asked)| {
            let encryption = Encryption::of(asked.encryption.as_ref()?, &place);
            Some((place, encryption))
        });
        let region_tags = wanted().filter(|(_, asked)| !asked.tags.is_empty());
        let region_tags = region_tags.map(|(place, asked)| (place, asked.tags.clone()));
        let annotation = |key: &str| image.annotations().get(key).map(String::as_str);
        let listed = spec.adopt.iter().map(|listed| {
            let account = account_id.clone().unwrap_or_default();
            (Place::new(account, &listed.region), listed.image_id.clone())
        });
        let mut desired = Self {
            adopt: BTreeMap::new(),
            adoption_is_meant: false,
            listed: listed.collect(),
            adoption_said: annotation(ADOPT).map(str::to_owned),
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
            told: told(image, &accounts),
            discarded: annotation(DISCARDED)
                .and_then(Discarded::parse)
                .filter(|discarded| discarded.revision == revision),
            revision,
            places: wanted().map(|(place, _)| place).collect(),
            encryption: encryption.collect(),
            recorded_accounts: accounts::recorded(image).map(str::to_owned).collect(),
            accounts,
            image_names: image.image_name("{revision}").unwrap_or_default(),
            image_name,
            description: spec.description.clone(),
            requires_imds_v2: spec.imds_support.is_some(),
            deprecation: spec.deprecation.clone(),
            protection: spec.deregistration_protection.map(Into::into),
            fast_launch: spec.fast_launch.map(Into::into),
            tags: spec.tags.clone(),
            region_tags: region_tags.collect(),
            snapshot_tags: spec.snapshot_tags.clone(),
            config_map: spec
                .publish
                .as_ref()
                .and_then(|publish| publish.config_map_name.clone()),
            parameter: spec
                .publish
                .as_ref()
                .and_then(|publish| publish.ssm_parameter_name.as_ref())
                .map(|name| parameter::parameter(name, image, references)),
            publish_tags: spec.publish.clone().unwrap_or_default().tags,
            copy_minutes: spec.copy_minutes(),
            sharing: spec
                .sharing
                .as_ref()
                .map(|asked| sharing::sharing(asked, image, references)),
            was_in_sync: was_in_sync(image),
            kept_revisions: usize::try_from(spec.retention.revisions).unwrap_or_default(),
            kept_for: spec.retention.min_age(),
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
            launched: annotation(LAUNCHED).and_then(Launched::parse),
            deregister_in_use: annotation(DEREGISTER_IN_USE).map(Revision::from),
            consistency_window: installation.consistency_window,
            price_per_gib_month: installation.price_per_gib_month,
            refusals,
            awaited: chain::awaited(image, references.machine_images),
            grants: SourceGrants {
                account: references.account(&spec.account_name).cloned(),
                namespace: image.namespace().to_owned(),
                labels: references.namespace_labels.clone(),
            },
            account_id,
        };
        desired.decide_adoption();
        desired
    }

    /// What the annotation [`ADOPT`] has to say: `REVISION-HASH`, where the hash is that of the list, so that nothing is
    /// taken over of which no report told.
    pub fn adoption_word(&self) -> String {
        let listed = self.listed.iter();
        let listed = listed.flat_map(|(place, id)| [place.region.as_str(), id.as_str()]);
        let hash = hex_digest(listed);
        format!("{}-{}", self.revision, &hash[..ADOPTION_HASH])
    }

    /// What is listed for another revision than the annotation names is done, or was never meant for this one.
    fn decide_adoption(&mut self) {
        let said = self.adoption_said.as_deref();
        let revision =
            said.map(|said| said.rsplit_once('-').map_or(said, |(revision, _)| revision));
        let is_for_this = revision.is_none_or(|revision| revision == self.revision.as_str());
        // In each reconcile of each object: without the annotation nothing is hashed.
        self.adoption_is_meant = said.is_some_and(|said| said == self.adoption_word());
        self.adopt = if is_for_this {
            self.listed.clone()
        } else {
            BTreeMap::new()
        };
    }

    /// The place of the source, in which a capture is made.
    pub fn source_place(&self) -> Place {
        Place::new(
            self.account_id.clone().unwrap_or_default(),
            self.source.region(),
        )
    }

    /// What EC2 bills for an image of the wanted revision that Amity registered, where that is not what the spec
    /// says: its billing code is missing or another's (EC2 API, `RegisterImage`).
    pub fn other_platform_of<'a>(&self, image: &'a Image) -> Option<&'a str> {
        let Source::Snapshot { registration, .. } = &self.source else {
            return None;
        };
        let source = image.tags.get(tag::SOURCE)?.parse::<Reference>().ok()?;
        let is_registered = source.is_snapshot()
            && !image.tags.tell_of_publication()
            && !image.tags.contains_key(tag::ADOPTED)
            && image.state == ImageState::Available
            && image.tags.get(tag::REVISION) == Some(self.revision.as_str());
        let registered = image.registered.as_ref();
        let shown = registered.and_then(|registered| registered.platform_details.as_deref());
        let shown = shown.unwrap_or_default();
        (is_registered && shown != registration.platform_details).then_some(shown)
    }

    /// How an image in `place` shall be encrypted, as the tag `amity.dev/variant` says it.
    pub fn variant(&self, place: &Place) -> &str {
        let asked = self.encryption.get(place);
        asked.map_or(VARIANT_SOURCE, |encryption| encryption.variant.as_str())
    }

    /// The tags that an image in `place` has from birth, as the spec says them.
    pub fn image_tags(&self, place: &Place) -> Cow<'_, BTreeMap<String, String>> {
        over(Cow::Borrowed(&self.tags), self.region_tags.get(place))
    }

    /// The same of the snapshots of such an image.
    pub fn snapshot_tags(&self, place: &Place) -> Cow<'_, BTreeMap<String, String>> {
        over(self.image_tags(place), Some(&self.snapshot_tags))
    }

    /// The name of the `AwsAccount` of a place.
    pub fn account_name<'a>(&'a self, place: &'a Place) -> &'a str {
        let known = self.accounts.get(&place.account);
        let name = known.map(|account| account.name.as_str());
        name.or_else(|| accounts::name_of_unknown(&place.account))
            .unwrap_or(&self.account_name)
    }

    /// A place as the user reads it: its region, with the name of the account where that is not `spec.accountName`.
    pub fn said(&self, place: &Place) -> String {
        if self.is_at_home(place) {
            return place.region.clone();
        }
        format!("{} of {}", place.region, self.account_name(place))
    }

    /// Whether it is a place of the account that the images come from.
    pub fn is_at_home(&self, place: &Place) -> bool {
        self.account_id.as_deref().unwrap_or_default() == place.account
    }

    /// Until when any number of an account's images may go at once.
    pub fn limit_lifted_until(&self, account: &str) -> Option<Timestamp> {
        self.accounts.get(account)?.limit_lifted_until
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

/// Tags with others in place of those of the same keys.
fn over<'a>(
    mut tags: Cow<'a, BTreeMap<String, String>>,
    others: Option<&BTreeMap<String, String>>,
) -> Cow<'a, BTreeMap<String, String>> {
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        tags.to_mut().extend(others.clone());
    }
    tags
}

/// What the status names as published, of the accounts that are known.
fn told(image: &MachineImage, accounts: &BTreeMap<String, Account>) -> BTreeMap<Place, String> {
    let regions = image.status.iter().flat_map(|status| &status.regions);
    let told = regions.filter_map(|region| {
        let mut known = accounts.iter();
        let (id, _) = known.find(|(_, account)| account.name == region.account_name)?;
        let published = region.published_image_id.clone()?;
        Some((Place::new(id.as_str(), region.name.as_str()), published))
    });
    told.collect()
}

fn was_in_sync(image: &MachineImage) -> bool {
    let is_ready = |status: &MachineImageStatus| {
        Some(status.observed_generation) == image.metadata.generation
            && status.says(conditions::READY).is_some()
    };
    image.status.as_ref().is_some_and(is_ready)
}

#[cfg(test)]
mod tests;
