//! Tags that the spec says: kept as written, while the tags of others are left alone. Which keys Amity put there is
//! noted beside them, so that only those are taken away again.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, Why};
use super::view::View;
use crate::image::desired::Desired;
use crate::image::identity::{Place, TagKeys, is_sealed_snapshot, tag};
use crate::image::observed::ImageState;
use crate::image::tags::Tags;

/// Tags of one field of the spec, or of several of which one goes before the other.
pub(crate) struct Field<'a> {
    /// The field, as the user reads it.
    pub name: &'static str,
    /// What it says.
    pub tags: Cow<'a, BTreeMap<String, String>>,
    /// The tag that notes the keys.
    pub note: &'static str,
}

impl<'a> Field<'a> {
    /// `spec.tags` and those of the region, on images, from birth.
    pub fn image_tags(desired: &'a Desired, place: &Place) -> Self {
        let name = if desired.region_tags.contains_key(place) {
            "spec.tags with those of the region"
        } else {
            "spec.tags"
        };
        Self {
            name,
            tags: desired.image_tags(place),
            note: tag::TAG_KEYS,
        }
    }

    /// The same with `spec.snapshotTags`, on snapshots.
    pub fn snapshot_tags(desired: &'a Desired, place: &Place) -> Self {
        let of_image = Self::image_tags(desired, place);
        if desired.snapshot_tags.is_empty() {
            return of_image;
        }
        let name = if desired.region_tags.contains_key(place) {
            "spec.tags with spec.snapshotTags and those of the region"
        } else {
            "spec.tags with spec.snapshotTags"
        };
        Self {
            name,
            tags: desired.snapshot_tags(place),
            ..of_image
        }
    }

    /// `spec.publish.tags`, on published images.
    pub fn publish_tags(desired: &'a Desired) -> Self {
        Self {
            name: "spec.publish.tags",
            tags: Cow::Borrowed(&desired.publish_tags),
            note: tag::PUBLISH_TAG_KEYS,
        }
    }

    /// The tags as they are put on an image or snapshot, with the note of which keys they are.
    pub fn with_note(&self) -> BTreeMap<String, String> {
        let mut noted = BTreeMap::clone(&self.tags);
        if !self.tags.is_empty() {
            noted.insert(self.note.to_owned(), TagKeys::of(self.tags.keys()).value());
        }
        noted
    }

    /// The keys that were put there for this field, with the note of them.
    pub fn noted_in(&self, has: &Tags) -> Vec<String> {
        let noted = TagKeys::read(has, self.note);
        let is_noted = |key: &str| !key.starts_with(tag::PREFIX) && noted.contains(key);
        has.iter()
            .map(|(key, _)| key)
            .filter(|key| is_noted(key) || *key == self.note)
            .map(str::to_owned)
            .collect()
    }

    /// First what is no longer wanted goes, then what is wanted comes together with the note of its keys. What
    /// `others` want stays.
    pub fn bring_into_line(
        &self,
        place: &Place,
        id: &str,
        has: &Tags,
        others: &Self,
    ) -> Option<Step> {
        let is_wanted = |key: &String| {
            self.tags.contains_key(key)
                || others.tags.contains_key(key)
                || *key == self.note && !self.tags.is_empty()
        };
        let mut surplus = self.noted_in(has);
        surplus.retain(|key| !is_wanted(key));
        if !surplus.is_empty() {
            let action = Action::DeleteTags {
                id: id.to_owned(),
                keys: surplus,
            };
            return Some(Step::at(place, action, Why::NoLongerIn(self.name)));
        }
        let mut missing = self.with_note();
        missing.retain(|key, value| has.get(key) != Some(value.as_str()));
        if missing.is_empty() {
            return None;
        }
        let action = Action::CreateTags {
            id: id.to_owned(),
            tags: missing,
        };
        Some(Step::at(place, action, Why::WantedBy(self.name)))
    }
}

/// Brings the tags of the standing images and of their snapshots into line with `spec.tags`, the tags of their regions and
/// `spec.snapshotTags`.
pub(crate) fn tag(view: &View<'_>, plan: &mut Plan) {
    let publish_tags = Field::publish_tags(view.desired);
    let standing = view
        .desired
        .places
        .iter()
        .filter_map(|place| view.standing_in(place));
    for owned in standing.filter(|owned| owned.image.state == ImageState::Available) {
        let mut bring_into_line = |tags: &Field<'_>, id: &str, has: &Tags| {
            let step = tags.bring_into_line(owned.place, id, has, &publish_tags);
            plan.steps.extend(step);
        };
        let of_image = Field::image_tags(view.desired, owned.place);
        bring_into_line(&of_image, &owned.image.id, &owned.image.tags);
        let of_snapshots = Field::snapshot_tags(view.desired, owned.place);
        for id in &owned.image.snapshots {
            if let Some(snapshot) = view
                .snapshot(owned.place, id)
                .filter(|one| is_sealed_snapshot(one, &view.desired.identity))
            {
                bring_into_line(&of_snapshots, id, &snapshot.tags);
            }
        }
    }
}
