//! Fast launch of the published Windows images: on while they are what users launch, and off before they go. EC2 changes no
//! settings of what is on: it is switched off first, and on again. Without `spec.fastLaunch` it is not managed.

use std::collections::BTreeMap;

use super::When;
use super::sharing::{is_what_users_launch, once_published};
use super::step::{Action, Finding, Plan, Step, WaitsFor, Why};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::fast_launch::{
    FastLaunch, FastLaunchSettings, FastLaunchState, FastLaunchView, WantedFastLaunch,
};
use crate::image::identity::Place;

const FIELD: &str = "spec.fastLaunch";

/// Brings the images into line that somebody may have been told of, those first that lose it: what an account may launch at
/// a time in a region is limited.
pub(super) fn bring_into_line(view: &View<'_>, plan: &mut Plan) {
    let asked = wanted(view);
    let (on, off): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(_, wanted)| wanted.is_some());
    for (owned, wanted) in off.into_iter().chain(on) {
        if owned.image.attributes.is_windows {
            one(view, owned, wanted, plan);
        } else if wanted.is_some() {
            plan.findings.push(not_windows(owned));
        }
    }
}

/// The places in which it has to be read who launches fast: at once where something may have changed, and else now and then,
/// since somebody else may change it and no list shows that.
pub(super) fn reads(view: &View<'_>, plan: &Plan) -> BTreeMap<Place, When> {
    let awaited = plan.steps.iter().filter(|step| is_awaiting(step));
    let awaited = awaited.filter_map(|step| Some((step.place.clone()?, When::Now)));
    let when = if view.desired.was_in_sync {
        When::InTurn
    } else {
        When::Now
    };
    let is_kept = !view.desired.is_being_deleted() && !view.desired.suspended;
    let managed = if is_kept { wanted(view) } else { Vec::new() };
    managed
        .into_iter()
        .filter(|(owned, _)| owned.image.attributes.is_windows)
        .map(|(owned, _)| (owned.place.clone(), when))
        .chain(awaited)
        .collect()
}

fn is_awaiting(step: &Step) -> bool {
    matches!(
        step.waits_for,
        Some(WaitsFor::FastLaunchRead(_) | WaitsFor::FastLaunch { .. })
    )
}

/// What has to happen before an image may go: EC2 may go on making snapshots of it, and would leave those there are.
pub(super) enum BeforeItGoes {
    /// It is off, or not managed.
    Nothing,
    /// It is switched off now.
    Disable,
    /// It is being switched off, or not known.
    Wait(WaitsFor),
    /// It cannot be switched off.
    Blocked(WaitsFor, Finding),
}

/// Of an image that goes.
pub(super) fn before_it_goes(view: &View<'_>, owned: &Owned<'_>) -> BeforeItGoes {
    let may_have_it = owned.was_published() && owned.image.attributes.is_windows;
    if view.desired.fast_launch.is_none() || !may_have_it {
        return BeforeItGoes::Nothing;
    }
    let id = &owned.image.id;
    let known = match view.observed.fast_launches.get(owned.place) {
        Some(FastLaunchView::Known(known)) => known,
        Some(FastLaunchView::Unknown(unreadable)) if unreadable.lasts() => {
            let finding = Finding::of_unreadable(owned.place, unreadable);
            return BeforeItGoes::Blocked(WaitsFor::FastLaunchRead(id.clone()), finding);
        }
        _ => return BeforeItGoes::Wait(WaitsFor::FastLaunchRead(id.clone())),
    };
    match known.get(id) {
        None => BeforeItGoes::Nothing,
        Some(it) if it.state == FastLaunchState::DisablingFailed => {
            BeforeItGoes::Blocked(changing(view, owned, it), failed(owned, it))
        }
        Some(it) if it.state.is_changing() => BeforeItGoes::Wait(changing(view, owned, it)),
        // It is, although it might stay.
        Some(it) if is_switched_off(view, owned) => BeforeItGoes::Wait(changing(view, owned, it)),
        Some(_) => BeforeItGoes::Disable,
    }
}

/// Whether it loses its fast launch, going or not.
fn is_switched_off(view: &View<'_>, owned: &Owned<'_>) -> bool {
    let mut all = wanted(view).into_iter();
    !view.desired.is_being_deleted()
        && all.any(|(one, wanted)| wanted.is_none() && one.key() == owned.key())
}

