//! Letting another account copy an image: it may use the image and its snapshots for as long as it copies them, and no
//! longer.
//!
//! What is lent is noted in the tag `amity.dev/lent-to` of the image before any permission is given, so that what
//! somebody else gave is never taken away, and nothing stays shared when its process dies. Source: EC2 User Guide,
//! "Copy an AMI": the copying account needs launch permission of the image, and create-volume permission of its
//! snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::When;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Place, is_sealed_snapshot, tag};
use crate::image::observed::ImageState;
use crate::image::permissions::{Grantee, PermissionChange, Permissions};

/// To how many accounts an image is lent at once: as many ids as the value of a tag holds.
const MOST_LENT: usize = 19;

/// What keeps an account from copying an image.
pub(super) enum InTheWay {
    /// Permissions that are not given, or not known.
    Wait(WaitsFor),
    /// Permissions that are not Amity's to give.
    Finding(Finding),
}

/// The accounts that an image is lent to.
pub(super) fn lent_to(owned: &Owned<'_>) -> BTreeSet<String> {
    let said = owned.image.tags.get(tag::LENT_TO).unwrap_or_default();
    let ids = said.split(' ').filter(|id| !id.is_empty());
    ids.map(str::to_owned).collect()
}

/// Whether every snapshot of an image can be lent: those that the user brought are the user's to share.
pub(super) fn can_be_lent(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let mut ids = owned.image.snapshots.iter();
    !owned.image.snapshots.is_empty() && ids.all(|id| is_ours(view, owned, id))
}

fn is_ours(view: &View<'_>, owned: &Owned<'_>, snapshot: &str) -> bool {
    let snapshot = view.snapshot(owned.place, snapshot);
    snapshot.is_some_and(|one| is_sealed_snapshot(one, &view.desired.identity))
}

/// What has to happen before `account` can copy the image; the steps towards it are planned.
pub(super) fn lend(
    view: &View<'_>,
    owned: &Owned<'_>,
    account: &str,
    plan: &mut Plan,
) -> Option<InTheWay> {
    let grantee = Grantee::Account(account.to_owned());
    let mut lacking = Vec::new();
    for id in all_of(owned) {
        match permissions(view, owned, id) {
            Some(Permissions::Of(seen)) if seen.contains(&grantee) => {}
            Some(Permissions::Of(_)) => lacking.push(id),
            Some(Permissions::Unknown(unreadable)) => {
                return Some(InTheWay::Finding(Finding::of_unreadable(
                    owned.place,
                    unreadable,
                )));
            }
            None => return Some(InTheWay::Wait(WaitsFor::Permissions(id.to_owned()))),
        }
    }
    if lacking.is_empty() {
        return None;
    }
    let is_snapshot = |id: &&&str| **id != owned.image.id;
    if let Some(theirs) = lacking
        .iter()
        .filter(is_snapshot)
        .find(|id| !is_ours(view, owned, id))
    {
        return Some(InTheWay::Finding(Finding {
            reason: conditions::SOURCE_NOT_SUPPORTED,
            place: Some(owned.place.clone()),
            message: format!(
                "account {account} cannot copy {} in {}, since {theirs} is not Amity's to share: share it with that \
                 account (aws ec2 modify-snapshot-attribute), or add a region to spec.regions, whose copy can be shared",
                owned.image.id, owned.place.region
            ),
        }));
    }
    let mut lent = lent_to(owned);
    let is_noted = lent.contains(account);
    if !is_noted && lent.len() < MOST_LENT {
        lent.insert(account.to_owned());
        plan.steps
            .push(note(owned, &lent, Why::CopiedBy(account.to_owned())));
    } else if is_noted {
        for id in lacking {
            let change = PermissionChange {
                add: BTreeSet::from([grantee.clone()]),
                ..PermissionChange::default()
            };
            plan.steps.push(change_of(
                owned,
                id,
                change,
                Why::CopiedBy(account.to_owned()),
            ));
        }
    }
    Some(InTheWay::Wait(WaitsFor::Permissions(
        owned.image.id.clone(),
    )))
}

