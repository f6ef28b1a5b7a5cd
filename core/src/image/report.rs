//! What the user reads: the status that follows from a plan and from what was observed.
//!
//! A refusal is a report too. The previous status is asked only for what EC2 cannot tell: since when a
//! condition holds, and whether a region was served before.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::desired::Desired;
use super::identity::{Place, Revision, tag};
use super::observed::{ImageState, Observed};
use super::plan::{Action, Finding, Owned, Plan, Step, View};
use crate::api::conditions::{self, Reason};
use crate::api::{
    MachineImage, MachineImageStatus, NextStep, ProgressingRevision, PublishedRevision, RegionProgress, RegionStatus,
};

/// How many steps of a plan are shown.
const SHOWN_STEPS: usize = 5;

/// The longest message of a condition that is written; EC2's own words may be long.
const LONGEST_MESSAGE: usize = 1000;

/// The status of `image` after `plan` was made from `desired` and `observed` at `now`.
pub fn report(
    image: &MachineImage,
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    now: Timestamp,
) -> MachineImageStatus {
    let view = View::new(desired, observed, now);
    let before = image.status.clone().unwrap_or_default();
    let generation = image.metadata.generation.unwrap_or_default();
    let standing = desired.places.len() - view.not_standing().len();
    let published = published(&view);
    let progressing = progressing(&view, &before, now);
    let regions: Vec<_> = desired.places.iter().map(|place| region(&view, plan, place)).collect();
    let conditions = [
        Some(ready(&view, plan)),
        Some(available(&view, &before, &regions)),
        Some(source_resolved(&view, plan)),
        reconciling(plan, &view),
        stalled(plan),
    ];
    MachineImageStatus {
        observed_generation: generation,
        conditions: conditions
            .into_iter()
            .flatten()
            .map(|verdict| verdict.into_condition(&before.conditions, generation, now))
            .collect(),
        regions_ready: Some(format!("{standing}/{}", desired.places.len())),
        source: Some(desired.origin.to_string()),
        published,
        progressing,
        next_steps: plan.steps.iter().take(SHOWN_STEPS).map(next_step).collect(),
        regions,
    }
}

/// Whether nothing but the percentages of copies differs, which is not worth a write each time.
pub fn differs_only_in_progress(one: &MachineImageStatus, other: &MachineImageStatus) -> bool {
    without_progress(one) == without_progress(other)
}

fn without_progress(status: &MachineImageStatus) -> MachineImageStatus {
    let strip = |text: &mut String| {
        let kept: Vec<_> = text.split(", ").filter(|part| !part.ends_with(" %")).collect();
        *text = kept.join(", ");
    };
    let mut status = status.clone();
    status.conditions.iter_mut().for_each(|condition| strip(&mut condition.message));
    status.next_steps.iter_mut().filter_map(|step| step.waits_for.as_mut()).for_each(strip);
    for region in &mut status.regions {
        if let Some(progressing) = &mut region.progressing {
            progressing.percent = 0;
        }
    }
    status
}

/// A condition before it is compared with the one that stands.
struct Verdict {
    type_: &'static str,
    status: &'static str,
    reason: Reason,
    message: String,
}

impl Verdict {
    fn new(type_: &'static str, status: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self { type_, status, reason, message: message.into() }
    }

    /// The time of the last transition stays while the status does.
    fn into_condition(self, before: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let unchanged = before.iter().find(|old| old.type_ == self.type_ && old.status == self.status);
        let last_transition_time = unchanged.map_or_else(|| whole_seconds(now), |old| old.last_transition_time.clone());
        let message = match self.message.char_indices().nth(LONGEST_MESSAGE) {
            Some((cut, _)) => format!("{}…", &self.message[..cut]),
            None => self.message,
        };
        Condition {
            type_: self.type_.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason.name.to_owned(),
            message,
            last_transition_time,
            observed_generation: Some(generation),
        }
    }
}

/// `Time` is written in whole seconds, and what is compared with it must be, too.
fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

