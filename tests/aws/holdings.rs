//! All that an account holds of this installation, whatever object it is of, and what could not be read.

use std::collections::BTreeSet;

use amity_core::account::{Held, Holdings};
use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, tag};
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::Action;
use ec2sim::{Fault, Knobs};
use serde_json::json;

use crate::lab::{ACCOUNT, INSTANCE, Lab, account, capture, copy, desired};

const PARTNER: &str = "444455556666";

fn holdings(lab: &Lab) -> Holdings {
    lab.inventory.holdings(ACCOUNT)
}

/// Region, object, and whether it is an image, of each thing.
fn shown(holdings: &Holdings) -> BTreeSet<(String, String, bool)> {
    let of = |held: &Held| {
        let object = held.tags.get(tag::OBJECT).unwrap_or_default().to_owned();
        (
            held.place.region.clone(),
            object,
            held.id.starts_with("ami-"),
        )
    };
    holdings.held.iter().map(of).collect()
}

/// Two objects, one of them in two regions.
async fn two_objects(lab: &Lab) -> [String; 3] {
    let (web, db) = (
        desired("web", &["us-east-1"]),
        desired("db", &["us-east-1"]),
    );
    let origin = lab.make(&web, "us-east-1", capture(&web)).await;
    lab.pass(60).await;
    let second = lab.make(&db, "us-east-1", capture(&db)).await;
    let there = lab
        .make(&web, "eu-west-1", copy(&web, &origin, "eu-west-1"))
        .await;
    lab.pass(600).await;
    [origin, second, there]
}

#[tokio::test(start_paused = true)]
async fn images_and_snapshots_of_every_object_and_place_are_held() {
    let lab = Lab::calm().started().await;
    let made = two_objects(&lab).await;
    let holdings = holdings(&lab);
    assert!(holdings.unreadable.is_empty(), "{:?}", holdings.unreadable);
    let of =
        |region: &str, object: &str, is_image| (region.to_owned(), object.to_owned(), is_image);
    assert_eq!(
        shown(&holdings),
        [
            of("eu-west-1", "images/web", true),
            of("eu-west-1", "images/web", false),
            of("us-east-1", "images/web", true),
            of("us-east-1", "images/web", false),
            of("us-east-1", "images/db", true),
            of("us-east-1", "images/db", false),
        ]
        .into()
    );
    let images: BTreeSet<_> = holdings
        .held
        .iter()
        .filter(|held| held.bytes == 0)
        .map(|held| held.id.clone())
        .collect();
    assert_eq!(images, BTreeSet::from(made));
    let bytes: u64 = holdings.held.iter().map(|held| held.bytes).sum();
    assert_eq!(bytes, (3 * (8 + 20)) << 30, "what the snapshots store");
}

#[tokio::test(start_paused = true)]
async fn what_another_installation_made_is_not_held() {
    let lab = Lab::unrestricted().started().await;
    let mut theirs = desired("web", &["us-east-1"]);
    theirs.identity.owner = "another installation".into();
    lab.make(&theirs, "us-east-1", capture(&theirs)).await;
    // Until lists have denied it for a window, what was made stays known, whatever its tags.
    lab.pass(1000).await;
    assert!(holdings(&lab).held.is_empty());
}

/// Somebody deregisters an image by hand: what it stored is left, and is paid for.
#[tokio::test(start_paused = true)]
async fn snapshots_that_were_left_behind_are_held() {
    let lab = Lab::calm().started().await;
    let [origin, ..] = two_objects(&lab).await;
    lab.world(|world| {
        let region = world.regions_mut().get_mut("us-east-1").expect("a region");
        region.images.remove(&origin);
    });
    lab.inventory.forget("images/web");
    lab.pass(1500).await;
    let holdings = holdings(&lab);
    assert!(holdings.held.iter().all(|held| held.id != origin));
    let left = holdings.held.iter().filter(|held| {
        held.place.region == "us-east-1" && held.tags.get(tag::OBJECT) == Some("images/web")
    });
    assert_eq!(left.count(), 2);
}

/// A snapshot that appears where nothing goes on is found within a day.
#[tokio::test(start_paused = true)]
async fn strays_are_looked_for_daily() {
    let lab = Lab::calm().started().await;
    let [origin, ..] = two_objects(&lab).await;
    let left: Vec<String> = lab.world(|world| {
        let region = world.regions_mut().get_mut("us-east-1").expect("a region");
        let image = region.images.remove(&origin).expect("it is there");
        image.snapshot_ids().map(str::to_owned).collect()
    });
    // A process that begins now has never seen the image.
    let mut other = lab.another_process();
    other.start(account(json!({})));
    other.pass(20).await;
    let holds = |lab: &Lab, id: &String| holdings(lab).held.iter().any(|held| held.id == *id);
    assert!(left.iter().all(|id| holds(&other, id)));
    other.pass(25 * 3600).await;
    assert!(left.iter().all(|id| holds(&other, id)));
}

