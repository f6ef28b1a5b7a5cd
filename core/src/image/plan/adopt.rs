//! Taking over images that others made, or that a deletion retained: first as a report of what would change, then, once
//! somebody says that it is meant, for real.
//!
//! What is taken over is tagged and sealed as what Amity makes, so that from then on hardly a rule knows the difference.
//! Its snapshots follow, unless the image was registered of snapshots: those may be somebody's who is not asked.

use std::collections::{BTreeMap, BTreeSet};

use super::copies::spec_image;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::desired::{ADOPT, Desired};
use crate::image::encryption::VARIANT_SOURCE;
use crate::image::identity::{Foreign, Place, Reference, Standing, is_sealed_snapshot, tag};
use crate::image::observed::{AdoptionView, Image, ImageState, PlaceView};
use crate::image::tags::Tags;

/// How many of the steps that would follow are told before "N more".
const TOLD_STEPS: usize = 8;

const WHY: Why = Why::WantedBy("spec.adopt");

/// Takes over what the spec lists and no image of the revision stands for yet. Whether all of that is done: before, nothing
/// is made or copied, since it may not be needed.
pub(super) fn adopt(view: &View<'_>, plan: &mut Plan) -> bool {
    let outstanding = outstanding(view);
    if outstanding.is_empty() {
        return true;
    }
    if !view.desired.refusals.is_empty() {
        return false;
    }
    let mut found = Vec::new();
    let mut is_left_to_copies = true;
    for (place, id) in outstanding {
        let next = match retained(view, place, id) {
            Some(owned) => Ok(Some(free(owned))),
            None => next(view, place, id),
        };
        match next {
            Ok(None) => continue,
            Ok(Some(step)) => found.push(step),
            Err(finding) => {
                plan.findings
                    .extend((!plan.findings.contains(&finding)).then_some(finding));
            }
        }
        is_left_to_copies = false;
    }
    if !view.desired.adoption_is_meant {
        plan.findings.extend(report(view, &found));
        let put_off = |step: Step| match step.waits_for {
            None => step.waiting_for(WaitsFor::Adoption),
            Some(_) => step,
        };
        found = found.into_iter().map(put_off).collect();
    }
    plan.steps.extend(found);
    is_left_to_copies
}

/// Images of the list that are not taken over, since their places have others of the revision.
pub(super) fn not_needed(view: &View<'_>) -> impl Iterator<Item = Finding> {
    view.desired.adopt.iter().filter_map(|(place, id)| {
        let keeper = view.keeper(place).filter(|owned| owned.image.id != *id)?;
        Some(impossible(
            place,
            format!(
                "{id} is not taken over: {} has {} of this revision already",
                place.region, keeper.image.id
            ),
        ))
    })
}

/// What has to be read of images that are to be taken over.
pub(super) fn reads(view: &View<'_>) -> BTreeSet<(Place, String)> {
    if view.desired.is_being_deleted() || view.desired.suspended {
        return BTreeSet::new();
    }
    outstanding(view)
        .into_iter()
        .filter(|(place, id)| view.known(place).is_some() && retained(view, place, id).is_none())
        .map(|(place, id)| (place.clone(), id.clone()))
        .collect()
}

/// The images of the list in whose places none of the revision stands.
fn outstanding<'a>(view: &View<'a>) -> Vec<(&'a Place, &'a String)> {
    let desired: &'a Desired = view.desired;
    let listed = desired.adopt.iter();
    listed
        .filter(|(place, _)| view.keeper(place).is_none())
        .collect()
}

/// The step towards an image of the list; none, if it is gone, and its place is filled as any other.
fn next(view: &View<'_>, place: &Place, id: &str) -> Result<Option<Step>, Finding> {
    let desired = view.desired;
    let step = |tags, image| {
        let action = Action::Adopt {
            id: id.to_owned(),
            image,
            tags,
        };
        Step::at(place, action, WHY)
    };
    let waiting = |waits_for| Ok(Some(step(BTreeMap::new(), None).waiting_for(waits_for)));
    if view.known(place).is_none() {
        return waiting(WaitsFor::Readable(vec![place.clone()]));
    }
    let image = match shown(view, place, id) {
        Some(AdoptionView::Image(image)) => image,
        Some(AdoptionView::Unknown(unreadable)) => {
            return Err(Finding::of_unreadable(place, unreadable));
        }
        Some(AdoptionView::Missing) if desired.adoption_is_meant && view.has_sibling() => {
            return Ok(None);
        }
        Some(AdoptionView::Missing) => {
            return Err(impossible(
                place,
                format!(
                    "account {} has no image {id} in {}: correct or remove it in spec.adopt",
                    place.account, place.region
                ),
            ));
        }
        None => return waiting(WaitsFor::Adopted(id.to_owned())),
    };
    may_be_taken_over(view, place, image)?;
    let Some(origin) = &view.origin else {
        spec_image(view)?;
        return waiting(WaitsFor::Source);
    };
    if !origin.is_settled {
        return waiting(WaitsFor::Record(origin.reference.clone()));
    }
    let tags = birth_tags(view, place, image, &origin.reference);
    Ok(Some(step(tags, Some(image.clone()))))
}