fn ready(view: &View<'_>, plan: &Plan) -> Verdict {
    let type_ = conditions::READY;
    if let Some(gravest) = gravest(plan) {
        let status = if is_ignorance(gravest.reason) { "Unknown" } else { "False" };
        return Verdict::new(type_, status, gravest.reason, messages(plan));
    }
    if view.desired.is_being_deleted() {
        return Verdict::new(type_, "False", conditions::DELETING, what_is_next(plan));
    }
    if plan.steps.is_empty() {
        let regions = view.desired.places.len();
        let revision = &view.desired.revision;
        let message = format!("revision {revision} is published in {}", count(regions, "region"));
        return Verdict::new(type_, "True", conditions::IN_SYNC, message);
    }
    Verdict::new(type_, "False", conditions::PROGRESSING, what_is_next(plan))
}

/// A region that is added later leaves it true, and so does a roll-out; a published image that is lost does
/// not, until all are back.
fn available(view: &View<'_>, before: &MachineImageStatus, regions: &[RegionStatus]) -> Verdict {
    let type_ = conditions::AVAILABLE;
    let lacking: Vec<_> =
        regions.iter().filter(|region| region.published_image_id.is_none()).map(|region| region.name.as_str()).collect();
    if lacking.is_empty() {
        let message = format!("an image is published in {}", count(regions.len(), "region"));
        return Verdict::new(type_, "True", conditions::PUBLISHED, message);
    }
    let was = before.conditions.iter().find(|old| old.type_ == type_).map(|old| old.status.as_str());
    let unreadable = view.observed.unreadable().find(|(place, _)| view.desired.wants(place));
    if let Some((place, unreadable)) = unreadable {
        let status = if was == Some("True") { "True" } else { "Unknown" };
        return Verdict::new(type_, status, unreadable.reason, format!("{} cannot be read", place.region));
    }
    let lost = |name: &&str| {
        before.regions.iter().any(|region| region.name == **name && region.published_image_id.is_some())
    };
    if was == Some("True") && lacking.len() < regions.len() && !lacking.iter().any(|name| lost(name)) {
        let message = format!("published, and on its way to {}", lacking.join(", "));
        return Verdict::new(type_, "True", conditions::PUBLISHED, message);
    }
    Verdict::new(
        type_,
        "False",
        conditions::PROGRESSING,
        format!("no image is published in {}", lacking.join(", ")),
    )
}

