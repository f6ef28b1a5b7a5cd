//! From what is desired and observed to what is to be done, and why. A pure function.
//!
//! | file | concern |
//! | --- | --- |
//! | [`step`] | what a plan is made of |
//! | `view` | whose each image is, and what stands where |
//! | `seal` | marking as ours what EC2 proves to be |
//! | `origin` | the capture that everything is copied from |
//! | `copies` | filling each place from any available image of the revision |
//! | `attributes` | bringing `spec.tags` into line |
//! | `publish` | when the revision becomes what users launch |
//! | `retire` | what goes, and when it may |
//! | `delete` | the end of the object |

mod attributes;
mod copies;
mod delete;
mod origin;
mod publish;
mod retire;
mod seal;
pub mod step;
mod view;

use jiff::Timestamp;

use super::desired::Desired;
use super::identity::{Place, Standing, is_sealed_snapshot, tag};
use super::observed::{ImageState, Known, Observed, Snapshot};
use crate::api::conditions;
pub use step::{Action, Finding, Plan, Step, WaitsFor, Why};
pub(crate) use view::{Owned, View};

/// What is to be done so that EC2 matches `desired`, given what is known of it at `now`.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
    let view = View::new(desired, observed, now);
    let mut plan = Plan {
        notes: notes(&view),
        ..Plan::default()
    };
    if let Some(finding) = held_by_other_cluster(&view) {
        plan.findings.push(finding);
        if !(desired.is_being_deleted() && view.retains()) {
            return plan;
        }
    }
    if desired.is_being_deleted() {
        delete::delete(&view, &mut plan);
    } else if desired.suspended {
        plan.findings.push(Finding {
            reason: conditions::SUSPENDED,
            place: None,
            message: "spec.suspend is true: nothing is made, copied, tagged or retired".to_owned(),
        });
    } else {
        plan.findings.extend(desired.refusals.iter().cloned());
        seal::seal(&view, &mut plan);
        origin::capture(&view, &mut plan);
        copies::fill(&view, &mut plan);
        attributes::tag(&view, &mut plan);
        publish::publish(&view, &mut plan);
        retire::retire(&view, &mut plan);
        unreadable_places(&view, &mut plan);
    }
    hold_back_held(&view, &mut plan);
    hold_back_refused(&view, &mut plan);
    store_finalizer_first(desired, &mut plan);
    plan
}

/// Whether the plan may need to know what the source looks like: while a wanted place lacks an image of
/// the revision and something could be made for it.
pub fn needs_source(desired: &Desired, observed: &Observed, now: Timestamp) -> bool {
    let view = View::new(desired, observed, now);
    !desired.is_being_deleted()
        && !desired.suspended
        && desired.refusals.is_empty()
        && desired
            .places
            .iter()
            .any(|place| view.keeper(place).is_none())
        && (desired.reboot.is_none() || !view.has_sibling())
}

/// The finalizer is stored before the first effect (design: "Deleting").
fn store_finalizer_first(desired: &Desired, plan: &mut Plan) {
    let takes_effect = plan.steps.iter().any(|step| step.waits_for.is_none());
    if !desired.has_finalizer && !desired.is_being_deleted() && takes_effect {
        plan.steps.insert(
            0,
            Step::on_object(Action::StoreFinalizer, Why::NothingMayBeLeftBehind),
        );
    }
}

/// A place that cannot be read is left alone, and the user reads why if it is wanted or holds up the capture.
fn unreadable_places(view: &View<'_>, plan: &mut Plan) {
    if view.desired.account_id.is_none() {
        return;
    }
    let holds_up_the_capture = plan.steps.iter().any(|step| {
        matches!(
            (&step.action, &step.waits_for),
            (Action::CreateImage { .. }, Some(WaitsFor::Readable(_)))
        )
    });
    for (place, unreadable) in view.observed.unreadable() {
        if view.desired.wants(place) || holds_up_the_capture {
            plan.findings.push(Finding {
                reason: unreadable.reason,
                place: Some(place.clone()),
                message: unreadable.message.clone(),
            });
        }
    }
}

