//! How copies are encrypted by default, as far as sharing depends on it.

use amity_core::image::encryption::MANAGED_KEY;
use amity_core::image::identity::Place;
use amity_core::image::observed::EbsDefaults;
use amity_core::image::plan::Reads;
use ec2sim::Fault;

use crate::lab::{ACCOUNT, Lab, desired};

const REGION: &str = "eu-west-1";

async fn read(lab: &Lab) -> EbsDefaults {
    let place = Place::new(ACCOUNT, REGION);
    let desired = desired("web", &["us-east-1", REGION]);
    let reads = Reads {
        ebs_defaults: [place.clone()].into(),
        ..Reads::default()
    };
    loop {
        let observed = lab.inventory.observe(&desired, &reads).await;
        if let Some(defaults) = observed.ebs_defaults.get(&place) {
            return defaults.clone();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_that_aws_manages_is_told_from_one_of_the_accounts_own() {
    let lab = Lab::calm().started().await;
    let known = |encrypts, default_key: &str| EbsDefaults::Known {
        encrypts,
        default_key: default_key.to_owned(),
    };
    assert_eq!(read(&lab).await, known(false, MANAGED_KEY), "as AWS has it");

    let own = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    lab.world(|world| {
        let place = world.place_mut(ACCOUNT, REGION).expect("a place");
        place.encryption_by_default = true;
    });
    assert_eq!(read(&lab).await, known(false, MANAGED_KEY), "for a minute");
    lab.pass(60).await;
    assert_eq!(read(&lab).await, known(true, MANAGED_KEY));

    lab.world(|world| {
        let place = world.place_mut(ACCOUNT, REGION).expect("a place");
        place.default_key = Some(own.to_owned());
    });
    lab.pass(60).await;
    assert_eq!(read(&lab).await, known(true, own));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_unknown() {
    let lab = Lab::calm().started().await;
    let refusal = Fault::Refuse {
        code: "UnauthorizedOperation",
        message: "You are not authorized to perform this operation.",
    };
    lab.fail("GetEbsDefaultKmsKeyId", refusal);
    assert_eq!(read(&lab).await, EbsDefaults::Unknown);
}
