//! Marking as ours what EC2 proves to be: the one effect on what is not sealed yet.

use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, Why};
use super::view::{Owned, View};
use crate::image::identity::{Standing, awaits_seal, tag};
use crate::image::observed::ImageState;

/// Seals proven images, and the snapshots that sealed images are seen to use. Nothing can be retired
/// before it is sealed, so that this comes first in every place.
pub(crate) fn seal(view: &View<'_>, plan: &mut Plan) {
    for owned in view.claimed.iter().filter(|owned| !matches!(owned.image.state, ImageState::Missing { .. })) {
        match owned.standing {
            Standing::Newborn => plan.steps.push(Step::at(owned.place, naming_itself(&owned.image.id), Why::ProvenOurs)),
            Standing::Ours => seal_snapshots(view, owned, plan),
            _ => {}
        }
    }
}

fn seal_snapshots(view: &View<'_>, owned: &Owned<'_>, plan: &mut Plan) {
    for id in &owned.image.snapshots {
        if view.snapshot(owned.place, id).is_some_and(|snapshot| awaits_seal(snapshot, &view.desired.identity)) {
            plan.steps.push(Step::at(owned.place, naming_itself(id), Why::UsedByOurImage(owned.image.id.clone())));
        }
    }
}

fn naming_itself(id: &str) -> Action {
    Action::CreateTags { id: id.to_owned(), tags: BTreeMap::from([(tag::SELF.to_owned(), id.to_owned())]) }
}
