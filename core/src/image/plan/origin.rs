//! What every copy of a revision is made from: the capture of an instance, asked for once, or the image that is
//! registered of snapshots.
//!
//! `CreateImage` has no client token. The unique AMI name is the lock while the answer may still be lost:
//! within the consistency window after the recorded time the call may be repeated, after it never, because
//! a repeat might restart somebody's machine again. Source: EC2 API, `CreateImage`; design: "Creating once".

use jiff::{SignedDuration, Timestamp};

use super::build;
use super::retire::{deregister, retained};
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::tagging::Field;
use super::view::{Owned, View};
use crate::api::{InstanceVolumes, Reboot, conditions};
use crate::image::desired::Source;
use crate::image::encryption::VARIANT_SOURCE;
use crate::image::identity::{Place, Reference, Standing, standing, tag};
use crate::image::machines::Machine;
use crate::image::observed::{
    Image, ImageState, Refusal, SourceInstance, SourceSnapshot, SourceView,
};

/// Captures the instance or registers the snapshots, when no image of the revision exists or may exist anywhere.
pub(crate) fn make(view: &View<'_>, plan: &mut Plan) {
    if view.desired.source.is_image() {
        return;
    }
    let discarded = discard(view, plan);
    plan.findings.extend(discarded);
    let may_make = view.desired.refusals.is_empty() && view.desired.discarded.is_none();
    if !may_make || view.has_sibling() || is_unproven_of_revision(view) {
        return;
    }
    if misregistered(view).is_some() {
        return;
    }
    if let Some(finding) = failed(view).or_else(|| lost(view)) {
        plan.findings.push(finding);
        return;
    }
    if let Some(build) = view.desired.source.build() {
        build::make(view, build, plan);
        return;
    }
    let (action, is_recorded) = making(view);
    let place = view.desired.source_place();
    let why = if view.desired.wants(&place) && view.desired.variant(&place) == VARIANT_SOURCE {
        Why::WantedByRegions
    } else {
        Why::CopiesAreMadeFromIt
    };
    let step = Step::at(&place, action, why);
    let unreadable = view.unreadable();
    if !unreadable.is_empty() {
        plan.steps
            .push(step.waiting_for(WaitsFor::Readable(unreadable)));
        return;
    }
    if let Some(held) = name_taken(view) {
        plan.findings.push(held);
        return;
    }
    if let Some(finding) = captured_in_vain(view).filter(|_| is_recorded) {
        plan.findings.push(finding);
        return;
    }
    match source_in_the_way(view) {
        Some(InTheWay::Wait(waits_for)) => plan.steps.push(step.waiting_for(waits_for)),
        Some(InTheWay::Finding(finding)) => plan.findings.push(finding),
        None if is_recorded => ask_once(view, step, plan),
        None => plan.steps.push(awaiting_holder(view, step)),
    }
}

/// Whether EC2 does not show yet what an image of the revision was made from, whatever else it shows.
fn is_unproven_of_revision(view: &View<'_>) -> bool {
    view.claimed.iter().any(|owned| {
        owned.standing == Standing::Unproven
            && owned.is_of(&view.desired.revision)
            && owned.image.state != ImageState::Failed
    })
}

/// The call, and whether it has to be recorded because a repeat may do harm: a capture restarts a machine, a
/// registration only meets the name that it took before.
fn making(view: &View<'_>) -> (Action, bool) {
    let desired = view.desired;
    let name = desired.image_name.clone();
    let description = desired.description.clone();
    let place = desired.source_place();
    let tags = |origin: &Reference, field: Field<'_>| {
        let revision = &desired.revision;
        let mut tags = desired
            .identity
            .birth_tags(revision, VARIANT_SOURCE, origin, origin);
        tags.extend(field.with_note());
        tags
    };
    let of_image = |origin: &Reference| tags(origin, Field::image_tags(desired, &place));
    match &desired.source {
        Source::Instance {
            at,
            reboot,
            volumes,
        } => {
            let without_devices = match (&view.observed.source, volumes) {
                (SourceView::Instance(instance), InstanceVolumes::RootOnly) => {
                    instance.data_devices.clone()
                }
                _ => Vec::new(),
            };
            let action = Action::CreateImage {
                instance: at.id.clone(),
                no_reboot: *reboot == Reboot::Never,
                without_devices,
                tags: of_image(at),
                snapshot_tags: tags(at, Field::snapshot_tags(desired, &place)),
                name,
                description,
            };
            (action, true)
        }
        Source::Snapshot {
            region,
            registration,
        } => {
            let action = Action::RegisterImage {
                registration: registration.clone(),
                tags: of_image(&Reference::new(region, &registration.snapshot)),
                name,
                description,
            };
            (action, false)
        }
        Source::Image(_) | Source::NamedImage(_) | Source::Parameter(_) | Source::Published(_) => {
            unreachable!("an image is copied, not made")
        }
        Source::Build(_) => unreachable!("a machine is launched first"),
    }
}

