//! What is taken over, and when that may be (1).

use super::Facts;
use crate::image::identity::{Place, Standing, tag};
use crate::image::observed::AdoptionView;
use crate::image::plan::{Action, Step};
use crate::image::tags::Tags;

/// Somebody else's image only if the spec lists it, somebody says that it is meant, and it is granted; a snapshot only if
/// it was made with such an image.
pub(super) fn only_what_is_listed_is_taken_over(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::Adopt { id, image, tags } = &step.action else {
        return None;
    };
    let desired = facts.desired;
    if tags.get(tag::SELF) != Some(id) {
        return Some("its seal would name another".to_owned());
    }
    if image.is_none() {
        return (!is_snapshot_of_adopted(facts, place, id))
            .then(|| format!("no image that was taken over was made with {id}"));
    }
    if !desired.adoption_is_meant || desired.adopt.get(place) != Some(id) {
        return Some("nobody says that it is to be taken over".to_owned());
    }
    let Some(AdoptionView::Image(seen)) =
        facts.observed.adoptions.get(&(place.clone(), id.clone()))
    else {
        return Some("it was not read".to_owned());
    };
    let seal = |key| seen.tags.get(key);
    let is_another_objects = seal(tag::SELF) == Some(id)
        && seal(tag::RETAINED).is_none()
        && seal(tag::OBJECT) != Some(desired.identity.object.as_str());
    if is_another_objects {
        return Some("it is another object's".to_owned());
    }
    let granted = desired.grants.check_adoption(seen, &desired.identity.owner);
    granted.err().map(|missing| missing.message)
}

/// Whether an image that was taken over uses the snapshot, and shows that its snapshots were made with it.
fn is_snapshot_of_adopted(facts: &Facts<'_>, place: &Place, id: &str) -> bool {
    let known = facts.observed.known_at(place);
    let mut images = known.into_iter().flat_map(|known| &known.images);
    images.any(|image| {
        facts.standing(image) == Some(Standing::Ours)
            && image.tags.contains_key(tag::ADOPTED)
            && (image.source_instance.is_some() || image.source_image.is_some())
            && image.snapshots.iter().any(|used| used == id)
    })
}

/// Whether a step takes the mark of whoever retained it off what was taken over.
pub(super) fn is_freeing(facts: &Facts<'_>, place: &Place, action: &Action) -> bool {
    let Action::DeleteTags { id, keys } = action else {
        return false;
    };
    let identity = &facts.desired.identity;
    let is_taken_over = |tags: &Tags| {
        identity.is_claimed_by(tags)
            && tags.get(tag::SELF) == Some(id)
            && tags.contains_key(tag::ADOPTED)
    };
    let known = facts.observed.known_at(place);
    let mut snapshots = known.into_iter().flat_map(|known| &known.snapshots);
    let snapshot = snapshots.find(|snapshot| snapshot.id == *id);
    keys.iter().any(|key| key == tag::RETAINED)
        && match (facts.image(place, id), snapshot) {
            (Some(image), _) => {
                is_taken_over(&image.tags)
                    && facts.desired.adoption_is_meant
                    && facts.desired.adopt.get(place) == Some(id)
            }
            (None, Some(snapshot)) => {
                is_taken_over(&snapshot.tags) && is_snapshot_of_adopted(facts, place, id)
            }
            (None, None) => false,
        }
}
