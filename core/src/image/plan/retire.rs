//! What goes, and when it may: images that are superseded, no longer wanted, failed or surplus, and then
//! their snapshots, which never go in the same call. Superseded revisions stay for a revert as long as
//! `spec.retention` says.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::adopt;
use super::config_map::nobody_reads_it;
use super::origin::is_young;
use super::parameters;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Place, Reference, Revision, awaits_seal, is_sealed_snapshot, tag};
use crate::image::observed::{ImageState, Known, Snapshot};

/// Deregisters what is no longer needed, once the wanted revision is published everywhere.
pub(crate) fn retire(view: &View<'_>, plan: &mut Plan) {
    for owned in view
        .ours()
        .filter(|owned| !matches!(owned.image.state, ImageState::Missing { .. }))
    {
        let Some(why) = no_longer_needed(view, owned) else {
            continue;
        };
        if let Some(finding) = goes_by_hand(view, owned, &why) {
            plan.findings.push(finding);
            continue;
        }
        if view.retains() {
            plan.notes.extend(
                nothing_else_may_need_it(view)
                    .is_ok()
                    .then(|| retained(owned, &why)),
            );
            continue;
        }
        let step = deregister(view, owned, why);
        let may_go = nothing_else_may_need_it(view).or_else(|waits_for| {
            let only_stands_in_the_way =
                view.unreadable().is_empty() && takes_the_place(view, owned);
            only_stands_in_the_way.then_some(()).ok_or(waits_for)
        });
        let may_go = may_go.and_then(|()| nobody_is_told_to_launch_it(view, owned));
        plan.steps.push(match may_go {
            Ok(()) => step,
            Err(waits_for) => step.waiting_for(waits_for),
        });
    }
    if !view.retains() {
        delete_snapshots(view, &Why::ItsImageIsGone, plan);
    }
}

/// What stays with `deletionPolicy: Retain`, for the user to know.
pub(super) fn retained(owned: &Owned<'_>, why: &Why) -> Finding {
    Finding {
        reason: conditions::RETAINED,
        place: Some(owned.place.clone()),
        message: format!(
            "{} stays in {}, as spec.deletionPolicy says, though it is not needed ({why})",
            owned.image.id, owned.place.region
        ),
    }
}

/// Why an image of ours is not needed, if it is not.
fn no_longer_needed(view: &View<'_>, owned: &Owned<'_>) -> Option<Why> {
    let desired = view.desired;
    if view.is_the_users(owned.place, &owned.image.id) {
        return None;
    }
    if !owned.is_of(&desired.revision) {
        let goes = !owned.is_published() && !is_kept_for_a_revert(view, owned);
        return goes.then(|| Why::SupersededBy(desired.revision.clone()));
    }
    if view.is_of_another_origin(owned) && desired.wants(owned.place) {
        return Some(Why::OfAnotherOrigin);
    }
    // What was registered as something else than the spec says is discarded elsewhere.
    if desired.other_platform_of(owned.image).is_some() {
        return None;
    }
    if !desired.wants(owned.place) {
        let intermediate = *owned.place == desired.source_place() && !owned.was_published();
        return Some(if intermediate {
            Why::IntermediateNoLongerNeeded
        } else if desired.is_at_home(owned.place) {
            Why::RegionNoLongerWanted
        } else {
            Why::NoLongerIn("spec.accounts")
        });
    }
    let keeper = view.standing_in(owned.place)?;
    if keeper.image.id == owned.image.id {
        return None;
    }
    if owned.image.state == ImageState::Failed {
        return Some(Why::FailedAttempt);
    }
    if view.is_wanted_variant(owned) {
        return Some(Why::Surplus);
    }
    if !owned.was_published() {
        return Some(Why::IntermediateNoLongerNeeded);
    }
    let superseded = owned.superseded_at().filter(|_| !owned.is_published());
    let goes = superseded.is_some_and(|since| !is_younger_than(since, desired.kept_for, view.now));
    goes.then_some(Why::EncryptedOtherwise)
}

