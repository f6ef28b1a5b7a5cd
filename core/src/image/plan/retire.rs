//! What goes, and when it may: images that are superseded, no longer wanted, failed or surplus, and then
//! their snapshots, which never go in the same call.

use std::collections::BTreeSet;

use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Place, Reference, awaits_seal, is_sealed_snapshot, tag};
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
        if view.retains() {
            plan.notes.extend(
                nothing_else_may_need_it(view)
                    .is_ok()
                    .then(|| retained(owned, &why)),
            );
            continue;
        }
        if let Some(finding) = goes_by_hand(view, owned, &why) {
            plan.findings.push(finding);
            continue;
        }
        let step = deregister(view, owned, why);
        plan.steps.push(match nothing_else_may_need_it(view) {
            Ok(()) => step,
            Err(waits_for) => step.waiting_for(waits_for),
        });
    }
    if !view.retains() {
        delete_snapshots(view, &Why::ItsImageIsGone, plan);
    }
}

/// What stays with `deletionPolicy: Retain`, for the user to know.
fn retained(owned: &Owned<'_>, why: &Why) -> Finding {
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
    if !owned.is_of(&desired.revision) {
        return (!owned.is_published()).then(|| Why::SupersededBy(desired.revision.clone()));
    }
    if !desired.wants(owned.place) {
        let intermediate = *owned.place == desired.origin_place() && !owned.is_published();
        return Some(if intermediate {
            Why::IntermediateNoLongerNeeded
        } else {
            Why::RegionNoLongerWanted
        });
    }
    let keeper = view.standing_in(owned.place)?;
    if keeper.image.id == owned.image.id {
        return None;
    }
    Some(if owned.image.state == ImageState::Failed {
        Why::FailedAttempt
    } else {
        Why::Surplus
    })
}

/// A second image of the revision that somebody may use is not removed, but reported (invariant 3).
fn goes_by_hand(view: &View<'_>, owned: &Owned<'_>, why: &Why) -> Option<Finding> {
    let may_be_used = owned.is_published() || owned.image.last_launched.is_some();
    let keeper = view
        .keeper(owned.place)
        .filter(|_| may_be_used && *why == Why::Surplus)?;
    Some(Finding {
        reason: conditions::DEREGISTRATION_BLOCKED,
        place: Some(owned.place.clone()),
        message: format!(
            "{} in {} is a second image of the revision beside {}, but was published or launched: deregister it by \
             hand when nothing uses it",
            owned.image.id, owned.place.region, keeper.image.id
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

/// The deregistration of one image, which waits while a copy reads it and until its snapshots can be told
/// to be ours once it is gone.
pub(crate) fn deregister(view: &View<'_>, owned: &Owned<'_>, why: Why) -> Step {
    let step = Step::at(
        owned.place,
        Action::DeregisterImage {
            id: owned.image.id.clone(),
        },
        why,
    );
    if let Some(reader) = view.reader_of(owned) {
        let image = reader.reference();
        return step.waiting_for(WaitsFor::Available {
            image,
            progress: reader.image.progress,
        });
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

/// Whether each snapshot of the image is sealed, or not ours to delete: with the seal of another, or
/// certainly without our tags.
fn snapshots_are_settled(view: &View<'_>, owned: &Owned<'_>) -> bool {
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

/// Deletes the sealed snapshots that no image uses, where nothing of their revision is pending.
pub(crate) fn delete_snapshots(view: &View<'_>, why: &Why, plan: &mut Plan) {
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
            if !used.contains(&snapshot.id) {
                plan.steps
                    .extend(delete_snapshot(place, known, snapshot, why));
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
