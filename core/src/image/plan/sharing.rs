//! Who else may use the images: published ones are shared as the spec says, and superseded ones no longer with whoever
//! is not in it. Without `spec.sharing` nothing is managed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::When;
use super::lending::{lent_to, may_be_copying};
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::attributes::AttributeChange;
use crate::image::encryption::MANAGED_KEY;
use crate::image::identity::{Place, is_sealed_snapshot};
use crate::image::observed::{EbsDefaults, ImageState};
use crate::image::permissions::{Grantee, PermissionChange, Permissions, Sharing};

const FIELD: &str = "spec.sharing";

/// After how long EC2 deprecates a public image: two years (EC2 User Guide, "Deprecate an AMI"), of which one may have a day
/// more.
const PUBLIC_FOR: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);

/// How long before that it is said.
const TOLD_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Shares the images and the snapshots that Amity made, and says which grants are missing.
pub(crate) fn share(view: &View<'_>, plan: &mut Plan) {
    let Some(sharing) = &view.desired.sharing else {
        return;
    };
    if view.has_sibling() {
        plan.findings.extend(sharing.refusals.iter().cloned());
    }
    for owned in once_published(view) {
        for id in snapshots(view, owned) {
            bring_into_line(view, sharing, owned, id, plan);
        }
        bring_into_line(view, sharing, owned, &owned.image.id, plan);
        plan.steps.extend(visibility(view, sharing, owned));
    }
}

/// Who else may use what has to be read: at once where something may have changed, and else now and then, since
/// somebody else may change it and no list shows that.
pub(super) fn reads(view: &View<'_>) -> BTreeMap<(Place, String), When> {
    if view.desired.sharing.is_none() {
        return BTreeMap::new();
    }
    let when = if view.desired.was_in_sync {
        When::InTurn
    } else {
        When::Now
    };
    once_published(view)
        .flat_map(|owned| {
            let ids = snapshots(view, owned).chain([owned.image.id.as_str()]);
            ids.map(|id| ((owned.place.clone(), id.to_owned()), when))
        })
        .collect()
}

/// The public images that EC2 deprecates soon, which only a fresh revision helps against.
pub(super) fn ageing(view: &View<'_>) -> impl Iterator<Item = Finding> {
    let published = view.desired.places.iter();
    let published = published.filter_map(|place| view.keeper(place));
    let public = published.filter(|owned| owned.is_published() && owned.image.attributes.public);
    public.filter_map(|owned| {
        let ends = owned.image.created? + PUBLIC_FOR;
        (ends < view.now + TOLD_BEFORE).then(|| Finding {
            reason: conditions::PUBLIC_IMAGE_AGES,
            place: Some(owned.place.clone()),
            message: format!(
                "{} in {} is public, and EC2 deprecates it on {}, two years after it was made: change spec.rebuild for a \
                 fresh revision",
                owned.image.id,
                owned.place.region,
                ends.strftime("%Y-%m-%d")
            ),
        })
    })
}

/// Whether a copy in `place` could be shared as the spec says, as it will be encrypted; what has to be read before that can
/// be said. EC2 says it only when the copy is there and is to be shared (EC2 User Guide, "Share an AMI"; EBS User Guide,
/// "Share an Amazon EBS snapshot").
///
/// # Errors
/// It could not.
pub(super) fn preflight(view: &View<'_>, place: &Place) -> Result<Option<WaitsFor>, Finding> {
    let Some(sharing) = &view.desired.sharing else {
        return Ok(None);
    };
    let asked = view.desired.encryption.get(place);
    let has_own_key = asked.is_some_and(|encryption| encryption.key.is_some());
    if !sharing.public && (sharing.with.is_empty() || has_own_key) {
        return Ok(None);
    }
    let (encrypts, key_is_managed) = match view.observed.ebs_defaults.get(place) {
        None => return Ok(Some(WaitsFor::EbsDefaults)),
        Some(EbsDefaults::Unknown) => return Ok(None),
        Some(EbsDefaults::Known {
            encrypts,
            default_key,
        }) => (*encrypts, default_key.ends_with(MANAGED_KEY)),
    };
    let is_encrypted = asked.is_some() || encrypts;
    let said = view.desired.said(place);
    let by = if asked.is_some() {
        "spec.regions".to_owned()
    } else {
        format!("the account's encryption by default in {said}")
    };
    let message = if is_encrypted && sharing.public {
        format!(
            "a copy to {said} would be encrypted by {by}, and nothing that is encrypted can be public: take the \
             encryption out or spec.sharing.visibility"
        )
    } else if is_encrypted && key_is_managed {
        format!(
            "a copy to {said} would be encrypted by {by} with the key that AWS manages (aws/ebs), and could be shared with \
             nobody: write encryption.kmsKeyId with a key of your own for the region, or make one the account's default \
             (aws ec2 modify-ebs-default-kms-key-id --region {})",
            place.region
        )
    } else {
        return Ok(None);
    };
    Err(Finding {
        reason: conditions::NOT_SHAREABLE,
        place: Some(place.clone()),
        message,
    })
}

