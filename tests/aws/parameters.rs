//! The parameters that name published images: made, overwritten, tagged and deleted in one call each, and read back.

use std::collections::BTreeMap;

use amity::aws::effect::Answer;
use amity_core::image::desired::Desired;
use amity_core::image::identity::{Place, tag};
use amity_core::image::parameters::{Parameters, ParametersView, PublishedParameter};
use amity_core::image::plan::{Action, Reads, When};
use ec2sim::{Caller, Fault, Knobs, Request};

use crate::lab::{ACCESS_KEY, ACCOUNT, Lab, capture, desired};

const REGION: &str = "us-east-1";
const NAME: &str = "/published/web";
/// Somebody's in the example world.
const FOREIGN: &str = "/golden/web";

/// An object that asks for a parameter of this name.
fn asking(name: &str) -> Desired {
    let mut desired = desired("web", &[REGION]);
    desired.parameter = Some(PublishedParameter {
        name: name.to_owned(),
        not_granted: None,
    });
    desired
}

async fn seen(lab: &Lab, desired: &Desired, when: When) -> Option<ParametersView> {
    let place = Place::new(ACCOUNT, REGION);
    let reads = Reads {
        parameters: [(place.clone(), when)].into(),
        ..Reads::default()
    };
    let mut observed = lab.inventory.observe(desired, &reads).await;
    observed.parameters.remove(&place)
}

async fn known(lab: &Lab, desired: &Desired) -> Parameters {
    match seen(lab, desired, When::Now).await {
        Some(ParametersView::Known(known)) => known,
        other => panic!("{other:?}"),
    }
}

/// The values of the parameters that are this object's.
async fn ours(lab: &Lab, desired: &Desired) -> Vec<(String, String)> {
    let known = known(lab, desired).await;
    let ours = known.of(&desired.identity);
    ours.map(|(name, it)| (name.clone(), it.value.clone()))
        .collect()
}

fn put(desired: &Desired, name: &str, image: &str) -> Action {
    Action::PutParameter {
        name: name.to_owned(),
        image: image.to_owned(),
        tags: desired.identity.parameter_tags(name),
    }
}

fn overwrite(name: &str, image: &str) -> Action {
    Action::PutParameter {
        name: name.to_owned(),
        image: image.to_owned(),
        tags: BTreeMap::new(),
    }
}

/// A lab in which `desired` has an image.
async fn with_image(desired: &Desired) -> (Lab, String) {
    with_image_and(Knobs::calm(), desired).await
}

async fn with_image_and(knobs: Knobs, desired: &Desired) -> (Lab, String) {
    let lab = Lab::with_knobs(knobs).started().await;
    let image = lab.make(desired, REGION, capture(desired)).await;
    lab.pass(60).await;
    (lab, image)
}

#[tokio::test(start_paused = true)]
async fn a_parameter_is_made_read_back_overwritten_and_deleted() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    assert_eq!(ours(&lab, &web).await, []);
    let made = lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    assert_eq!(made.result, Ok(Answer::Changed));
    lab.pass(20).await;
    assert_eq!(ours(&lab, &web).await, [(NAME.to_owned(), image.clone())]);
    assert_eq!(known(&lab, &web).await.awaited, None);

    let other = "ami-0123456789abcdef0";
    let changed = lab.perform(&web, REGION, overwrite(NAME, other)).await;
    assert_eq!(changed.result, Ok(Answer::Changed));
    lab.pass(20).await;
    let now = ours(&lab, &web).await;
    assert_eq!(now.len(), 1, "its tags stay: {now:?}");

    let name = NAME.to_owned();
    let gone = lab.perform(&web, REGION, Action::DeleteParameter { name });
    assert_eq!(gone.await.result, Ok(Answer::Changed));
    lab.pass(20).await;
    assert_eq!(ours(&lab, &web).await, []);
    lab.world(|world| world.facts_mut().missing_resources_are_denied = false);
    let name = NAME.to_owned();
    let again = lab.perform(&web, REGION, Action::DeleteParameter { name });
    assert_eq!(again.await.result, Ok(Answer::AlreadyGone));
}

