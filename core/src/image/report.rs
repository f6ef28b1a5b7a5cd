//! What the user reads: the status that follows from a plan and from what was observed.
//!
//! A refusal is a report too. The previous status is asked only for what EC2 cannot tell: since when a
//! condition holds, and whether a region was served before.

mod verdicts;

use jiff::Timestamp;

use super::desired::Desired;
use super::identity::{Place, Revision, is_sealed_snapshot, tag};
use super::money::gib;
use super::observed::{ImageState, Known, Observed, Snapshot, Usage, UsageReport};
use super::plan::{Finding, Owned, Plan, Step, View, WaitsFor};
use crate::api::conditions::{self, whole_seconds};
use crate::api::{
    ImageUser, MachineImage, MachineImageStatus, NextStep, ProgressingRevision, PublishedRevision,
    RegionProgress, RegionStatus,
};
use verdicts::{available, gravest, ready, reconciling, source_resolved, stalled};

/// How many steps of a plan are shown.
const SHOWN_STEPS: usize = 5;

/// How many users of images are shown for each region.
const SHOWN_USERS: usize = 10;

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
    if before.observed_generation == generation
        && (knows_nothing_yet(plan) || awaits_an_answer(plan))
    {
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
    let stored = view.unreadable().is_empty().then(|| {
        observed
            .known()
            .map(|(_, known)| stored(&view, known))
            .sum()
    });
    let conditions = [
        Some(ready(&view, plan)),
        Some(available(&view, &before, &regions)),
        Some(source_resolved(&view, plan)),
        reconciling(plan, &view),
        stalled(plan),
    ];
    let status = MachineImageStatus {
        observed_generation: generation,
        conditions: conditions
            .into_iter()
            .flatten()
            .map(|verdict| verdict.into_condition(&before.conditions, generation, now))
            .collect(),
        regions_ready: Some(format!("{standing}/{}", desired.places.len())),
        source: Some(view.origin_text()),
        published,
        progressing,
        // What cannot be read is not called nothing.
        stored_gib: stored.map(gib).or(before.stored_gib),
        cost_per_month: match (desired.price_per_gib_month, stored) {
            (Some(price), Some(bytes)) => Some(price.of(bytes)),
            (Some(_), None) => before.cost_per_month.clone(),
            (None, _) => None,
        },
        next_steps: plan
            .steps
            .iter()
            .take(SHOWN_STEPS)
            .map(|step| next_step(desired, step))
            .collect(),
        regions,
    };
    // EC2 tells later than anything else how much a snapshot holds, and that alone is not worth a write.
    if before.stored_gib.is_some() && without_storage(&status) == without_storage(&before) {
        return before;
    }
    status
}

fn without_storage(status: &MachineImageStatus) -> MachineImageStatus {
    let mut status = status.clone();
    (status.stored_gib, status.cost_per_month) = (None, None);
    for region in &mut status.regions {
        region.stored_gib = None;
    }
    status
}

/// A process that has just started says nothing new of an object before it has read EC2: what the last one
/// said of the same generation stands.
fn knows_nothing_yet(plan: &Plan) -> bool {
    let is_to_be_recorded = |step: &Step| matches!(step.waits_for, Some(WaitsFor::Record(_)));
    !plan.steps.iter().any(is_to_be_recorded) && says_that_nothing_is_known(plan)
}

/// What EC2 was asked a moment ago wakes the object when it answers: that it has not yet is no news.
fn awaits_an_answer(plan: &Plan) -> bool {
    let mut waits = plan.steps.iter().filter_map(|step| step.waits_for.as_ref());
    plan.findings.is_empty()
        && !plan.awaits_status()
        && waits.any(|waits_for| {
            matches!(
                waits_for,
                WaitsFor::Usage(_)
                    | WaitsFor::Parameters(_)
                    | WaitsFor::Permissions(_)
                    | WaitsFor::FastLaunchRead(_)
                    | WaitsFor::EbsDefaults
            )
        })
}

fn says_that_nothing_is_known(plan: &Plan) -> bool {
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
    let mut status = without_storage(status);
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

/// At most `longest` characters.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

fn next_step(desired: &Desired, step: &Step) -> NextStep {
    let elsewhere = step
        .place
        .as_ref()
        .filter(|place| !desired.is_at_home(place));
    NextStep {
        account_name: elsewhere.map(|place| desired.account_name(place).to_owned()),
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
        .filter(|owned| view.is_told(owned) && view.desired.wants(owned.place))
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
        .map(str::to_owned);
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
        source: view.origin_text(),
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
        account_name: view.desired.account_name(place).to_owned(),
        name: place.region.clone(),
        stored_gib: view.known(place).map(|known| gib(stored(view, known))),
        published_image_id: None,
        progressing: None,
        in_use_by: in_use_by(view, plan, place),
        message,
    };
    if view.known(place).is_none() {
        // What cannot be read is not called gone: what stood there stays.
        let stood = before.regions.iter().find(|old| old.is_of(&status));
        return RegionStatus {
            published_image_id: stood.and_then(|old| old.published_image_id.clone()),
            stored_gib: stood.and_then(|old| old.stored_gib),
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
        owned.place == place && view.is_told(owned) && is_there
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

/// How many bytes the snapshots of the object store here.
fn stored(view: &View<'_>, known: &Known) -> u64 {
    let snapshots = known.snapshots.iter();
    let ours = snapshots.filter(|one| is_sealed_snapshot(one, &view.desired.identity));
    ours.map(Snapshot::stored_bytes).sum()
}

/// What keeps images here that are no longer wanted.
fn in_use_by(view: &View<'_>, plan: &Plan, place: &Place) -> Vec<ImageUser> {
    let kept = plan
        .steps
        .iter()
        .filter_map(|step| match (&step.place, &step.waits_for) {
            (Some(here), Some(WaitsFor::Unused { id, .. })) if here == place => Some(id),
            _ => None,
        });
    let users = kept.flat_map(|id| {
        let key = (place.clone(), id.clone());
        let own = match view.observed.usage.get(&key) {
            Some(Usage::By(users)) => users.as_slice(),
            _ => &[],
        };
        let elsewhere = match view.observed.usage_reports.get(&key) {
            Some(UsageReport::Written { users, .. }) => users.as_slice(),
            _ => &[],
        };
        own.iter().chain(elsewhere)
    });
    users.take(SHOWN_USERS).cloned().collect()
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
