//! The parameters of Systems Manager that name the published image of each region: written once the images are published
//! and shared, before the ConfigMap, and removed when nothing asks for them any more.
//!
//! Where one may be is written down first, as the tag `amity.dev/parameter` on the published image of the place: while an
//! image carries it, and the spec asks for no parameter there, the place's parameters are read and removed, and the tag
//! goes last, when it is proven that none is left. So an object that never asked for one costs no call.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::When;
use super::sharing;
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::identity::{Place, tag};
use crate::image::observed::ImageState;
use crate::image::parameters::{Parameters, ParametersView, PublishedParameter, Put};

const FIELD: &str = "spec.publish.ssmParameterName";

/// How old what is known may be when something is changed by it: there is no compare-and-set (SSM API, `PutParameter`).
const FRESH: SignedDuration = SignedDuration::from_secs(3);

/// How long it is awaited, without a word, that Systems Manager takes a value.
const VALIDATION: SignedDuration = SignedDuration::from_mins(1);

/// How often it is looked meanwhile.
const LOOKS_AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// How often it is looked whether a name that somebody else has is free by now.
const LOOKS_FOR_NAME: SignedDuration = SignedDuration::from_mins(1);

/// When a value that was not taken is put again.
const PUTS_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Writes, mends and removes the parameters of every place that is known.
pub(crate) fn publish(view: &View<'_>, plan: &mut Plan) {
    let wanted = view.desired.parameter.as_ref();
    let not_granted = wanted.and_then(|wanted| wanted.not_granted.clone());
    if view.has_sibling() {
        plan.findings.extend(not_granted);
    }
    let places: Vec<_> = view.observed.known().map(|(place, _)| place).collect();
    for place in places {
        match wanted.filter(|_| view.desired.wants(place)) {
            Some(wanted) => keep(view, place, wanted, plan),
            None => remove(view, place, plan),
        }
    }
}

/// The same of an object that is being deleted: nothing of it stays.
pub(super) fn remove_all(view: &View<'_>, plan: &mut Plan) {
    let places: Vec<_> = view.observed.known().map(|(place, _)| place).collect();
    for place in places {
        remove(view, place, plan);
    }
}

/// What is left in place is marked as nobody's, before the images are; where that is not known, it is awaited by them.
/// It never blocks: what cannot be read is left as it is.
pub(super) fn mark_retained(view: &View<'_>, time: &str, plan: &mut Plan) {
    for place in noted_places(view) {
        let mark = |name: &str| {
            let tags = BTreeMap::from([(tag::RETAINED.to_owned(), time.to_owned())]);
            tagging(place, name, tags, Why::ObjectIsDeletedAndRetains)
        };
        match (fresh(view, place), view.observed.parameters.get(place)) {
            (Some(known), _) => {
                let ours = known.of(&view.desired.identity);
                plan.steps.extend(ours.map(|(name, _)| mark(name)));
            }
            (None, Some(ParametersView::Unknown(_))) => {}
            (None, _) => {
                let step = mark(&said_name(view, place));
                plan.steps.push(awaiting(view, place, step));
            }
        }
    }
}

/// The name of a parameter of the place that is still to be marked, or to be read for that.
pub(super) fn is_to_be_marked_first(plan: &Plan, place: &Place) -> Option<String> {
    let mut here = plan
        .steps
        .iter()
        .filter(|step| step.place.as_ref() == Some(place));
    here.find_map(|step| match &step.action {
        Action::TagParameter { name, .. } => Some(name.clone()),
        _ => None,
    })
}

/// Where parameters have to be read: at once where a step waits for that, and else now and then, since somebody else may
/// change them.
pub(super) fn reads(view: &View<'_>, plan: &Plan) -> BTreeMap<Place, When> {
    let desired = view.desired;
    let is_granted = desired
        .parameter
        .as_ref()
        .is_some_and(|wanted| wanted.not_granted.is_none());
    let is_kept = is_granted && !desired.is_being_deleted() && !desired.suspended;
    let places = desired.places.iter().filter(|_| is_kept);
    let drifting = places.filter(|place| published_in(view, place).is_some());
    let awaited = plan
        .steps
        .iter()
        .filter_map(|step| match (&step.place, &step.waits_for) {
            (Some(place), Some(WaitsFor::Parameters(_) | WaitsFor::Validation(_, _))) => {
                Some((place.clone(), When::Now))
            }
            _ => None,
        });
    drifting
        .map(|place| (place.clone(), When::InTurn))
        .chain(awaited)
        .collect()
}

