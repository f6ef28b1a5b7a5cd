//! When a revision becomes what users launch: complete everywhere first, then place by place, the new one
//! before the old one loses the tag, so that at every instant something is published.

use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, WaitsFor, Why};
use super::tagging::Field;
use super::view::{Owned, View};
use crate::image::identity::tag;
use crate::image::observed::ImageState;

/// Tags the images of the complete revision as published, and takes the tag from superseded ones. These are
/// first tagged with the time, from which their retention counts.
pub(crate) fn publish(view: &View<'_>, plan: &mut Plan) {
    for owned in view
        .desired
        .places
        .iter()
        .filter_map(|place| view.keeper(place))
    {
        if owned.is_published() && owned.is_sealed() {
            plan.steps.extend(publish_tags(view, owned));
        }
        if !owned.is_published() {
            plan.steps.push(publish_image(view, owned));
        } else if owned.is_sealed() && owned.superseded_at().is_some() {
            let marks = [tag::SUPERSEDED, tag::SUCCESSOR].map(str::to_owned);
            plan.steps
                .push(without(owned, marks.into(), Why::PublishedAgain));
        }
    }
    for owned in view
        .ours()
        .filter(|owned| owned.is_published() && view.has_successor(owned))
    {
        plan.steps.extend(unpublish(view, owned));
    }
}

/// A revision is published once it stands in every wanted place; once begun, it is rolled forward.
fn publish_image(view: &View<'_>, owned: &Owned<'_>) -> Step {
    let why = Why::RevisionIsComplete(view.desired.revision.clone());
    let with_them = Field::publish_tags(view.desired).with_note();
    let step = with_time(view, owned, tag::PUBLISHED, with_them, why);
    if owned.image.state != ImageState::Available {
        let image = owned.reference();
        return step.waiting_for(WaitsFor::Available {
            image,
            progress: owned.image.progress,
        });
    }
    if !owned.is_sealed() {
        return step.waiting_for(WaitsFor::Proof(owned.image.id.clone()));
    }
    let missing = view.not_standing();
    if missing.is_empty() || view.publication_has_begun() {
        return step;
    }
    step.waiting_for(WaitsFor::Standing(
        missing
            .iter()
            .map(|place| view.desired.said(place))
            .collect(),
    ))
}

/// A superseded image keeps the tag until the place has a published successor; where the region is no
/// longer wanted, until the revision is published in every place that is.
fn unpublish(view: &View<'_>, owned: &Owned<'_>) -> Option<Step> {
    let succeeded = if view.desired.wants(owned.place) {
        view.standing_in(owned.place)
            .is_some_and(Owned::is_published)
    } else {
        view.is_published_everywhere()
    };
    succeeded.then(|| {
        let why = why_superseded(view, owned);
        // A mark from before it was published, as a revert leaves it, is none.
        let since = owned.superseded_at().filter(|since| {
            owned
                .published_at()
                .is_none_or(|published| *since >= published)
        });
        if since.is_none() {
            with_time(view, owned, tag::SUPERSEDED, BTreeMap::new(), why)
        } else {
            let mut keys = Field::publish_tags(view.desired).noted_in(&owned.image.tags);
            let from_birth = view.desired.image_tags(owned.place);
            keys.retain(|key| !from_birth.contains_key(key));
            keys.push(tag::PUBLISHED.to_owned());
            without(owned, keys, why)
        }
    })
}

/// Why another image is published in the stead of one.
pub(super) fn why_superseded(view: &View<'_>, owned: &Owned<'_>) -> Why {
    if owned.is_of(&view.desired.revision) {
        Why::EncryptedOtherwise
    } else {
        Why::SupersededBy(view.desired.revision.clone())
    }
}

/// The tags of a published image, brought into line.
fn publish_tags(view: &View<'_>, owned: &Owned<'_>) -> Option<Step> {
    let (id, has) = (&owned.image.id, &owned.image.tags);
    let tags = Field::image_tags(view.desired, owned.place);
    Field::publish_tags(view.desired).bring_into_line(owned.place, id, has, &tags)
}

/// Tags the image with the time, and more.
fn with_time(
    view: &View<'_>,
    owned: &Owned<'_>,
    key: &str,
    mut tags: BTreeMap<String, String>,
    why: Why,
) -> Step {
    let time = view.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    tags.insert(key.to_owned(), time);
    let action = Action::CreateTags {
        id: owned.image.id.clone(),
        tags,
    };
    Step::at(owned.place, action, why)
}

/// Takes tags from the image.
fn without(owned: &Owned<'_>, keys: Vec<String>, why: Why) -> Step {
    let action = Action::DeleteTags {
        id: owned.image.id.clone(),
        keys,
    };
    Step::at(owned.place, action, why)
}
