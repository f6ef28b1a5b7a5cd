//! What no plan may do, whatever the planner thinks. Checked on every plan, here from what was observed and
//! not from the planner's own view of it, so that one mistake is not made twice.
//!
//! The numbers are those of the design. A plan that breaks one has no steps left: that is a bug of ours, and
//! shall never be an accident of the user's.

mod adopting;
mod fast_launch;
mod machines;
mod parameters;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::{Deref, RangeInclusive};

use jiff::Timestamp;

use super::attributes::Protection;
use super::desired::Desired;
use super::encryption::VARIANT_SOURCE;
use super::identity::{Place, Reference, Standing, is_sealed_snapshot, standing, tag};
use super::machines::Machine;
use super::observed::{
    Image, ImageState, Known, Observed, PlaceView, Snapshot, SourceView, Usage, UsageReport,
};
use super::parameters::{Parameters, ParametersView};
use super::plan::{Action, Finding, Plan, Step};
use crate::api::{DeletionPolicy, conditions};
use adopting::{is_freeing, only_what_is_listed_is_taken_over};
use fast_launch::{an_image_that_launches_fast_stays, only_published_images_launch_fast};
use machines::{
    a_machine_has_stopped_when_it_is_captured, a_machine_that_is_being_captured_stays,
    one_machine_at_a_time, only_a_machine_that_is_proven_ours_ends,
};
use parameters::{
    a_parameter_names_what_is_published, a_retained_parameter_stays,
    an_image_that_a_parameter_names_stays, only_a_granted_parameter_is_written,
    only_a_parameter_that_is_proven_ours,
};
use sharing::{only_published_images_are_shared_as_granted, what_is_lent_is_taken_back_first};

/// A step that must not be taken, and which invariant forbids it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's number in the design.
    pub invariant: u8,
    /// The step and what is wrong with it.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.message)
    }
}

/// What a rule may look at: never the planner's own view.
struct Facts<'a> {
    plan: &'a Plan,
    desired: &'a Desired,
    observed: &'a Observed,
    now: Timestamp,
}

