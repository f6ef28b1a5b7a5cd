//! Copies into one region queue below EC2's limit, whichever objects they are of.

use std::collections::BTreeMap;
use std::time::Duration;

use amity::aws::Settings;
use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::ImageState;
use ec2sim::{Fault, Knobs};
use futures::StreamExt;

use crate::lab::{ACCOUNT, Lab, capture, copy, desired};

const REGION: &str = "eu-west-1";

/// Copies take minutes, and EC2's limits are in force: on snapshot copies and on requests.
fn slow() -> Knobs {
    Knobs {
        base_milliseconds: 180_000,
        max_read_lag_seconds: 30,
        request_buckets: true,
        ..Knobs::calm()
    }
}

fn here() -> Place {
    Place::new(ACCOUNT, REGION)
}

/// So many objects that all want the same image, in the order in which they ask.
fn objects(count: usize) -> Vec<Desired> {
    (0..count)
        .map(|number| desired(&format!("web-{number:02}"), &["us-east-1", REGION]))
        .collect()
}

/// A lab with an image of two snapshots in us-east-1 to copy.
async fn with_origin(knobs: Knobs) -> (Lab, String) {
    let lab = Lab::with_knobs(knobs).started().await;
    let origin = desired("origin", &["us-east-1"]);
    let id = lab.make(&origin, "us-east-1", capture(&origin)).await;
    lab.pass(1200).await;
    (lab, id)
}

/// Has every object copy the image, as reconciles would: an object looks when it is woken and when the time of
/// its refusal has come. Gives the objects in the order in which EC2 took their copies.
async fn copy_all(lab: &Lab, origin: &str, objects: &[Desired]) -> Vec<String> {
    let mut differences = Box::pin(lab.inventory.differences());
    let mut order = Vec::new();
    let by_name: BTreeMap<&str, &Desired> = objects
        .iter()
        .map(|desired| (desired.identity.object.as_str(), desired))
        .collect();
    let mut done = 0;
    let mut look: Vec<String> = objects
        .iter()
        .map(|desired| desired.identity.object.clone())
        .collect();
    let deadline = lab.clock.now() + jiff::SignedDuration::from_hours(6);
    while done < objects.len() {
        assert!(
            lab.clock.now() < deadline,
            "{done} of {} are done: {order:?}",
            objects.len()
        );
        for object in std::mem::take(&mut look) {
            let Some(desired) = by_name.get(object.as_str()) else {
                continue;
            };
            let known = lab.known(desired, REGION).await;
            let refusals = lab.observe(desired).await.refusals;
            let waits = refusals
                .values()
                .any(|refusal| refusal.retry_at > lab.clock.now());
            if known.images.is_empty() && !waits {
                let outcome = lab
                    .perform(desired, REGION, copy(desired, origin, REGION))
                    .await;
                if outcome.made().is_some() {
                    order.push(object);
                }
            }
        }
        tokio::select! {
            biased;
            woken = differences.next() => look.extend(woken),
            // A timer of its own for each object whose refusal has ended.
            () = tokio::time::sleep(Duration::from_secs(30)) => {
                look.extend(by_name.keys().map(|object| (*object).to_owned()));
            }
        }
        done = 0;
        for desired in objects {
            let known = lab.known(desired, REGION).await;
            done += usize::from(
                known
                    .images
                    .iter()
                    .any(|image| image.state == ImageState::Available),
            );
        }
    }
    order
}