fn source_resolved(view: &View<'_>, plan: &Plan) -> Verdict {
    let type_ = conditions::SOURCE_RESOLVED;
    let about_source = |finding: &&Finding| {
        finding.reason.conditions.contains(&type_) && finding.reason != conditions::REGION_UNREADABLE
    };
    if view.has_sibling() {
        let message = format!("revision {} was made from {}", view.desired.revision, view.desired.origin);
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    if let Some(finding) = plan.findings.iter().find(about_source) {
        let status = if is_ignorance(finding.reason) { "Unknown" } else { "False" };
        return Verdict::new(type_, status, finding.reason, finding.message.clone());
    }
    if plan.steps.iter().any(|step| step.action.creates() || matches!(step.action, Action::RecordCapture { .. })) {
        let message = format!("{} was found and may be used", view.desired.origin);
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    Verdict::new(type_, "Unknown", conditions::WAITING_FOR_INVENTORY, "the source was not looked at yet")
}

fn reconciling(plan: &Plan, view: &View<'_>) -> Option<Verdict> {
    let stalled = plan.findings.iter().any(|finding| finding.reason.stalls());
    if stalled || (plan.steps.is_empty() && plan.findings.is_empty()) || view.desired.suspended {
        return None;
    }
    let reason = gravest(plan).map_or(conditions::PROGRESSING, |finding| finding.reason);
    Some(Verdict::new(conditions::RECONCILING, "True", reason, what_is_next(plan)))
}

fn stalled(plan: &Plan) -> Option<Verdict> {
    let finding = plan.findings.iter().find(|finding| finding.reason.stalls())?;
    Some(Verdict::new(conditions::STALLED, "True", finding.reason, finding.message.clone()))
}

/// What waits for somebody comes before what mends itself.
fn gravest(plan: &Plan) -> Option<&Finding> {
    plan.findings.iter().min_by_key(|finding| (!finding.reason.stalls(), is_ignorance(finding.reason)))
}

/// Reasons that say that something is not known, and not that it is wrong.
fn is_ignorance(reason: Reason) -> bool {
    reason == conditions::WAITING_FOR_INVENTORY || reason == conditions::REGION_UNREADABLE
}

fn messages(plan: &Plan) -> String {
    let mut findings: Vec<_> = plan.findings.iter().collect();
    findings.sort_by_key(|finding| (!finding.reason.stalls(), is_ignorance(finding.reason)));
    let mut said: Vec<&str> = Vec::new();
    for finding in findings {
        if !said.contains(&finding.message.as_str()) {
            said.push(&finding.message);
        }
    }
    said.join("; ")
}

fn what_is_next(plan: &Plan) -> String {
    let Some(step) = plan.steps.iter().find(|step| step.waits_for.is_none()).or_else(|| plan.steps.first()) else {
        return messages(plan);
    };
    let region = step.place.as_ref().map(|place| format!(" in {}", place.region)).unwrap_or_default();
    match &step.waits_for {
        None => format!("{}{region}: {}", step.action.name(), step.why),
        Some(waits_for) => format!("{}{region} waits for {waits_for}", step.action.name()),
    }
}

fn next_step(step: &Step) -> NextStep {
    NextStep {
        step: step.action.name().to_owned(),
        region: step.place.as_ref().map(|place| place.region.clone()),
        why: step.why.to_string(),
        waits_for: step.waits_for.as_ref().map(ToString::to_string),
    }
}

/// The revision that most wanted places publish; the wanted one, where it is as many.
fn published(view: &View<'_>) -> Option<PublishedRevision> {
    let published: Vec<&Owned<'_>> =
        view.ours().filter(|owned| owned.is_published() && view.desired.wants(owned.place)).collect();
    let places = |revision: &Revision| published.iter().filter(|owned| owned.is_of(revision)).count();
    let revision = published
        .iter()
        .filter_map(|owned| owned.revision())
        .max_by_key(|revision| (places(revision), *revision == view.desired.revision, revision.clone()))?;
    let of_revision = || published.iter().filter(|owned| owned.is_of(&revision)).map(|owned| &owned.image.tags);
    let time = of_revision().filter_map(|tags| tags.get(tag::PUBLISHED)?.parse::<Timestamp>().ok()).min();
    let source = of_revision().find_map(|tags| tags.get(tag::ORIGIN)).cloned();
    Some(PublishedRevision {
        revision: revision.to_string(),
        time: whole_seconds(time.unwrap_or_default()),
        source: source.unwrap_or_default(),
    })
}

fn progressing(view: &View<'_>, before: &MachineImageStatus, now: Timestamp) -> Option<ProgressingRevision> {
    if view.is_published_everywhere() || view.desired.is_being_deleted() {
        return None;
    }
    let revision = view.desired.revision.to_string();
    let begun = before.progressing.as_ref().filter(|old| old.revision == revision);
    Some(ProgressingRevision {
        start_time: begun.map_or_else(|| whole_seconds(now), |old| old.start_time.clone()),
        source: view.desired.origin.to_string(),
        revision,
    })
}

fn region(view: &View<'_>, plan: &Plan, place: &Place) -> RegionStatus {
    let usable = |owned: &&Owned<'_>| {
        owned.place == place && owned.is_published() && owned.image.state == ImageState::Available
    };
    let published = view
        .ours()
        .filter(usable)
        .max_by_key(|owned| (owned.is_of(&view.desired.revision), owned.image.created, &owned.image.id));
    let keeper = view.keeper(place);
    let progressing = match keeper {
        Some(owned) if owned.is_published() => None,
        Some(owned) => {
            let percent = match owned.image.state {
                ImageState::Available => 100,
                _ => i32::from(owned.image.progress.unwrap_or_default()) / 10 * 10,
            };
            Some(RegionProgress::of(owned.image.id.as_str(), owned.image.state.to_string(), percent))
        }
        None => Some(RegionProgress::waiting()),
    };
    let here = |finding: &&Finding| finding.place.as_ref() == Some(place);
    let message = plan.findings.iter().find(here).or_else(|| plan.notes.iter().find(here));
    RegionStatus {
        account_name: view.desired.account_name.clone(),
        name: place.region.clone(),
        published_image_id: published.map(|owned| owned.image.id.clone()),
        progressing: progressing.filter(|_| !view.desired.is_being_deleted()),
        message: message.map(|finding| finding.message.chars().take(LONGEST_MESSAGE).collect()),
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