/// One rule: what is wrong with taking `step` now, if anything.
type Rule = fn(&Facts<'_>, &Place, &Step) -> Option<String>;

/// The rules, by the number they have in the design.
const RULES: &[(u8, Rule)] = &[
    (1, only_what_is_proven_ours),
    (1, only_what_is_listed_is_taken_over),
    (1, only_a_parameter_that_is_proven_ours),
    (1, only_published_images_launch_fast),
    (1, a_seal_names_its_bearer_and_stays),
    (1, only_a_machine_that_is_proven_ours_ends),
    (2, nothing_in_an_unreadable_place),
    (2, nothing_retired_or_captured_while_a_place_is_unknown),
    (3, one_live_image_per_place),
    (3, a_second_image_that_may_be_used_stays),
    (3, one_machine_at_a_time),
    (
        4,
        a_published_image_goes_only_when_it_is_replaced_or_unwanted,
    ),
    (4, a_held_image_stays),
    (4, a_protected_image_stays),
    (4, an_image_in_use_stays),
    (4, an_image_that_a_parameter_names_stays),
    (4, an_image_that_launches_fast_stays),
    (4, a_parameter_names_what_is_published),
    (4, a_superseded_image_stays_as_long_as_it_is_kept),
    (5, the_last_image_of_a_wanted_revision_stays),
    (5, an_image_that_is_being_copied_stays),
    (5, a_machine_that_is_being_captured_stays),
    (6, retain_destroys_nothing),
    (6, a_retained_parameter_stays),
    (7, a_snapshot_goes_only_when_it_is_ours_and_unused),
    (7, what_the_spec_names_stays),
    (8, a_capture_is_recorded_first),
    (8, a_machine_has_stopped_when_it_is_captured),
    (8, nothing_is_captured_twice),
    (9, not_too_many_published_images_go_at_once),
    (10, grants_gate_creation),
    (10, only_published_images_are_shared_as_granted),
    (10, what_is_lent_is_taken_back_first),
    (10, only_a_granted_parameter_is_written),
];

/// The numbers that a [`Violation`] may have.
pub const NUMBERS: RangeInclusive<u8> = 1..=10;

/// Every invariant that the steps to be taken now would break.
pub fn violations(
    plan: &Plan,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> Vec<Violation> {
    let facts = Facts {
        plan,
        desired,
        observed,
        now,
    };
    let effects = facts
        .effects()
        .filter_map(|step| step.place.as_ref().map(|place| (place, step)));
    let in_places = effects.flat_map(|(place, step)| {
        let facts = &facts;
        RULES.iter().filter_map(move |(invariant, rule)| {
            let wrong = rule(facts, place, step)?;
            let message = format!("{} in {}: {wrong}", step.action, place.region);
            Some(Violation {
                invariant: *invariant,
                message,
            })
        })
    });
    in_places.chain(released_too_early(&facts)).collect()
}

impl<'a> Facts<'a> {
    /// The steps to be taken now.
    fn effects(&self) -> impl Iterator<Item = &'a Step> + use<'a> {
        self.plan
            .steps
            .iter()
            .filter(|step| step.waits_for.is_none())
    }

    fn image(&self, place: &Place, id: &str) -> Option<&'a Image> {
        self.observed
            .known_at(place)?
            .images
            .iter()
            .find(|image| image.id == id)
    }

    fn standing(&self, image: &Image) -> Option<Standing> {
        self.desired
            .identity
            .is_claimed_by(&image.tags)
            .then(|| standing(image, &self.desired.identity))
    }

    /// Whether the image is proven ours, sealed or not.
    fn is_ours(&self, image: &Image) -> bool {
        matches!(
            self.standing(image),
            Some(Standing::Ours | Standing::Newborn)
        )
    }

    /// The parameters of a place, if they were read.
    fn parameters(&self, place: &Place) -> Option<&'a Parameters> {
        match self.observed.parameters.get(place) {
            Some(ParametersView::Known(known)) => Some(known),
            _ => None,
        }
    }

    fn is_of_wanted_revision(&self, image: &Image) -> bool {
        image.tags.get(tag::REVISION) == Some(self.desired.revision.as_str())
    }

    /// Whether the spec names it as the source, or its images say that they were made from it.
    fn is_the_source(&self, place: &Place, id: &str) -> bool {
        let itself = Reference::new(place.region.as_str(), id);
        let mut all = self.observed.known().flat_map(|(_, known)| &known.images);
        self.desired.source.names(&place.region, id)
            || self.desired.source.is_resolved()
                && (self.desired.pinned.as_ref() == Some(&itself)
                    || all.any(|image| {
                        self.is_of_wanted_revision(image)
                            && self.is_ours(image)
                            && image.tags.get(tag::ORIGIN) == Some(itself.to_string().as_str())
                    }))
    }

    /// The image that a step deregisters.
    fn deregistered(&self, place: &Place, step: &Step) -> Option<&'a Image> {
        match &step.action {
            Action::DeregisterImage { id } => self.image(place, id),
            _ => None,
        }
    }

    /// Whether it is, or was made with, an image of ours that EC2 no longer lists.
    fn is_lost(&self, place: &Place, id: &str) -> bool {
        let known = self.observed.known_at(place);
        let mut images = known.into_iter().flat_map(|known| &known.images);
        images.any(|image| {
            matches!(image.state, ImageState::Missing { .. })
                && self.standing(image) == Some(Standing::Ours)
                && (image.id == id || image.snapshots.iter().any(|snapshot| snapshot == id))
        })
    }

    /// An image of the wanted revision that is ours or may turn out to be.
    fn is_sibling(&self, image: &Image) -> bool {
        self.is_of_wanted_revision(image)
            && image.state != ImageState::Failed
            && matches!(
                self.standing(image),
                Some(Standing::Ours | Standing::Newborn | Standing::Unproven)
            )
    }
}

/// A plan that breaks no invariant: of no other can the steps be had that are to be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    plan: Plan,
    broken: BTreeSet<u8>,
}

