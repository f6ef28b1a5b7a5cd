//! The end of an object: nothing of it stays in EC2, or everything does, with `deletionPolicy: Retain`.
//!
//! Deleting waits for what it cannot read and says so; it needs no grant and is not held up by `suspend`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::adopt::adopt_snapshots;
use super::build;
use super::lending::{lent_to, take_back};
use super::parameters;
use super::retire::{delete_snapshots, deregister};
use super::seal::seal;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Place, Standing, is_sealed_snapshot, tag};
use crate::image::observed::ImageState;

/// What a user can do about a deletion that cannot go on.
pub(crate) const WAY_OUT: &str =
    "set spec.deletionPolicy to Retain to let the object go and leave its images in EC2";

/// How long a deletion that retains tries to mark what it leaves, from its beginning or from the start of the
/// process. It never blocks.
const MARKING_TIME: SignedDuration = SignedDuration::from_mins(2);

/// Cleans up, and releases the finalizer when nothing is left, or at once where nothing was ever done.
pub(crate) fn delete(view: &View<'_>, plan: &mut Plan) {
    if !view.desired.has_finalizer {
        return;
    }
    if view.retains() {
        retain(view, plan);
        return;
    }
    seal(view, plan);
    adopt_snapshots(view, plan);
    parameters::remove_all(view, plan);
    for owned in view
        .ours()
        .filter(|owned| !view.is_the_users(owned.place, &owned.image.id))
    {
        plan.steps.push(end_of(view, owned));
    }
    delete_snapshots(view, &Why::ObjectIsDeleted, plan);
    build::end_all(view, plan);
    plan.steps.push(release(view));
    plan.findings.extend(way_out(view));
}

/// The deregistration of an image, which waits until lists show it again or it is certainly gone, and until no parameter
/// names it.
fn end_of(view: &View<'_>, owned: &Owned<'_>) -> Step {
    if let ImageState::Missing { since } = owned.image.state {
        let id = owned.image.id.clone();
        let until = since + view.desired.consistency_window;
        let waits_for = WaitsFor::Missing {
            id: id.clone(),
            until,
        };
        let action = Action::DeregisterImage { id };
        return Step::at(owned.place, action, Why::ObjectIsDeleted).waiting_for(waits_for);
    }
    let step = deregister(view, owned, Why::ObjectIsDeleted);
    match parameters::nobody_reads_it(view, owned) {
        Ok(()) => step,
        Err(waits_for) => step.waiting_for(waits_for),
    }
}

/// Marks what stays, so that nothing takes it for its own later; then lets the object go.
fn retain(view: &View<'_>, plan: &mut Plan) {
    let time = view.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mark = |place: &Place, id: &str| {
        let tags = BTreeMap::from([(tag::RETAINED.to_owned(), time.clone())]);
        Step::at(
            place,
            Action::CreateTags {
                id: id.to_owned(),
                tags,
            },
            Why::ObjectIsDeletedAndRetains,
        )
    };
    let started = view.observed.started;
    let since = view
        .desired
        .deleted_since
        .map_or(started, |deleted| deleted.max(started));
    let may_mark = view.now < since + MARKING_TIME;
    if may_mark {
        seal(view, plan);
        build::end_all(view, plan);
        take_back(view, plan);
        parameters::mark_retained(view, &time, plan);
        let images = view
            .ours()
            .filter(|owned| !matches!(owned.image.state, ImageState::Missing { .. }))
            .filter(|owned| lent_to(owned).is_empty());
        // Whose tags say that a parameter may be there is marked after it.
        let steps = images.map(|owned| {
            let step = mark(owned.place, &owned.image.id);
            match parameters::is_to_be_marked_first(plan, owned.place) {
                Some(name) => step.waiting_for(WaitsFor::Parameters(name)),
                None => step,
            }
        });
        let steps: Vec<_> = steps.collect();
        plan.steps.extend(steps);
        for (place, known) in view.observed.known() {
            let sealed = known
                .snapshots
                .iter()
                .filter(|one| is_sealed_snapshot(one, &view.desired.identity));
            plan.steps
                .extend(sealed.map(|snapshot| mark(place, &snapshot.id)));
        }
    }
    if plan.steps.is_empty() {
        let step = Step::on_object(Action::ReleaseFinalizer, Why::ObjectIsDeletedAndRetains);
        let not_read_yet = not_read_yet(view);
        plan.steps.push(if may_mark && !not_read_yet.is_empty() {
            step.waiting_for(WaitsFor::Readable(not_read_yet))
        } else {
            step
        });
    }
}