/// The capture of a machine that was launched for it and has stopped: nothing is restarted, so that a repeat only meets
/// the name that it took before.
pub(super) fn capture_of_machine(view: &View<'_>, place: &Place, machine: &Machine) -> Action {
    let desired = view.desired;
    let itself = Reference::new(place.region.as_str(), machine.id.as_str());
    let parent = machine.tags.get(tag::ORIGIN);
    let parent = parent.and_then(|text| text.parse().ok());
    let parent = parent.unwrap_or_else(|| itself.clone());
    let tags = |field: Field<'_>| {
        let (identity, revision) = (&desired.identity, &desired.revision);
        let mut tags = identity.birth_tags(revision, VARIANT_SOURCE, &parent, &itself);
        tags.extend(field.with_note());
        tags
    };
    Action::CreateImage {
        instance: machine.id.clone(),
        no_reboot: true,
        without_devices: Vec::new(),
        tags: tags(Field::image_tags(desired, place)),
        snapshot_tags: tags(Field::snapshot_tags(desired, place)),
        name: desired.image_name.clone(),
        description: desired.description.clone(),
    }
}

/// The step, unless an image that is not of this revision has the name.
pub(super) fn unless_name_is_taken(view: &View<'_>, step: Step) -> Result<Step, Finding> {
    match name_taken(view) {
        Some(finding) => Err(finding),
        None => Ok(awaiting_holder(view, step)),
    }
}

/// An image that was registered and that EC2 bills as something else than the spec says: it is noted on the
/// object, so that it is not registered again for ever, and then goes. Nobody was told of it.
fn discard(view: &View<'_>, plan: &mut Plan) -> Option<Finding> {
    let desired = view.desired;
    let (said, shown) = misregistered(view)
        .map(|(_, shown)| shown.to_owned())
        .or_else(|| Some(desired.discarded.as_ref()?.platform_details.clone()))
        .and_then(|shown| match &desired.source {
            Source::Snapshot { registration, .. } => Some((registration.platform_details, shown)),
            _ => None,
        })?;
    if let Some((owned, shown)) = misregistered(view).filter(|(owned, _)| owned.is_sealed()) {
        let unreadable = view.unreadable();
        let why = Why::PlatformDiffers;
        if desired.discarded.is_none() {
            let action = Action::RecordDiscard {
                revision: desired.revision.clone(),
                platform_details: shown.to_owned(),
            };
            plan.steps.push(Step::on_object(action, why));
        } else if view.retains() {
            plan.notes.push(retained(owned, &why));
        } else if unreadable.is_empty() {
            plan.steps.push(deregister(view, owned, why));
        } else {
            let waits_for = WaitsFor::Readable(unreadable);
            plan.steps
                .push(deregister(view, owned, why).waiting_for(waits_for));
        }
    }
    Some(Finding {
        reason: conditions::PLATFORM_MISMATCH,
        place: Some(desired.source_place()),
        message: format!(
            "the image that EC2 registered of {} shows PlatformDetails {shown:?}, and not {said:?} as the spec says: it \
             is discarded, since it lacks the right billing code; capture an instance instead (spec.source.instance), \
             or say the platformDetails that it has",
            view.origin_text()
        ),
    })
}

fn misregistered<'a, 'v>(view: &'v View<'a>) -> Option<(&'v Owned<'a>, &'a str)> {
    view.live()
        .find_map(|owned| Some((owned, view.desired.other_platform_of(owned.image)?)))
}

/// Where EC2 said that the name is taken and shows that it is by an image of ours, the next list has it.
fn awaiting_holder(view: &View<'_>, step: Step) -> Step {
    if holders(view).is_some_and(|holders| !holders.is_empty()) {
        return step.waiting_for(WaitsFor::FreshLists(vec![view.desired.source_place()]));
    }
    step
}

/// The record comes before the call, and the call only while the record is young.
fn ask_once(view: &View<'_>, step: Step, plan: &mut Plan) {
    let record = || {
        let action = Action::RecordCapture {
            revision: view.desired.revision.clone(),
        };
        Step::on_object(action, Why::CaptureIsAskedForOnce)
    };
    let step = awaiting_holder(view, step);
    plan.steps.push(match recorded(view) {
        None => record(),
        Some(at) if step.waits_for.is_some() || is_young(view, at) => step,
        // It made nothing, or somebody had to act: see `captured_in_vain`.
        Some(_) => match retry_at(view) {
            Some(until) => step.waiting_for(WaitsFor::Retry { until }),
            None => record(),
        },
    });
}

