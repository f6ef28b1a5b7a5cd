//! What may change on an image that stands: `spec.tags`, kept as written, others' tags left alone.

use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, Why};
use super::view::View;
use crate::image::identity::{Place, TagKeys, is_sealed_snapshot, tag};
use crate::image::observed::ImageState;
use crate::image::tags::Tags;

/// The tags of the spec as they are put on an image or snapshot, with the note of which keys they are.
pub(crate) fn tags_with_note(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut noted = tags.clone();
    if !tags.is_empty() {
        noted.insert(tag::TAG_KEYS.to_owned(), TagKeys::of(tags.keys()).value());
    }
    noted
}

/// Brings the tags of the standing images and of their snapshots into line with `spec.tags`.
pub(crate) fn tag(view: &View<'_>, plan: &mut Plan) {
    let standing = view
        .desired
        .places
        .iter()
        .filter_map(|place| view.standing_in(place));
    for owned in standing.filter(|owned| owned.image.state == ImageState::Available) {
        bring_into_line(view, owned.place, &owned.image.id, &owned.image.tags, plan);
        for id in &owned.image.snapshots {
            if let Some(snapshot) = view
                .snapshot(owned.place, id)
                .filter(|one| is_sealed_snapshot(one, &view.desired.identity))
            {
                bring_into_line(view, owned.place, id, &snapshot.tags, plan);
            }
        }
    }
}

/// First what is no longer wanted goes, then what is wanted comes together with the note of its keys.
fn bring_into_line(view: &View<'_>, place: &Place, id: &str, has: &Tags, plan: &mut Plan) {
    let noted = TagKeys::read(has);
    let is_ours = |key: &str| !key.starts_with(tag::PREFIX) && noted.contains(key);
    let mut surplus: Vec<_> = has
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !view.desired.tags.contains_key(*key) && is_ours(key))
        .map(str::to_owned)
        .collect();
    if view.desired.tags.is_empty() && has.contains_key(tag::TAG_KEYS) {
        surplus.push(tag::TAG_KEYS.to_owned());
    }
    if !surplus.is_empty() {
        let action = Action::DeleteTags {
            id: id.to_owned(),
            keys: surplus,
        };
        plan.steps
            .push(Step::at(place, action, Why::NoLongerInTags));
        return;
    }
    let missing: BTreeMap<_, _> = tags_with_note(&view.desired.tags)
        .into_iter()
        .filter(|(key, value)| has.get(key) != Some(value.as_str()))
        .collect();
    if !missing.is_empty() {
        let action = Action::CreateTags {
            id: id.to_owned(),
            tags: missing,
        };
        plan.steps.push(Step::at(place, action, Why::WantedByTags));
    }
}
