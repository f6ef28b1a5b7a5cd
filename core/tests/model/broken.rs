//! Planners that are broken on purpose, each in one way in which somebody might break the real one: all are found
//! out. What an invariant of the core cannot see, because it sees only what is known, is seen in EC2 itself.

use amity_core::image::desired::Desired;
use amity_core::image::identity::{Standing, standing, tag};
use amity_core::image::observed::{
    Dead, ImageState, Observed, PlaceView, SourceInstance, SourceView,
};
use amity_core::image::plan::{Action, Plan, Step, WaitsFor, Why, plan};
use jiff::Timestamp;

use crate::hands::Hand;
use crate::look::Planner;
use crate::object::{Edit, Source};
use crate::parts::Left;
use crate::search::search;
use crate::system::{Amity, Scope};
use crate::{A_FAULT, ANY_FAULTS, NOTHING, scope};

/// What is wrong with the planner, found with the invariants of the core or without.
fn found(planner: Planner, asks_invariants: bool, scope: Scope) -> String {
    let mut amity = Amity::new(Scope {
        planner,
        asks_invariants,
        ..scope
    });
    let wrong = search(&mut amity).expect_err("a broken planner is found out");
    println!("{}\n{}", wrong.path.join("\n"), wrong.why);
    wrong.why
}

/// The invariants refuse the plan.
fn assert_broken(invariant: &str, planner: Planner, scope: Scope) {
    let why = found(planner, true, scope);
    assert!(why.contains(&format!("invariant {invariant}: ")), "{why}");
}

/// EC2 has what must never be.
fn assert_wrong_in_ec2(said: &str, planner: Planner, scope: Scope) {
    let why = found(planner, false, scope);
    assert!(why.contains(said), "{why}");
}

/// The plan, changed.
fn changed(
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
    change: impl FnOnce(&mut Plan),
) -> Plan {
    let mut plan = plan(desired, observed, now);
    change(&mut plan);
    plan
}

/// The plan, in which none of these steps waits for this.
fn impatient(mut plan: Plan, of: fn(&Action) -> bool, waits: fn(&WaitsFor) -> bool) -> Plan {
    let steps = plan.steps.iter_mut().filter(|step| of(&step.action));
    steps
        .filter(|step| step.waits_for.as_ref().is_some_and(waits))
        .for_each(|step| step.waits_for = None);
    plan
}

/// What is seen, without some images.
fn without(
    observed: &Observed,
    hidden: impl Fn(&amity_core::image::observed::Image) -> bool,
) -> Observed {
    let mut observed = observed.clone();
    for view in observed.places.values_mut() {
        if let PlaceView::Known(known) = view {
            known.images.retain(|image| !hidden(image));
        }
    }
    observed
}

fn edits(edits: &[Edit], times: Left) -> Scope {
    Scope {
        edits: edits.to_vec(),
        ..scope(Source::Instance, Left { edits: 1, ..times })
    }
}

fn hands(hand: Hand, times: Left) -> Scope {
    Scope {
        hands: vec![hand],
        ..scope(Source::Instance, Left { deeds: 1, ..times })
    }
}

#[test]
fn who_captures_again_while_an_image_is_unproven() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let is_unproven = |image: &_| standing(image, &desired.identity) == Standing::Unproven;
        let mut observed = without(observed, is_unproven);
        observed.source = SourceView::Instance(SourceInstance {
            state: "running".to_owned(),
            tags: [].into(),
            data_devices: Vec::new(),
            unsupported: None,
        });
        plan(desired, &observed, now)
    }
    assert_broken(
        "8",
        broken,
        Scope {
            sources_lag: true,
            ..scope(Source::Instance, NOTHING)
        },
    );
}

#[test]
fn who_captures_without_a_record() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let mut recorded = desired.clone();
        recorded.captured = Some(amity_core::image::desired::Captured {
            revision: desired.revision.clone(),
            at: now,
        });
        plan(&recorded, observed, now)
    }
    assert_broken("8", broken, scope(Source::Instance, NOTHING));
    assert_wrong_in_ec2(
        "captured before",
        broken,
        hands(Hand::Deregister, ANY_FAULTS),
    );
}

#[test]
fn who_copies_without_a_token() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            for step in &mut plan.steps {
                if let Action::CopyImage { token, .. } = &mut step.action {
                    token.clear();
                }
            }
        })
    }
    assert_wrong_in_ec2(
        "of one revision",
        broken,
        scope(Source::Snapshot, ANY_FAULTS),
    );
}

#[test]
fn who_takes_what_is_not_listed_for_gone() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let mut observed = observed.clone();
        for view in observed.places.values_mut() {
            let PlaceView::Known(known) = view else {
                continue;
            };
            let (missing, listed) = std::mem::take(&mut known.images)
                .into_iter()
                .partition(|image| matches!(image.state, ImageState::Missing { .. }));
            known.images = listed;
            let missing: Vec<amity_core::image::observed::Image> = missing;
            known.dead.extend(missing.into_iter().map(|image| Dead {
                id: image.id,
                revision: desired.revision.clone(),
                attempt: 0,
            }));
        }
        plan(desired, &observed, now)
    }
    assert_wrong_in_ec2("of one revision", broken, scope(Source::Image, ANY_FAULTS));
}

#[test]
fn who_fills_a_place_twice() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let is_young =
            |image: &amity_core::image::observed::Image| image.state == ImageState::Pending;
        plan(desired, &without(observed, is_young), now)
    }
    assert_broken("3", broken, scope(Source::Image, NOTHING));
}