/// Whether a parameter is about to be written, or to be read for that. What is refused, or cannot be read, holds up
/// nothing else.
pub(super) fn is_pending(view: &View<'_>, plan: &Plan) -> bool {
    let desired = view.desired;
    let Some(wanted) = &desired.parameter else {
        return false;
    };
    let is_marked_otherwise = |place: &Place| published_in(view, place).is_none();
    let is_granted = wanted.not_granted.is_none();
    is_granted && desired.places.iter().any(is_marked_otherwise)
        || plan.steps.iter().any(|step| is_about_to_be_put(view, step))
}

fn is_about_to_be_put(view: &View<'_>, step: &Step) -> bool {
    let Some(place) = &step.place else {
        return false;
    };
    if step.why != Why::MayBeThere && !matches!(step.action, Action::PutParameter { .. }) {
        return false;
    }
    let mut refused = view.observed.refusals.keys();
    let is_known = !matches!(
        view.observed.parameters.get(place),
        Some(ParametersView::Unknown(_))
    );
    let is_taken_soon = match &step.waits_for {
        Some(WaitsFor::Validation(_, until)) => *until <= view.now + LOOKS_AGAIN,
        _ => is_known,
    };
    is_taken_soon && !refused.any(|asked| asked.includes(place, &step.action))
}

/// What has to happen before an image may go that a parameter of ours may name.
pub(super) fn nobody_reads_it(view: &View<'_>, owned: &Owned<'_>) -> Result<(), WaitsFor> {
    let place = owned.place;
    if !owned.was_published() || noted(view, place).next().is_none() {
        return Ok(());
    }
    let Some(known) = fresh(view, place) else {
        return Err(WaitsFor::Parameters(said_name(view, place)));
    };
    let identity = &view.desired.identity;
    if let Some((name, _)) = known
        .of(identity)
        .find(|(_, parameter)| parameter.value == owned.image.id)
    {
        return Err(WaitsFor::Parameters(name.clone()));
    }
    let is_wanted = view.desired.wants(place) && !view.desired.is_being_deleted();
    let is_noted_elsewhere = is_wanted
        && published_in(view, place)
            .is_some_and(|other| other.image.id != owned.image.id && note_of(other).is_some());
    if note_of(owned).is_none() || is_noted_elsewhere {
        return Ok(());
    }
    let window = view.desired.consistency_window;
    if known.are_gone(identity, window) {
        return Ok(());
    }
    Err(WaitsFor::ParameterGone {
        until: known.settled_at(window),
    })
}

/// The name that an image says a parameter of ours may have in its place.
fn note_of<'v>(owned: &'v Owned<'_>) -> Option<&'v str> {
    owned.image.tags.get(tag::PARAMETER)
}

/// The images of a place that say that a parameter may be there.
fn noted<'a, 'v>(
    view: &'v View<'a>,
    place: &'v Place,
) -> impl Iterator<Item = &'v Owned<'a>> + use<'a, 'v> {
    view.ours()
        .filter(move |owned| owned.place == place && note_of(owned).is_some())
}

fn noted_places<'a>(view: &View<'a>) -> Vec<&'a Place> {
    let places = view.observed.known().map(|(place, _)| place);
    places
        .filter(|place| noted(view, place).next().is_some())
        .collect()
}

/// The published image of the wanted revision, from which all marks of an earlier end are taken.
fn published_in<'a, 'v>(view: &'v View<'a>, place: &Place) -> Option<&'v Owned<'a>> {
    view.standing_in(place)
        .filter(|owned| owned.is_published() && owned.superseded_at().is_none())
}

/// For messages: the name that the spec says, or an image.
fn said_name(view: &View<'_>, place: &Place) -> String {
    let wanted = view.desired.parameter.as_ref();
    let said = wanted.map(|wanted| wanted.name.as_str());
    let said = said.or_else(|| noted(view, place).find_map(note_of));
    said.unwrap_or_default().to_owned()
}

/// What is known of a place, if that is recent enough to change something by it.
fn fresh<'a>(view: &View<'a>, place: &Place) -> Option<&'a Parameters> {
    match view.observed.parameters.get(place) {
        Some(ParametersView::Known(known)) if view.now.duration_since(known.read_at) < FRESH => {
            Some(known)
        }
        _ => None,
    }
}

