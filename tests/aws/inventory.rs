//! What EC2 has, whatever its lists say at the moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use amity_core::api::conditions;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{ImageState, SourceView};
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Reads, SourceQuery};
use ec2sim::{Fault, Knobs, World};
use futures::{FutureExt, StreamExt};
use serde_json::json;

use crate::lab::{
    ACCOUNT, INSTANCE, Lab, account, birth_tags, capture, copy, desired, ids, since_start, users,
};
use crate::scripted::Scripted;

#[tokio::test(start_paused = true)]
async fn a_place_that_was_not_read_is_waited_for() {
    let lab = Lab::calm();
    let desired = desired("web", &["us-east-1"]);
    let unreadable = lab.unreadable(&desired, "us-east-1").await;
    assert_eq!(unreadable.reason, conditions::WAITING_FOR_INVENTORY);
    assert!(
        !lab.started()
            .await
            .known(&desired, "us-east-1")
            .await
            .images
            .iter()
            .any(|_| true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_not_the_accounts_is_unreadable_and_says_what_to_do() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["af-south-1"]);
    let unreadable = lab.unreadable(&desired, "af-south-1").await;
    assert_eq!(unreadable.reason, conditions::REGION_NOT_IN_ACCOUNT);
    assert!(
        unreadable.message.contains("enable it"),
        "{}",
        unreadable.message
    );
    assert_eq!(
        lab.observe(&desired).await.places.len(),
        6,
        "every place of the account is there too"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_never_disappears_while_lists_lag() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 300,
        ..Knobs::default()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    let mut states = Vec::new();
    for _ in 0..900 {
        let known = lab.known(&desired, "us-east-1").await;
        assert_eq!(ids(&known.images), [&id]);
        let state = known.images[0].state.to_string();
        if states.last() != Some(&state) {
            states.push(state);
        }
        lab.pass(1).await;
    }
    assert_eq!(
        states.last().map(String::as_str),
        Some("available"),
        "{states:?}"
    );
    assert!(lab.known(&desired, "us-east-1").await.dead.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_deregistered_never_comes_back_while_lists_lag() {
    let lab = Lab::with_knobs(Knobs {
        max_read_lag_seconds: 300,
        ..Knobs::calm()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(600).await;
    lab.perform(&desired, "us-east-1", Action::DeregisterImage { id })
        .await;
    for _ in 0..900 {
        assert!(lab.known(&desired, "us-east-1").await.images.is_empty());
        lab.pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_somebody_else_deregistered_is_dead_and_its_object_is_woken() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(600).await;
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}

    lab.world(|world| {
        world
            .regions_mut()
            .get_mut("us-east-1")
            .expect("a region")
            .images
            .remove(&id)
    });
    lab.pass(300).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert!(
        matches!(known.images[0].state, ImageState::Missing { .. }),
        "{:?}",
        known.images
    );
    assert_eq!(differences.next().await.as_deref(), Some("images/web"));
    lab.pass(700).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert!(known.images.is_empty());
    assert_eq!(
        (known.dead[0].id.as_str(), &known.dead[0].revision),
        (id.as_str(), &desired.revision)
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_is_woken_when_its_copy_is_done() {
    let lab = Lab::with_knobs(Knobs {
        request_buckets: false,
        ..Knobs::default()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}
    lab.make(&desired, "us-east-1", capture(&desired)).await;
    let done = async {
        loop {
            assert_eq!(differences.next().await.as_deref(), Some("images/web"));
            let known = lab.known(&desired, "us-east-1").await;
            if known.images[0].state == ImageState::Available {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(10), done)
        .await
        .expect("it is woken");
}

#[tokio::test(start_paused = true)]
async fn progress_is_shown_while_a_copy_goes_on() {
    let slow = Knobs {
        base_milliseconds: 600_000,
        ..Knobs::calm()
    };
    let lab = Lab::with_knobs(slow).started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.make(&desired, "us-east-1", capture(&desired)).await;
    let mut seen = Vec::new();
    for _ in 0..60 {
        lab.pass(30).await;
        seen.extend(lab.known(&desired, "us-east-1").await.images[0].progress);
    }
    assert!(
        seen.iter().any(|progress| (20..80).contains(progress)),
        "{seen:?}"
    );
    let reads = lab.reached("DescribeSnapshots");
    assert!(
        reads < 120,
        "{reads} readings of one capture in five regions"
    );
}

#[tokio::test(start_paused = true)]
async fn only_images_of_our_owner_are_ours() {
    let lab = Lab::unrestricted().started().await;
    let desired = desired("web", &["us-east-1"]);
    let mut theirs = desired.clone();
    theirs.identity.owner = "another installation".into();
    lab.make(&theirs, "us-east-1", capture(&theirs)).await;
    lab.pass(1000).await;
    let known = lab.known(&desired, "us-east-1").await;
    assert!(
        known.images.is_empty() && known.snapshots.is_empty(),
        "{known:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn empty_pages_do_not_end_a_list() {
    let lab = Lab::with_knobs(Knobs {
        empty_pages_per_mille: 900,
        ..Knobs::calm()
    })
    .started()
    .await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    for _ in 0..20 {
        lab.pass(300).await;
        let known = lab.known(&desired, "us-east-1").await;
        assert_eq!(ids(&known.images), [&id]);
        assert_eq!(known.images[0].state, ImageState::Available);
        assert_eq!(known.snapshots.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_cut_off_makes_the_place_unreadable_and_never_empty() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    lab.faults(|call| {
        let cut = call.action == "DescribeImages" && call.region == "us-east-1";
        if cut { Fault::Truncated } else { Fault::None }
    });
    lab.pass(310).await;
    let unreadable = lab.unreadable(&desired, "us-east-1").await;
    assert_eq!(unreadable.reason, conditions::REGION_UNREADABLE);
    assert!(
        unreadable.message.contains("us-east-1"),
        "{}",
        unreadable.message
    );
    lab.known(&desired, "eu-west-1").await;
    lab.heal();
    lab.pass(61).await;
    assert_eq!(ids(&lab.known(&desired, "us-east-1").await.images), [&id]);
}

#[tokio::test(start_paused = true)]
async fn one_broken_connection_makes_nothing_unreadable() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.faults(|call| {
        if call.is_read() && call.number % 2 == 0 {
            Fault::LostAnswer
        } else {
            Fault::None
        }
    });
    for _ in 0..60 {
        lab.pass(60).await;
        lab.known(&desired, "us-east-1").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_throttled_for_seconds_makes_nothing_unreadable() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let place = Place::new(ACCOUNT, "us-east-1");
    lab.fail("DescribeImages", Fault::Throttle);
    lab.inventory.poke(&place);
    lab.pass(5).await;
    lab.heal();
    lab.known(&desired, "us-east-1").await;
    lab.pass(30).await;
    assert_eq!(lab.calls.count("DescribeImages", "throttled"), 3);
    lab.known(&desired, "us-east-1").await;

    lab.fail("DescribeImages", Fault::Throttle);
    lab.inventory.poke(&place);
    lab.pass(10).await;
    assert_eq!(lab.calls.count("DescribeImages", "throttled"), 3 + 4);
    assert_eq!(
        lab.unreadable(&desired, "us-east-1").await.reason,
        conditions::THROTTLED
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_repeats_makes_the_place_unreadable() {
    let same_for_ever = |action: &str, region: &str| {
        let page = "<DescribeImagesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
                    <imagesSet/><nextToken>again</nextToken></DescribeImagesResponse>";
        (action == "DescribeImages" && region == "eu-west-1").then(|| (200, page.to_owned()))
    };
    let lab = Lab::build(Knobs::calm(), |ec2| Scripted::new(ec2, same_for_ever));
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    lab.known(&desired, "us-east-1").await;
    assert_eq!(
        lab.unreadable(&desired, "eu-west-1").await.reason,
        conditions::REGION_UNREADABLE
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_somebody_elses_image_uses_says_so() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let ours = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(10).await;
    // Somebody registers an image of their own on our snapshots.
    let theirs = "ami-0000000000000f00d";
    lab.world(|world| {
        let images = &mut world
            .regions_mut()
            .get_mut("us-east-1")
            .expect("a region")
            .images;
        let mut image = images[&ours].clone();
        image.id = theirs.to_owned();
        images.insert(theirs.to_owned(), image);
    });
    lab.perform(&desired, "us-east-1", Action::DeregisterImage { id: ours })
        .await;
    assert_eq!(
        users(&lab.known(&desired, "us-east-1").await.snapshots),
        [None, None],
        "not read yet"
    );
    lab.pass(10).await;
    let used = Some(vec![theirs.to_owned()]);
    assert_eq!(
        users(&lab.known(&desired, "us-east-1").await.snapshots),
        [used.clone(), used]
    );
}

#[tokio::test(start_paused = true)]
async fn at_rest_a_place_costs_one_call_in_five_minutes() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    let known = lab.known(&desired, "us-east-1").await;
    for of in known
        .snapshots
        .iter()
        .map(|snapshot| snapshot.id.clone())
        .chain([id])
    {
        let tags = [("amity.dev/self".to_owned(), of.clone())].into();
        lab.perform(&desired, "us-east-1", Action::CreateTags { id: of, tags })
            .await;
    }
    lab.pass(1000).await;
    let before = (
        lab.reached("DescribeImages"),
        lab.reached("DescribeSnapshots"),
    );
    lab.pass(3600).await;
    let images = lab.reached("DescribeImages") - before.0;
    assert!(
        (5 * 12..=5 * 14).contains(&images),
        "{images} calls in five regions in an hour"
    );
    assert_eq!(lab.reached("DescribeSnapshots"), before.1);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_last_is_remembered() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let last = async || since_start(lab.observe(&desired).await.last_creation);
    assert_eq!(last().await, 0, "the start of the process");
    lab.make(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(last().await, 20);
    lab.pass(905).await;
    lab.perform(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(last().await, 925);
    assert_eq!(since_start(lab.observe(&desired).await.started), 0);
}

#[tokio::test(start_paused = true)]
async fn a_source_is_read_once_in_half_a_minute() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let source = async |query: fn(Reference) -> SourceQuery, id: &str| {
        let reads = Reads {
            source: Some(query(Reference::new("us-east-1", id))),
            ..Reads::default()
        };
        lab.inventory.observe(&desired, &reads).await.source
    };
    let before = lab.reached("DescribeInstances");
    for _ in 0..20 {
        let SourceView::Instance(instance) = source(SourceQuery::Instance, INSTANCE).await else {
            panic!("it is an instance");
        };
        assert_eq!(
            (instance.state.as_str(), instance.tags["Name"].as_str()),
            ("running", "web")
        );
        lab.pass(1).await;
    }
    assert_eq!(lab.reached("DescribeInstances"), before + 1);

    let gone = source(SourceQuery::Instance, "i-0000000000000dead").await;
    assert!(matches!(gone, SourceView::Missing { .. }));
    let gone = source(SourceQuery::Image, "ami-0000000000000dead").await;
    assert!(matches!(gone, SourceView::Missing { .. }));
    let SourceView::Image(image) = source(SourceQuery::Image, "ami-0a2b3c4d5e6f70819").await else {
        panic!("a public image")
    };
    assert_eq!(
        (image.owner_alias.as_deref(), image.state),
        (Some("amazon"), ImageState::Available)
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_reads_no_more() {
    let mut lab = Lab::calm().started().await;
    lab.stop();
    lab.pass(1).await;
    let before = lab.all_calls();
    lab.pass(3600).await;
    assert_eq!(lab.all_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_taken_away_is_read_no_more() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    lab.inventory.set_accounts([]);
    lab.pass(1).await;
    assert_eq!(
        lab.unreadable(&desired, "us-east-1").await.reason,
        conditions::ACCOUNT_NOT_FOUND
    );
    let before = lab.all_calls();
    lab.pass(3600).await;
    assert_eq!(lab.all_calls(), before);
    lab.inventory
        .set_accounts([account(json!({"regions": ["us-east-1"]}))]);
    lab.pass(10).await;
    lab.known(&desired, "us-east-1").await;
    assert_eq!(
        lab.inventory.regions(ACCOUNT),
        Some(vec!["us-east-1".to_owned()])
    );
    assert_eq!(
        lab.observe(&desired).await.places.len(),
        1,
        "nothing stays of the regions that did not come back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_taken_from_an_account_is_forgotten_and_its_objects_are_woken() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(60).await;
    lab.make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    lab.pass(60).await;
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}

    lab.inventory
        .set_accounts([account(json!({"regions": ["us-east-1", "us-west-2"]}))]);
    lab.pass(10).await;
    assert_eq!(
        differences.next().now_or_never().flatten().as_deref(),
        Some("images/web")
    );
    let observed = lab.observe(&desired).await;
    let regions: Vec<_> = observed
        .places
        .keys()
        .map(|place| place.region.as_str())
        .collect();
    assert_eq!(regions, ["us-east-1", "us-west-2"]);
    assert_eq!(observed.known().count(), 2);
    let mut wants_it = desired.clone();
    wants_it.places.extend([Place::new(ACCOUNT, "eu-west-1")]);
    assert_eq!(
        lab.unreadable(&wants_it, "eu-west-1").await.reason,
        conditions::REGION_NOT_IN_ACCOUNT
    );
}

#[tokio::test(start_paused = true)]
async fn two_labs_make_the_same_calls() {
    let run = || async {
        let lab = Lab::with_knobs(Knobs {
            max_read_lag_seconds: 60,
            ..Knobs::default()
        })
        .started()
        .await;
        let desired = desired("web", &["us-east-1", "eu-west-1"]);
        let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
        lab.pass(300).await;
        lab.perform(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
            .await;
        lab.inventory.poke(&Place::new(ACCOUNT, "us-west-2"));
        lab.pass(3600).await;
        lab.log()
    };
    assert_eq!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_objects_cost_no_call_more_than_one() {
    let calls_of = async |count: usize| {
        let lab = Lab::calm().started().await;
        let objects: Vec<_> = (0..count)
            .map(|number| desired(&format!("web-{number}"), &["us-east-1", "eu-west-1"]))
            .collect();
        for _ in 0..60 {
            for desired in &objects {
                lab.known(desired, "us-east-1").await;
                lab.inventory.at_rest(&desired.identity.object);
            }
            lab.pass(60).await;
        }
        lab.log()
    };
    assert_eq!(calls_of(100).await, calls_of(1).await);
}

/// A world with so many images of the object `images/web` in us-east-1.
fn world_with(images: usize) -> World {
    let image = |number: usize| {
        let id = format!("ami-{number:017x}");
        let owner =
            "amity.dev/owner: test, amity.dev/object: images/web, amity.dev/revision: 3f9a1c07d2";
        format!(
            "          {id}: {{name: web-{number}, created: 2026-01-01T00:00:00Z, tags: {{{owner}}}, \
             devices: [{{name: /dev/xvda, snapshot: snap-{number:017x}, size: 8}}]}}\n"
        )
    };
    let images: String = (0..images).map(image).collect();
    let world = format!(
        "regions: {{us-east-1: {{}}}}\naccounts:\n  \"111122223333\":\n    accessKeys: [AKIAEC2SIMHOME000001]\n    \
         places:\n      us-east-1:\n        images:\n{images}"
    );
    let world = World::from_yaml(&world).expect("a world");
    world.with_knobs(Knobs::calm())
}

#[tokio::test(start_paused = true)]
async fn a_place_with_thousands_of_images_is_read_in_pages_of_a_thousand() {
    let lab = Lab::over(world_with(2500), |ec2| ec2).started().await;
    let desired = desired("web", &["us-east-1"]);
    assert_eq!(lab.known(&desired, "us-east-1").await.images.len(), 2500);
    assert_eq!(lab.reached("DescribeImages"), 3);
    lab.pass(3600).await;
    let readings = lab.reached("DescribeImages") / 3;
    assert!((12..=15).contains(&readings), "{readings} in an hour");
}

/// Gives users so many images and snapshots of their own in us-east-1.
fn users_make(world: &mut World, count: usize) {
    let region = world.regions_mut().get_mut("us-east-1").expect("a region");
    let golden = &region.images["ami-0feedfacefeedface"];
    let root = &region.snapshots["snap-0feedfacefeedface"];
    let (golden, root) = (golden.clone(), root.clone());
    for number in 0..count {
        let (mut image, mut snapshot) = (golden.clone(), root.clone());
        image.id = format!("ami-{number:017x}");
        snapshot.id = format!("snap-{number:017x}");
        region.images.insert(image.id.clone(), image);
        region.snapshots.insert(snapshot.id.clone(), snapshot);
    }
}

/// What users have besides is left out by EC2, and not by us.
#[tokio::test(start_paused = true)]
async fn images_without_our_key_cost_no_page() {
    let first = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let id = first.make(&desired, "us-east-1", capture(&desired)).await;
    first.pass(60).await;
    first.world(|world| users_make(world, 2500));

    let lab = first.another_process().started().await;
    let lists = || {
        let mut log = lab.log();
        log.retain(|(_, region, ..)| region == "us-east-1");
        ["DescribeImages", "DescribeSnapshots"].map(|list| {
            log.iter()
                .filter(|(_, _, action, _)| action == list)
                .count()
        })
    };
    for readings in 1..4 {
        assert_eq!(lists(), [readings, readings]);
        let known = lab.known(&desired, "us-east-1").await;
        assert_eq!(
            (ids(&known.images), known.snapshots.len()),
            (vec![id.as_str()], 2)
        );
        lab.inventory.poke(&Place::new(ACCOUNT, "us-east-1"));
        lab.pass(10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_last_page_is_missing_is_no_list() {
    let mut lab = Lab::over(world_with(2500), |ec2| ec2);
    let pages = AtomicUsize::new(0);
    lab.faults(move |call| {
        let is_last = call.action == "DescribeImages" && pages.fetch_add(1, Ordering::Relaxed) >= 2;
        if is_last {
            Fault::LostAnswer
        } else {
            Fault::None
        }
    });
    lab.start(account(json!({})));
    lab.pass(30).await;
    let desired = desired("web", &["us-east-1"]);
    let unreadable = lab.unreadable(&desired, "us-east-1").await;
    assert_eq!(unreadable.reason, conditions::REGION_UNREADABLE);
    lab.heal();
    lab.pass(61).await;
    assert_eq!(lab.known(&desired, "us-east-1").await.images.len(), 2500);
    let mut lists = lab.log();
    lists.retain(|(_, _, action, _)| action == "DescribeImages");
    assert!(
        lists.len() >= 2 + 3 + 3,
        "from its first page again: {}",
        lists.len()
    );
}

/// What readiness waits for: until then nothing is known to be missing.
#[tokio::test(start_paused = true)]
async fn the_inventory_was_read_once_when_every_place_was_read_or_tried() {
    let mut lab = Lab::calm();
    lab.faults(|call| match (call.action.as_str(), call.region.as_str()) {
        ("DescribeImages", "eu-west-1") => Fault::Hang { effect: false },
        _ => Fault::None,
    });
    lab.start(account(json!({})));
    lab.pass(60).await;
    assert!(
        !lab.inventory.was_read_once(),
        "one region is still being read"
    );
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    lab.known(&desired, "us-east-1").await;
    let unreadable = lab.unreadable(&desired, "eu-west-1").await;
    assert_eq!(unreadable.reason, conditions::WAITING_FOR_INVENTORY);
    lab.pass(300).await;
    assert!(lab.inventory.was_read_once(), "it was tried");
    assert_eq!(
        lab.unreadable(&desired, "eu-west-1").await.reason,
        conditions::REGION_UNREADABLE
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_is_woken_by_a_difference_in_its_own_part_alone() {
    let lab = Lab::calm().started().await;
    let objects = ["web", "db"].map(|name| desired(name, &["us-east-1"]));
    let mut made = Vec::new();
    for desired in &objects {
        made.push(lab.make(desired, "us-east-1", capture(desired)).await);
        lab.pass(60).await;
    }
    lab.pass(1000).await;
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}
    lab.pass(3600).await;
    assert_eq!(
        differences.next().now_or_never().flatten(),
        None,
        "nothing changed"
    );
    lab.world(|world| {
        let region = world.regions_mut().get_mut("us-east-1").expect("a region");
        let image = region.images.get_mut(&made[1]).expect("it is there");
        image.state = ec2sim::state::ImageState::Disabled;
    });
    lab.pass(300).await;
    assert_eq!(
        differences.next().now_or_never().flatten().as_deref(),
        Some("images/db")
    );
    assert_eq!(differences.next().now_or_never().flatten(), None);
    let known = lab.known(&objects[1], "us-east-1").await;
    assert_eq!(
        known.images[0].state,
        ImageState::Disabled,
        "listed all the same"
    );
}

/// Anybody may tag a public image, and sees those tags alone.
#[tokio::test(start_paused = true)]
async fn somebody_elses_public_image_with_our_tags_is_not_ours() {
    let lab = Lab::unrestricted().started().await;
    let desired = desired("web", &["us-east-1"]);
    let amazons = "ami-0a2b3c4d5e6f70819";
    let tags = birth_tags(&desired, &Reference::new("us-east-1", amazons));
    let tagged = Action::CreateTags {
        id: amazons.into(),
        tags,
    };
    let outcome = lab.perform(&desired, "us-east-1", tagged).await;
    assert!(outcome.result.is_ok(), "{outcome:?}");
    lab.pass(600).await;
    assert!(lab.known(&desired, "us-east-1").await.images.is_empty());
    assert!(lab.inventory.holdings(ACCOUNT).held.is_empty());
}
