//! The ConfigMap that names the published image of each region: the last to learn of a revision.

use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use super::{parameters, sharing};
use crate::api::conditions;
use crate::image::identity::Place;
use crate::image::observed::ConfigMaps;

/// Writes the ConfigMap once the revision is published everywhere, shared, and in the parameters, and deletes those of
/// former names. Until then it names the images of the revision before, which stay as long.
pub(crate) fn tell(view: &View<'_>, plan: &mut Plan) {
    let desired = view.desired;
    let known = view.observed.config_maps.as_ref();
    let former = known
        .into_iter()
        .flat_map(|known| known.ours.keys())
        .filter(|name| desired.config_map.as_ref() != Some(name));
    plan.steps.extend(former.map(|name| {
        let action = Action::DeleteConfigMap { name: name.clone() };
        Step::on_object(action, Why::NoLongerIn("spec.publish.configMapName"))
    }));
    let Some(name) = &desired.config_map else {
        return;
    };
    let is_pending = sharing::is_pending(plan) || parameters::is_pending(view, plan);
    if !view.is_published_everywhere() || is_pending {
        return;
    }
    let standing = desired
        .places
        .iter()
        .filter_map(|place| view.standing_in(place));
    let data = standing
        .map(|owned| (key_of(view, owned.place), owned.image.id.clone()))
        .collect();
    let step = |data| {
        let action = Action::WriteConfigMap {
            name: name.clone(),
            data,
        };
        Step::on_object(action, Why::RevisionIsComplete(desired.revision.clone()))
    };
    let (has, name_is_taken) = match known {
        Some(known) => (known.ours.get(name), known.name_is_taken),
        None => (None, None),
    };
    match (has, name_is_taken) {
        (Some(has), _) if *has == data => {}
        (Some(_), _) | (None, Some(false)) => plan.steps.push(step(data)),
        (None, None) => {
            let waits_for = WaitsFor::ConfigMap(name.clone());
            plan.steps.push(step(data).waiting_for(waits_for));
        }
        (None, Some(true)) => plan.findings.push(Finding {
            reason: conditions::NAME_TAKEN,
            place: None,
            message: format!(
                "ConfigMap {name} is there already and not this object's: delete it, or write another name in \
                 spec.publish.configMapName"
            ),
        }),
    }
}

/// `region`, or `account.region` of another account than the home one.
fn key_of(view: &View<'_>, place: &Place) -> String {
    if view.desired.is_at_home(place) {
        return place.region.clone();
    }
    format!("{}.{}", view.desired.account_name(place), place.region)
}

/// What has to happen before an image may go that a ConfigMap of ours may name.
pub(super) fn nobody_reads_it(view: &View<'_>, owned: &Owned<'_>) -> Result<(), WaitsFor> {
    let Some(name) = &view.desired.config_map else {
        return Ok(());
    };
    let names_it = |known: &ConfigMaps| {
        let data = known.ours.get(name);
        data.is_some_and(|data| data.values().any(|id| *id == owned.image.id))
    };
    if view.observed.config_maps.as_ref().is_none_or(names_it) {
        return Err(WaitsFor::ConfigMap(name.clone()));
    }
    Ok(())
}
