//! What may be done with machines: they cost, and hold what somebody put there.

use super::Facts;
use crate::image::identity::{Place, Reference, tag};
use crate::image::machines::{ATTEMPTS, Machine, MachineState, MachinesView};
use crate::image::observed::ImageState;
use crate::image::plan::{Action, Step};

/// Only a machine whose client token proves that it was launched for this object ends (invariant 1).
pub(super) fn only_a_machine_that_is_proven_ours_ends(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::TerminateInstances { id } = &step.action else {
        return None;
    };
    let is_ours = own(facts, place).any(|machine| machine.id == *id);
    (!is_ours).then(|| format!("{id} is not proven to be this object's"))
}

/// A machine that an image is being made of stays until that is done (invariant 5).
pub(super) fn a_machine_that_is_being_captured_stays(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::TerminateInstances { id } = &step.action else {
        return None;
    };
    let itself = Reference::new(place.region.as_str(), id.as_str()).to_string();
    let mut images = facts.observed.known_at(place)?.images.iter();
    let captured = images.find(|image| {
        image.state == ImageState::Pending && image.tags.get(tag::SOURCE) == Some(itself.as_str())
    })?;
    Some(format!("{} is being made of it", captured.id))
}

/// A machine of the wanted revision is launched when its launch was recorded, at most three times, and never while there
/// is an image or another machine of the revision (invariants 3 and 8).
pub(super) fn one_machine_at_a_time(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::RunInstances { token, .. } = &step.action else {
        return None;
    };
    let desired = facts.desired;
    let recorded = desired.launched.as_ref().filter(|launched| {
        let (revision, attempt) = (&launched.revision, launched.attempt);
        *revision == desired.revision
            && attempt <= ATTEMPTS
            && *token == desired.identity.machine_token(revision, place, attempt)
    });
    if recorded.is_none() {
        return Some("it is not recorded".to_owned());
    }
    if let Some(refusal) = desired.refusals.first() {
        return Some(refusal.message.clone());
    }
    let Some(build) = desired.source.build() else {
        return Some("the spec builds nothing".to_owned());
    };
    if let Err(finding) = desired.grants.check_build(&build.launch) {
        return Some(finding.message);
    }
    let mut images = facts.observed.known().flat_map(|(_, known)| &known.images);
    if let Some(made) = images.find(|image| facts.is_sibling(image)) {
        return Some(format!("{} was made of the same revision", made.id));
    }
    if !matches!(
        facts.observed.machines.get(place),
        Some(MachinesView::Known(_))
    ) {
        return Some("the machines there are not known".to_owned());
    }
    let mut others = own(facts, place);
    let other = others.find(|machine| {
        machine.state.is_alive()
            && machine.token != *token
            && machine.tags.get(tag::REVISION) == Some(desired.revision.as_str())
    })?;
    Some(format!(
        "{} was launched for this revision and lives",
        other.id
    ))
}

/// What is captured for a build is the object's own machine, which has stopped.
pub(super) fn a_machine_has_stopped_when_it_is_captured(
    facts: &Facts<'_>,
    place: &Place,
    step: &Step,
) -> Option<String> {
    let Action::CreateImage { instance, .. } = &step.action else {
        return None;
    };
    facts.desired.source.build()?;
    let mut own = own(facts, place);
    let is_stopped =
        own.any(|machine| machine.id == *instance && machine.state == MachineState::Stopped);
    (!is_stopped).then(|| format!("{instance} is no stopped machine of this object"))
}

/// The machines of a place that are proven to be this object's.
pub(super) fn own<'a>(facts: &'a Facts<'_>, place: &'a Place) -> impl Iterator<Item = &'a Machine> {
    let known = facts.observed.machines.get(place).into_iter();
    let own = known.flat_map(move |known| known.of(&facts.desired.identity, place));
    own.map(|(machine, _, _)| machine)
}
