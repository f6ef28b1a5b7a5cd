//! Which images launch fast: switched on and off, and read only for objects that ask for it.

use amity::aws::effect::Answer;
use amity_core::image::desired::Desired;
use amity_core::image::fast_launch::{
    FastLaunch, FastLaunchSettings, FastLaunchState, FastLaunchView,
};
use amity_core::image::identity::Place;
use amity_core::image::plan::{Action, Reads, When};
use ec2sim::{Fault, Knobs};

use crate::lab::{ACCOUNT, Lab, capture, desired};

const REGION: &str = "us-east-1";
const READ: &str = "DescribeFastLaunchImages";
const SETTINGS: FastLaunchSettings = FastLaunchSettings {
    target_resource_count: 3,
    max_parallel_launches: 8,
};

/// EC2 takes five minutes for it, and lists lag.
fn slow() -> Knobs {
    Knobs {
        fast_launch_milliseconds: 300_000,
        max_read_lag_seconds: 30,
        ..Knobs::calm()
    }
}

/// An object with a Windows image, and the id of that.
async fn made(lab: &Lab) -> (Desired, String) {
    lab.has_windows();
    let desired = desired("web", &[REGION]);
    let image = lab.make(&desired, REGION, capture(&desired)).await;
    // Until a list shows it.
    lab.pass(600).await;
    (desired, image)
}

/// What is known of the images that launch fast.
async fn seen(lab: &Lab, desired: &Desired, when: When) -> Option<FastLaunchView> {
    let place = Place::new(ACCOUNT, REGION);
    let reads = Reads {
        fast_launches: [(place.clone(), when)].into(),
        ..Reads::default()
    };
    let mut observed = lab.inventory.observe(desired, &reads).await;
    observed.fast_launches.remove(&place)
}

/// The one of this image.
async fn of(lab: &Lab, desired: &Desired, image: &str) -> Option<FastLaunch> {
    match seen(lab, desired, When::Now).await {
        Some(FastLaunchView::Known(mut known)) => known.remove(image),
        other => panic!("{other:?}"),
    }
}

async fn switch(lab: &Lab, desired: &Desired, image: &str, on: bool) {
    let id = image.to_owned();
    let action = if on {
        let settings = SETTINGS;
        Action::EnableFastLaunch { id, settings }
    } else {
        Action::DisableFastLaunch { id }
    };
    let outcome = lab.perform(desired, REGION, action).await;
    assert_eq!(outcome.result, Ok(Answer::Changed));
}

#[tokio::test(start_paused = true)]
async fn what_is_switched_shows_at_once_and_then_as_ec2_says() {
    let lab = Lab::with_knobs(slow()).started().await;
    let (desired, image) = made(&lab).await;
    let known = lab.known(&desired, REGION).await;
    assert!(known.images[0].attributes.is_windows);
    let state = async || {
        let it = of(&lab, &desired, &image).await;
        it.map(|it| (it.state, it.settings))
    };
    assert_eq!(state().await, None);
    switch(&lab, &desired, &image, true).await;
    assert_eq!(state().await, Some((FastLaunchState::Enabling, SETTINGS)));
    lab.pass(240).await;
    assert_eq!(state().await, Some((FastLaunchState::Enabling, SETTINGS)));
    lab.pass(180).await;
    assert_eq!(state().await, Some((FastLaunchState::Enabled, SETTINGS)));
    switch(&lab, &desired, &image, false).await;
    assert_eq!(state().await, Some((FastLaunchState::Disabling, SETTINGS)));
    lab.pass(1200).await;
    assert_eq!(state().await, None);
}

#[tokio::test(start_paused = true)]
async fn one_list_serves_every_object_and_is_asked_again_while_something_changes() {
    let lab = Lab::with_knobs(slow()).started().await;
    let (desired, image) = made(&lab).await;
    let another = crate::lab::desired("base", &[REGION]);
    assert_eq!(lab.reached(READ), 0, "nobody asked");
    seen(&lab, &another, When::InTurn).await;
    assert_eq!(lab.reached(READ), 0, "it is not its turn yet");
    seen(&lab, &desired, When::Now).await;
    seen(&lab, &another, When::Now).await;
    lab.pass(3600).await;
    seen(&lab, &another, When::Now).await;
    assert_eq!(lab.reached(READ), 1);
    switch(&lab, &desired, &image, true).await;
    lab.pass(60).await;
    seen(&lab, &desired, When::Now).await;
    lab.pass(60).await;
    seen(&lab, &desired, When::Now).await;
    assert_eq!(lab.reached(READ), 3);
    lab.pass(600).await;
    seen(&lab, &desired, When::Now).await;
    lab.pass(3600).await;
    seen(&lab, &desired, When::Now).await;
    assert_eq!(
        lab.reached(READ),
        4,
        "it is on, and not looked at every minute"
    );
    lab.pass(12 * 3600).await;
    seen(&lab, &desired, When::InTurn).await;
    assert_eq!(lab.reached(READ), 5);
}

#[tokio::test(start_paused = true)]
async fn what_failed_has_ec2s_reason_and_can_be_switched_off() {
    let knobs = Knobs {
        fast_launch_fails: true,
        ..Knobs::calm()
    };
    let lab = Lab::with_knobs(knobs).started().await;
    let (desired, image) = made(&lab).await;
    switch(&lab, &desired, &image, true).await;
    lab.pass(60).await;
    let it = of(&lab, &desired, &image).await.expect("it is there");
    assert_eq!(it.state, FastLaunchState::EnablingFailed);
    assert_eq!(it.reason.as_deref(), Some("Server.InternalError"));
    switch(&lab, &desired, &image, false).await;
    lab.pass(1200).await;
    assert_eq!(of(&lab, &desired, &image).await, None);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_switched_is_read_again() {
    let lab = Lab::calm().started().await;
    let (desired, image) = made(&lab).await;
    assert_eq!(of(&lab, &desired, &image).await, None);
    lab.fail("EnableFastLaunch", Fault::LostAnswer);
    let (id, settings) = (image.clone(), SETTINGS);
    let action = Action::EnableFastLaunch { id, settings };
    let lost = lab.perform(&desired, REGION, action).await;
    lost.result.expect_err("no answer");
    lab.heal();
    lab.pass(1).await;
    assert!(of(&lab, &desired, &image).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_not_answered_is_not_an_empty_one() {
    let lab = Lab::calm().started().await;
    let (desired, _) = made(&lab).await;
    lab.fail(READ, Fault::LostAnswer);
    let told = seen(&lab, &desired, When::Now).await;
    assert!(
        matches!(told, None | Some(FastLaunchView::Unknown(_))),
        "{told:?}"
    );
}
