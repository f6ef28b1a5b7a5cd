//! The machine that an image is built on: launched once per revision, captured when it has stopped itself, and ended.
//!
//! A launch is recorded on the object before it is asked for, with the number of its attempt, which is in its client
//! token: within the consistency window the call may be repeated and is always the same one. A machine that went
//! without having been captured, or took too long, has failed; the next one is another attempt. Source: EC2 API,
//! `RunInstances`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::When;
use super::copies;
use super::origin;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::desired::Build;
use crate::image::identity::{Place, Reference, Revision, tag};
use crate::image::machines::{ATTEMPTS, Launched, Machine, MachineState, MachinesView};
use crate::image::observed::ImageState;

/// How often it is looked whether a machine has stopped.
const LOOKS_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// How long after a launch a process that knows nothing of its machine asks for it at once; later in turn.
const OF_LATE: SignedDuration = SignedDuration::from_hours(48);

/// A machine that is proven to be this object's.
pub(super) struct OwnMachine<'a> {
    place: &'a Place,
    machine: &'a Machine,
    revision: Revision,
    attempt: u32,
}

/// Launches a machine and captures it, when no image of the revision exists or may exist anywhere.
pub(super) fn make(view: &View<'_>, build: &Build, plan: &mut Plan) {
    match next(view, build) {
        Ok(step) => plan.steps.extend(step),
        Err(finding) => plan.findings.push(finding),
    }
}

/// Terminates what is no longer needed: it costs.
pub(crate) fn end(view: &View<'_>, plan: &mut Plan) {
    let steps = own(view).filter(|own| own.machine.state.is_alive());
    let steps = steps.filter_map(|own| Some(terminate(&own, no_longer_needed(view, &own)?)));
    plan.steps.extend(steps);
}

/// The end of every machine, when the object is deleted.
pub(super) fn end_all(view: &View<'_>, plan: &mut Plan) {
    let alive = own(view).filter(|own| own.machine.state.is_alive());
    plan.steps
        .extend(alive.map(|own| terminate(&own, Why::ObjectIsDeleted)));
}

/// What the end of the object waits for: every machine has ended, also one of a launch whose answer was lost.
pub(super) fn all_have_ended(view: &View<'_>) -> Result<(), WaitsFor> {
    let places = places(view);
    if places.is_empty() {
        return Ok(());
    }
    if let Some(until) = settled_at(view).filter(|at| view.now < *at) {
        return Err(WaitsFor::ConsistencyWindow { until });
    }
    let are_known = |place: &Place| match view.observed.machines.get(place) {
        Some(MachinesView::Known(machines)) => {
            settled_at(view).is_none_or(|at| machines.as_of >= at)
        }
        Some(MachinesView::Unknown(_)) | None => false,
    };
    let one_lives = own(view).any(|own| own.machine.state.is_alive());
    if one_lives || !places.iter().all(are_known) {
        return Err(WaitsFor::Machines);
    }
    Ok(())
}

/// Where machines have to be read, and how soon.
pub(super) fn reads(view: &View<'_>, plan: &Plan) -> BTreeMap<Place, When> {
    let is_of_machines = |step: &&Step| {
        step.action.is_of_a_machine() || matches!(step.action, Action::CreateImage { .. })
    };
    let at_work: Vec<_> = plan
        .steps
        .iter()
        .filter(is_of_machines)
        .filter_map(|step| step.place.as_ref())
        .collect();
    // What was launched of late may live yet, and cost, if the process that launched it died.
    let launched_of_late = view
        .desired
        .launched
        .as_ref()
        .is_some_and(|launched| view.now < launched.at + OF_LATE);
    let is_unknown = |place: &Place| !view.observed.machines.contains_key(place);
    let when = |place: &Place| match settled_at(view) {
        _ if at_work.contains(&place) => When::Now,
        _ if launched_of_late && is_unknown(place) => When::Now,
        Some(at) if view.desired.is_being_deleted() => When::After(at),
        // Nothing says that there was one; but who deletes waits for certainty.
        None if view.desired.is_being_deleted() => When::Now,
        _ => When::InTurn,
    };
    let places = places(view).into_iter();
    places.map(|place| (place.clone(), when(&place))).collect()
}

