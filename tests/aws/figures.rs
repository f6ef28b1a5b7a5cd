//! What the inventory tells of each place, for whoever watches the process.

use amity::aws::inventory::PlaceFigures;
use amity_core::image::identity::Place;
use ec2sim::Fault;
use serde_json::json;

use crate::lab::{ACCOUNT, Lab, account, capture, copy, desired};

fn of(lab: &Lab, region: &str) -> Option<PlaceFigures> {
    let place = Place::new(ACCOUNT, region);
    lab.inventory.figures().get(&place).copied()
}

#[tokio::test(start_paused = true)]
async fn what_is_known_of_a_place_ages_until_it_is_read_again() {
    let lab = Lab::calm().started().await;
    lab.pass(3600).await;
    let age = of(&lab, "eu-west-1").unwrap().age;
    assert!((0.0..=300.0).contains(&age), "{age}");
    lab.fail("DescribeImages", Fault::LostAnswer);
    lab.pass(3600).await;
    let later = of(&lab, "eu-west-1").unwrap().age;
    assert!((3600.0..=3900.0).contains(&later), "{later}");
    lab.heal();
    lab.pass(600).await;
    assert!(of(&lab, "eu-west-1").unwrap().age <= 300.0);
}

#[tokio::test(start_paused = true)]
async fn copies_take_slots_and_what_they_store_is_counted() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    let before = of(&lab, "eu-west-1").unwrap();
    assert_eq!((before.slots_used, before.slots_free), (0, 20));
    assert_eq!(before.stored_bytes, 0);
    lab.make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    let under_way = of(&lab, "eu-west-1").unwrap();
    assert_eq!((under_way.slots_used, under_way.slots_free), (2, 18));
    lab.pass(1200).await;
    let after = of(&lab, "eu-west-1").unwrap();
    assert_eq!((after.slots_used, after.slots_free), (0, 20));
    assert!(after.stored_bytes > 0);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_ec2_throttles_is_told_until_it_takes_it_or_nobody_asks() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.fail("CreateImage", Fault::Throttle);
    lab.perform(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(of(&lab, "us-east-1").unwrap().throttled, 1);
    assert_eq!(of(&lab, "eu-west-1").unwrap().throttled, 0);
    lab.pass(1200).await;
    assert_eq!(of(&lab, "us-east-1").unwrap().throttled, 0);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_taken_from_an_account_has_no_figures() {
    let lab = Lab::calm().started().await;
    lab.pass(60).await;
    assert!(of(&lab, "eu-west-1").is_some());
    lab.inventory
        .set_accounts([account(json!({"regions": ["us-east-1"]}))]);
    lab.pass(60).await;
    assert!(of(&lab, "eu-west-1").is_none());
    assert!(of(&lab, "us-east-1").is_some());
}
