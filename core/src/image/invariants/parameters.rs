//! Parameters of Systems Manager: whose they are, what they name, and what stays as long as one names it (1, 4, 6, 10).

use super::Facts;
use crate::api::DeletionPolicy;
use crate::image::identity::{Place, Standing, tag};
use crate::image::observed::ImageState;
use crate::image::parameters::PublishedParameter;
use crate::image::plan::{Action, Step};

/// What is written or removed is ours by what was read, and what is made is there neither.
pub(super) fn only_a_parameter_that_is_proven_ours(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let name = step.action.parameter()?;
    let identity = &facts.desired.identity;
    let Some(known) = facts.parameters(place) else {
        return Some("the parameters of the place were not read".to_owned());
    };
    let there = known.all.get(name);
    if let Action::PutParameter { tags, .. } = &step.action
        && !tags.is_empty()
    {
        let is_sealed = *tags == identity.parameter_tags(name);
        return match there {
            Some(_) => Some("it is there already".to_owned()),
            None if is_sealed => None,
            None => Some("its tags would not say whose it is".to_owned()),
        };
    }
    let is_ours = there.is_some_and(|there| identity.has_made(name, there));
    (!is_ours).then(|| format!("{name} is not proven to be this object's"))
}

/// Whoever launches by a parameter of ours finds an image. Where one may be, it must have been read.
pub(super) fn an_image_that_a_parameter_names_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let going = facts.deregistered(place, step)?;
    let was_published = going.tags.tell_of_publication();
    let mut here = facts.observed.known_at(place)?.images.iter();
    let may_be_there = here.any(|image| {
        facts.standing(image) == Some(Standing::Ours) && image.tags.contains_key(tag::PARAMETER)
    });
    match facts.parameters(place) {
        Some(known) => known
            .of(&facts.desired.identity)
            .find(|(_, parameter)| parameter.value == going.id)
            .map(|(name, _)| format!("parameter {name} names it")),
        None if may_be_there && was_published => {
            Some("the parameters of the place were not read".to_owned())
        }
        None => None,
    }
}

pub(super) fn a_parameter_names_what_is_published(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::PutParameter { name, image, .. } = &step.action else {
        return None;
    };
    let mut here = facts.observed.known_at(place)?.images.iter();
    let is_noted = here.any(|other| {
        other.id == *image
            && facts.is_ours(other)
            && other.state == ImageState::Available
            && other.tags.contains_key(tag::PUBLISHED)
            && other.tags.get(tag::PARAMETER) == Some(name)
    });
    (!is_noted).then(|| format!("{image} is not published, or does not say that it is there"))
}

pub(super) fn a_retained_parameter_stays(
    facts: &Facts<'_>,
    _: &Place,
    step: &Step,
) -> Option<String> {
    let retains = facts.desired.deletion_policy == DeletionPolicy::Retain;
    let is_removed = matches!(step.action, Action::DeleteParameter { .. });
    (is_removed && retains && facts.desired.is_being_deleted())
        .then(|| "spec.deletionPolicy is Retain".to_owned())
}

pub(super) fn only_a_granted_parameter_is_written(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::PutParameter { name, .. } = &step.action else {
        return None;
    };
    let is_asked_for = |wanted: &PublishedParameter| {
        wanted.name == *name && wanted.not_granted.is_none() && facts.desired.wants(place)
    };
    let wanted = facts.desired.parameter.as_ref();
    (!wanted.is_some_and(is_asked_for)).then(|| "nothing allows to write it".to_owned())
}