/// An image that somebody holds with a tag stays, and the user reads by whom (invariant 4).
fn hold_back_held(view: &View<'_>, plan: &mut Plan) {
    for step in &mut plan.steps {
        let Action::DeregisterImage { id } = &step.action else {
            continue;
        };
        let held = view.claimed.iter().find(|owned| owned.image.id == *id);
        let Some((owned, by)) =
            held.and_then(|owned| Some((owned, owned.image.tags.get(tag::HOLD)?)))
        else {
            continue;
        };
        plan.findings.push(Finding {
            reason: conditions::DEREGISTRATION_BLOCKED,
            place: Some(owned.place.clone()),
            message: format!(
                "{id} in {} is no longer wanted, but held by the tag {}={by}: remove the tag to let it go",
                owned.place.region,
                tag::HOLD
            ),
        });
        step.waits_for = Some(WaitsFor::Hold(id.clone()));
    }
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

/// Images that another cluster sealed for the same owner and object are not touched.
fn held_by_other_cluster(view: &View<'_>) -> Option<Finding> {
    view.claimed.iter().find_map(|owned| match &owned.standing {
        Standing::OtherCluster(uid) => Some(Finding {
            reason: conditions::HELD_BY_OTHER_CLUSTER,
            place: Some(owned.place.clone()),
            message: format!(
                "{} in {} was made for this object from another cluster, whose namespace kube-system has uid {uid}: \
                 give each installation an --owner-id of its own, or {}",
                owned.image.id,
                owned.place.region,
                if view.desired.is_being_deleted() { delete::WAY_OUT } else { "delete the object there" }
            ),
        }),
        _ => None,
    })
}

/// Images and snapshots that carry our tags but are not proven ours: reported, never touched.
fn notes(view: &View<'_>) -> Vec<Finding> {
    let foreign = view
        .claimed
        .iter()
        .filter_map(|owned| match owned.standing {
            Standing::Foreign(why) => Some(Finding {
                reason: conditions::FOREIGN_IMAGE,
                place: Some(owned.place.clone()),
                message: format!(
                    "{} in {} carries this object's tags, but is left alone: {why}",
                    owned.image.id, owned.place.region
                ),
            }),
            _ => None,
        });
    foreign
        .chain(
            view.observed
                .known()
                .flat_map(|(place, known)| strays(view, place, known)),
        )
        .collect()
}

/// Snapshots with our tags that no image of ours was seen to use.
fn strays<'a>(
    view: &'a View<'_>,
    place: &'a Place,
    known: &'a Known,
) -> impl Iterator<Item = Finding> + 'a {
    let identity = &view.desired.identity;
    known
        .snapshots
        .iter()
        .filter(|snapshot| identity.is_claimed_by(&snapshot.tags))
        .filter(|snapshot| !is_sealed_snapshot(snapshot, identity) && !snapshot.tags.contains_key(tag::RETAINED))
        .filter(move |snapshot| !view.claimed.iter().any(|owned| owned.place == place && may_use(owned, snapshot)))
        .map(move |snapshot| Finding {
            reason: conditions::FOREIGN_IMAGE,
            place: Some(place.clone()),
            message: format!(
                "{} in {} carries this object's tags, but is left alone: no image of this object was seen to use it",
                snapshot.id, place.region
            ),
        })
}

/// Whether the snapshot is the image's, or may yet turn out to be: which snapshots a copy gets shows late.
fn may_use(owned: &Owned<'_>, snapshot: &Snapshot) -> bool {
    let is_unfinished = matches!(
        owned.image.state,
        ImageState::Pending | ImageState::Missing { .. }
    );
    let is_alike = owned.image.tags.get(tag::REVISION) == snapshot.tags.get(tag::REVISION);
    !matches!(owned.standing, Standing::Foreign(_))
        && (owned.image.snapshots.contains(&snapshot.id) || is_unfinished && is_alike)
}