/// When the capture of this revision was recorded.
fn recorded(view: &View<'_>) -> Option<Timestamp> {
    let captured = view.desired.captured.as_ref()?;
    (captured.revision == view.desired.revision).then_some(captured.at)
}

/// What was asked for a window ago and left no image, wherever one might be, is not asked for again, unless EC2
/// certainly made nothing.
fn captured_in_vain(view: &View<'_>) -> Option<Finding> {
    let at = recorded(view)?;
    let is_shown_soon = holders(view).is_some_and(|holders| !holders.is_empty());
    if is_shown_soon || is_young(view, at) || has_made_nothing(view, at) {
        return None;
    }
    let last_answer =
        refusal(view).map(|refusal| format!(" (the last answer: {})", refusal.message));
    Some(Finding {
        reason: conditions::CAPTURE_FAILED,
        place: Some(view.desired.source_place()),
        message: format!(
            "the capture of {} that was asked for at {} left no image that is there now{}: it is not tried again by \
             itself, because it might restart the instance again; change spec.rebuild to capture it anew",
            view.origin_text(),
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            last_answer.unwrap_or_default()
        ),
    })
}

/// Whether EC2 said to every call since the record that it made nothing: it refused outright, or the name was taken,
/// though by no image that a whole window shows. A call whose answer was lost may have made one, and this process
/// knows no answers from before its start.
fn has_made_nothing(view: &View<'_>, recorded: Timestamp) -> bool {
    let name_is_held_by_nobody_shown = holders(view).is_some_and(<[_]>::is_empty);
    let is_certain = refusal(view)
        .filter(|refusal| refusal.at >= recorded)
        .map_or(name_is_held_by_nobody_shown, |refusal| refusal.certain);
    is_certain && view.observed.started <= recorded
}

/// Whether an answer to the recorded call may still be under way. A record from the future is not one of
/// ours: clocks differ by seconds.
pub(super) fn is_young(view: &View<'_>, recorded: Timestamp) -> bool {
    let age = view.now.duration_since(recorded);
    age < view.desired.consistency_window && age > -SignedDuration::from_mins(1)
}

fn retry_at(view: &View<'_>) -> Option<Timestamp> {
    refusal(view)
        .map(|refusal| refusal.retry_at)
        .filter(|retry_at| *retry_at > view.now)
}

/// What EC2 refused of late, if it was the capture.
fn refusal<'a>(view: &View<'a>) -> Option<&'a Refusal> {
    let place = view.desired.source_place();
    let mut refusals = view.observed.refusals.iter();
    let capture = refusals.find(|(asked, _)| asked.place == place && asked.action == "CreateImage");
    capture.map(|(_, refusal)| refusal)
}

/// What EC2 failed to make is not tried again: a capture might restart somebody's machine again, and the name
/// is taken.
fn failed(view: &View<'_>) -> Option<Finding> {
    let desired = view.desired;
    let origin = view.origin_text();
    let is_built = desired.source.build().is_some();
    let failed = view.claimed.iter().find(|owned| {
        owned.is_of(&desired.revision)
            && owned.image.state == ImageState::Failed
            && !matches!(owned.standing, Standing::Foreign(_))
            && (owned.image.tags.get(tag::SOURCE) == Some(origin.as_str())
                || is_built && *owned.place == desired.source_place())
    })?;
    Some(Finding {
        reason: conditions::CAPTURE_FAILED,
        place: Some(failed.place.clone()),
        message: format!(
            "EC2 could not make {} in {} of {}: {}; mend that and change spec.rebuild to make it anew",
            failed.image.id,
            failed.place.region,
            failed.image.tags.get(tag::SOURCE)?.rsplit('/').next()?,
            failed
                .image
                .state_reason
                .as_deref()
                .unwrap_or("it gives no reason"),
        ),
    })
}

/// What was captured once is not captured again when its images were lost (design: "Pinning").
fn lost(view: &View<'_>) -> Option<Finding> {
    let desired = view.desired;
    let is_captured = matches!(desired.source, Source::Instance { .. } | Source::Build(_));
    let has_died = view.has_died_in(&desired.source_place())
        || (recorded(view).is_some() || build::recorded(view).is_some())
            && desired.places.iter().any(|place| view.has_died_in(place));
    let (what, again) = match desired.source {
        Source::Build(_) => ("built from", "build"),
        _ => ("captured", "capture"),
    };
    (is_captured && has_died).then(|| Finding {
        reason: conditions::SOURCE_GONE,
        place: Some(desired.source_place()),
        message: format!(
            "every image of revision {} is gone from EC2, and {} is {what} once per revision: change spec.rebuild to \
             {again} it anew",
            desired.revision,
            view.origin_text()
        ),
    })
}