/// Where the object may have machines: where it builds, and where it said that it did.
fn places(view: &View<'_>) -> Vec<Place> {
    let desired = view.desired;
    let Some(account) = &desired.account_id else {
        return Vec::new();
    };
    let builds = desired.source.build().map(|_| desired.source.region());
    let launched = desired.launched.as_ref().map(|it| it.region.as_str());
    let mut places: Vec<_> = builds
        .into_iter()
        .chain(launched)
        .map(|region| Place::new(account.as_str(), region))
        .collect();
    places.dedup();
    places
}

/// From when on a machine of a launch whose answer was lost would be shown.
fn settled_at(view: &View<'_>) -> Option<Timestamp> {
    let launched = view.desired.launched.as_ref()?;
    Some(launched.at + view.desired.consistency_window)
}

fn own<'a>(view: &View<'a>) -> impl Iterator<Item = OwnMachine<'a>> {
    let identity = &view.desired.identity;
    let all = view.observed.machines.iter();
    all.flat_map(move |(place, known)| {
        let own = known.of(identity, place);
        own.map(move |(machine, revision, attempt)| OwnMachine {
            place,
            machine,
            revision,
            attempt,
        })
    })
}

/// The machines of the wanted revision, the last one first.
fn of_revision<'a>(view: &View<'a>) -> Vec<OwnMachine<'a>> {
    let mut machines: Vec<_> = own(view)
        .filter(|own| own.revision == view.desired.revision)
        .collect();
    machines.sort_by_key(|own| std::cmp::Reverse(own.attempt));
    machines
}

/// What comes next on the way to an image.
fn next(view: &View<'_>, build: &Build) -> Result<Option<Step>, Finding> {
    let place = view.desired.source_place();
    let launch = |attempt| Step::at(&place, run(view, build, attempt), Why::ImageIsBuiltOnIt);
    let attempt = recorded(view).map_or(1, |launched| launched.attempt);
    let unreadable = view.unreadable();
    if !unreadable.is_empty() {
        let waits_for = WaitsFor::Readable(unreadable);
        return Ok(Some(launch(attempt).waiting_for(waits_for)));
    }
    view.desired.grants.check_build(&build.launch)?;
    match view.observed.machines.get(&place) {
        Some(MachinesView::Known(_)) => {}
        Some(MachinesView::Unknown(unreadable)) => {
            return Err(Finding::of_unreadable(&place, unreadable));
        }
        None => return Ok(Some(launch(attempt).waiting_for(WaitsFor::Machines))),
    }
    let machines = of_revision(view);
    if let Some(own) = machines.iter().find(|own| own.machine.state.is_alive()) {
        return capture(view, build, own).map(Some);
    }
    let parent = copies::spec_image(view)?;
    if let Some(waits_for) = parent.waits_for {
        return Ok(Some(launch(attempt).waiting_for(waits_for)));
    }
    let failed = machines.first().map_or(0, |own| own.attempt);
    match recorded(view) {
        Some(launched) if launched.attempt > failed && origin::is_young(view, launched.at) => {
            Ok(Some(launch(launched.attempt)))
        }
        recorded => {
            let failed = recorded.map_or(failed, |launched| launched.attempt.max(failed));
            if failed >= ATTEMPTS {
                return Err(gave_up(view, &place, machines.first()));
            }
            let action = Action::RecordLaunch {
                revision: view.desired.revision.clone(),
                attempt: failed + 1,
                region: place.region.clone(),
            };
            Ok(Some(Step::on_object(action, Why::LaunchIsAskedForOnce)))
        }
    }
}