/// Takes back what no account copies any more, nor is about to by this plan.
pub(super) fn take_back(view: &View<'_>, plan: &mut Plan) {
    for owned in view.ours() {
        let lent = lent_to(owned);
        let is_there = owned.image.state == ImageState::Available;
        let is_over = |account: &&String| {
            !is_about_to_copy(plan, owned, account) && !may_be_copying(view, owned, account)
        };
        let over: BTreeSet<_> = lent.iter().filter(is_over).cloned().collect();
        if over.is_empty() || !is_there {
            continue;
        }
        let why = || Why::NoLongerCopiedBy(over.iter().cloned().collect::<Vec<_>>().join(", "));
        let keeps = |account: &String| {
            let grantee = Grantee::Account(account.clone());
            let sharing = view.desired.sharing.as_ref();
            owned.was_published() && sharing.is_some_and(|sharing| sharing.with.contains(&grantee))
        };
        let mut is_back = true;
        for id in all_of(owned).filter(|id| *id == owned.image.id || is_ours(view, owned, id)) {
            // Whatever a reading says: it may lag behind a call whose answer was lost.
            let key = (owned.place.clone(), id.to_owned());
            let taken_back = view.observed.taken_back.get(&key);
            let remove: BTreeSet<_> = over
                .iter()
                .filter(|account| !keeps(account))
                .map(|account| Grantee::Account(account.clone()))
                .filter(|grantee| taken_back.is_none_or(|from| !from.contains(grantee)))
                .collect();
            if !remove.is_empty() {
                is_back = false;
                let change = PermissionChange {
                    remove,
                    ..PermissionChange::default()
                };
                plan.steps.push(change_of(owned, id, change, why()));
            }
        }
        if is_back {
            let still = lent.difference(&over).cloned().collect();
            plan.steps.push(note(owned, &still, why()));
        }
    }
}

/// Whose permissions have to be read: of what another account waits to copy.
pub(super) fn reads(view: &View<'_>, plan: &Plan) -> BTreeMap<(Place, String), When> {
    let awaited = plan
        .steps
        .iter()
        .filter_map(|step| match (&step.action, &step.waits_for) {
            (Action::CopyImage { from, .. }, Some(WaitsFor::Permissions(_))) => Some(&from.id),
            _ => None,
        });
    let awaited: BTreeSet<_> = awaited.collect();
    let concerned = view.ours();
    concerned
        .filter(|owned| awaited.contains(&owned.image.id))
        .flat_map(|owned| all_of(owned).map(|id| ((owned.place.clone(), id.to_owned()), When::Now)))
        .collect()
}

fn is_about_to_copy(plan: &Plan, owned: &Owned<'_>, account: &str) -> bool {
    let mut steps = plan.steps.iter();
    steps.any(|step| {
        let place = step.place.as_ref();
        matches!(&step.action, Action::CopyImage { from, .. } if from.id == owned.image.id)
            && place.is_some_and(|place| place.account == account)
    })
}

/// Whether a copy in that account is pending, or may be in a place that cannot be read.
pub(super) fn may_be_copying(view: &View<'_>, owned: &Owned<'_>, account: &str) -> bool {
    let itself = owned.reference();
    let mut copies = view.claimed.iter();
    let is_pending = copies
        .any(|copy| copy.place.account == account && copy.image.is_being_copied_from(&itself));
    let mut unreadable = view.observed.unreadable();
    is_pending || unreadable.any(|(place, _)| place.account == account)
}

/// The image's id, and those of its snapshots before it: what is shared first is of no use without the image.
fn all_of<'v>(owned: &'v Owned<'_>) -> impl Iterator<Item = &'v str> {
    let snapshots = owned.image.snapshots.iter().map(String::as_str);
    snapshots.chain([owned.image.id.as_str()])
}

fn permissions<'v>(view: &'v View<'_>, owned: &Owned<'_>, id: &str) -> Option<&'v Permissions> {
    let key = (owned.place.clone(), id.to_owned());
    view.observed.permissions.get(&key)
}

fn change_of(owned: &Owned<'_>, id: &str, change: PermissionChange, why: Why) -> Step {
    let id = id.to_owned();
    Step::at(owned.place, Action::ChangePermissions { id, change }, why)
}

/// The note of who an image is lent to; none, if it is nobody.
fn note(owned: &Owned<'_>, lent: &BTreeSet<String>, why: Why) -> Step {
    let id = owned.image.id.clone();
    let action = if lent.is_empty() {
        Action::DeleteTags {
            id,
            keys: vec![tag::LENT_TO.to_owned()],
        }
    } else {
        let ids: Vec<_> = lent.iter().map(String::as_str).collect();
        Action::CreateTags {
            id,
            tags: BTreeMap::from([(tag::LENT_TO.to_owned(), ids.join(" "))]),
        }
    };
    Step::at(owned.place, action, why)
}
