//! Images that somebody deregistered and a retention rule of the Recycle Bin kept: they come back with their ids, their tags
//! and their permissions, where a copy would be another image, and take an hour.
//!
//! Only what was listed a moment ago can be restored: what is not known to have been ours is left where it is, and copied.
//! Source: Amazon EBS User Guide, "Recover deleted snapshots and deregistered AMIs from the Recycle Bin".

use std::collections::BTreeMap;

use super::step::{Action, Plan, Step, Why};
use super::view::{Owned, View};
use crate::image::identity::Place;
use crate::image::observed::ImageState;

/// Restores what the Recycle Bin has of the images that stand for wanted places.
pub(super) fn restore(view: &View<'_>, plan: &mut Plan) {
    for owned in lost(view) {
        let id = owned.image.id.clone();
        let actions = match kept(view, owned) {
            None => continue,
            Some([]) => vec![Action::RestoreImage { id }],
            // EC2 restores no image before its snapshots.
            Some(snapshots) => snapshots
                .iter()
                .map(|id| Action::RestoreSnapshot { id: id.clone() })
                .collect(),
        };
        let steps = actions.into_iter();
        plan.steps
            .extend(steps.map(|action| Step::at(owned.place, action, Why::KeptByRecycleBin)));
    }
}

/// Whether the Recycle Bin has the image, so that it is not made anew.
pub(super) fn keeps(view: &View<'_>, owned: &Owned<'_>) -> bool {
    kept(view, owned).is_some()
}

/// The lost images, of which it has to be read whether the Recycle Bin has them and their snapshots.
pub(super) fn reads(view: &View<'_>) -> BTreeMap<(Place, String), Vec<String>> {
    if view.desired.is_being_deleted() || view.desired.suspended {
        return BTreeMap::new();
    }
    lost(view)
        .map(|owned| (owned.key(), owned.image.snapshots.clone()))
        .collect()
}

/// The sealed images that stand for wanted places and that EC2 no longer lists.
fn lost<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v Owned<'a>> {
    let keepers = view.desired.places.iter();
    keepers
        .filter_map(|place| view.keeper(place))
        .filter(|owned| is_lost(owned))
}

fn is_lost(owned: &Owned<'_>) -> bool {
    owned.is_sealed() && matches!(owned.image.state, ImageState::Missing { .. })
}

/// The snapshots that have to be restored before a lost image, if the Recycle Bin has it.
fn kept<'a>(view: &View<'a>, owned: &Owned<'_>) -> Option<&'a [String]> {
    let kept = view.observed.recycled.get(&owned.key());
    kept.filter(|_| is_lost(owned)).map(Vec::as_slice)
}