fn shown<'a>(view: &View<'a>, place: &Place, id: &str) -> Option<&'a AdoptionView> {
    let key = (place.clone(), id.to_owned());
    view.observed.adoptions.get(&key)
}

/// Whether nothing keeps an image from being this object's.
fn may_be_taken_over(view: &View<'_>, place: &Place, image: &Image) -> Result<(), Finding> {
    let desired = view.desired;
    let (id, region) = (&image.id, &place.region);
    if image.state != ImageState::Available {
        let message = format!(
            "{id} in {region} is {}: only an available image can be taken over",
            image.state
        );
        return Err(impossible(place, message));
    }
    if view.is_the_users(place, id) {
        let message = format!(
            "{id} in {region} is what the revision is made from, and stays whoever's it is: take it out of spec.adopt"
        );
        return Err(impossible(place, message));
    }
    if let Some(whose) = of_somebody_else(view, image) {
        let message = format!(
            "{id} in {region} is {whose}: delete that with deletionPolicy Retain first, or take the image out of \
             spec.adopt"
        );
        return Err(impossible(place, message));
    }
    desired
        .grants
        .check_adoption(image, &desired.identity.owner)
}

/// Whose an image is by a seal of Amity's that still counts.
fn of_somebody_else(view: &View<'_>, image: &Image) -> Option<String> {
    let text = |key| image.tags.get(key);
    let is_sealed = text(tag::SELF) == Some(image.id.as_str());
    if !is_sealed || text(tag::RETAINED).is_some() {
        return None;
    }
    let (owner, object) = (text(tag::OWNER)?, text(tag::OBJECT)?);
    let identity = &view.desired.identity;
    if owner != identity.owner {
        return Some(format!(
            "of MachineImage {object} of the installation {owner}"
        ));
    }
    if object != identity.object {
        return Some(format!("of MachineImage {object}"));
    }
    let revision = text(tag::REVISION)?;
    // What is tagged already and not listed yet is tagged again.
    (revision != view.desired.revision.as_str())
        .then(|| format!("of this MachineImage already, as revision {revision}"))
}

/// The tags of an image of the revision, made from what EC2 shows.
fn birth_tags(
    view: &View<'_>,
    place: &Place,
    image: &Image,
    origin: &Reference,
) -> BTreeMap<String, String> {
    let Desired {
        identity, revision, ..
    } = view.desired;
    let instance = image.source_instance.as_deref();
    let here = instance.or_else(|| image.root_snapshot());
    let made_from = match (&image.source_image, here) {
        (Some(source), _) if instance.is_none() => source.clone(),
        (_, Some(id)) => Reference::new(place.region.as_str(), id),
        (_, None) => origin.clone(),
    };
    let mut tags = identity.birth_tags(revision, VARIANT_SOURCE, origin, &made_from);
    let now = view.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    tags.insert(tag::SELF.to_owned(), image.id.clone());
    tags.insert(tag::ADOPTED.to_owned(), now);
    tags
}

/// An image of the list that is this object's, as somebody says that it shall be, but for the mark of whoever retained it.
fn retained<'v, 'a>(view: &'v View<'a>, place: &Place, id: &str) -> Option<&'v Owned<'a>> {
    view.claimed.iter().find(|owned| {
        view.desired.adoption_is_meant
            && owned.place == place
            && owned.image.id == id
            && owned.standing == Standing::Foreign(Foreign::Retained)
            && is_tagged_as_adopted(&owned.image.tags, id)
            && owned.is_of(&view.desired.revision)
    })
}

/// Takes off the marks of the object that retained it: this one publishes it anew.
fn free(owned: &Owned<'_>) -> Step {
    let marks = [
        tag::RETAINED,
        tag::PUBLISHED,
        tag::SUPERSEDED,
        tag::SUCCESSOR,
    ];
    let there = marks
        .into_iter()
        .filter(|key| owned.image.tags.contains_key(key));
    let action = Action::DeleteTags {
        id: owned.image.id.clone(),
        keys: there.map(str::to_owned).collect(),
    };
    Step::at(owned.place, action, WHY)
}

fn is_tagged_as_adopted(tags: &Tags, id: &str) -> bool {
    tags.contains_key(tag::ADOPTED) && tags.get(tag::SELF) == Some(id)
}

/// The snapshots of what was taken over become the object's, too.
pub(super) fn adopt_snapshots(view: &View<'_>, plan: &mut Plan) {
    let steps = view.ours().flat_map(|owned| snapshots_of(view, owned));
    plan.steps.extend(steps);
}