/// The places that are about to be read for the first time. Those of an account that is not there never are.
fn not_read_yet(view: &View<'_>) -> Vec<Place> {
    let waiting = view.observed.unreadable().filter(|(place, unreadable)| {
        unreadable.reason == conditions::WAITING_FOR_INVENTORY
            && view.desired.accounts.contains_key(&place.account)
    });
    waiting.map(|(place, _)| place.clone()).collect()
}

/// The finalizer goes after clean lists that were taken a whole consistency window after the last creating
/// call, because an answer that was lost may still turn into an image.
fn release(view: &View<'_>) -> Step {
    let step = Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    let unreadable = view.unreadable();
    if !unreadable.is_empty() || view.desired.account_id.is_none() {
        return step.waiting_for(WaitsFor::Readable(unreadable));
    }
    if let Err(waits_for) = build::all_have_ended(view) {
        return step.waiting_for(waits_for);
    }
    let images = view
        .claimed
        .iter()
        .filter(|owned| !matches!(owned.standing, Standing::Foreign(_)))
        .filter(|owned| !view.is_the_users(owned.place, &owned.image.id))
        .count();
    let snapshots = view
        .observed
        .known()
        .flat_map(|(place, known)| known.snapshots.iter().map(move |one| (place, one)))
        .filter(|(place, snapshot)| !view.is_the_users(place, &snapshot.id))
        .map(|(_, snapshot)| snapshot)
        .filter(|snapshot| is_sealed_snapshot(snapshot, &view.desired.identity))
        .filter(|snapshot| snapshot.used_by.as_ref().is_none_or(Vec::is_empty))
        .count();
    if images + snapshots > 0 {
        return step.waiting_for(WaitsFor::Deletion(images + snapshots));
    }
    let until = view.observed.last_creation + view.desired.consistency_window;
    if view.now < until {
        return step.waiting_for(WaitsFor::ConsistencyWindow { until });
    }
    match lists_before(view, until) {
        stale if stale.is_empty() => step,
        stale => step.waiting_for(WaitsFor::FreshLists(stale)),
    }
}

fn lists_before(view: &View<'_>, time: Timestamp) -> Vec<Place> {
    view.observed
        .known()
        .filter(|(_, known)| known.as_of < time)
        .map(|(place, _)| place.clone())
        .collect()
}

/// What holds up the deletion, with the way out.
fn way_out(view: &View<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> = view
        .observed
        .unreadable()
        .filter(|_| view.desired.account_id.is_some())
        .map(|(place, unreadable)| Finding {
            reason: unreadable.reason,
            place: Some(place.clone()),
            message: format!("deletion waits: {}; or {WAY_OUT}", unreadable.message),
        })
        .collect();
    if view.desired.account_id.is_none() {
        findings.extend(view.desired.refusals.first().map(|refusal| Finding {
            message: format!("deletion waits: {}; or {WAY_OUT}", refusal.message),
            ..refusal.clone()
        }));
    }
    let unproven = view
        .claimed
        .iter()
        .filter(|owned| owned.standing == Standing::Unproven);
    findings.extend(unproven.map(|owned: &Owned<'_>| Finding {
        reason: conditions::DELETING,
        place: Some(owned.place.clone()),
        message: format!(
            "deletion waits: EC2 does not show yet what {} in {} was made from; if it stays so, {WAY_OUT}",
            owned.image.id, owned.place.region
        ),
    }));
    findings
}
