//! What no plan may do, whatever the planner thinks. Checked on every plan, here from what was observed and
//! not from the planner's own view of it, so that one mistake is not made twice.
//!
//! The numbers are those of the design. A plan that breaks one has no steps left: that is a bug of ours, and
//! shall never be an accident of the user's.

use std::fmt;

use super::desired::Desired;
use super::identity::{Place, Standing, is_sealed_snapshot, standing, tag};
use super::observed::{Image, ImageState, Known, Observed, PlaceView};
use super::plan::{Action, Finding, Plan, Step};
use crate::api::{DeletionPolicy, conditions};

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

/// One rule: what is wrong with taking `step` now, if anything.
type Rule = fn(&Desired, &Observed, &Place, &Step) -> Option<String>;

/// The rules, by the number they have in the design.
const RULES: &[(u8, Rule)] = &[
    (1, only_what_is_proven_ours),
    (2, nothing_in_an_unreadable_place),
    (2, nothing_retired_while_a_place_is_unknown),
    (3, one_live_image_per_place),
    (4, a_published_image_goes_only_when_it_is_replaced_or_unwanted),
    (5, the_last_image_of_a_wanted_revision_stays),
    (5, an_image_that_is_being_copied_stays),
    (6, retain_destroys_nothing),
    (7, a_snapshot_goes_only_when_it_is_ours_and_unused),
    (8, a_capture_is_recorded_first),
    (10, grants_gate_creation),
];

/// Every invariant that the steps to be taken now would break.
pub fn violations(plan: &Plan, desired: &Desired, observed: &Observed) -> Vec<Violation> {
    let effects = plan.steps.iter().filter(|step| step.waits_for.is_none());
    effects
        .filter_map(|step| step.place.as_ref().map(|place| (place, step)))
        .flat_map(|(place, step)| {
            RULES.iter().filter_map(move |(invariant, rule)| {
                let wrong = rule(desired, observed, place, step)?;
                let message = format!("{} in {}: {wrong}", step.action, place.region);
                Some(Violation { invariant: *invariant, message })
            })
        })
        .collect()
}

impl Plan {
    /// The plan, or one without steps that says which invariant it would have broken.
    #[must_use]
    pub fn checked(self, desired: &Desired, observed: &Observed) -> Self {
        let violations = violations(&self, desired, observed);
        if violations.is_empty() {
            return self;
        }
        let broken = violations.into_iter().map(|violation| Finding {
            reason: conditions::INVARIANT_BROKEN,
            place: None,
            message: violation.to_string(),
        });
        Self { steps: Vec::new(), findings: broken.chain(self.findings).collect(), notes: self.notes }
    }
}

fn image<'a>(observed: &'a Observed, place: &Place, id: &str) -> Option<&'a Image> {
    observed.known_at(place)?.images.iter().find(|image| image.id == id)
}

/// The images of one place that are proven ours.
fn ours<'a>(desired: &'a Desired, known: &'a Known) -> impl Iterator<Item = &'a Image> {
    known.images.iter().filter(|image| {
        desired.identity.is_claimed_by(&image.tags)
            && matches!(standing(image, &desired.identity), Standing::Ours | Standing::Newborn)
    })
}

fn is_of_wanted_revision(desired: &Desired, image: &Image) -> bool {
    image.tags.get(tag::REVISION).map(String::as_str) == Some(desired.revision.as_str())
}

fn is_sealing(action: &Action) -> bool {
    matches!(action, Action::CreateTags { id, tags } if tags.len() == 1 && tags.get(tag::SELF) == Some(id))
}

fn only_what_is_proven_ours(desired: &Desired, observed: &Observed, place: &Place, step: &Step) -> Option<String> {
    let target = step.action.target()?;
    let known = observed.known_at(place)?;
    let allowed = if target.starts_with("snap-") {
        let snapshot = known.snapshots.iter().find(|snapshot| snapshot.id == target);
        let used_by_ours = || {
            known.images.iter().any(|image| {
                desired.identity.is_claimed_by(&image.tags)
                    && standing(image, &desired.identity) == Standing::Ours
                    && image.snapshots.iter().any(|id| id == target)
            })
        };
        snapshot.is_some_and(|snapshot| {
            is_sealed_snapshot(snapshot, &desired.identity)
                || is_sealing(&step.action) && desired.identity.is_claimed_by(&snapshot.tags) && used_by_ours()
        })
    } else {
        image(observed, place, target).is_some_and(|image| {
            desired.identity.is_claimed_by(&image.tags)
                && match standing(image, &desired.identity) {
                    Standing::Ours => true,
                    Standing::Newborn => is_sealing(&step.action),
                    _ => false,
                }
        })
    };
    (!allowed).then(|| format!("{target} is not proven to be this object's"))
}

fn nothing_in_an_unreadable_place(_: &Desired, observed: &Observed, place: &Place, _: &Step) -> Option<String> {
    match observed.places.get(place) {
        Some(PlaceView::Known(_)) => None,
        _ => Some("the place cannot be read".to_owned()),
    }
}

