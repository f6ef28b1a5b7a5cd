//! What is put off although it is wanted: an image that somebody holds or uses, more departures than are likely
//! to be meant, and what EC2 refused of late.

use super::delete::WAY_OUT;
use super::fast_launch::{BeforeItGoes, before_it_goes};
use super::step::{Action, Finding, Plan, Step, WaitsFor};
use super::usage::{in_use, in_use_elsewhere};
use super::view::{Owned, View};
use crate::api::conditions;
use crate::image::attributes::{AttributeChange, Protection};
use crate::image::desired::LIMIT_LIFTED_UNTIL;
use crate::image::identity::tag;
use crate::image::observed::Departures;

/// Puts off what must not be done now.
pub(crate) fn hold_back(view: &View<'_>, plan: &mut Plan) {
    hold_back_deregistrations(view, plan);
    hold_back_refused(view, plan);
}

/// The first thing that keeps an image is what the user reads. Who uses it is asked last, since it costs a call; and not in
/// a cooldown, which lasts a day and ends before anything can be done.
fn hold_back_deregistrations(view: &View<'_>, plan: &mut Plan) {
    let mut steps = std::mem::take(&mut plan.steps);
    for step in &mut steps {
        let Some(owned) = deregistered(view, step) else {
            continue;
        };
        // What parameters say is read at the last moment, and not again and again while something uses the image.
        let is_next = matches!(step.waits_for, None | Some(WaitsFor::Parameters(_)));
        let kept = held(view, owned)
            .or_else(|| too_many(view, owned))
            .or_else(|| cools_down(view, owned).filter(|_| is_next))
            .or_else(|| in_use(view, owned).filter(|_| is_next))
            .or_else(|| in_use_elsewhere(view, owned, step))
            .or_else(|| protected(view, owned, step));
        let Some(kept) = kept.or_else(|| launches_fast(view, owned, step)) else {
            continue;
        };
        step.waits_for = Some(kept.waits_for);
        let list = match &kept.finding {
            Some(finding) if finding.reason == conditions::IN_USE => &mut plan.notes,
            _ => &mut plan.findings,
        };
        list.extend(kept.finding.filter(|finding| !list.contains(finding)));
    }
    plan.steps = steps;
}

/// Why an image stays for now.
pub(super) struct Kept {
    pub waits_for: WaitsFor,
    pub finding: Option<Finding>,
}

fn deregistered<'a, 'v>(view: &'v View<'a>, step: &Step) -> Option<&'v Owned<'a>> {
    let Action::DeregisterImage { id } = &step.action else {
        return None;
    };
    view.claimed.iter().find(|owned| owned.image.id == *id)
}

/// An image that somebody holds with a tag stays, and the user reads by whom (invariant 4).
fn held(view: &View<'_>, owned: &Owned<'_>) -> Option<Kept> {
    let by = owned.image.tags.get(tag::HOLD)?;
    let id = &owned.image.id;
    let said = format!(
        "{id} in {} is no longer wanted, but held by the tag {}={by}: remove the tag to let it go",
        owned.place.region,
        tag::HOLD
    );
    Some(Kept {
        waits_for: WaitsFor::Hold(id.clone()),
        finding: Some(Finding {
            reason: conditions::DEREGISTRATION_BLOCKED,
            place: Some(owned.place.clone()),
            message: with_way_out(view, said),
        }),
    })
}

/// What keeps an image keeps an object from going, too, which the user can let go without it.
pub(super) fn with_way_out(view: &View<'_>, said: String) -> String {
    if view.desired.is_being_deleted() {
        return format!("deletion waits: {said}; or {WAY_OUT}");
    }
    said
}

/// The protection of the image is off, and EC2 does not deregister it for some time yet.
fn cools_down(view: &View<'_>, owned: &Owned<'_>) -> Option<Kept> {
    match owned.image.attributes.protection {
        Protection::DisabledAfter(until) if until > view.now => Some(Kept {
            waits_for: WaitsFor::Cooldown {
                id: owned.image.id.clone(),
                until,
            },
            finding: None,
        }),
        _ => None,
    }
}

