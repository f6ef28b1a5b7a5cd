//! What the user reads: the status that follows from a plan and from what was observed.
//!
//! A refusal is a report too. The previous status is asked only for what EC2 cannot tell: since when a
//! condition holds, and whether a region was served before.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::desired::Desired;
use super::identity::{Place, Revision, tag};
use super::observed::{ImageState, Observed, SourceView};
use super::plan::{Action, Finding, Owned, Plan, Step, View, WaitsFor};
use crate::api::conditions::{self, Reason};
use crate::api::{
    MachineImage, MachineImageStatus, NextStep, ProgressingRevision, PublishedRevision,
    RegionProgress, RegionStatus,
};

/// How many steps of a plan are shown.
const SHOWN_STEPS: usize = 5;

/// The longest message of a condition or region that is written; EC2's own words may be long.
const LONGEST_MESSAGE: usize = 1000;

/// The longest text in `nextSteps` that the schema takes; lists of regions may be long.
const LONGEST_STEP: usize = 256;

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
    if before.observed_generation == generation && knows_nothing_yet(plan) {
        return before;
    }
    let standing = desired.places.len() - view.not_standing().len();
    let published = published(&view).or_else(|| {
        before
            .published
            .clone()
            .filter(|_| view.is_partly_unknown())
    });
    let progressing = progressing(&view, &before, now);
    let regions: Vec<_> = desired
        .places
        .iter()
        .map(|place| region(&view, plan, &before, place))
        .collect();
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

/// A process that has just started says nothing new of an object before it has read EC2: what the last one
/// said of the same generation stands.
fn knows_nothing_yet(plan: &Plan) -> bool {
    gravest(plan).is_some_and(|finding| finding.reason == conditions::WAITING_FOR_INVENTORY)
}

/// Whether nothing but the percentages of copies differs, which is not worth a write each time.
pub fn differs_only_in_progress(one: &MachineImageStatus, other: &MachineImageStatus) -> bool {
    without_progress(one) == without_progress(other)
}

fn without_progress(status: &MachineImageStatus) -> MachineImageStatus {
    let strip = |text: &mut String| {
        let kept: Vec<_> = text
            .split(", ")
            .filter(|part| !part.ends_with(" %"))
            .collect();
        *text = kept.join(", ");
    };
    let mut status = status.clone();
    status
        .conditions
        .iter_mut()
        .for_each(|condition| strip(&mut condition.message));
    status
        .next_steps
        .iter_mut()
        .filter_map(|step| step.waits_for.as_mut())
        .for_each(strip);
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
    fn new(
        type_: &'static str,
        status: &'static str,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status,
            reason,
            message: message.into(),
        }
    }

    /// The time of the last transition stays while the status does.
    fn into_condition(self, before: &[Condition], generation: i64, now: Timestamp) -> Condition {
        let unchanged = before
            .iter()
            .find(|old| old.type_ == self.type_ && old.status == self.status);
        let last_transition_time = unchanged.map_or_else(
            || whole_seconds(now),
            |old| old.last_transition_time.clone(),
        );
        Condition {
            type_: self.type_.to_owned(),
            status: self.status.to_owned(),
            reason: self.reason.name.to_owned(),
            message: shortened(&self.message, LONGEST_MESSAGE),
            last_transition_time,
            observed_generation: Some(generation),
        }
    }
}

/// At most `longest` characters.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// `Time` is written in whole seconds, and what is compared with it must be, too.
fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