/// Who has the name, if EC2 said that somebody has: nobody, while EC2 shows no one.
fn holders<'a>(view: &View<'a>) -> Option<&'a [Image]> {
    let known = view.known(&view.desired.source_place())?;
    known
        .name_holders
        .get(&view.desired.image_name)
        .map(Vec::as_slice)
}

/// The name is the lock, and an image that is not of this revision, or no longer this object's, has it.
fn name_taken(view: &View<'_>) -> Option<Finding> {
    let desired = view.desired;
    let is_ours = |image: &Image| {
        desired.identity.is_claimed_by(&image.tags)
            && image.tags.get(tag::REVISION) == Some(desired.revision.as_str())
            && matches!(
                standing(image, &desired.identity),
                Standing::Ours | Standing::Newborn | Standing::Unproven
            )
    };
    let stranger = holders(view)?.iter().find(|image| !is_ours(image))?;
    let (id, region, name) = (&stranger.id, desired.source.region(), &desired.image_name);
    let owner = stranger.tags.get(tag::OWNER);
    let other = stranger.tags.get(tag::OBJECT);
    // Two objects of one name and source, in two namespaces.
    let other = other.filter(|_| owner == Some(desired.identity.owner.as_str()));
    let other = other.filter(|other| *other != desired.identity.object);
    let message = match other {
        Some(other) => format!(
            "{id} in {region} has the name {name:?} and belongs to MachineImage {other}: change spec.rebuild, or make a \
             MachineImage with a nameTemplate that has {{namespace}}"
        ),
        None => format!(
            "{id} in {region} has the name {name:?} and is not this object's: deregister it, change spec.rebuild, or \
             make a MachineImage with another nameTemplate"
        ),
    };
    Some(Finding {
        reason: conditions::NAME_TAKEN,
        place: Some(desired.source_place()),
        message,
    })
}

enum InTheWay {
    Wait(WaitsFor),
    Finding(Finding),
}

/// What keeps the source from being made an image of.
fn source_in_the_way(view: &View<'_>) -> Option<InTheWay> {
    let found = match &view.observed.source {
        SourceView::Instance(instance) => return instance_in_the_way(view, instance),
        SourceView::Snapshots(snapshots) => return snapshot_in_the_way(view, snapshots),
        SourceView::Missing { message } => Finding {
            reason: conditions::SOURCE_NOT_FOUND,
            place: Some(view.desired.source_place()),
            message: format!(
                "{} was not found: {}; correct spec.source",
                view.origin_text(),
                message.trim_end_matches('.')
            ),
        },
        SourceView::Unreadable(unreadable) => {
            Finding::of_unreadable(&view.desired.source_place(), unreadable)
        }
        SourceView::NotRead
        | SourceView::Image(_)
        | SourceView::NoImage { .. }
        | SourceView::Unpublished => {
            return Some(InTheWay::Wait(WaitsFor::Source));
        }
    };
    Some(InTheWay::Finding(found))
}

fn not_supported(view: &View<'_>, message: String) -> InTheWay {
    InTheWay::Finding(Finding {
        reason: conditions::SOURCE_NOT_SUPPORTED,
        place: Some(view.desired.source_place()),
        message,
    })
}

fn instance_in_the_way(view: &View<'_>, instance: &SourceInstance) -> Option<InTheWay> {
    let origin = view.origin_text();
    if let Some(why) = &instance.unsupported {
        let message = format!("{origin} cannot be captured: {why}");
        return Some(not_supported(view, message));
    }
    match instance.state.as_str() {
        "running" | "stopped" => {}
        "pending" | "stopping" => {
            let state = WaitsFor::SourceState(instance.state.clone());
            return Some(InTheWay::Wait(state));
        }
        state => {
            let message =
                format!("{origin} is {state}: only a running or stopped instance can be captured");
            return Some(not_supported(view, message));
        }
    }
    let refused = view.desired.grants.check_instance(instance).err()?;
    Some(InTheWay::Finding(refused))
}

fn snapshot_in_the_way(view: &View<'_>, snapshots: &[SourceSnapshot]) -> Option<InTheWay> {
    for one in snapshots {
        match one.state.as_str() {
            "completed" => {}
            "pending" => {
                let state = WaitsFor::SourceState(one.state.clone());
                return Some(InTheWay::Wait(state));
            }
            state => {
                let message = format!(
                    "{} in {} is in the state {state}: an image can be made of a completed snapshot only",
                    one.id,
                    view.desired.source.region()
                );
                return Some(not_supported(view, message));
            }
        }
    }
    let refused = view.desired.grants.check_snapshots(snapshots).err()?;
    Some(InTheWay::Finding(refused))
}