/// The capture of a machine that lives, which waits until it has stopped itself.
fn capture(view: &View<'_>, build: &Build, own: &OwnMachine<'_>) -> Result<Step, Finding> {
    let machine = own.machine;
    let action = origin::capture_of_machine(view, own.place, machine);
    let step = Step::at(own.place, action, Why::ImageIsBuiltOnIt);
    if machine.state == MachineState::Stopped {
        return origin::unless_name_is_taken(view, step);
    }
    let until = machine.launched + build.timeout;
    Ok(step.waiting_for(WaitsFor::Stopped {
        id: machine.id.clone(),
        state: machine.state,
        until,
        looks_again: (view.now + LOOKS_AGAIN).min(until),
    }))
}

/// The last launch of the wanted revision that was recorded.
pub(super) fn recorded<'a>(view: &View<'a>) -> Option<&'a Launched> {
    let launched = view.desired.launched.as_ref()?;
    (launched.revision == view.desired.revision).then_some(launched)
}

/// The launch from what the parent was resolved to; while it is not, the step only waits.
fn run(view: &View<'_>, build: &Build, attempt: u32) -> Action {
    let desired = view.desired;
    let place = desired.source_place();
    let (identity, revision) = (&desired.identity, &desired.revision);
    let resolved = view.origin.as_ref().map(|origin| origin.reference.clone());
    let parent = resolved.unwrap_or_else(|| Reference::new(place.region.as_str(), ""));
    Action::RunInstances {
        image: parent.id.clone(),
        launch: build.launch.clone(),
        token: identity.machine_token(revision, &place, attempt),
        tags: identity.machine_tags(revision, &parent, attempt),
    }
}

fn terminate(own: &OwnMachine<'_>, why: Why) -> Step {
    let action = Action::TerminateInstances {
        id: own.machine.id.clone(),
    };
    Step::at(own.place, action, why)
}

/// Why a machine is not needed any more: it was captured, or the spec asks for something else.
fn no_longer_needed(view: &View<'_>, own: &OwnMachine<'_>) -> Option<Why> {
    if is_being_captured(view, own) {
        return None;
    }
    if own.revision != view.desired.revision {
        return Some(Why::OfAnotherRevision(view.desired.revision.clone()));
    }
    let is_made = |owned: &&Owned<'_>| owned.image.state == ImageState::Available;
    if let Some(captured) = view.live_current().find(is_made) {
        return Some(Why::Captured(captured.image.id.clone()));
    }
    let build = view.desired.source.build()?;
    let is_late = own.machine.state != MachineState::Stopped
        && view.now >= own.machine.launched + build.timeout;
    is_late.then_some(Why::TookTooLong)
}

/// Whether an image is being made of it.
fn is_being_captured(view: &View<'_>, own: &OwnMachine<'_>) -> bool {
    let itself = Reference::new(own.place.region.as_str(), own.machine.id.as_str()).to_string();
    view.claimed.iter().any(|owned| {
        owned.place == own.place
            && owned.image.state == ImageState::Pending
            && owned.image.tags.get(tag::SOURCE) == Some(itself.as_str())
    })
}

/// Three machines came to nothing.
fn gave_up(view: &View<'_>, place: &Place, last: Option<&OwnMachine<'_>>) -> Finding {
    let said = last.map_or(String::new(), |own| {
        let reason = own.machine.state_reason.as_deref();
        let reason = reason.map_or(String::new(), |reason| format!(", {reason}"));
        format!(" (the last one was {}{reason})", own.machine.id)
    });
    Finding {
        reason: conditions::BUILD_FAILED,
        place: Some(place.clone()),
        message: format!(
            "{ATTEMPTS} machines were launched in {} to build revision {}, and none stopped itself in time{said}: see \
             why its user data does not come to its end, mend that or spec.source.build.timeout, and change spec.rebuild \
             to build anew",
            place.region, view.desired.revision
        ),
    }
}