fn ready(view: &View<'_>, plan: &Plan) -> Verdict {
    let type_ = conditions::READY;
    if let Some(gravest) = gravest(plan) {
        let status = if is_ignorance(gravest.reason) {
            "Unknown"
        } else {
            "False"
        };
        return Verdict::new(type_, status, gravest.reason, messages(plan));
    }
    if view.desired.is_being_deleted() {
        return Verdict::new(type_, "False", conditions::DELETING, what_is_next(plan));
    }
    if is_in_sync(view, plan) {
        let regions = view.desired.places.len();
        let revision = &view.desired.revision;
        let mut said = vec![format!(
            "revision {revision} is published in {}",
            count(regions, "region")
        )];
        said.extend(
            plan.steps
                .first()
                .map(|_| format!("{} ({})", what_is_next(plan), what_cannot_be_read(view))),
        );
        said.extend(plan.notes.iter().map(|note| note.message.clone()));
        let retained = plan
            .notes
            .iter()
            .any(|note| note.reason == conditions::RETAINED);
        let reason = if retained {
            conditions::RETAINED
        } else {
            conditions::IN_SYNC
        };
        return Verdict::new(type_, "True", reason, said.join("; "));
    }
    Verdict::new(type_, "False", conditions::PROGRESSING, what_is_next(plan))
}

/// Whether EC2 matches the spec. A place that is not wanted and cannot be read holds up what is to go, for
/// as long as it takes, but not what users launch.
fn is_in_sync(view: &View<'_>, plan: &Plan) -> bool {
    let is_held_up = |step: &Step| match (&step.action, &step.waits_for) {
        (Action::DeregisterImage { .. }, Some(WaitsFor::Readable(places))) => {
            !places.iter().any(|place| view.desired.wants(place))
        }
        _ => false,
    };
    !view.desired.is_being_deleted()
        && plan.findings.is_empty()
        && plan.steps.iter().all(is_held_up)
        && view.is_published_everywhere()
}

fn what_cannot_be_read(view: &View<'_>) -> String {
    let messages: Vec<_> = view
        .observed
        .unreadable()
        .map(|(_, unreadable)| unreadable.message.as_str())
        .collect();
    messages.join("; ")
}

