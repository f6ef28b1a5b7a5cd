//! What somebody deregistered and the Recycle Bin keeps: it is found there by its id, comes back under it, and is known from
//! then on, whatever lists show.

use amity::aws::effect::Answer;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::{ImageState, Known};
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::Action;
use ec2sim::{Caller, Fault, Knobs, Request};

use crate::lab::{ACCESS_KEY, ACCOUNT, Lab, capture, desired};

const REGION: &str = "us-east-1";

/// An image of ours that somebody deregistered with its snapshot, and that lists no longer show.
async fn lost(knobs: Knobs, days: u64) -> (Lab, Desired, String, String) {
    let lab = Lab::with_knobs(knobs).started().await;
    let place = |place: &mut ec2sim::state::Place| {
        place.recycle_bin_days = days;
        place.snapshot_recycle_bin_days = days;
    };
    lab.world(|world| place(world.place_mut(ACCOUNT, REGION).expect("a place")));
    let desired = desired("web", &[REGION]);
    let image = lab.make(&desired, REGION, capture(&desired)).await;
    lab.pass(900).await;
    let snapshot = lab.known(&desired, REGION).await.images[0].snapshots[0].clone();
    by_hand(&lab, "DeregisterImage", ("ImageId", &image));
    by_hand(&lab, "DeleteSnapshot", ("SnapshotId", &snapshot));
    let mut looks = 0;
    while !is_missing(&lab.known(&desired, REGION).await) {
        assert!(looks < 60, "it is listed still");
        looks += 1;
        lab.pass(10).await;
    }
    (lab, desired, image, snapshot)
}

/// Somebody else of the account does it.
fn by_hand(lab: &Lab, action: &str, parameter: (&str, &str)) {
    let caller = Caller::ec2(ACCESS_KEY, REGION);
    let request = Request::new(action, &[parameter]);
    let answer = lab.world(|world| world.call(lab.clock.now(), &caller, &request));
    assert_eq!(answer.error, None, "{action}: {}", answer.body);
}

fn is_missing(known: &Known) -> bool {
    matches!(known.images[0].state, ImageState::Missing { .. })
}

/// What the Recycle Bin has of a lost image: the snapshots to be restored before it.
async fn recycled(
    lab: &Lab,
    desired: &Desired,
    image: &str,
    snapshot: &str,
) -> Option<Vec<String>> {
    let key = (Place::new(ACCOUNT, REGION), image.to_owned());
    let reads = Reads {
        recycle_bin: [(key.clone(), vec![snapshot.to_owned()])].into(),
        ..Reads::default()
    };
    // A first answer may come too late for whoever asks.
    lab.inventory.observe(desired, &reads).await;
    lab.pass(5).await;
    let mut observed = lab.inventory.observe(desired, &reads).await;
    observed.recycled.remove(&key)
}

#[tokio::test(start_paused = true)]
async fn what_the_recycle_bin_keeps_comes_back_snapshots_first() {
    let (lab, desired, image, snapshot) = lost(Knobs::calm(), 7).await;
    let kept = recycled(&lab, &desired, &image, &snapshot).await;
    assert_eq!(kept, Some(vec![snapshot.clone()]));

    let action = Action::RestoreImage { id: image.clone() };
    let too_early = lab.perform(&desired, REGION, action.clone()).await;
    assert!(too_early.result.is_err(), "before its snapshots");

    let id = snapshot.clone();
    let done = lab
        .perform(&desired, REGION, Action::RestoreSnapshot { id })
        .await;
    assert_eq!(done.result, Ok(Answer::Changed));
    let kept = recycled(&lab, &desired, &image, &snapshot).await;
    assert_eq!(kept, Some(vec![]), "it was asked anew");

    lab.pass(120).await;
    let done = lab.perform(&desired, REGION, action).await;
    assert_eq!(done.result, Ok(Answer::Changed));
    let known = lab.known(&desired, REGION).await;
    assert_eq!(known.images[0].state, ImageState::Available);
    lab.pass(900).await;
    let known = lab.known(&desired, REGION).await;
    assert_eq!(
        (known.images[0].id.as_str(), known.images[0].state),
        (image.as_str(), ImageState::Available)
    );
    assert!(known.snapshots.iter().any(|one| one.id == snapshot));
    assert!(known.dead.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_restored_is_there_while_lists_lag() {
    let knobs = Knobs {
        max_read_lag_seconds: 240,
        ..Knobs::calm()
    };
    let (lab, desired, image, snapshot) = lost(knobs, 7).await;
    for action in [
        Action::RestoreSnapshot { id: snapshot },
        Action::RestoreImage { id: image },
    ] {
        let done = lab.perform(&desired, REGION, action).await;
        assert_eq!(done.result, Ok(Answer::Changed));
    }
    for _ in 0..900 {
        let known = lab.known(&desired, REGION).await;
        assert_eq!(known.images[0].state, ImageState::Available);
        lab.pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_rule_kept_is_not_there() {
    let (lab, desired, image, snapshot) = lost(Knobs::calm(), 0).await;
    assert_eq!(recycled(&lab, &desired, &image, &snapshot).await, None);
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_look_nothing_is_there() {
    let (lab, desired, image, snapshot) = lost(Knobs::calm(), 7).await;
    let refusal = Fault::Refuse {
        code: "UnauthorizedOperation",
        message: "You are not authorized to perform this operation.",
    };
    lab.fail("ListImagesInRecycleBin", refusal);
    assert_eq!(recycled(&lab, &desired, &image, &snapshot).await, None);
}
