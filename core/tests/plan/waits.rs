//! What a step waits for where no case can say what is observed, and what the controller does about waits.

use amity_core::image::identity::Place;
use amity_core::image::observed::{Asked, PlaceView};
use amity_core::image::plan::{Action, Plan, WaitsFor, plan};
use jiff::SignedDuration;

use crate::read::{ACCOUNT, now, situation};

/// The plan of a case in which no snapshot is listed, whatever images have.
fn without_snapshots(case: &str) -> Plan {
    let case = serde_saphyr::from_str(case).unwrap();
    let mut it = situation(&case).unwrap();
    for view in it.observed.places.values_mut() {
        if let PlaceView::Known(known) = view {
            known.snapshots.clear();
        }
    }
    plan(&it.desired, &it.observed, it.now)
}

fn planned(case: &str) -> Plan {
    let case = serde_saphyr::from_str(case).unwrap();
    let it = situation(&case).unwrap();
    plan(&it.desired, &it.observed, it.now)
}

/// What the deregistration of an older image waits for that has a snapshot which lists lack.
fn older_image_waits_for(image: &str) -> Option<WaitsFor> {
    let plan = without_snapshots(&format!(
        "desired: {{source: {{instance: us-east-1/i-1}}, regions: [us-east-1]}}\n\
         observed: {{us-east-1: {{images: [{{id: ami-a, published: true}}, \
         {{id: ami-1, revision: old, snapshots: [snap-1], {image}}}]}}}}"
    ));
    let mut steps = plan.steps.into_iter();
    let step = steps.find(|step| matches!(step.action, Action::DeregisterImage { .. }));
    step.expect("it goes").waits_for
}

#[test]
fn a_snapshot_that_lists_lack_may_be_ours_while_its_image_is_young() {
    let waits = Some(WaitsFor::SealedSnapshots("ami-1".to_owned()));
    assert_eq!(older_image_waits_for("created: -1m"), waits);
    assert_eq!(
        older_image_waits_for("created: -10m"),
        waits,
        "to the second"
    );
    assert_eq!(older_image_waits_for("created: -1h"), None);
    assert_eq!(older_image_waits_for("created: -1h, state: pending"), waits);
}

#[test]
fn a_place_is_listed_anew_and_a_copy_slot_awaited_only_where_a_step_waits_for_it() {
    let regions = "desired: {source: {image: us-east-1/ami-1}, regions: [us-east-1, eu-west-1]}";
    let plan = planned(&format!(
        "{regions}\nobserved: {{us-east-1: {{freeCopySlots: 0}}, eu-west-1: {{freeCopySlots: 1}}}}"
    ));
    let place = |region| Place::new(ACCOUNT, region);
    let waiting: Vec<_> = plan.wants_copy_slots().cloned().collect();
    assert_eq!(waiting, [place("us-east-1")]);
    assert_eq!(plan.wants_listed().count(), 0);
    assert_eq!(plan.wakes_at(), None);
}

#[test]
fn the_first_of_the_times_that_steps_wait_for_wakes_the_object() {
    let plan = planned(
        "desired: {source: {instance: us-east-1/i-1}, regions: [us-east-1, eu-west-1, eu-west-2]}\n\
         observed:\n  us-east-1: {images: [{id: ami-a}]}\n  \
         eu-west-1: {images: [{id: ami-b, from: us-east-1/ami-a, missing: -3m}]}\n  \
         eu-west-2: {images: [{id: ami-c, from: us-east-1/ami-a, missing: -6m}]}",
    );
    assert_eq!(plan.wakes_at(), Some(now() + SignedDuration::from_mins(4)));
}

#[test]
fn a_refusal_holds_back_the_same_call_on_the_same_thing_in_the_same_place() {
    let place = |region| Place::new(ACCOUNT, region);
    let untag = |id: &str| Action::DeleteTags {
        id: id.to_owned(),
        keys: vec!["a".to_owned()],
    };
    let deregister = |id: &str| Action::DeregisterImage { id: id.to_owned() };
    let asked = Asked::of(&place("us-east-1"), &deregister("ami-1"));
    assert!(asked.includes(&place("us-east-1"), &deregister("ami-1")));
    assert!(!asked.includes(&place("us-east-1"), &deregister("ami-2")));
    assert!(!asked.includes(&place("us-east-1"), &untag("ami-1")));
    assert!(!asked.includes(&place("eu-west-1"), &deregister("ami-1")));
    let every = Asked {
        target: None,
        ..asked
    };
    assert!(every.includes(&place("us-east-1"), &deregister("ami-2")));
    assert!(!every.includes(&place("us-east-1"), &untag("ami-2")));
}
