//! The capture of an instance: what every copy of the revision is made from, asked for once.
//!
//! `CreateImage` has no client token. The unique AMI name is the lock while the answer may still be lost:
//! within the consistency window after the recorded time the call may be repeated, after it never, because
//! a repeat might restart somebody's machine again. Source: EC2 API, `CreateImage`; design: "Creating once".

use jiff::{SignedDuration, Timestamp};

use super::attributes::tags_with_note;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::View;
use crate::api::Reboot;
use crate::api::conditions::{self, Reason};
use crate::image::identity::{Standing, standing, tag};
use crate::image::observed::{Image, ImageState, Refusal, SourceView};

/// Captures the instance when no image of the revision exists or may exist anywhere.
pub(crate) fn capture(view: &View<'_>, plan: &mut Plan) {
    let Some(reboot) = view.desired.reboot else {
        return;
    };
    if !view.desired.refusals.is_empty() || view.has_sibling() {
        return;
    }
    if let Some(finding) = failed_capture(view).or_else(|| lost(view)) {
        plan.findings.push(finding);
        return;
    }
    let step = capture_step(view, reboot);
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
    match source_in_the_way(view) {
        None => ask_once(view, step, plan),
        Some(InTheWay::Wait(waits_for)) => plan.steps.push(step.waiting_for(waits_for)),
        Some(InTheWay::Finding(finding)) => plan.findings.push(finding),
    }
}

fn capture_step(view: &View<'_>, reboot: Reboot) -> Step {
    let desired = view.desired;
    let place = desired.origin_place();
    let mut tags = desired
        .identity
        .birth_tags(&desired.revision, &desired.origin, &desired.origin);
    tags.extend(tags_with_note(&desired.tags));
    let why = if desired.wants(&place) {
        Why::WantedByRegions
    } else {
        Why::CopiesAreMadeFromIt
    };
    let action = Action::CreateImage {
        instance: desired.origin.id.clone(),
        name: desired.image_name.clone(),
        description: desired.description.clone(),
        no_reboot: reboot == Reboot::Never,
        tags,
    };
    Step::at(&place, action, why)
}

/// The record comes before the call, and the call only while the record is young.
fn ask_once(view: &View<'_>, step: Step, plan: &mut Plan) {
    let desired = view.desired;
    let record = || {
        let action = Action::RecordCapture {
            revision: desired.revision.clone(),
        };
        Step::on_object(action, Why::CaptureIsAskedForOnce)
    };
    let Some(captured) = desired
        .captured
        .as_ref()
        .filter(|captured| captured.revision == desired.revision)
    else {
        plan.steps.push(record());
        return;
    };
    let name_is_held_by_nobody_shown = holders(view).is_some_and(<[_]>::is_empty);
    if holders(view).is_some_and(|holders| !holders.is_empty()) {
        // It is ours and was found by its name: the capture has succeeded, and the next list has it.
        plan.steps
            .push(step.waiting_for(WaitsFor::FreshLists(vec![desired.origin_place()])));
    } else if is_young(view, captured.at) {
        plan.steps.push(step);
    } else if name_is_held_by_nobody_shown || was_refused_since(view, captured.at) {
        // EC2 said that it made nothing, and a whole window shows nothing: it may be asked anew.
        plan.steps.push(match retry_at(view) {
            Some(until) => step.waiting_for(WaitsFor::Retry { until }),
            None => record(),
        });
    } else {
        let last_answer =
            refusal(view).map(|refusal| format!(" (the last answer: {})", refusal.message));
        plan.findings.push(Finding {
            reason: conditions::CAPTURE_FAILED,
            place: Some(desired.origin_place()),
            message: format!(
                "the capture of {} that was asked for at {} left no image that is there now{}: it is not tried again by \
                 itself, because it might restart the instance again; change spec.rebuild to capture it anew",
                desired.origin,
                captured.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                last_answer.unwrap_or_default()
            ),
        });
    }
}

/// Whether an answer to the recorded call may still be under way. A record from the future is not one of
/// ours: clocks differ by seconds.
fn is_young(view: &View<'_>, recorded: Timestamp) -> bool {
    let age = view.now.duration_since(recorded);
    age < view.desired.consistency_window && age > -SignedDuration::from_mins(1)
}

/// Whether EC2 refused the recorded capture outright, so that it certainly made nothing.
fn was_refused_since(view: &View<'_>, recorded: Timestamp) -> bool {
    refusal(view).is_some_and(|refusal| refusal.certain && refusal.at >= recorded)
}