#[test]
fn who_retires_the_old_revision_before_the_new_one_is_published() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            for place in &desired.places {
                let known = observed.known_at(place).map(|known| known.images.iter());
                let old = known.into_iter().flatten().filter(|image| {
                    image.tags.contains_key(tag::PUBLISHED)
                        && image.tags.get(tag::REVISION) != Some(desired.revision.as_str())
                });
                let why = Why::SupersededBy(desired.revision.clone());
                let steps = old.map(|image| Action::DeregisterImage {
                    id: image.id.clone(),
                });
                plan.steps
                    .extend(steps.map(|action| Step::at(place, action, why.clone())));
            }
        })
    }
    assert_broken("4", broken, edits(&[Edit::Rebuild], NOTHING));
    assert_wrong_in_ec2(
        "can be launched any more",
        broken,
        edits(&[Edit::Rebuild], NOTHING),
    );
}

#[test]
fn who_unpublishes_the_old_revision_first() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            for (place, known) in observed.known() {
                let old = known.images.iter().filter(|image| {
                    image.tags.contains_key(tag::PUBLISHED)
                        && image.tags.get(tag::REVISION) != Some(desired.revision.as_str())
                });
                let untag = |id: &String| Action::DeleteTags {
                    id: id.clone(),
                    keys: vec![tag::PUBLISHED.to_owned()],
                };
                let why = Why::SupersededBy(desired.revision.clone());
                let steps = old.map(|image| Step::at(place, untag(&image.id), why.clone()));
                plan.steps.splice(0..0, steps.collect::<Vec<_>>());
            }
        })
    }
    assert_wrong_in_ec2(
        "can be launched any more",
        broken,
        edits(&[Edit::Rebuild], NOTHING),
    );
}

#[test]
fn who_deletes_snapshots_that_are_in_use() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            for (place, known) in observed.known() {
                let all = known
                    .snapshots
                    .iter()
                    .map(|one| Action::DeleteSnapshot { id: one.id.clone() });
                plan.steps
                    .extend(all.map(|action| Step::at(place, action, Why::ItsImageIsGone)));
            }
        })
    }
    assert_broken("7", broken, scope(Source::Instance, NOTHING));
}

#[test]
fn who_deregisters_what_carries_copied_tags() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            for (place, known) in observed.known() {
                let is_foreign =
                    |image: &&_| matches!(standing(image, &desired.identity), Standing::Foreign(_));
                let all = known.images.iter().filter(is_foreign);
                let all = all.map(|image| Action::DeregisterImage {
                    id: image.id.clone(),
                });
                plan.steps
                    .extend(all.map(|action| Step::at(place, action, Why::Surplus)));
            }
        })
    }
    assert_broken("1", broken, hands(Hand::CopyWithTags, NOTHING));
    assert_wrong_in_ec2(
        "is somebody else's",
        broken,
        hands(Hand::CopyWithTags, NOTHING),
    );
}

#[test]
fn who_seals_what_ec2_does_not_prove() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let plan = plan(desired, observed, now);
        impatient(
            plan,
            |action| matches!(action, Action::CreateTags { .. }),
            |waits| matches!(waits, WaitsFor::Proof(_)),
        )
    }
    assert_broken(
        "1",
        broken,
        Scope {
            sources_lag: true,
            ..scope(Source::Instance, NOTHING)
        },
    );
}

#[test]
fn who_captures_while_a_region_cannot_be_read() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let plan = plan(desired, observed, now);
        let asks = |action: &Action| action.creates_origin();
        impatient(plan, asks, |waits| matches!(waits, WaitsFor::Readable(_)))
    }
    assert_broken("2", broken, scope(Source::Snapshot, NOTHING));
}

#[test]
fn who_lets_the_object_go_while_something_is_left() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let releases = |action: &Action| matches!(action, Action::ReleaseFinalizer);
        impatient(plan(desired, observed, now), releases, |waits| {
            matches!(waits, WaitsFor::Deletion(_))
        })
    }
    assert_broken("2", broken, edits(&[Edit::Delete], NOTHING));
    assert_wrong_in_ec2(
        "the object is let go, but",
        broken,
        edits(&[Edit::Delete], NOTHING),
    );
}

#[test]
fn who_lets_the_object_go_before_a_lost_answer_would_show() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        let releases = |action: &Action| matches!(action, Action::ReleaseFinalizer);
        let waits = |waits: &WaitsFor| {
            matches!(
                waits,
                WaitsFor::ConsistencyWindow { .. } | WaitsFor::FreshLists(_)
            )
        };
        impatient(plan(desired, observed, now), releases, waits)
    }
    assert_wrong_in_ec2(
        "the object is let go, but",
        broken,
        edits(&[Edit::Delete], ANY_FAULTS),
    );
}

#[test]
fn who_forgets_the_finalizer() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            plan.steps
                .retain(|step| !matches!(step.action, Action::StoreFinalizer));
        })
    }
    assert_wrong_in_ec2(
        "the object is let go, but",
        broken,
        edits(&[Edit::Delete], NOTHING),
    );
}

#[test]
fn who_never_retires() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            plan.steps
                .retain(|step| !matches!(step.action, Action::DeregisterImage { .. }));
        })
    }
    assert_wrong_in_ec2("at rest, but", broken, edits(&[Edit::OnlyIn(0)], NOTHING));
}

#[test]
fn who_waits_for_ever() {
    fn broken(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
        changed(desired, observed, now, |plan| {
            let seals = |step: &Step| step.why == Why::ProvenOurs;
            plan.steps.retain(|step| !seals(step));
        })
    }
    assert_wrong_in_ec2("nothing goes on", broken, scope(Source::Snapshot, A_FAULT));
}