impl Deref for Checked {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl Checked {
    /// The steps to take now: a write to the object alone, or else the first step of each place.
    ///
    /// A place whose first step waits is not kept from a later one, because steps that depend on each
    /// other say so by what they wait for.
    pub fn next_steps(&self) -> Vec<&Step> {
        let ready = || self.steps.iter().filter(|step| step.waits_for.is_none());
        if let Some(on_object) = ready().find(|step| step.place.is_none()) {
            return vec![on_object];
        }
        let mut by_place: BTreeMap<&Option<Place>, &Step> = BTreeMap::new();
        for step in ready() {
            by_place.entry(&step.place).or_insert(step);
        }
        by_place.into_values().collect()
    }

    /// The numbers of the invariants that the plan would have broken.
    pub fn broken(&self) -> &BTreeSet<u8> {
        &self.broken
    }
}

impl Plan {
    /// The plan, or one without steps that says which invariant it would have broken.
    #[must_use]
    pub fn checked(self, desired: &Desired, observed: &Observed, now: Timestamp) -> Checked {
        let violations = violations(&self, desired, observed, now);
        let broken = violations.iter().map(|violation| violation.invariant);
        let broken: BTreeSet<u8> = broken.collect();
        if broken.is_empty() {
            return Checked { plan: self, broken };
        }
        let said = violations.into_iter().map(|violation| Finding {
            reason: conditions::INVARIANT_BROKEN,
            place: None,
            message: violation.to_string(),
        });
        let plan = Self {
            steps: Vec::new(),
            findings: said.chain(self.findings).collect(),
            notes: self.notes,
        };
        Checked { plan, broken }
    }
}

fn variant_of(image: &Image) -> &str {
    image.tags.get(tag::VARIANT).unwrap_or(VARIANT_SOURCE)
}

fn is_sealing(action: &Action) -> bool {
    matches!(action, Action::CreateTags { id, tags } if tags.len() == 1 && tags.get(tag::SELF) == Some(id))
}

fn only_what_is_proven_ours(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    let identity = &facts.desired.identity;
    let target = step.action.target()?;
    let known = facts.observed.known_at(place)?;
    if matches!(step.action, Action::Adopt { .. }) || is_freeing(facts, place, &step.action) {
        return None;
    }
    let allowed = if step.action.restores() {
        facts.is_lost(place, target)
    } else if target.starts_with("snap-") {
        let used_by_ours = || {
            known.images.iter().any(|image| {
                facts.standing(image) == Some(Standing::Ours)
                    && image.snapshots.iter().any(|id| id == target)
            })
        };
        known
            .snapshots
            .iter()
            .find(|snapshot| snapshot.id == target)
            .is_some_and(|snapshot| {
                is_sealed_snapshot(snapshot, identity)
                    || is_sealing(&step.action)
                        && identity.is_claimed_by(&snapshot.tags)
                        && used_by_ours()
            })
    } else {
        match facts
            .image(place, target)
            .and_then(|image| facts.standing(image))
        {
            Some(Standing::Ours) => true,
            Some(Standing::Newborn) => is_sealing(&step.action),
            _ => false,
        }
    };
    (!allowed).then(|| format!("{target} is not proven to be this object's"))
}

fn a_seal_names_its_bearer_and_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    match &step.action {
        Action::CreateTags { id, tags } | Action::Adopt { id, tags, .. } => {
            let other_seal = tags.get(tag::SELF).filter(|seal| *seal != id);
            let other_cluster = tags
                .get(tag::CLUSTER)
                .filter(|uid| **uid != facts.desired.identity.cluster);
            other_seal
                .or(other_cluster)
                .map(|other| format!("it would name {other}"))
        }
        Action::CreateImage {
            tags,
            snapshot_tags,
            ..
        }
        | Action::CopyImage {
            tags,
            snapshot_tags,
            ..
        } => born_sealed(tags).or_else(|| born_sealed(snapshot_tags)),
        Action::RegisterImage { tags, .. } => born_sealed(tags),
        Action::DeleteTags { keys, .. } if keys.is_empty() => {
            Some("no keys are every key to EC2".to_owned())
        }
        Action::DeleteTags { keys, .. } => {
            let marks = [
                tag::PUBLISHED,
                tag::SUPERSEDED,
                tag::SUCCESSOR,
                tag::PARAMETER,
                tag::TAG_KEYS,
                tag::PUBLISH_TAG_KEYS,
                tag::LENT_TO,
            ];
            let is_freeing = is_freeing(facts, place, &step.action);
            let may_go = |key: &&String| {
                !key.starts_with(tag::PREFIX)
                    || marks.contains(&key.as_str())
                    || is_freeing && *key == tag::RETAINED
            };
            keys.iter()
                .find(|key| !may_go(key))
                .map(|key| format!("{key} is part of whose it is"))
        }
        _ => None,
    }
}