/// A parameter that is wanted: first the note that it may be there, then the value, then those of former names go.
fn keep(view: &View<'_>, place: &Place, wanted: &PublishedParameter, plan: &mut Plan) {
    let Some(owned) = published_in(view, place) else {
        return;
    };
    let is_allowed = wanted.not_granted.is_none();
    if is_allowed && note_of(owned) != Some(&wanted.name) {
        let note = BTreeMap::from([(tag::PARAMETER.to_owned(), wanted.name.clone())]);
        plan.steps.push(tagged(owned, note, Why::MayBeThere));
        return;
    }
    if note_of(owned).is_none() {
        return;
    }
    for other in noted(view, place).filter(|other| other.image.id != owned.image.id) {
        plan.steps.extend(without_note(
            other,
            Why::SupersededBy(view.desired.revision.clone()),
        ));
    }
    if !is_rolled_out(view) || sharing::is_pending_in(plan, place) {
        return;
    }
    let put = |overwrite| {
        let tags = if overwrite {
            BTreeMap::new()
        } else {
            view.desired.identity.parameter_tags(&wanted.name)
        };
        let action = Action::PutParameter {
            name: wanted.name.clone(),
            image: owned.image.id.clone(),
            tags,
        };
        Step::at(place, action, Why::WantedBy(FIELD))
    };
    let known = match view.observed.parameters.get(place) {
        Some(ParametersView::Known(known)) => known,
        Some(ParametersView::Unknown(_)) => {
            cannot_be_read(view, place, must_be_known(view, owned), plan);
            if must_be_known(view, owned) {
                plan.steps.push(awaiting(view, place, put(false)));
            }
            return;
        }
        None => {
            if must_be_known(view, owned) && is_allowed {
                plan.steps.push(awaiting(view, place, put(false)));
            }
            return;
        }
    };
    let is_fresh = fresh(view, place).is_some();
    let identity = &view.desired.identity;
    let there = known.all.get(&wanted.name);
    let ours = there.filter(|there| identity.has_made(&wanted.name, there));
    if let (Some(_), None) = (there, ours) {
        plan.findings
            .extend(is_allowed.then(|| name_taken(place, &wanted.name)));
        if is_allowed && view.now.duration_since(known.read_at) >= LOOKS_FOR_NAME {
            plan.steps.push(awaiting(view, place, put(false)));
        }
        return;
    }
    let is_in_line = ours.is_some_and(|ours| ours.value == owned.image.id);
    if !is_in_line {
        if is_allowed {
            let step = put(ours.is_some());
            if is_fresh {
                put_or_wait(view, place, known, step, plan);
            } else {
                plan.steps.push(awaiting(view, place, step));
            }
        }
        return;
    }
    let former = known.of(identity).filter(|(name, _)| **name != wanted.name);
    for (name, _) in former {
        delete(view, place, name, Why::NoLongerIn(FIELD), plan);
    }
    take_over(view, place, known, plan);
}

/// A parameter that nothing asks for any more goes, where one may be; then the notes that it may.
fn remove(view: &View<'_>, place: &Place, plan: &mut Plan) {
    let desired = view.desired;
    if noted(view, place).next().is_none() {
        return;
    }
    let why = if desired.is_being_deleted() {
        Why::ObjectIsDeleted
    } else if desired.wants(place) {
        Why::NoLongerIn(FIELD)
    } else {
        Why::RegionNoLongerWanted
    };
    // Until then it names what users of that region launch.
    if why == Why::RegionNoLongerWanted && !view.is_published_everywhere() {
        return;
    }
    let of_late = view.observed.parameters.get(place);
    if let Some(ParametersView::Known(known)) = of_late
        && desired.is_being_deleted()
        && known.are_gone(&desired.identity, desired.consistency_window)
    {
        // Nobody puts one any more. It is looked once more when the image goes that says that there may be one, which can
        // take days.
        return;
    }
    let Some(known) = fresh(view, place) else {
        if let Some(ParametersView::Unknown(_)) = of_late {
            cannot_be_read(view, place, desired.is_being_deleted(), plan);
        }
        let name = said_name(view, place);
        let step = Step::at(place, Action::DeleteParameter { name }, why);
        plan.steps.push(awaiting(view, place, step));
        return;
    };
    let identity = &desired.identity;
    for (name, _) in known.of(identity) {
        delete(view, place, name, why.clone(), plan);
    }
    if known.of(identity).next().is_some() || desired.is_being_deleted() {
        return;
    }
    let window = desired.consistency_window;
    for owned in noted(view, place) {
        let step = without_note(owned, why.clone());
        plan.steps.extend(step.map(|step| {
            if known.are_gone(identity, window) {
                step
            } else {
                let until = known.settled_at(window);
                step.waiting_for(WaitsFor::ParameterGone { until })
            }
        }));
    }
}

/// Whether the revision is what users launch by their tags, as far as can be seen: then all parameters follow. A region
/// that cannot be read, or lacks the image still, keeps no other from it.
fn is_rolled_out(view: &View<'_>) -> bool {
    let desired = view.desired;
    let is_old = |owned: &Owned<'_>| owned.is_published() && view.has_successor(owned);
    let mut standing = desired
        .places
        .iter()
        .filter_map(|place| view.standing_in(place));
    standing.all(Owned::is_published)
        && !view
            .ours()
            .any(|owned| desired.wants(owned.place) && is_old(owned))
}