fn nothing_retired_while_a_place_is_unknown(
    desired: &Desired,
    observed: &Observed,
    _: &Place,
    step: &Step,
) -> Option<String> {
    let unknown = observed.unreadable().next();
    // A deletion takes everything, so that no place can need another's.
    (matches!(step.action, Action::DeregisterImage { .. }) && !desired.is_being_deleted())
        .then_some(unknown)?
        .map(|(place, _)| format!("{place} cannot be read and may still need it"))
}

fn one_live_image_per_place(desired: &Desired, observed: &Observed, place: &Place, step: &Step) -> Option<String> {
    if !step.action.creates() {
        return None;
    }
    let live = |image: &&Image| is_of_wanted_revision(desired, image) && image.state != ImageState::Failed;
    let other = ours(desired, observed.known_at(place)?).find(live)?;
    Some(format!("{} of the same revision is there", other.id))
}

fn a_published_image_goes_only_when_it_is_replaced_or_unwanted(
    desired: &Desired,
    observed: &Observed,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::DeregisterImage { id } = &step.action else { return None };
    let published = image(observed, place, id)?.tags.contains_key(tag::PUBLISHED);
    let replaced = || {
        observed.known_at(place).is_some_and(|known| {
            ours(desired, known).any(|other| {
                other.id != *id
                    && other.tags.contains_key(tag::PUBLISHED)
                    && other.tags.get(tag::REVISION)
                        != image(observed, place, id).and_then(|image| image.tags.get(tag::REVISION))
            })
        })
    };
    (published && desired.wants(place) && !desired.is_being_deleted() && !replaced())
        .then(|| "it is published and nothing replaces it".to_owned())
}

fn the_last_image_of_a_wanted_revision_stays(
    desired: &Desired,
    observed: &Observed,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::DeregisterImage { id } = &step.action else { return None };
    let going = image(observed, place, id)?;
    if desired.is_being_deleted() || !is_of_wanted_revision(desired, going) || going.state != ImageState::Available {
        return None;
    }
    let others = observed.known().flat_map(|(_, known)| ours(desired, known));
    let stays = others
        .filter(|other| other.id != *id && is_of_wanted_revision(desired, other))
        .any(|other| other.state == ImageState::Available);
    (!stays).then(|| "it is the last available image of the wanted revision".to_owned())
}

fn an_image_that_is_being_copied_stays(_: &Desired, observed: &Observed, place: &Place, step: &Step) -> Option<String> {
    let Action::DeregisterImage { id } = &step.action else { return None };
    let itself = format!("{}/{id}", place.region);
    let reader = observed
        .known()
        .flat_map(|(_, known)| &known.images)
        .find(|image| image.state == ImageState::Pending && image.tags.get(tag::SOURCE) == Some(&itself))?;
    Some(format!("{} is being copied from it", reader.id))
}

fn retain_destroys_nothing(desired: &Desired, _: &Observed, _: &Place, step: &Step) -> Option<String> {
    (step.action.destroys() && desired.deletion_policy == DeletionPolicy::Retain)
        .then(|| "spec.deletionPolicy is Retain".to_owned())
}

fn a_snapshot_goes_only_when_it_is_ours_and_unused(
    desired: &Desired,
    observed: &Observed,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::DeleteSnapshot { id } = &step.action else { return None };
    let known = observed.known_at(place)?;
    let snapshot = known.snapshots.iter().find(|snapshot| snapshot.id == *id)?;
    if !is_sealed_snapshot(snapshot, &desired.identity) {
        return Some("it is not sealed".to_owned());
    }
    if let Some(user) = known.images.iter().find(|image| image.snapshots.contains(id)) {
        return Some(format!("{} uses it", user.id));
    }
    match &snapshot.used_by {
        None => return Some("who uses it was not read".to_owned()),
        Some(users) if !users.is_empty() => return Some(format!("{} uses it", users[0])),
        Some(_) => {}
    }
    let revision = snapshot.tags.get(tag::REVISION);
    let pending = known
        .images
        .iter()
        .find(|image| image.state == ImageState::Pending && image.tags.get(tag::REVISION) == revision)?;
    Some(format!("{} of its revision is pending", pending.id))
}

fn a_capture_is_recorded_first(desired: &Desired, _: &Observed, _: &Place, step: &Step) -> Option<String> {
    let recorded = desired.captured.as_ref().is_some_and(|captured| captured.revision == desired.revision);
    (matches!(step.action, Action::CreateImage { .. }) && !recorded).then(|| "it is not recorded".to_owned())
}

fn grants_gate_creation(desired: &Desired, observed: &Observed, place: &Place, step: &Step) -> Option<String> {
    use super::observed::SourceView;
    if !step.action.creates() {
        return None;
    }
    let refused = || match &observed.source {
        SourceView::Instance(instance) => desired.grants.check_instance(instance).err(),
        SourceView::Image(image) => desired.grants.check_image(image).err(),
        _ => None,
    };
    if let Some(finding) = desired.refusals.first().cloned().or_else(refused) {
        return Some(finding.message);
    }
    let capture = matches!(step.action, Action::CreateImage { .. });
    (!capture && !desired.wants(place)).then(|| "the place is not wanted".to_owned())
}