fn born_sealed(tags: &BTreeMap<String, String>) -> Option<String> {
    let seal = tags.get(tag::SELF)?;
    Some(format!("it would be born with the seal of {seal}"))
}

fn nothing_in_an_unreadable_place(facts: &Facts<'_>, place: &Place, _: &Step) -> Option<String> {
    match facts.observed.places.get(place) {
        Some(PlaceView::Known(_)) => None,
        _ => Some("the place cannot be read".to_owned()),
    }
}

fn nothing_retired_or_captured_while_a_place_is_unknown(
    facts: &Facts<'_>,
    _: &Place,
    step: &Step,
) -> Option<String> {
    let (place, _) = facts.observed.unreadable().next()?;
    match &step.action {
        action if action.creates_origin() => Some(format!(
            "{place} cannot be read and may hold an image of the revision"
        )),
        // A deletion takes everything, so that no place can need another's.
        Action::DeregisterImage { .. } | Action::DeleteSnapshot { .. }
            if !facts.desired.is_being_deleted() =>
        {
            Some(format!("{place} cannot be read and may still need it"))
        }
        _ => None,
    }
}

fn one_live_image_per_place(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    if !step.action.adds_image() {
        return None;
    }
    let variant = facts.desired.variant(place);
    // What was registered as something else than the spec says is no image of the revision.
    let is_alike = |image: &&Image| {
        step.action.creates_origin()
            || variant_of(image) == variant && facts.desired.other_platform_of(image).is_none()
    };
    let known = facts.observed.known_at(place)?;
    let mut siblings = known.images.iter().filter(|image| facts.is_sibling(image));
    let other = siblings.find(is_alike)?;
    Some(format!("{} of the same revision is there", other.id))
}

fn a_second_image_that_may_be_used_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let may_be_used = going.tags.tell_of_publication() || going.last_launched.is_some();
    let is_wanted = facts.is_of_wanted_revision(going)
        && facts.desired.wants(place)
        && variant_of(going) == facts.desired.variant(place);
    // What was registered as something else than the spec says, and never published, is no image of the revision.
    let is_discarded = facts.desired.other_platform_of(going).is_some();
    let is_alive =
        going.state != ImageState::Failed && !facts.desired.is_being_deleted() && !is_discarded;
    (may_be_used && is_wanted && is_alive)
        .then(|| "it was published or launched, and may be in use".to_owned())
}

fn a_published_image_goes_only_when_it_is_replaced_or_unwanted(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts
        .deregistered(place, step)
        .filter(|going| going.tags.contains_key(tag::PUBLISHED))?;
    let replaces = |other: &Image| {
        other.id != going.id
            && facts.is_ours(other)
            && other.tags.contains_key(tag::PUBLISHED)
            && [tag::REVISION, tag::VARIANT]
                .iter()
                .any(|key| other.tags.get(key) != going.tags.get(key))
    };
    let has_successor = || {
        facts
            .observed
            .known_at(place)
            .is_some_and(|known| known.images.iter().any(replaces))
    };
    (facts.desired.wants(place) && !facts.desired.is_being_deleted() && !has_successor())
        .then(|| "it is published and nothing replaces it".to_owned())
}

fn a_held_image_stays(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    let by = facts.deregistered(place, step)?.tags.get(tag::HOLD)?;
    Some(format!("it is held: {by}"))
}

fn a_protected_image_stays(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let is_protected = match going.attributes.protection {
        Protection::Disabled => false,
        Protection::DisabledAfter(until) => until > facts.now,
        Protection::Enabled | Protection::EnabledWithCooldown => true,
    };
    is_protected.then(|| "it is protected against deregistration".to_owned())
}