/// Whether the parameter may have to be written: a status that says that all is in line is believed until it is the
/// parameter's turn.
fn must_be_known(view: &View<'_>, owned: &Owned<'_>) -> bool {
    !view.desired.was_in_sync || view.desired.told.get(owned.place) != Some(&owned.image.id)
}

/// Puts the value, unless it was put of late: that it was answered says nothing, and it is looked until it shows.
fn put_or_wait(view: &View<'_>, place: &Place, known: &Parameters, step: Step, plan: &mut Plan) {
    let is_it = |put: &&Put| matches!(&step.action, Action::PutParameter { name, image, .. } if *name == put.name && *image == put.value);
    let Some(put) = known.awaited.as_ref().filter(is_it) else {
        plan.steps.push(step);
        return;
    };
    let (name, image) = (&put.name, &put.value);
    if view.now < put.at + VALIDATION {
        let looks_again = view.now + LOOKS_AGAIN;
        let waits_for = WaitsFor::Validation(name.clone(), looks_again);
        plan.steps.push(step.waiting_for(waits_for));
        return;
    }
    plan.findings.push(Finding {
        reason: conditions::REFUSED,
        place: Some(place.clone()),
        message: format!(
            "PutParameter of {name} in {} (account {}) was answered, but Systems Manager did not take {image} as its \
             value: let Amity's role call ec2:DescribeImages there, by which it is validated, and see whether the image \
             is available; it is put again by itself",
            place.region, place.account
        ),
    });
    let until = put.at + PUTS_AGAIN;
    plan.steps.push(if view.now < until {
        step.waiting_for(WaitsFor::Validation(name.clone(), until))
    } else {
        step
    });
}

fn delete(view: &View<'_>, place: &Place, name: &str, why: Why, plan: &mut Plan) {
    let action = Action::DeleteParameter {
        name: name.to_owned(),
    };
    let step = Step::at(place, action, why);
    plan.steps.push(match fresh(view, place) {
        Some(_) => step,
        None => awaiting(view, place, step),
    });
}

/// The mark of this cluster on what the cluster made that it takes over from.
fn take_over(view: &View<'_>, place: &Place, known: &Parameters, plan: &mut Plan) {
    let identity = &view.desired.identity;
    for (name, parameter) in known.of(identity) {
        if let Some(before) = parameter.tags.get(tag::CLUSTER)
            && identity.is_to_be_taken_over(&parameter.tags)
        {
            let tags = BTreeMap::from([(tag::CLUSTER.to_owned(), identity.cluster.clone())]);
            let why = Why::TakenOver(before.to_owned());
            let step = tagging(place, name, tags, why);
            plan.steps.push(match fresh(view, place) {
                Some(_) => step,
                None => awaiting(view, place, step),
            });
        }
    }
}

fn awaiting(view: &View<'_>, place: &Place, step: Step) -> Step {
    step.waiting_for(WaitsFor::Parameters(said_name(view, place)))
}

fn tagging(place: &Place, name: &str, tags: BTreeMap<String, String>, why: Why) -> Step {
    let action = Action::TagParameter {
        name: name.to_owned(),
        tags,
    };
    Step::at(place, action, why)
}

fn tagged(owned: &Owned<'_>, tags: BTreeMap<String, String>, why: Why) -> Step {
    let action = Action::CreateTags {
        id: owned.image.id.clone(),
        tags,
    };
    Step::at(owned.place, action, why)
}

/// One that lists lack for the moment cannot be changed.
fn without_note(owned: &Owned<'_>, why: Why) -> Option<Step> {
    let action = Action::DeleteTags {
        id: owned.image.id.clone(),
        keys: vec![tag::PARAMETER.to_owned()],
    };
    let is_there = !matches!(owned.image.state, ImageState::Missing { .. });
    is_there.then(|| Step::at(owned.place, action, why))
}

fn name_taken(place: &Place, name: &str) -> Finding {
    Finding {
        reason: conditions::NAME_TAKEN,
        place: Some(place.clone()),
        message: format!(
            "parameter {name} is in {} (account {}) already and not this object's, or lost the tags that say so: delete \
             it, or write another name in spec.publish.ssmParameterName",
            place.region, place.account
        ),
    }
}

/// Why parameters cannot be read, where that does not pass by itself, or somebody waits for them.
fn cannot_be_read(view: &View<'_>, place: &Place, is_awaited: bool, plan: &mut Plan) {
    let Some(ParametersView::Unknown(unreadable)) = view.observed.parameters.get(place) else {
        return;
    };
    if !unreadable.lasts() && !is_awaited {
        return;
    }
    let message = if view.desired.is_being_deleted() {
        format!(
            "deletion waits: {}; or {}",
            unreadable.message,
            super::delete::WAY_OUT
        )
    } else {
        unreadable.message.clone()
    };
    plan.findings.push(Finding {
        reason: unreadable.reason,
        place: Some(place.clone()),
        message,
    });
}
