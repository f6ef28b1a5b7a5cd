//! What is read for one object is read beside the reconcile that asks for it.

use std::time::Duration;

use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, Reference};
use amity_core::image::observed::{SourceView, Usage};
use amity_core::image::plan::{Reads, SourceQuery};
use ec2sim::Fault;
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use serde_json::json;

use crate::lab::{ACCOUNT, INSTANCE, Lab, account, desired};

const REGION: &str = "us-east-1";
const GOLDEN: &str = "ami-0feedfacefeedface";

fn instance() -> Reads {
    Reads {
        source: Some(SourceQuery::Instance(Reference::new(REGION, INSTANCE))),
        ..Reads::default()
    }
}

fn golden() -> (Place, String) {
    (Place::new(ACCOUNT, REGION), GOLDEN.to_owned())
}

fn usage() -> Reads {
    Reads {
        usage: [golden()].into(),
        ..Reads::default()
    }
}

/// What is told of the source, and how long that took.
async fn source(lab: &Lab, desired: &Desired) -> (SourceView, Duration) {
    let began = tokio::time::Instant::now();
    let observed = lab.inventory.observe(desired, &instance()).await;
    (observed.source, began.elapsed())
}

/// Lets time pass until the object is woken, and gives the seconds.
async fn woken(lab: &Lab, object: &str) -> u64 {
    let began = tokio::time::Instant::now();
    let mut differences = Box::pin(lab.inventory.differences());
    let woken = async { while differences.next().await.as_deref() != Some(object) {} };
    tokio::time::timeout(Duration::from_mins(10), woken)
        .await
        .expect("it is woken");
    began.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_region_that_hangs_keeps_a_reconcile_for_a_moment_and_wakes_the_object_later() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    lab.fail("DescribeInstances", Fault::Hang { effect: false });
    let (told, took) = source(&lab, &desired).await;
    assert_eq!(told, SourceView::NotRead);
    assert!(took <= Duration::from_secs(1), "{took:?}");
    let seconds = woken(&lab, &desired.identity.object).await;
    assert!(seconds > 60, "the call was given up after {seconds} s");
    let (told, took) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Unreadable(_)), "{told:?}");
    assert_eq!(took, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_late_is_there_when_the_object_is_woken() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    lab.fail("DescribeInstances", Fault::LostAnswer);
    assert_eq!(source(&lab, &desired).await.0, SourceView::NotRead);
    lab.heal();
    assert!(woken(&lab, &desired.identity.object).await <= 2);
    let (told, took) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Instance(_)), "{told:?}");
    assert_eq!(took, Duration::ZERO);
    assert_eq!(lab.reached("DescribeInstances"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_wakes_everybody_who_asked_and_nobody_else() {
    let lab = Lab::calm().started().await;
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}
    lab.faults(|call| match call.action.as_str() {
        "DescribeInstances" | "DescribeImageReferences" => Fault::LostAnswer,
        _ => Fault::None,
    });
    let objects: Vec<_> = (0..5)
        .map(|number| desired(&format!("web-{number}"), &[REGION]))
        .collect();
    let asked = objects.iter().map(|desired| async {
        let reads = Reads {
            usage: usage().usage,
            ..instance()
        };
        lab.inventory.observe(desired, &reads).await
    });
    for observed in join_all(asked).await {
        assert_eq!(observed.source, SourceView::NotRead);
        assert!(observed.usage.is_empty());
    }
    lab.heal();
    lab.pass(10).await;
    let mut woken = Vec::new();
    while let Some(object) = differences.next().now_or_never().flatten() {
        woken.push(object);
    }
    let asked: Vec<_> = objects
        .iter()
        .map(|one| one.identity.object.clone())
        .collect();
    assert_eq!(woken, asked);
    let reached = ["DescribeInstances", "DescribeImageReferences"];
    assert_eq!(
        reached.map(|action| lab.reached(action)),
        [2, 2],
        "lost once, shared by five"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_within_a_moment_wakes_nobody() {
    let lab = Lab::calm().started().await;
    let mut differences = Box::pin(lab.inventory.differences());
    while differences.next().now_or_never().flatten().is_some() {}
    let desired = desired("web", &[REGION]);
    assert!(matches!(
        source(&lab, &desired).await.0,
        SourceView::Instance(_)
    ));
    lab.pass(600).await;
    assert_eq!(differences.next().now_or_never().flatten(), None);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_hangs_keeps_no_answer_of_another_region_back() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION, "eu-west-1"]);
    lab.faults(|call| match (call.action.as_str(), call.region.as_str()) {
        ("DescribeImageReferences", "eu-west-1") => Fault::Hang { effect: false },
        _ => Fault::None,
    });
    let there = (Place::new(ACCOUNT, "eu-west-1"), GOLDEN.to_owned());
    let reads = Reads {
        usage: [golden(), there.clone()].into(),
        ..instance()
    };
    let observed = lab.inventory.observe(&desired, &reads).await;
    assert!(matches!(observed.source, SourceView::Instance(_)));
    assert!(matches!(&observed.usage[&golden()], Usage::By(users) if !users.is_empty()));
    assert_eq!(observed.usage.get(&there), None);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_read_is_not_asked() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    lab.fail("DescribeImages", Fault::InternalError { effect: false });
    lab.pass(400).await;
    let reads = Reads {
        usage: usage().usage,
        ..instance()
    };
    let observed = lab.inventory.observe(&desired, &reads).await;
    let why = lab.unreadable(&desired, REGION).await;
    assert_eq!(observed.source, SourceView::Unreadable(why.clone()));
    assert_eq!(observed.usage[&golden()], Usage::Unknown(why));
    let asked = ["DescribeInstances", "DescribeImageReferences"];
    assert_eq!(asked.map(|action| lab.reached(action)), [0, 0]);
    lab.heal();
    lab.pass(120).await;
    let observed = lab.inventory.observe(&desired, &reads).await;
    assert!(matches!(observed.source, SourceView::Instance(_)));
    assert!(matches!(&observed.usage[&golden()], Usage::By(_)));
}

/// Who asks may be gone before the answer comes.
#[tokio::test(start_paused = true)]
async fn an_asker_that_gives_up_keeps_nobody_from_the_answer() {
    let lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    assert!(
        source(&lab, &desired).now_or_never().is_none(),
        "dropped at once"
    );
    lab.pass(1).await;
    let (told, took) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Instance(_)), "{told:?}");
    assert_eq!(took, Duration::ZERO);
}

/// That it was not read yet is no answer to remember: the account is about to be opened.
#[tokio::test(start_paused = true)]
async fn a_source_in_a_place_that_was_not_read_yet_is_read_as_soon_as_the_place_was() {
    let mut lab = Lab::calm();
    let desired = desired("web", &[REGION]);
    let (told, took) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Unreadable(_)), "{told:?}");
    assert_eq!(took, Duration::ZERO);
    lab.start(account(json!({})));
    let seconds = woken(&lab, &desired.identity.object).await;
    assert!(seconds <= 1, "woken after {seconds} s");
    let (told, _) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Instance(_)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_reader_was_dropped_is_read_by_the_next() {
    let mut lab = Lab::calm().started().await;
    let desired = desired("web", &[REGION]);
    lab.fail("DescribeInstances", Fault::Hang { effect: false });
    assert_eq!(source(&lab, &desired).await.0, SourceView::NotRead);
    lab.stop();
    lab.heal();
    lab.pass(600).await;
    lab.start(account(json!({})));
    lab.pass(60).await;
    let (told, _) = source(&lab, &desired).await;
    assert!(matches!(told, SourceView::Instance(_)), "{told:?}");
}