fn outcomes(lab: &Lab, action: &str) -> Vec<String> {
    let log = lab.log().into_iter();
    log.filter(|(_, _, called, _)| called == action)
        .map(|(.., outcome)| outcome)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn sixty_copies_into_one_region_never_meet_ec2s_limit_and_come_in_order() {
    let (lab, origin) = with_origin(slow()).await;
    let objects = objects(60);
    let order = copy_all(&lab, &origin, &objects).await;
    let asked: Vec<&String> = objects
        .iter()
        .map(|desired| &desired.identity.object)
        .collect();
    assert_eq!(
        order.iter().collect::<Vec<_>>(),
        asked,
        "first come, first served"
    );
    let outcomes = outcomes(&lab, "CopyImage");
    assert_eq!(outcomes.len(), 60, "none was sent in vain: {outcomes:?}");
    assert_eq!(
        lab.inventory.copy_slots_free(&here()),
        Settings::default().copy_slots
    );
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_finds_no_slot_waits_and_says_for_what() {
    let (lab, origin) = with_origin(slow()).await;
    assert_eq!(lab.inventory.copy_slots_free(&here()), 20);
    let objects = objects(11);
    for (number, desired) in objects[..10].iter().enumerate() {
        lab.make(desired, REGION, copy(desired, &origin, REGION))
            .await;
        assert_eq!(
            lab.inventory.copy_slots_free(&here()),
            20 - 2 * (number + 1),
            "two snapshots each"
        );
    }
    let last = &objects[10];
    let before = lab.reached("CopyImage");
    let outcome = lab.perform(last, REGION, copy(last, &origin, REGION)).await;
    let refusal = outcome.result.expect_err("no slot");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::PROGRESSING, true)
    );
    assert_eq!(
        refusal.message,
        format!(
            "CopyImage of us-east-1/{origin} in eu-west-1 (account 111122223333) waits for a copy slot: 20 of 20 snapshot \
             copies into eu-west-1 are under way; it is sent by itself"
        )
    );
    assert_eq!(lab.reached("CopyImage"), before, "it was not sent");
    assert_eq!(
        lab.observe(last).await.refusals.len(),
        1,
        "the planner sees it"
    );
    let elsewhere = Place::new(ACCOUNT, "us-west-2");
    assert_eq!(
        lab.inventory.copy_slots_free(&elsewhere),
        20,
        "another region is unaffected"
    );
    lab.make(last, "us-west-2", copy(last, &origin, "us-west-2"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_slot_is_woken_when_one_is_free() {
    let (lab, origin) = with_origin(slow()).await;
    let objects = objects(11);
    for desired in &objects[..10] {
        lab.make(desired, REGION, copy(desired, &origin, REGION))
            .await;
    }
    let last = &objects[10];
    lab.perform(last, REGION, copy(last, &origin, REGION))
        .await
        .result
        .expect_err("no slot");
    let mut differences = Box::pin(lab.inventory.differences());
    let woken = async {
        while differences.next().await.as_deref() != Some(last.identity.object.as_str()) {}
    };
    tokio::time::timeout(Duration::from_mins(20), woken)
        .await
        .expect("it is woken");
    assert!(
        lab.observe(last).await.refusals.is_empty(),
        "nothing holds it back any more"
    );
    lab.make(last, REGION, copy(last, &origin, REGION)).await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_answer_was_lost_keeps_its_slots_and_is_repeated_in_them() {
    let (lab, origin) = with_origin(Knobs {
        max_read_lag_seconds: 120,
        ..slow()
    })
    .await;
    let objects = objects(10);
    lab.fail("CopyImage", Fault::LostAnswer);
    for desired in &objects {
        lab.perform(desired, REGION, copy(desired, &origin, REGION))
            .await
            .result
            .expect_err("lost");
    }
    assert_eq!(
        lab.inventory.copy_slots_free(&here()),
        0,
        "they may be under way"
    );
    lab.heal();
    lab.pass(3).await;
    for desired in &objects {
        lab.make(desired, REGION, copy(desired, &origin, REGION))
            .await;
    }
    assert_eq!(lab.images_in(REGION).len(), 10);
    assert_eq!(lab.inventory.copy_slots_free(&here()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_refused_gives_its_slots_back() {
    let (lab, _) = with_origin(slow()).await;
    let desired = desired("web", &[REGION]);
    let gone = copy(&desired, "ami-0beefcafebeefcaf0", REGION);
    lab.perform(&desired, REGION, gone)
        .await
        .result
        .expect_err("no such image");
    assert_eq!(lab.inventory.copy_slots_free(&here()), 20);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_waits_for_nothing() {
    let (lab, origin) = with_origin(slow()).await;
    let objects = objects(12);
    for desired in &objects[..10] {
        lab.make(desired, REGION, copy(desired, &origin, REGION))
            .await;
    }
    for desired in &objects[10..] {
        lab.perform(desired, REGION, copy(desired, &origin, REGION))
            .await
            .result
            .expect_err("no slot");
    }
    lab.inventory.forget(&objects[10].identity.object);
    let mut differences = Box::pin(lab.inventory.differences());
    let woken = async {
        loop {
            let object = differences.next().await.unwrap_or_default();
            assert_ne!(object, objects[10].identity.object);
            if object == objects[11].identity.object {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(20), woken)
        .await
        .expect("the next is woken");
}

#[tokio::test(start_paused = true)]
async fn captures_take_no_slots() {
    let lab = Lab::with_knobs(slow()).started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    assert_eq!(
        lab.inventory
            .copy_slots_free(&Place::new(ACCOUNT, "us-east-1")),
        20
    );
}

#[tokio::test(start_paused = true)]
async fn others_copies_are_met_as_ec2s_limit_and_back_off_the_place() {
    let (lab, origin) = with_origin(Knobs {
        concurrent_snapshot_copies: Some(3),
        ..slow()
    })
    .await;
    let objects = objects(2);
    lab.make(&objects[0], REGION, copy(&objects[0], &origin, REGION))
        .await;
    let outcome = lab
        .perform(&objects[1], REGION, copy(&objects[1], &origin, REGION))
        .await;
    let refusal = outcome.result.expect_err("EC2's limit");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::THROTTLED, true)
    );
    assert!(
        refusal.message.contains("ResourceLimitExceeded"),
        "{}",
        refusal.message
    );
    assert!(
        refusal.message.contains("--copy-slots"),
        "{}",
        refusal.message
    );
    assert_eq!(
        lab.inventory.copy_slots_free(&here()),
        18,
        "it takes no slot"
    );
}