/// A region that is added later leaves it true, and so does a roll-out; a published image that is lost does
/// not, until all are back.
fn available(view: &View<'_>, before: &MachineImageStatus, regions: &[RegionStatus]) -> Verdict {
    let type_ = conditions::AVAILABLE;
    let is_read = |name: &str| {
        view.desired
            .places
            .iter()
            .any(|place| place.region == name && view.known(place).is_some())
    };
    let (read, unread): (Vec<_>, Vec<_>) = regions.iter().partition(|region| is_read(&region.name));
    let unread: Vec<_> = unread
        .into_iter()
        .map(|region| region.name.as_str())
        .collect();
    let lacking: Vec<_> = read
        .iter()
        .filter(|region| region.published_image_id.is_none())
        .map(|region| region.name.as_str())
        .collect();
    if lacking.is_empty() && unread.is_empty() {
        let message = format!(
            "an image is published in {}",
            count(regions.len(), "region")
        );
        return Verdict::new(type_, "True", conditions::PUBLISHED, message);
    }
    let was = before
        .conditions
        .iter()
        .find(|old| old.type_ == type_)
        .map(|old| old.status.as_str());
    let lost = |name: &&str| {
        before
            .regions
            .iter()
            .any(|region| region.name == **name && region.published_image_id.is_some())
    };
    let stays = was == Some("True") && !lacking.iter().any(lost);
    if !unread.is_empty() && (stays || lacking.is_empty()) {
        let status = if stays { "True" } else { "Unknown" };
        let message = format!("{} cannot be read", unread.join(", "));
        return Verdict::new(type_, status, conditions::REGION_UNREADABLE, message);
    }
    if stays && lacking.len() < regions.len() {
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
        finding.reason.conditions.contains(&type_)
            && finding.reason != conditions::REGION_UNREADABLE
    };
    if view.has_sibling() {
        let message = format!(
            "revision {} was made from {}",
            view.desired.revision, view.desired.origin
        );
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    if let Some(finding) = plan.findings.iter().find(about_source) {
        let status = if is_ignorance(finding.reason) {
            "Unknown"
        } else {
            "False"
        };
        return Verdict::new(type_, status, finding.reason, finding.message.clone());
    }
    if matches!(
        view.observed.source,
        SourceView::Instance(_) | SourceView::Image(_)
    ) {
        let message = format!("{} was found and may be used", view.desired.origin);
        return Verdict::new(type_, "True", conditions::RESOLVED, message);
    }
    let message = match (view.desired.is_being_deleted(), view.desired.suspended) {
        (true, _) => "the source is not looked at while the object is being deleted",
        (_, true) => "the source is not looked at while spec.suspend is true",
        _ => "the source was not looked at yet",
    };
    Verdict::new(type_, "Unknown", conditions::WAITING_FOR_INVENTORY, message)
}

fn reconciling(plan: &Plan, view: &View<'_>) -> Option<Verdict> {
    let stalled = plan.findings.iter().any(|finding| finding.reason.stalls());
    let is_deleted = view.desired.is_being_deleted();
    let has_ended = is_deleted && plan.steps.is_empty() && plan.findings.is_empty();
    if stalled || has_ended || is_in_sync(view, plan) || (view.desired.suspended && !is_deleted) {
        return None;
    }
    let otherwise = if is_deleted {
        conditions::DELETING
    } else {
        conditions::PROGRESSING
    };
    let reason = gravest(plan).map_or(otherwise, |finding| finding.reason);
    Some(Verdict::new(
        conditions::RECONCILING,
        "True",
        reason,
        what_is_next(plan),
    ))
}

fn stalled(plan: &Plan) -> Option<Verdict> {
    let finding = gravest(plan).filter(|finding| finding.reason.stalls())?;
    Some(Verdict::new(
        conditions::STALLED,
        "True",
        finding.reason,
        finding.message.clone(),
    ))
}

/// What waits for somebody comes before what mends itself.
fn gravest(plan: &Plan) -> Option<&Finding> {
    plan.findings
        .iter()
        .min_by_key(|finding| (!finding.reason.stalls(), is_ignorance(finding.reason)))
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
    let Some(step) = plan.steps.iter().min_by_key(|step| remoteness(step)) else {
        return if plan.findings.is_empty() {
            "nothing is left to do".to_owned()
        } else {
            messages(plan)
        };
    };
    match &step.waits_for {
        None => format!("{}: {}", what_is_done(step), step.why),
        Some(waits_for) => format!("{} waits for {waits_for}", what_is_done(step)),
    }
}

/// The call with what it is about and where.
fn what_is_done(step: &Step) -> String {
    let name = step.action.name();
    let Some(Place { region, .. }) = &step.place else {
        return name.to_owned();
    };
    match &step.action {
        Action::CreateImage { instance, .. } => format!("{name} of {instance} in {region}"),
        Action::CopyImage { from, .. } => format!("{name} of {from} to {region}"),
        other => format!(
            "{name} of {} in {region}",
            other.target().unwrap_or_default()
        ),
    }
}

/// What is done now comes first, then what waits for EC2, and last what waits for other steps.
fn remoteness(step: &Step) -> u8 {
    match &step.waits_for {
        None => 0,
        Some(
            WaitsFor::Standing(_)
            | WaitsFor::Published(_)
            | WaitsFor::SealedSnapshots(_)
            | WaitsFor::Deletion(_),
        ) => 2,
        Some(_) => 1,
    }
}

fn next_step(step: &Step) -> NextStep {
    NextStep {
        step: step.action.name().to_owned(),
        region: step.place.as_ref().map(|place| place.region.clone()),
        why: shortened(&step.why.to_string(), LONGEST_STEP),
        waits_for: step
            .waits_for
            .as_ref()
            .map(|waits_for| shortened(&waits_for.to_string(), LONGEST_STEP)),
    }
}

/// The revision that most wanted places publish; the wanted one, where it is as many.
fn published(view: &View<'_>) -> Option<PublishedRevision> {
    let published: Vec<&Owned<'_>> = view
        .ours()
        .filter(|owned| owned.is_published() && view.desired.wants(owned.place))
        .collect();
    let places = |revision: &Revision| {
        published
            .iter()
            .filter(|owned| owned.is_of(revision))
            .count()
    };
    let revision = published
        .iter()
        .filter_map(|owned| owned.revision())
        .max_by_key(|revision| {
            (
                places(revision),
                *revision == view.desired.revision,
                revision.clone(),
            )
        })?;
    let of_revision = || {
        published
            .iter()
            .filter(|owned| owned.is_of(&revision))
            .map(|owned| &owned.image.tags)
    };
    let time = of_revision()
        .filter_map(|tags| tags.get(tag::PUBLISHED)?.parse::<Timestamp>().ok())
        .min();
    let source = of_revision()
        .find_map(|tags| tags.get(tag::ORIGIN))
        .cloned();
    Some(PublishedRevision {
        revision: revision.to_string(),
        time: whole_seconds(time.unwrap_or_default()),
        source: source.unwrap_or_default(),
    })
}

fn progressing(
    view: &View<'_>,
    before: &MachineImageStatus,
    now: Timestamp,
) -> Option<ProgressingRevision> {
    let revision = view.desired.revision.to_string();
    let begun = before
        .progressing
        .as_ref()
        .filter(|old| old.revision == revision);
    let mut read = view
        .desired
        .places
        .iter()
        .filter(|place| view.known(place).is_some());
    let stands = read.all(|place| view.standing_in(place).is_some_and(Owned::is_published));
    if view.is_published_everywhere()
        || view.desired.is_being_deleted()
        || (stands && begun.is_none())
    {
        return None;
    }
    Some(ProgressingRevision {
        start_time: begun.map_or_else(|| whole_seconds(now), |old| old.start_time.clone()),
        source: view.desired.origin.to_string(),
        revision,
    })
}

fn region(
    view: &View<'_>,
    plan: &Plan,
    before: &MachineImageStatus,
    place: &Place,
) -> RegionStatus {
    let here = |finding: &&Finding| finding.place.as_ref() == Some(place);
    let message = plan
        .findings
        .iter()
        .find(here)
        .or_else(|| plan.notes.iter().find(here));
    let message = message.map(|finding| shortened(&finding.message, LONGEST_MESSAGE));
    let status = RegionStatus {
        account_name: view.desired.account_name.clone(),
        name: place.region.clone(),
        published_image_id: None,
        progressing: None,
        message,
    };
    if view.known(place).is_none() {
        // What cannot be read is not called gone: what stood there stays.
        let stood = before
            .regions
            .iter()
            .find(|old| old.account_name == status.account_name && old.name == status.name);
        return RegionStatus {
            published_image_id: stood.and_then(|old| old.published_image_id.clone()),
            ..status
        };
    }

    // One that lists lack for the moment is not called gone yet, but one that they show comes first; of two
    // of one revision it is the one that the planner keeps.
    let keeper = view.keeper(place);
    let usable = |owned: &&Owned<'_>| {
        let is_there = matches!(
            owned.image.state,
            ImageState::Available | ImageState::Missing { .. }
        );
        owned.place == place && owned.is_published() && is_there
    };
    let published = view.ours().filter(usable).max_by_key(|owned| {
        let is_listed = owned.image.state == ImageState::Available;
        let is_kept = keeper.is_some_and(|keeper| keeper.image.id == owned.image.id);
        (
            is_listed,
            is_kept,
            owned.is_of(&view.desired.revision),
            owned.image.created,
            &owned.image.id,
        )
    });
    let progressing = match keeper {
        Some(owned) if owned.is_published() => None,
        Some(owned) => {
            let percent = match owned.image.state {
                ImageState::Available => 100,
                _ => i32::from(owned.image.progress.unwrap_or_default()) / 10 * 10,
            };
            Some(RegionProgress::of(
                owned.image.id.as_str(),
                owned.image.state.to_string(),
                percent,
            ))
        }
        None => Some(RegionProgress::waiting()),
    };
    RegionStatus {
        published_image_id: published.map(|owned| owned.image.id.clone()),
        progressing: progressing.filter(|_| !view.desired.is_being_deleted()),
        ..status
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