#[tokio::test(start_paused = true)]
async fn a_value_is_awaited_until_it_shows() {
    let web = asking(NAME);
    let knobs = Knobs {
        parameter_milliseconds: 8_000,
        ..Knobs::calm()
    };
    let (lab, image) = with_image_and(knobs, &web).await;
    lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    let at_once = known(&lab, &web).await;
    assert!(at_once.all.is_empty(), "{at_once:?}");
    assert_eq!(at_once.awaited.map(|put| put.value), Some(image.clone()));
    lab.pass(10).await;
    let later = known(&lab, &web).await;
    assert_eq!(later.awaited, None);
    assert_eq!(later.all[NAME].value, image);
    assert!(web.identity.has_made(NAME, &later.all[NAME]));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_names_no_image_is_answered_and_never_taken() {
    let web = asking(NAME);
    let (lab, _) = with_image(&web).await;
    let made = lab
        .perform(&web, REGION, put(&web, NAME, "ami-0000000000000dead"))
        .await;
    assert_eq!(made.result, Ok(Answer::Changed), "that is what it answers");
    lab.pass(60).await;
    let known = known(&lab, &web).await;
    assert!(known.all.is_empty() && known.awaited.is_some(), "{known:?}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_of_somebody_else_is_seen_and_not_overwritten() {
    let web = asking(FOREIGN);
    let (lab, image) = with_image(&web).await;
    let before = known(&lab, &web).await;
    assert!(!web.identity.has_made(FOREIGN, &before.all[FOREIGN]));
    let taken = lab.perform(&web, REGION, put(&web, FOREIGN, &image)).await;
    assert_eq!(taken.result, Ok(Answer::NameTaken));
    lab.pass(60).await;
    let after = known(&lab, &web).await;
    assert_eq!(after.all, before.all);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_of_a_former_name_is_found_by_its_tags() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    lab.pass(20).await;
    let renamed = asking("/published/other");
    assert_eq!(
        ours(&lab, &renamed).await,
        [(NAME.to_owned(), image.clone())]
    );
    let no_longer = desired("web", &[REGION]);
    assert_eq!(ours(&lab, &no_longer).await, [(NAME.to_owned(), image)]);
    let base = desired("base", &[REGION]);
    assert_eq!(known(&lab, &base).await.all, BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_marked_as_retained_is_nobodys() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    lab.pass(20).await;
    assert_eq!(ours(&lab, &web).await.len(), 1);
    let mark = Action::TagParameter {
        name: NAME.to_owned(),
        tags: [(tag::RETAINED.to_owned(), "2026-03-01T00:00:00Z".to_owned())].into(),
    };
    let marked = lab.perform(&web, REGION, mark).await;
    assert_eq!(marked.result, Ok(Answer::Changed));
    assert_eq!(ours(&lab, &web).await, [], "at once");
    lab.pass(60).await;
    assert_eq!(ours(&lab, &web).await, []);
    assert_eq!(known(&lab, &web).await.all[NAME].value, image, "and stays");
}

#[tokio::test(start_paused = true)]
async fn what_was_in_line_is_read_once_in_an_interval_and_not_at_the_start() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    lab.pass(20).await;
    ours(&lab, &web).await;
    let reached = || {
        ["DescribeParameters", "GetParameters", "ListTagsForResource"]
            .map(|action| lab.reached(action))
    };
    let before = reached();
    for _ in 0..24 * 6 {
        lab.pass(600).await;
        seen(&lab, &web, When::InTurn).await;
    }
    assert_eq!(reached(), before.map(|calls| calls + 2), "in a day");

    let another = lab.another_process().started().await;
    assert_eq!(seen(&another, &web, When::InTurn).await, None);
    assert_eq!(another.reached("DescribeParameters"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_unknown_and_not_absent() {
    let web = asking(NAME);
    let (lab, _) = with_image(&web).await;
    for action in ["DescribeParameters", "GetParameters"] {
        lab.fail(action, Fault::InternalError { effect: false });
        let before = lab.clock.now();
        // What was read before is told with its time, until it is known that it cannot be read now.
        if let Some(ParametersView::Known(known)) = seen(&lab, &web, When::Now).await {
            assert!(known.as_of < before, "{action}: {known:?}");
        }
        lab.pass(20).await;
        let told = seen(&lab, &web, When::Now).await;
        assert!(
            matches!(told, Some(ParametersView::Unknown(_))),
            "{action}: {told:?}"
        );
        lab.heal();
        lab.pass(120).await;
        assert_eq!(ours(&lab, &web).await, []);
        lab.pass(60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn none_is_gone_for_certain_before_the_window_after_the_last_put() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    lab.pass(1200).await;
    let window = web.consistency_window;
    assert!(known(&lab, &web).await.are_gone(&web.identity, window));
    // Whatever comes of it, it may still show.
    lab.fail("PutParameter", Fault::InternalError { effect: true });
    let lost = lab.perform(&web, REGION, put(&web, NAME, &image)).await;
    assert!(lost.result.is_err(), "{lost:?}");
    lab.heal();
    let deletion = Request::new("DeleteParameter", &[("Name", NAME)]);
    let (now, caller) = (lab.clock.now(), Caller::ssm(ACCESS_KEY, REGION));
    let deleted = lab.world(|world| world.call(now, &caller, &deletion));
    assert_eq!(deleted.error, None, "{}", deleted.body);
    lab.pass(60).await;
    assert!(!known(&lab, &web).await.are_gone(&web.identity, window));
    lab.pass(600).await;
    assert!(known(&lab, &web).await.are_gone(&web.identity, window));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_without_a_name_an_image_or_tags() {
    let web = asking(NAME);
    let (lab, image) = with_image(&web).await;
    let name = NAME.to_owned();
    for action in [
        put(&web, "", &image),
        put(&web, "published", &image),
        put(&web, NAME, "ami-"),
        Action::DeleteParameter {
            name: String::new(),
        },
        Action::TagParameter {
            name,
            tags: BTreeMap::new(),
        },
    ] {
        let outcome = lab.perform(&web, REGION, action).await;
        assert!(outcome.result.is_err(), "{outcome:?}");
    }
    let calls = ["PutParameter", "DeleteParameter", "AddTagsToResource"];
    assert_eq!(calls.map(|action| lab.reached(action)), [0, 0, 0]);
}
