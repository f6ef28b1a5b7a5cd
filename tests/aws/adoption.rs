//! Taking over what others made: it is read by its id, tagged, and known from then on, whatever lists show.

use std::collections::BTreeMap;

use amity::aws::effect::Answer;
use amity_core::api::conditions;
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{Place, Reference, tag};
use amity_core::image::observed::{AdoptionView, Image, ImageState, Known};
use amity_core::image::plan::Reads;
use amity_core::image::plan::step::Action;
use ec2sim::Knobs;

use crate::lab::{ACCOUNT, CONTROLLER, Lab, desired};

const REGION: &str = "us-east-1";
/// An image of the account that was there before.
const GOLDEN: &str = "ami-0feedfacefeedface";
const SNAPSHOT: &str = "snap-0feedfacefeedface";
const ADOPT: &str = include_str!("../../deploy/iam/adopt.json");

async fn read(lab: &Lab, id: &str) -> AdoptionView {
    let key = (Place::new(ACCOUNT, REGION), id.to_owned());
    let reads = Reads {
        adoptions: [key.clone()].into(),
        ..Reads::default()
    };
    let desired = desired("web", &[REGION]);
    loop {
        let mut observed = lab.inventory.observe(&desired, &reads).await;
        if let Some(view) = observed.adoptions.remove(&key) {
            return view;
        }
    }
}

async fn image(lab: &Lab) -> Image {
    match read(lab, GOLDEN).await {
        AdoptionView::Image(image) => *image,
        other => panic!("no image: {other:?}"),
    }
}

/// All that says that something is the object's.
fn tags(id: &str) -> BTreeMap<String, String> {
    let desired = desired("web", &[REGION]);
    let origin = Reference::new(REGION, "i-0a1b2c3d4e5f60718");
    let mut tags = desired
        .identity
        .birth_tags(&desired.revision, VARIANT_SOURCE, &origin, &origin);
    tags.insert(tag::SELF.to_owned(), id.to_owned());
    tags.insert(tag::ADOPTED.to_owned(), "2026-03-01T00:00:00Z".to_owned());
    tags
}

fn adopt(id: &str, image: Option<Image>) -> Action {
    Action::Adopt {
        id: id.to_owned(),
        image: image.map(Box::new),
        tags: tags(id),
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_to_be_taken_over_is_read_by_its_id_if_the_account_owns_it() {
    let lab = Lab::calm().started().await;
    let image = image(&lab).await;
    assert_eq!(
        (image.id.as_str(), image.state),
        (GOLDEN, ImageState::Available)
    );
    assert_eq!(image.snapshots, [SNAPSHOT]);
    for id in ["ami-00000000000000000", "ami-0a0a0a0a0a0a0a0a0"] {
        assert_eq!(read(&lab, id).await, AdoptionView::Missing, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_over_is_the_objects_before_lists_show_it() {
    let knobs = Knobs {
        max_read_lag_seconds: 60,
        ..Knobs::calm()
    };
    let lab = Lab::under_policies(knobs, &[CONTROLLER, ADOPT])
        .started()
        .await;
    let desired = desired("web", &[REGION]);
    let image = image(&lab).await;

    for action in [adopt(GOLDEN, Some(image)), adopt(SNAPSHOT, None)] {
        let outcome = lab.perform(&desired, REGION, action).await;
        assert_eq!(outcome.result, Ok(Answer::Changed));
    }

    let known = lab.known(&desired, REGION).await;
    assert_eq!(known.images[0].id, GOLDEN);
    assert_eq!(known.images[0].tags.get(tag::SELF), Some(GOLDEN));
    assert_eq!(known.snapshots[0].id, SNAPSHOT);
    assert_eq!(known.snapshots[0].used_by, Some(vec![GOLDEN.to_owned()]));
    let is_retained = |known: &Known| known.snapshots[0].tags.contains_key(tag::RETAINED);
    assert!(is_retained(&known), "what it carried before is not known");
    lab.pass(3600).await;
    let known = lab.known(&desired, REGION).await;
    assert_eq!((known.images.len(), known.snapshots.len()), (1, 1));
    assert_eq!(known.snapshots[0].size_gib, 8, "the list says more");
    assert!(!is_retained(&known));
}

#[tokio::test(start_paused = true)]
async fn taking_over_needs_a_policy_of_its_own() {
    let desired = desired("web", &[REGION]);
    for (policies, allowed) in [(&[CONTROLLER][..], false), (&[CONTROLLER, ADOPT][..], true)] {
        let lab = Lab::under_policies(Knobs::calm(), policies).started().await;
        let image = image(&lab).await;
        for action in [adopt(GOLDEN, Some(image)), adopt(SNAPSHOT, None)] {
            let outcome = lab.perform(&desired, REGION, action).await;
            match outcome.result {
                Ok(_) => assert!(allowed),
                Err(refusal) => {
                    assert!(!allowed, "{refusal:?}");
                    assert_eq!(refusal.reason, conditions::ACCESS_DENIED);
                    assert!(refusal.message.contains("ec2:CreateTags"), "{refusal:?}");
                }
            }
        }
        let ledger = lab.policy_ledger();
        assert_eq!(ledger.denials().is_empty(), allowed, "{ledger:?}");
        let mut unused = ledger.unused();
        unused.retain(|one| one.contains("TakeOverWhatOthersMade"));
        assert!(unused.is_empty(), "{unused:#?}");
    }
}