/// What can be launched goes only when EC2 has said that nothing uses it, or a user that it goes all the same.
fn an_image_in_use_stays(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let revision = going.tags.get(tag::REVISION);
    let overridden = facts.desired.deregister_in_use.as_ref();
    let is_overridden = overridden.is_some_and(|said| Some(said.as_str()) == revision);
    let can_be_launched = matches!(going.state, ImageState::Available | ImageState::Disabled);
    if is_overridden || !can_be_launched {
        return None;
    }
    let key = (place.clone(), going.id.clone());
    match facts.observed.usage.get(&key) {
        Some(Usage::By(users)) if users.is_empty() => {}
        Some(Usage::By(users)) => return Some(format!("in use by {}", users[0])),
        _ => return Some("who uses it was not read".to_owned()),
    }
    let reports_usage = facts.desired.accounts.get(&place.account);
    let reports_usage = reports_usage.is_some_and(|account| account.reports_usage);
    if !reports_usage || !going.tags.tell_of_publication() {
        return None;
    }
    match facts.observed.usage_reports.get(&key) {
        Some(UsageReport::Written { users, .. }) if users.is_empty() => None,
        Some(UsageReport::Written { users, .. }) => Some(format!("in use by {}", users[0])),
        _ => Some("which other accounts use it was not read".to_owned()),
    }
}

/// Neither `spec.retention.minAge` nor `revisions` ends by itself when a region is wanted and the object is not
/// deleted.
fn a_superseded_image_stays_as_long_as_it_is_kept(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let since = |image: &Image| {
        let at = image.tags.get(tag::SUPERSEDED)?.parse::<Timestamp>().ok()?;
        (image.state == ImageState::Available && facts.is_ours(image)).then_some(at)
    };
    let is_exempt = facts.desired.is_being_deleted() || !facts.desired.wants(place);
    let is_kept = |since: Timestamp| facts.now.duration_since(since) < facts.desired.kept_for;
    let of_revision = |revision: Option<&str>| {
        let all = facts
            .observed
            .known()
            .filter(|(place, _)| facts.desired.wants(place))
            .flat_map(|(_, known)| &known.images);
        all.filter(|image| image.tags.get(tag::REVISION) == revision)
            .filter_map(since)
            .max()
    };
    let own = since(going).filter(|_| !is_exempt)?;
    // Another image of its revision is there in its stead, encrypted otherwise.
    let is_former = || {
        let known = facts.observed.known_at(place);
        let mut others = known.into_iter().flat_map(|known| &known.images);
        others.any(|other| {
            other.tags.get(tag::REVISION) == going.tags.get(tag::REVISION)
                && since(other).is_some_and(|later| later > own)
        })
    };
    let goes_alone = facts.is_of_wanted_revision(going) || is_former();
    let superseded = if goes_alone {
        own
    } else {
        of_revision(going.tags.get(tag::REVISION))?
    };
    if is_kept(superseded) {
        return Some("it was superseded less than spec.retention.minAge ago".to_owned());
    }
    if goes_alone {
        return None;
    }
    let revisions: BTreeSet<&str> = facts
        .observed
        .known()
        .flat_map(|(_, known)| &known.images)
        .filter(|image| facts.is_ours(image) && !facts.is_of_wanted_revision(image))
        .filter_map(|image| image.tags.get(tag::REVISION))
        .collect();
    let later = revisions
        .into_iter()
        .filter(|revision| {
            of_revision(Some(revision)).is_some_and(|other| {
                (other, Some(*revision)) > (superseded, going.tags.get(tag::REVISION))
            })
        })
        .count();
    (later < facts.desired.kept_revisions)
        .then(|| "it is among the superseded revisions that spec.retention keeps".to_owned())
}

/// So many at once are more likely a mistake, until somebody says that they are none.
fn not_too_many_published_images_go_at_once(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let is_lifted = facts
        .desired
        .limit_lifted_until(&place.account)
        .is_some_and(|until| facts.now < until);
    let has_successor = facts.desired.wants(place) && !facts.desired.is_being_deleted();
    let may_be_missed = going.tags.contains_key(tag::PUBLISHED)
        || going.tags.contains_key(tag::SUPERSEDED) && !has_successor;
    if is_lifted || !may_be_missed {
        return None;
    }
    match facts.observed.departures.get(&place.account) {
        None => Some("how many others would go was not counted".to_owned()),
        Some(departures) if departures.are_too_many() => Some(format!(
            "{} of {} published images would go",
            departures.going, departures.published
        )),
        Some(_) => None,
    }
}

