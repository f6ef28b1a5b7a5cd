//! Fast launch of images (1, 4).

use super::Facts;
use crate::image::fast_launch::{FastLaunchView, WantedFastLaunch};
use crate::image::identity::{Place, tag};
use crate::image::plan::{Action, Step};

/// Nothing launches fast that was not published, nor otherwise than the spec says; what the spec says nothing of is left as
/// it is. That it is ours is looked at for every call.
pub(super) fn only_published_images_launch_fast(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let asked = facts.desired.fast_launch;
    match &step.action {
        Action::EnableFastLaunch { id, settings } => {
            if asked != Some(WantedFastLaunch::On(*settings)) {
                return Some("spec.fastLaunch does not say so".to_owned());
            }
            let image = facts.image(place, id)?;
            let is_published = image.tags.contains_key(tag::PUBLISHED);
            (!is_published).then(|| "it is not published".to_owned())
        }
        Action::DisableFastLaunch { .. } => asked
            .is_none()
            .then(|| "spec.fastLaunch says nothing of it".to_owned()),
        _ => None,
    }
}

/// What EC2 goes on preparing, as far as anybody knows, does not go, where that is managed.
pub(super) fn an_image_that_launches_fast_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    facts.desired.fast_launch?;
    if !going.attributes.is_windows || !going.tags.tell_of_publication() {
        return None;
    }
    let Some(FastLaunchView::Known(known)) = facts.observed.fast_launches.get(place) else {
        return Some("whether it launches fast was not read".to_owned());
    };
    let it = known.get(&going.id)?;
    Some(format!("its fast launch is {}", it.state))
}