/// Whether something is still to be shared, or not known to be.
pub(super) fn is_pending(plan: &Plan) -> bool {
    plan.steps.iter().any(is_of_sharing)
}

/// The same in one place.
pub(super) fn is_pending_in(plan: &Plan, place: &Place) -> bool {
    plan.steps
        .iter()
        .filter(|step| step.place.as_ref() == Some(place))
        .any(is_of_sharing)
}

fn is_of_sharing(step: &Step) -> bool {
    step.why == Why::WantedBy(FIELD) || step.why == Why::NoLongerIn(FIELD)
}

/// The images that somebody may have been told of.
pub(super) fn once_published<'a, 'v>(view: &'v View<'a>) -> impl Iterator<Item = &'v Owned<'a>> {
    view.ours()
        .filter(|owned| owned.was_published() && owned.image.state == ImageState::Available)
}

/// The snapshots of an image that Amity made: those that the user brought are the user's to share.
fn snapshots<'v>(view: &'v View<'_>, owned: &'v Owned<'_>) -> impl Iterator<Item = &'v str> {
    let is_ours = |id: &&String| {
        let snapshot = view.snapshot(owned.place, id);
        snapshot.is_some_and(|one| is_sealed_snapshot(one, &view.desired.identity))
    };
    let ids = owned.image.snapshots.iter();
    ids.filter(is_ours).map(String::as_str)
}

/// Whether it is what users launch, so that others are let use it and it is launched fast.
pub(super) fn is_what_users_launch(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let keeper = view.standing_in(owned.place);
    owned.is_published() && keeper.is_some_and(|keeper| keeper.image.id == owned.image.id)
}

/// The permissions of an image or snapshot, if they are known; where they may have changed, they are awaited.
fn bring_into_line(
    view: &View<'_>,
    sharing: &Sharing,
    owned: &Owned<'_>,
    id: &str,
    plan: &mut Plan,
) {
    let step = |change, why| {
        let id = id.to_owned();
        Step::at(owned.place, Action::ChangePermissions { id, change }, why)
    };
    let key = (owned.place.clone(), id.to_owned());
    let seen = view.observed.permissions.get(&key);
    if let Some(Permissions::Of(seen)) = seen {
        let change = change(view, sharing, owned, id, seen);
        for part in change.in_calls(id != owned.image.id) {
            let why = if part.add.is_empty() {
                Why::NoLongerIn(FIELD)
            } else {
                Why::WantedBy(FIELD)
            };
            plan.steps.push(step(part, why));
        }
        return;
    }
    if let Some(Permissions::Unknown(unreadable)) = seen
        && unreadable.lasts()
    {
        plan.findings
            .push(Finding::of_unreadable(owned.place, unreadable));
    }
    if !view.desired.was_in_sync {
        let change = change(view, sharing, owned, id, &BTreeSet::new());
        let waits_for = WaitsFor::Permissions(id.to_owned());
        let step = step(change, Why::WantedBy(FIELD));
        plan.steps.push(step.waiting_for(waits_for));
    }
}

fn change(
    view: &View<'_>,
    sharing: &Sharing,
    owned: &Owned<'_>,
    id: &str,
    seen: &BTreeSet<Grantee>,
) -> PermissionChange {
    let is_image = id == owned.image.id;
    let may = |grantee: &Grantee| is_image || grantee.is_account();
    let mut change = sharing.change(seen, may, is_what_users_launch(view, owned));
    // What is lent is taken back elsewhere, and nothing from whoever is copying it.
    let lent = lent_to(owned);
    change.remove.retain(|grantee| {
        !lent.contains(grantee.id()) && !may_be_copying(view, owned, grantee.id())
    });
    change
}

/// Whether everybody may launch it, which lists show.
fn visibility(view: &View<'_>, sharing: &Sharing, owned: &Owned<'_>) -> Option<Step> {
    let is_public = owned.image.attributes.public;
    let why = match (is_public, sharing.public) {
        (true, false) => Why::NoLongerIn(FIELD),
        (false, true) if sharing.public_is_granted && is_what_users_launch(view, owned) => {
            Why::WantedBy(FIELD)
        }
        _ => return None,
    };
    let action = Action::ModifyImage {
        id: owned.image.id.clone(),
        change: AttributeChange::Public(!is_public),
    };
    Some(Step::at(owned.place, action, why))
}