/// A snapshot or image that the user brought is never deleted, whoever made it.
fn what_the_spec_names_stays(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    let target = step.action.target()?;
    (step.action.destroys() && facts.is_the_source(place, target))
        .then(|| "it is the source that the spec names".to_owned())
}

/// What goes in the same plan does not count as staying.
fn the_last_image_of_a_wanted_revision_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    // What was registered as something else than the spec says is no image of the revision.
    let counts = |image: &Image| {
        facts.is_of_wanted_revision(image)
            && image.state == ImageState::Available
            && facts.desired.other_platform_of(image).is_none()
    };
    if facts.desired.is_being_deleted() || !counts(going) {
        return None;
    }
    let goes = |image: &Image| {
        facts
            .effects()
            .any(|step| matches!(&step.action, Action::DeregisterImage { id } if *id == image.id))
    };
    let mut all = facts.observed.known().flat_map(|(_, known)| &known.images);
    let stays = all.any(|image| counts(image) && facts.is_ours(image) && !goes(image));
    (!stays).then(|| "it is the last available image of the wanted revision".to_owned())
}

fn an_image_that_is_being_copied_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let itself = Reference::new(place.region.clone(), going.id.clone());
    let mut all = facts.observed.known().flat_map(|(_, known)| &known.images);
    let own = all.find(|image| image.is_being_copied_from(&itself));
    let others = || facts.observed.readers.get(&itself);
    let reader = own
        .map(|image| &image.id)
        .or_else(|| others().map(|reader| &reader.id))?;
    Some(format!("{reader} is being copied from it"))
}

fn retain_destroys_nothing(facts: &Facts<'_>, _: &Place, step: &Step) -> Option<String> {
    (step.action.destroys() && facts.desired.deletion_policy == DeletionPolicy::Retain)
        .then(|| "spec.deletionPolicy is Retain".to_owned())
}

fn a_snapshot_goes_only_when_it_is_ours_and_unused(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::DeleteSnapshot { id } = &step.action else {
        return None;
    };
    let known = facts.observed.known_at(place)?;
    let snapshot = known.snapshots.iter().find(|snapshot| snapshot.id == *id)?;
    if !is_sealed_snapshot(snapshot, &facts.desired.identity) {
        return Some("it is not sealed".to_owned());
    }
    if let Some(user) = known
        .images
        .iter()
        .find(|image| image.snapshots.contains(id))
    {
        return Some(format!("{} uses it", user.id));
    }
    match &snapshot.used_by {
        None => return Some("who uses it was not read".to_owned()),
        Some(users) if !users.is_empty() => return Some(format!("{} uses it", users[0])),
        Some(_) => {}
    }
    let revision = snapshot.tags.get(tag::REVISION);
    let pending = known.images.iter().find(|image| {
        image.state == ImageState::Pending && image.tags.get(tag::REVISION) == revision
    })?;
    Some(format!("{} of its revision is pending", pending.id))
}

fn a_capture_is_recorded_first(facts: &Facts<'_>, _: &Place, step: &Step) -> Option<String> {
    let wanted = &facts.desired.revision;
    let recorded = facts
        .desired
        .captured
        .as_ref()
        .is_some_and(|captured| captured.revision == *wanted);
    // A machine of ours has stopped: nothing is restarted, however often it is asked.
    let restarts = facts.desired.source.build().is_none();
    (matches!(step.action, Action::CreateImage { .. }) && restarts && !recorded)
        .then(|| "it is not recorded".to_owned())
}