/// What is left to be done until the snapshots of an image that was taken over are the object's.
pub(super) fn snapshots_of<'a>(
    view: &'a View<'_>,
    owned: &'a Owned<'_>,
) -> impl Iterator<Item = Step> + 'a {
    let is_there = matches!(
        owned.image.state,
        ImageState::Available | ImageState::Disabled
    );
    let has_some =
        is_there && owned.image.tags.contains_key(tag::ADOPTED) && has_own_snapshots(owned.image);
    let ids = owned.image.snapshots.iter().filter(move |_| has_some);
    ids.filter_map(|id| adopt_snapshot(view, owned, id))
}

/// Whether its snapshots were made with it: those of an image that shows neither an instance nor an image that it was
/// made from were there before it (EC2 User Guide, "Trace the source of an AMI").
fn has_own_snapshots(image: &Image) -> bool {
    image.source_instance.is_some() || image.source_image.is_some()
}

fn adopt_snapshot(view: &View<'_>, owned: &Owned<'_>, id: &str) -> Option<Step> {
    let why = Why::UsedByOurImage(owned.image.id.clone());
    if let Some(snapshot) = view.snapshot(owned.place, id)
        && is_tagged_as_adopted(&snapshot.tags, id)
    {
        if is_sealed_snapshot(snapshot, &view.desired.identity) {
            return None;
        }
        let action = Action::DeleteTags {
            id: id.to_owned(),
            keys: vec![tag::RETAINED.to_owned()],
        };
        return Some(Step::at(owned.place, action, why));
    }
    let kept = [
        tag::OWNER,
        tag::CLUSTER,
        tag::OBJECT,
        tag::REVISION,
        tag::ORIGIN,
        tag::SOURCE,
        tag::VARIANT,
        tag::ADOPTED,
    ];
    let as_of_image = kept.into_iter().filter_map(|key| {
        let value = owned.image.tags.get(key)?;
        Some((key.to_owned(), value.to_owned()))
    });
    let action = Action::Adopt {
        id: id.to_owned(),
        image: None,
        tags: as_of_image
            .chain([(tag::SELF.to_owned(), id.to_owned())])
            .collect(),
    };
    Some(Step::at(owned.place, action, why))
}

/// What would come of it, for somebody to decide: the plan of a world in which it is done.
fn report(view: &View<'_>, found: &[Step]) -> Option<Finding> {
    let adopted: Vec<_> = found
        .iter()
        .filter_map(|step| match (&step.place, &step.action) {
            (
                Some(place),
                Action::Adopt {
                    image: Some(image),
                    tags,
                    ..
                },
            ) => Some((place, image, tags)),
            _ => None,
        })
        .collect();
    if adopted.is_empty() {
        return None;
    }
    let mut observed = view.observed.clone();
    for (place, image, tags) in &adopted {
        if let Some(PlaceView::Known(known)) = observed.places.get_mut(place) {
            let mut image = Image::clone(image);
            image.tags.extend((*tags).clone());
            image.tags.remove(tag::RETAINED);
            known.images.retain(|other| other.id != image.id);
            known.images.push(image);
        }
    }
    let mut desired = view.desired.clone();
    desired.adopt.clear();
    let steps = super::plan(&desired, &observed, view.now).steps;
    let followed: Vec<_> = steps.iter().filter_map(told).collect();
    let listed = adopted.iter().map(|(place, image, _)| {
        let with = if has_own_snapshots(image) {
            " with its snapshots"
        } else {
            ""
        };
        format!("{} ({}) in {}{with}", image.id, image.name, place.region)
    });
    let listed: Vec<_> = listed.collect();
    let word = desired.adoption_word();
    let more = match followed.len().saturating_sub(TOLD_STEPS) {
        0 => String::new(),
        more => format!("; {more} more"),
    };
    let followed = if followed.is_empty() {
        "nothing else changes".to_owned()
    } else {
        let told = &followed[..followed.len().min(TOLD_STEPS)];
        format!("what follows: {}{more}", told.join("; "))
    };
    Some(Finding {
        reason: conditions::ADOPTING,
        place: None,
        message: format!(
            "nothing is changed before this MachineImage is annotated with {ADOPT}={word}: then {} is taken over, to be \
             published, kept and deregistered as what Amity makes; {followed}",
            listed.join(", ")
        ),
    })
}

/// A step of the plan that would follow, as the user reads it; none for what only says whose something is.
fn told(step: &Step) -> Option<String> {
    let region = &step.place.as_ref()?.region;
    match &step.action {
        Action::Adopt { .. } => None,
        Action::CreateTags { id, tags } => {
            let users = tags.iter().filter(|(key, _)| !key.starts_with(tag::PREFIX));
            let users: Vec<_> = users.map(|(key, value)| format!("{key}={value}")).collect();
            let is_told = !users.is_empty();
            is_told.then(|| format!("CreateTags {id} {} in {region}", users.join(" ")))
        }
        action => Some(format!("{action} in {region}")),
    }
}

fn impossible(place: &Place, message: String) -> Finding {
    Finding {
        reason: conditions::ADOPTION_IMPOSSIBLE,
        place: Some(place.clone()),
        message,
    }
}