fn retry_at(view: &View<'_>) -> Option<Timestamp> {
    refusal(view)
        .map(|refusal| refusal.retry_at)
        .filter(|retry_at| *retry_at > view.now)
}

/// What EC2 refused of late, if it was the capture.
fn refusal<'a>(view: &View<'a>) -> Option<&'a Refusal> {
    let place = view.desired.origin_place();
    let mut refusals = view.observed.refusals.iter();
    let capture = refusals.find(|(asked, _)| asked.place == place && asked.action == "CreateImage");
    capture.map(|(_, refusal)| refusal)
}

/// A failed capture is not tried again: it might restart somebody's machine again.
fn failed_capture(view: &View<'_>) -> Option<Finding> {
    let desired = view.desired;
    let origin = desired.origin.to_string();
    let failed = view.claimed.iter().find(|owned| {
        owned.is_of(&desired.revision)
            && owned.image.state == ImageState::Failed
            && !matches!(owned.standing, Standing::Foreign(_))
            && owned.image.tags.get(tag::SOURCE) == Some(&origin)
    })?;
    Some(Finding {
        reason: conditions::CAPTURE_FAILED,
        place: Some(failed.place.clone()),
        message: format!(
            "EC2 could not make {} in {} of {}: {}; mend that and change spec.rebuild to capture it anew",
            failed.image.id,
            failed.place.region,
            desired.origin.id,
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
    view.has_died_in(&desired.origin_place()).then(|| Finding {
        reason: conditions::SOURCE_GONE,
        place: Some(desired.origin_place()),
        message: format!(
            "every image of revision {} is gone from EC2, and {} is captured once per revision: change spec.rebuild \
             to capture it anew",
            desired.revision, desired.origin
        ),
    })
}

/// Who has the name, if EC2 said that somebody has: nobody, while EC2 shows no one.
fn holders<'a>(view: &View<'a>) -> Option<&'a [Image]> {
    let known = view.known(&view.desired.origin_place())?;
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
            && image.tags.get(tag::REVISION).map(String::as_str) == Some(desired.revision.as_str())
            && matches!(
                standing(image, &desired.identity),
                Standing::Ours | Standing::Newborn | Standing::Unproven
            )
    };
    let stranger = holders(view)?.iter().find(|image| !is_ours(image))?;
    Some(Finding {
        reason: conditions::NAME_TAKEN,
        place: Some(desired.origin_place()),
        message: format!(
            "{} in {} has the name {:?} and is not this object's: deregister it, change spec.rebuild, or make a \
             MachineImage with another nameTemplate",
            stranger.id, desired.origin.region, desired.image_name
        ),
    })
}

enum InTheWay {
    Wait(WaitsFor),
    Finding(Finding),
}

/// What keeps the instance from being captured.
fn source_in_the_way(view: &View<'_>) -> Option<InTheWay> {
    let desired = view.desired;
    let finding = |reason: Reason, message: String| {
        Some(InTheWay::Finding(Finding {
            reason,
            place: Some(desired.origin_place()),
            message,
        }))
    };
    match &view.observed.source {
        SourceView::Instance(instance) => {
            if let Some(why) = &instance.unsupported {
                return finding(
                    conditions::SOURCE_NOT_SUPPORTED,
                    format!("{} cannot be captured: {why}", desired.origin),
                );
            }
            match instance.state.as_str() {
                "running" | "stopped" => {}
                "pending" | "stopping" => {
                    return Some(InTheWay::Wait(WaitsFor::SourceState(
                        instance.state.clone(),
                    )));
                }
                state => {
                    return finding(
                        conditions::SOURCE_NOT_SUPPORTED,
                        format!(
                            "{} is {state}: only a running or stopped instance can be captured",
                            desired.origin
                        ),
                    );
                }
            }
            desired
                .grants
                .check_instance(instance)
                .err()
                .map(InTheWay::Finding)
        }
        SourceView::Missing { message } => finding(
            conditions::SOURCE_NOT_FOUND,
            format!(
                "{} was not found: {message}; correct spec.source",
                desired.origin
            ),
        ),
        SourceView::Unreadable(unreadable) => {
            finding(unreadable.reason, unreadable.message.clone())
        }
        SourceView::NotRead | SourceView::Image(_) => Some(InTheWay::Wait(WaitsFor::Source)),
    }
}