/// An image that is protected goes once the protection is off, if the spec manages that; else it stays until somebody takes
/// it off, and the user reads so.
fn protected(view: &View<'_>, owned: &Owned<'_>, step: &mut Step) -> Option<Kept> {
    let id = &owned.image.id;
    if step.waits_for.is_some() || !step.action.destroys() {
        return None;
    }
    match owned.image.attributes.protection {
        Protection::Disabled | Protection::DisabledAfter(_) => None,
        _ if view.desired.protection.is_some() => {
            step.action = Action::ModifyImage {
                id: id.clone(),
                change: AttributeChange::Protection(Protection::Disabled),
            };
            None
        }
        _ => {
            let said = format!(
                "{id} in {} is no longer wanted, but somebody protected it against deregistration: disable that in EC2, \
                 or set spec.deregistrationProtection, which lets Amity do so",
                owned.place.region
            );
            Some(Kept {
                waits_for: WaitsFor::Protection(id.clone()),
                finding: Some(Finding {
                    reason: conditions::DEREGISTRATION_BLOCKED,
                    place: Some(owned.place.clone()),
                    message: with_way_out(view, said),
                }),
            })
        }
    }
}

/// An image that EC2 launches fast goes once that is off.
fn launches_fast(view: &View<'_>, owned: &Owned<'_>, step: &mut Step) -> Option<Kept> {
    let goes_now =
        matches!(step.action, Action::DeregisterImage { .. }) && step.waits_for.is_none();
    if !goes_now {
        return None;
    }
    match before_it_goes(view, owned) {
        BeforeItGoes::Nothing => None,
        BeforeItGoes::Disable => {
            let id = owned.image.id.clone();
            step.action = Action::DisableFastLaunch { id };
            None
        }
        BeforeItGoes::Wait(waits_for) => Some(Kept {
            waits_for,
            finding: None,
        }),
        BeforeItGoes::Blocked(waits_for, mut finding) => {
            finding.message = with_way_out(view, finding.message);
            Some(Kept {
                waits_for,
                finding: Some(finding),
            })
        }
    }
}

/// So many published images at once are more likely a mistake (invariant 9).
fn too_many(view: &View<'_>, owned: &Owned<'_>) -> Option<Kept> {
    let is_lifted = view
        .desired
        .limit_lifted_until(&owned.place.account)
        .is_some_and(|until| view.now < until);
    // What lost the tag because its region is no longer wanted has no successor there.
    let has_successor = view.desired.wants(owned.place) && !view.desired.is_being_deleted();
    let may_be_missed = owned.is_published() || owned.was_published() && !has_successor;
    if !may_be_missed || is_lifted {
        return None;
    }
    let counted = view.observed.departures.get(&owned.place.account).copied();
    let Some(Departures { going, published }) = counted else {
        return Some(Kept {
            waits_for: WaitsFor::Departures,
            finding: None,
        });
    };
    if !(Departures { going, published }).are_too_many() {
        return None;
    }
    let said = format!(
        "{going} of the {published} published images of account {} are to go at once, more than {} and more than a \
         fifth: if that is meant, annotate AwsAccount {:?} with {LIMIT_LIFTED_UNTIL}=TIME (an hour from now, say, as \
         2026-03-01T12:00:00Z), else put back what was deleted or changed",
        owned.place.account,
        Departures::FEW,
        view.desired.account_name(owned.place)
    );
    Some(Kept {
        waits_for: WaitsFor::Acknowledgement,
        finding: Some(Finding {
            reason: conditions::DEREGISTRATION_LIMIT,
            place: None,
            message: with_way_out(view, said),
        }),
    })
}

/// What EC2 refused of late is not asked again before its time, and the user reads why.
fn hold_back_refused(view: &View<'_>, plan: &mut Plan) {
    for (asked, refusal) in &view.observed.refusals {
        let mut refused = plan
            .steps
            .iter_mut()
            .filter(|step| {
                let place = step.place.as_ref();
                place.is_some_and(|place| asked.includes(place, &step.action))
            })
            .filter(|step| matches!(step.waits_for, None | Some(WaitsFor::Retry { .. })))
            .peekable();
        if refused.peek().is_none() {
            continue;
        }
        for step in refused {
            if refusal.retry_at > view.now {
                step.waits_for = Some(WaitsFor::Retry {
                    until: refusal.retry_at,
                });
            }
        }
        plan.findings.push(Finding {
            reason: refusal.reason,
            place: Some(asked.place.clone()),
            message: refusal.message.clone(),
        });
    }
}
