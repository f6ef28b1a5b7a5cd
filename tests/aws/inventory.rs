//! What EC2 has, whatever its lists say at the moment.

use amity_core::api::conditions;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{ImageState, SourceView};
use amity_core::image::plan::step::Action;
use amity_core::image::plan::{Reads, SourceQuery};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ec2sim::{Fault, InProcess, Knobs};
use futures::{FutureExt, StreamExt};
use serde_json::json;

use crate::lab::{
    ACCOUNT, INSTANCE, Lab, account, capture, copy, desired, ids, since_start, users,
};

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
    let lab = Lab::calm().started().await;
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

/// Answers `DescribeImages` of one region with a page whose token never changes.
#[derive(Clone, Debug)]
struct SameTokenForEver(InProcess);

impl HttpConnector for SameTokenForEver {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asks_for_images = request.uri().contains("eu-west-1")
            && request
                .body()
                .bytes()
                .is_some_and(|body| body.starts_with(b"Action=DescribeImages"));
        if !asks_for_images {
            return self.0.call(request);
        }
        let page = "<DescribeImagesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r</requestId>\
                    <imagesSet/><nextToken>again</nextToken></DescribeImagesResponse>";
        let answer = http::Response::builder()
            .status(200)
            .body(SdkBody::from(page))
            .expect("an answer");
        HttpConnectorFuture::ready(Ok(HttpResponse::try_from(answer).expect("an answer")))
    }
}

impl HttpClient for SameTokenForEver {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_repeats_makes_the_place_unreadable() {
    let lab = Lab::build(Knobs::calm(), SameTokenForEver).started().await;
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
async fn what_was_asked_for_last_is_remembered_until_the_object_rests_a_window_later() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let last = async || lab.observe(&desired).await.last_creation.map(since_start);
    assert_eq!(last().await, Some(0), "the start of the process");
    lab.make(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(last().await, Some(20));
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, Some(20), "a call may still be under way");
    lab.pass(600).await;
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, Some(20), "not every list is so young");
    lab.pass(300).await;
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, None);
    lab.pass(5).await;
    lab.perform(&desired, "us-east-1", capture(&desired)).await;
    assert_eq!(last().await, Some(925));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_rests_soon_after_the_start_is_not_proven_to_rest() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &["us-east-1"]);
    let last = async || lab.observe(&desired).await.last_creation.map(since_start);
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, Some(0), "an earlier process may have asked");
    lab.faults(|call| match call.region.as_str() {
        "eu-west-1" => Fault::Truncated,
        _ => Fault::None,
    });
    lab.pass(1000).await;
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, Some(0), "a region cannot be read");
    lab.heal();
    lab.pass(100).await;
    lab.inventory.at_rest(&desired.identity.object);
    assert_eq!(last().await, None);
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