/// The images that somebody may have been told of, with how they shall be. What is published still, and is about to be
/// superseded or to go with its region, keeps what it has until then.
fn wanted<'a, 'v>(view: &'v View<'a>) -> Vec<(&'v Owned<'a>, Option<FastLaunchSettings>)> {
    let Some(asked) = view.desired.fast_launch else {
        return Vec::new();
    };
    let wanted = |owned: &Owned<'_>| match asked {
        WantedFastLaunch::On(settings)
            if view.desired.wants(owned.place) && is_what_users_launch(view, owned) =>
        {
            Some(Some(settings))
        }
        WantedFastLaunch::On(_) if owned.is_published() => None,
        WantedFastLaunch::On(_) | WantedFastLaunch::Off => Some(None),
    };
    once_published(view)
        .filter_map(|owned| Some((owned, wanted(owned)?)))
        .collect()
}

fn one(view: &View<'_>, owned: &Owned<'_>, wanted: Option<FastLaunchSettings>, plan: &mut Plan) {
    let step = |wanted: Option<FastLaunchSettings>| step(owned, wanted);
    let known = match view.observed.fast_launches.get(owned.place) {
        Some(FastLaunchView::Known(known)) => known,
        unknown => {
            if let Some(FastLaunchView::Unknown(unreadable)) = unknown
                && unreadable.lasts()
            {
                plan.findings
                    .push(Finding::of_unreadable(owned.place, unreadable));
            }
            if !view.desired.was_in_sync {
                let waits_for = WaitsFor::FastLaunchRead(owned.image.id.clone());
                plan.steps.push(step(wanted).waiting_for(waits_for));
            }
            return;
        }
    };
    let Some(it) = known.get(&owned.image.id) else {
        plan.steps
            .extend(wanted.map(|settings| step(Some(settings))));
        return;
    };
    let is_as_wanted = wanted == Some(it.settings);
    match it.state {
        FastLaunchState::Enabling | FastLaunchState::Disabling => {
            let waits_for = changing(view, owned, it);
            plan.steps.push(step(wanted).waiting_for(waits_for));
        }
        FastLaunchState::Enabled if is_as_wanted => {}
        FastLaunchState::EnablingFailed | FastLaunchState::EnabledFailed if is_as_wanted => {
            plan.findings.push(failed(owned, it));
        }
        FastLaunchState::DisablingFailed => plan.findings.push(failed(owned, it)),
        _ => plan.steps.push(step(None)),
    }
}

fn step(owned: &Owned<'_>, wanted: Option<FastLaunchSettings>) -> Step {
    let id = owned.image.id.clone();
    let (action, why) = match wanted {
        Some(settings) => (
            Action::EnableFastLaunch { id, settings },
            Why::WantedBy(FIELD),
        ),
        None => (Action::DisableFastLaunch { id }, Why::NotAsFieldSays(FIELD)),
    };
    Step::at(owned.place, action, why)
}

fn changing(view: &View<'_>, owned: &Owned<'_>, it: &FastLaunch) -> WaitsFor {
    WaitsFor::FastLaunch {
        id: owned.image.id.clone(),
        state: it.state,
        looks_again: it.looks_again(view.now),
    }
}

fn not_windows(owned: &Owned<'_>) -> Finding {
    Finding {
        reason: conditions::FAST_LAUNCH_NOT_SUPPORTED,
        place: Some(owned.place.clone()),
        message: format!(
            "{} in {} is no Windows image, and EC2 launches no others fast: take spec.fastLaunch out",
            owned.image.id, owned.place.region
        ),
    }
}

fn failed(owned: &Owned<'_>, it: &FastLaunch) -> Finding {
    let (id, region) = (&owned.image.id, &owned.place.region);
    let said = it.reason.as_deref().unwrap_or("it does not say why");
    let message = if it.state == FastLaunchState::DisablingFailed {
        format!(
            "EC2 could not switch off the fast launch of {id} in {region} ({}: {said}): mend that, and run aws ec2 \
             disable-fast-launch --image-id {id} --region {region} --force, which leaves to you what EC2 cannot remove",
            it.state
        )
    } else {
        format!(
            "EC2 could not prepare the fast launch of {id} in {region} ({}: {said}): mend that, then set spec.fastLaunch \
             to {{}} until it is off, and back",
            it.state
        )
    };
    Finding {
        reason: conditions::FAST_LAUNCH_FAILED,
        place: Some(owned.place.clone()),
        message,
    }
}