/// Whether `spec.retention` keeps a superseded image: where it is wanted, among the revisions that were
/// superseded last, or not superseded for long enough.
fn is_kept_for_a_revert(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let desired = view.desired;
    let is_kept_kind = |owned: &&Owned<'_>| {
        desired.wants(owned.place) && owned.image.state == ImageState::Available
    };
    let superseded = |owned: &Owned<'_>| Some((owned.superseded_at()?, owned.revision()?));
    let (Some((at, revision)), true) = (superseded(owned), is_kept_kind(&owned)) else {
        return false;
    };
    // Of two that are encrypted otherwise, the one that was published last is what a revert publishes.
    let is_former = view.ours().any(|other| {
        let is_later = other.superseded_at().is_some_and(|later| later > at);
        other.place == owned.place && is_later && other.is_of(&revision) && is_kept_kind(&other)
    });
    if is_former {
        return is_younger_than(at, desired.kept_for, view.now);
    }
    let mut latest: BTreeMap<Revision, Timestamp> = BTreeMap::new();
    let others = view.ours().filter(|other| !other.is_of(&desired.revision));
    for (at, revision) in others.filter(is_kept_kind).filter_map(superseded) {
        let known = latest.entry(revision).or_insert(at);
        *known = at.max(*known);
    }
    let Some(since) = latest.get(&revision) else {
        return false;
    };
    let younger = latest
        .iter()
        .filter(|(other, at)| (**at, *other) > (*since, &revision))
        .count();
    younger < desired.kept_revisions || is_younger_than(*since, desired.kept_for, view.now)
}

fn is_younger_than(since: Timestamp, age: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(since) < age
}

/// Whether it keeps its place from getting an image of the revision's own origin, which is there to copy from.
fn takes_the_place(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let mut siblings = view.live_current();
    view.is_of_another_origin(owned)
        && owned.image.state != ImageState::Failed
        && view.desired.wants(owned.place)
        && view.keeper(owned.place).is_none()
        && siblings.any(|one| one.is_sealed() && one.image.state == ImageState::Available)
}

/// A second image of the revision that somebody may use is not removed, but reported (invariant 3), and so is one
/// that nothing of this object may remove although it keeps its place from being filled.
fn goes_by_hand(view: &View<'_>, owned: &Owned<'_>, why: &Why) -> Option<Finding> {
    let may_be_used = owned.was_published() || owned.image.last_launched.is_some();
    let what = match (view.keeper(owned.place), why) {
        (Some(keeper), Why::Surplus | Why::OfAnotherOrigin) if may_be_used && !view.retains() => {
            let keeper = &keeper.image.id;
            format!("a second image of the revision beside {keeper}, but was published or launched")
        }
        (None, Why::OfAnotherOrigin) if may_be_used || view.retains() => {
            let reason = if view.retains() {
                "stays, as spec.deletionPolicy says"
            } else {
                "was published or launched"
            };
            let origin = view.origin_text();
            format!("an image of the revision, though not made from {origin}, and {reason}")
        }
        _ => return None,
    };
    Some(Finding {
        reason: conditions::DEREGISTRATION_BLOCKED,
        place: Some(owned.place.clone()),
        message: format!(
            "{} in {} is {what}: deregister it by hand when nothing uses it",
            owned.image.id, owned.place.region
        ),
    })
}

/// Nothing is retired while a place that could still need it is not known, nor before the wanted revision is
/// published in every place (invariants 2, 4 and 5).
fn nothing_else_may_need_it(view: &View<'_>) -> Result<(), WaitsFor> {
    let unreadable = view.unreadable();
    if !unreadable.is_empty() {
        return Err(WaitsFor::Readable(unreadable));
    }
    if !view.is_published_everywhere() {
        return Err(WaitsFor::Published(view.desired.revision.clone()));
    }
    Ok(())
}

/// Whoever reads the status may be launching what it names, which may be long out of date: the API server may have been
/// away, or have refused it. Where the place is wanted, an image goes only when the status names its successor.
fn nobody_is_told_to_launch_it(view: &View<'_>, owned: &Owned<'_>) -> Result<(), WaitsFor> {
    let desired = view.desired;
    let is_told = desired.told.get(owned.place) == Some(&owned.image.id);
    if is_told && desired.wants(owned.place) {
        return Err(WaitsFor::Told(owned.image.id.clone()));
    }
    nobody_reads_it(view, owned).and_then(|()| parameters::nobody_reads_it(view, owned))
}