#[tokio::test(start_paused = true)]
async fn what_was_deregistered_a_moment_ago_is_not_held() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 300,
        ..Knobs::calm()
    })
    .started()
    .await;
    let web = desired("web", &["us-east-1"]);
    let id = lab.make(&web, "us-east-1", capture(&web)).await;
    let is_held = || holdings(&lab).held.iter().any(|held| held.id == id);
    assert!(is_held(), "it is held before a list shows it");
    lab.pass(600).await;
    lab.perform(
        &web,
        "us-east-1",
        Action::DeregisterImage { id: id.clone() },
    )
    .await;
    for _ in 0..600 {
        assert!(!is_held());
        lab.pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_read_is_named_and_the_others_are_told() {
    let lab = Lab::calm().started().await;
    two_objects(&lab).await;
    lab.faults(|call| match (call.action.as_str(), call.region.as_str()) {
        ("DescribeImages", "eu-west-1") => Fault::InternalError { effect: false },
        _ => Fault::None,
    });
    lab.pass(400).await;
    let holdings = holdings(&lab);
    let places: Vec<_> = holdings
        .unreadable
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(places, [Place::new(ACCOUNT, "eu-west-1").to_string()]);
    assert!(
        shown(&holdings)
            .iter()
            .all(|(region, ..)| region == "us-east-1")
    );
    assert_eq!(holdings.held.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_was_not_read_or_is_closed_is_never_called_empty() {
    let lab = Lab::calm();
    let unread = holdings(&lab);
    let reason = |holdings: &Holdings| {
        let mut unreadable = holdings.unreadable.values();
        unreadable.next().map(|unreadable| unreadable.reason)
    };
    assert_eq!(reason(&unread), Some(conditions::WAITING_FOR_INVENTORY));
    let lab = lab.started().await;
    two_objects(&lab).await;
    lab.inventory.set_accounts([]);
    lab.pass(1).await;
    let closed = holdings(&lab);
    assert_eq!(reason(&closed), Some(conditions::ACCOUNT_NOT_FOUND));
    assert!(closed.held.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_not_read_yet_is_not_called_empty() {
    let mut lab = Lab::calm();
    lab.faults(|call| match (call.action.as_str(), call.region.as_str()) {
        ("DescribeImages", "eu-west-1") => Fault::Hang { effect: false },
        _ => Fault::None,
    });
    lab.start(account(json!({})));
    lab.pass(20).await;
    let holdings = holdings(&lab);
    let unreadable = &holdings.unreadable[&Place::new(ACCOUNT, "eu-west-1")];
    assert_eq!(unreadable.reason, conditions::WAITING_FOR_INVENTORY);
    assert_eq!(holdings.unreadable.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn each_account_holds_its_own() {
    let lab = Lab::calm().started().await;
    let partner = account(json!({
        "accountId": PARTNER,
        "assumeRole": {"roleArn": "arn:aws:iam::444455556666:role/amity", "externalId": "amity-example"},
    }));
    lab.inventory.set_accounts([account(json!({})), partner]);
    two_objects(&lab).await;
    assert_eq!(holdings(&lab).held.len(), 9);
    let theirs = lab.inventory.holdings(PARTNER);
    assert!(
        theirs.held.is_empty() && theirs.unreadable.is_empty(),
        "{theirs:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_copy_slots_that_are_left_are_observed_where_a_copy_is_planned() {
    let lab = Lab::with_knobs(Knobs {
        base_milliseconds: 180_000,
        ..Knobs::calm()
    })
    .started()
    .await;
    let web = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&web, "us-east-1", capture(&web)).await;
    lab.pass(1200).await;
    let slots = async |desired: &Desired| {
        let places = ["us-east-1", "eu-west-1"].map(|region| Place::new(ACCOUNT, region));
        let reads = Reads {
            copy_slots: places.clone().into(),
            ..Reads::default()
        };
        let observed = lab.inventory.observe(desired, &reads).await;
        places.map(|place| {
            observed
                .known_at(&place)
                .expect("it was read")
                .free_copy_slots
        })
    };
    assert_eq!(
        lab.known(&web, "us-east-1").await.free_copy_slots,
        None,
        "only where a copy is planned"
    );
    assert_eq!(slots(&web).await, [Some(20), Some(20)], "of {INSTANCE}");
    lab.make(&web, "eu-west-1", copy(&web, &origin, "eu-west-1"))
        .await;
    let db = desired("db", &["us-east-1", "eu-west-1"]);
    assert_eq!(
        slots(&db).await,
        [Some(20), Some(18)],
        "two snapshots are copied"
    );
    lab.pass(1200).await;
    assert_eq!(slots(&db).await, [Some(20), Some(20)]);
}
