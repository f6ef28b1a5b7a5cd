//! Marking as ours what EC2 proves to be: the one effect on what is not sealed yet. What a cluster sealed that
//! was rebuilt as this one is marked as this one's.

use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::image::identity::{Place, Standing, awaits_seal, is_sealed_snapshot, tag};
use crate::image::observed::ImageState;
use crate::image::tags::Tags;

/// Seals proven images, and the snapshots that sealed images are seen to use. Nothing can be retired
/// before it is sealed, so that this comes first in every place.
pub(crate) fn seal(view: &View<'_>, plan: &mut Plan) {
    for owned in &view.claimed {
        let is_there = !matches!(owned.image.state, ImageState::Missing { .. });
        match owned.standing {
            Standing::Newborn if is_there => plan.steps.push(Step::at(
                owned.place,
                naming_itself(&owned.image.id),
                Why::ProvenOurs,
            )),
            Standing::Ours if is_there => {
                plan.steps.extend(taken_over(
                    view,
                    owned.place,
                    &owned.image.id,
                    &owned.image.tags,
                ));
                if !owned.is_registered() {
                    seal_snapshots(view, owned, plan);
                }
            }
            Standing::Unproven if may_be_needed(view, owned) => {
                let step = Step::at(owned.place, naming_itself(&owned.image.id), Why::ProvenOurs);
                plan.steps
                    .push(step.waiting_for(WaitsFor::Proof(owned.image.id.clone())));
            }
            _ => {}
        }
    }
    for (place, known) in view.observed.known() {
        let sealed = known
            .snapshots
            .iter()
            .filter(|one| is_sealed_snapshot(one, &view.desired.identity));
        plan.steps
            .extend(sealed.filter_map(|one| taken_over(view, place, &one.id, &one.tags)));
    }
}

/// The mark of this cluster on what the cluster sealed that it takes over from.
fn taken_over(view: &View<'_>, place: &Place, id: &str, tags: &Tags) -> Option<Step> {
    let identity = &view.desired.identity;
    let before = tags.get(tag::CLUSTER)?;
    identity.is_to_be_taken_over(tags).then(|| {
        let action = Action::CreateTags {
            id: id.to_owned(),
            tags: BTreeMap::from([(tag::CLUSTER.to_owned(), identity.cluster.clone())]),
        };
        Step::at(place, action, Why::TakenOver(before.to_owned()))
    })
}

/// What EC2 does not prove yet is waited for while its place needs it, or all has to go.
fn may_be_needed(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let is_current = view.is_current(owned) && owned.image.state != ImageState::Failed;
    view.desired.is_being_deleted() || is_current
}

fn seal_snapshots(view: &View<'_>, owned: &Owned<'_>, plan: &mut Plan) {
    for id in &owned.image.snapshots {
        if view
            .snapshot(owned.place, id)
            .is_some_and(|snapshot| awaits_seal(snapshot, &view.desired.identity))
        {
            plan.steps.push(Step::at(
                owned.place,
                naming_itself(id),
                Why::UsedByOurImage(owned.image.id.clone()),
            ));
        }
    }
}

fn naming_itself(id: &str) -> Action {
    Action::CreateTags {
        id: id.to_owned(),
        tags: BTreeMap::from([(tag::SELF.to_owned(), id.to_owned())]),
    }
}