fn nothing_is_captured_twice(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    if !step.action.creates_origin() {
        return None;
    }
    let mut all = facts.observed.known().flat_map(|(_, known)| &known.images);
    let made = all
        .find(|image| facts.is_sibling(image))
        .map(|image| image.id.clone());
    // Only what died in the place of the capture can have been the capture.
    let mut dead = facts.observed.known_at(place)?.dead.iter();
    let died = || {
        // A registration restarts nothing: what is gone for good may be registered again.
        let captures = matches!(step.action, Action::CreateImage { .. });
        dead.find(|dead| captures && dead.revision == facts.desired.revision)
            .map(|dead| dead.id.clone())
    };
    made.or_else(died)
        .map(|id| format!("{id} was made of the same revision"))
}

fn grants_gate_creation(facts: &Facts<'_>, place: &Place, step: &Step) -> Option<String> {
    if !step.action.creates() {
        return None;
    }
    // What was captured may be copied on; an image that is copied must be granted each time.
    let build = facts.desired.source.build();
    let refused = || match (&step.action, &facts.observed.source) {
        (Action::CreateImage { .. }, _) if let Some(build) = build => {
            facts.desired.grants.check_build(&build.launch).err()
        }
        (Action::CreateImage { .. }, SourceView::Instance(instance)) => {
            facts.desired.grants.check_instance(instance).err()
        }
        (Action::RegisterImage { .. }, SourceView::Snapshots(snapshots)) => {
            facts.desired.grants.check_snapshots(snapshots).err()
        }
        (Action::CopyImage { .. }, SourceView::Image(image)) => {
            facts.desired.grants.check_image(image).err()
        }
        _ => None,
    };
    if let Some(finding) = facts.desired.refusals.first().cloned().or_else(refused) {
        return Some(finding.message);
    }
    let is_origin = step.action.creates_origin();
    (!is_origin && !facts.desired.wants(place)).then(|| "the place is not wanted".to_owned())
}

/// The finalizer is what keeps an object until nothing of it is left; an unreadable place may hold something
/// (invariant 2). With `Retain` it never blocks (invariant 6).
fn released_too_early(facts: &Facts<'_>) -> Option<Violation> {
    let releases = facts
        .effects()
        .any(|step| matches!(step.action, Action::ReleaseFinalizer));
    if !releases || facts.desired.deletion_policy == DeletionPolicy::Retain {
        return None;
    }
    let unreadable = || {
        facts
            .observed
            .unreadable()
            .map(|(place, _)| format!("{place} cannot be read"))
            .next()
    };
    let left = || {
        let mut places = facts.observed.known();
        places.find_map(|(place, known)| what_is_left(facts, place, known))
    };
    let parameter = || {
        let mut places = facts.observed.parameters.keys();
        places.find_map(|place| {
            let known = facts.parameters(place)?;
            let (name, _) = known.of(&facts.desired.identity).next()?;
            Some(name.as_str())
        })
    };
    let machine = || {
        let mut places = facts.observed.machines.keys();
        places.find_map(|place| {
            let lives = |machine: &&Machine| machine.state.is_alive();
            Some(machines::own(facts, place).find(lives)?.id.as_str())
        })
    };
    let left = left().or_else(parameter).or_else(machine);
    let left = left.map(|id| format!("{id} is left"));
    let wrong = left.or_else(unreadable)?;
    Some(Violation {
        invariant: 2,
        message: format!("{}: {wrong}", Action::ReleaseFinalizer),
    })
}

/// An image that is this object's or may turn out to be, or a sealed snapshot that no image uses.
fn what_is_left<'a>(facts: &Facts<'_>, place: &Place, known: &'a Known) -> Option<&'a str> {
    let may_be_ours = |image: &&Image| {
        let standing = facts.standing(image);
        standing.is_some_and(|standing| !matches!(standing, Standing::Foreign(_)))
    };
    let images = known.images.iter().filter(may_be_ours);
    let is_unused = |snapshot: &&Snapshot| snapshot.used_by.as_ref().is_none_or(Vec::is_empty);
    let snapshots = known.snapshots.iter().filter(is_unused);
    let sealed = snapshots.filter(|one| is_sealed_snapshot(one, &facts.desired.identity));
    let ids = images.map(|image| image.id.as_str());
    ids.chain(sealed.map(|snapshot| snapshot.id.as_str()))
        .find(|id| !facts.is_the_source(place, id))
}

#[cfg(test)]
mod tests;