/// The deregistration of one image, which waits while a copy reads it and until its snapshots can be told
/// to be ours once it is gone.
pub(super) fn deregister(view: &View<'_>, owned: &Owned<'_>, why: Why) -> Step {
    let step = Step::at(
        owned.place,
        Action::DeregisterImage {
            id: owned.image.id.clone(),
        },
        why,
    );
    if let Some((image, progress)) = view.reader_of(owned) {
        return step.waiting_for(WaitsFor::Available { image, progress });
    }
    if let Some(until) = locks_a_capture_until(view, owned) {
        return step.waiting_for(WaitsFor::ConsistencyWindow { until });
    }
    if owned.is_registered() {
        return step;
    }
    if owned.image.state == ImageState::Pending && owned.image.snapshots.is_empty() {
        let image = owned.reference();
        return step.waiting_for(WaitsFor::Available {
            image,
            progress: owned.image.progress,
        });
    }
    if !snapshots_are_settled(view, owned) {
        return step.waiting_for(WaitsFor::SealedSnapshots(owned.image.id.clone()));
    }
    step
}

/// Until when the image's name is what keeps its revision from being captured twice: while the record of the
/// capture is young, a process that was just started, and that a list shows no sibling yet, may repeat the call
/// (invariant 8).
fn locks_a_capture_until(view: &View<'_>, owned: &Owned<'_>) -> Option<Timestamp> {
    let desired = view.desired;
    let captured = desired.captured.as_ref()?;
    let is_the_lock = captured.revision == desired.revision
        && owned.is_of(&desired.revision)
        && *owned.place == desired.source_place();
    let locks = is_the_lock && !desired.is_being_deleted() && is_young(view, captured.at);
    locks.then(|| captured.at + desired.consistency_window)
}

/// Whether each snapshot of the image is sealed, or not ours to delete: with the seal of another, or
/// certainly without our tags.
fn snapshots_are_settled(view: &View<'_>, owned: &Owned<'_>) -> bool {
    if adopt::snapshots_of(view, owned).next().is_some() {
        return false;
    }
    let shown_for_long = owned
        .image
        .created
        .is_some_and(|created| created + view.desired.consistency_window < view.now);
    owned
        .image
        .snapshots
        .iter()
        .all(|id| match view.snapshot(owned.place, id) {
            Some(snapshot) => !awaits_seal(snapshot, &view.desired.identity),
            None => shown_for_long && owned.image.state != ImageState::Pending,
        })
}

/// Deletes the sealed snapshots that no image uses, where nothing of their revision is pending. A copy in a place
/// that cannot be read may still read them, unless everything goes (invariant 2).
pub(crate) fn delete_snapshots(view: &View<'_>, why: &Why, plan: &mut Plan) {
    let unreadable = view.unreadable();
    let may_be_read = !unreadable.is_empty() && !view.desired.is_being_deleted();
    for (place, known) in view.observed.known() {
        let used: BTreeSet<_> = known
            .images
            .iter()
            .flat_map(|image| &image.snapshots)
            .collect();
        for snapshot in known
            .snapshots
            .iter()
            .filter(|one| is_sealed_snapshot(one, &view.desired.identity))
        {
            let is_the_users = view.is_the_users(place, &snapshot.id);
            if !used.contains(&snapshot.id) && !is_the_users {
                let step = delete_snapshot(place, known, snapshot, why);
                plan.steps.extend(step.map(|step| {
                    if may_be_read {
                        step.waiting_for(WaitsFor::Readable(unreadable.clone()))
                    } else {
                        step
                    }
                }));
            }
        }
    }
}

fn delete_snapshot(place: &Place, known: &Known, snapshot: &Snapshot, why: &Why) -> Option<Step> {
    let pending = known.images.iter().find(|image| {
        image.state == ImageState::Pending
            && image.tags.get(tag::REVISION) == snapshot.tags.get(tag::REVISION)
    });
    let action = Action::DeleteSnapshot {
        id: snapshot.id.clone(),
    };
    let step = Step::at(place, action, why.clone());
    match (&snapshot.used_by, pending) {
        // Somebody made an image of it: it is in use, and stays until that image goes.
        (Some(users), _) if !users.is_empty() => None,
        (Some(_), None) => Some(step),
        (_, Some(image)) => {
            let image = Reference::new(place.region.clone(), image.id.clone());
            Some(step.waiting_for(WaitsFor::Available {
                image,
                progress: None,
            }))
        }
        (None, None) => Some(step.waiting_for(WaitsFor::FreshLists(vec![place.clone()]))),
    }
}
