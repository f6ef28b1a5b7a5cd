//! Who else may use images and snapshots: changed in one call, and read only when it is worth it.

use std::collections::BTreeSet;

use amity::aws::effect::Answer;
use amity_core::image::attributes::AttributeChange;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::permissions::{Grantee, PermissionChange, Permissions};
use amity_core::image::plan::{Action, Reads, When};
use ec2sim::Fault;

use crate::lab::{ACCOUNT, Lab, capture, desired};

const REGION: &str = "us-east-1";
const FRIEND: &str = "222233334444";
const ANOTHER: &str = "333344445555";

fn accounts(ids: &[&str]) -> BTreeSet<Grantee> {
    let accounts = ids.iter().map(|id| Grantee::Account((*id).to_owned()));
    accounts.collect()
}

/// An object with an image, and the ids of that and of its snapshot.
async fn made(lab: &Lab) -> (Desired, String, String) {
    let desired = desired("web", &[REGION]);
    let image = lab.make(&desired, REGION, capture(&desired)).await;
    lab.pass(60).await;
    let snapshot = lab.known(&desired, REGION).await.snapshots[0].id.clone();
    (desired, image, snapshot)
}

/// What is known of who else may use it.
async fn seen(lab: &Lab, desired: &Desired, id: &str, when: When) -> Option<Permissions> {
    let key = (Place::new(ACCOUNT, REGION), id.to_owned());
    let reads = Reads {
        permissions: [(key.clone(), when)].into(),
        ..Reads::default()
    };
    let mut observed = lab.inventory.observe(desired, &reads).await;
    observed.permissions.remove(&key)
}

async fn change(lab: &Lab, desired: &Desired, id: &str, add: &[&str], remove: &[&str]) {
    let action = Action::ChangePermissions {
        id: id.to_owned(),
        change: PermissionChange {
            add: accounts(add),
            remove: accounts(remove),
        },
    };
    let outcome = lab.perform(desired, REGION, action).await;
    assert_eq!(outcome.result, Ok(Answer::Changed));
}

#[tokio::test(start_paused = true)]
async fn an_image_and_its_snapshot_are_shared_with_some_and_no_longer_with_others() {
    let lab = Lab::calm().started().await;
    let (desired, image, snapshot) = made(&lab).await;
    for id in [&image, &snapshot] {
        assert_eq!(
            seen(&lab, &desired, id, When::Now).await,
            Some(Permissions::Of(BTreeSet::new()))
        );
        change(&lab, &desired, id, &[FRIEND], &[]).await;
    }
    change(&lab, &desired, &image, &[ANOTHER], &[FRIEND]).await;
    change(&lab, &desired, &snapshot, &[], &[FRIEND]).await;
    change(&lab, &desired, &snapshot, &[ANOTHER], &[]).await;
    // Beyond what is remembered of the change.
    lab.pass(1200).await;
    for id in [&image, &snapshot] {
        let shared = Some(Permissions::Of(accounts(&[ANOTHER])));
        assert_eq!(seen(&lab, &desired, id, When::Now).await, shared, "{id}");
    }
    let calls = ["ModifyImageAttribute", "ModifySnapshotAttribute"];
    assert_eq!(calls.map(|action| lab.reached(action)), [2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_organization_is_told_from_an_account() {
    let lab = Lab::calm().started().await;
    let (desired, image, _) = made(&lab).await;
    let root = "arn:aws:organizations::111122223333:";
    let add = BTreeSet::from([
        Grantee::Organization(format!("{root}organization/o-0123456789")),
        Grantee::OrganizationalUnit(format!("{root}ou/o-0123456789/ou-ab12-0123abcd")),
    ]);
    let action = Action::ChangePermissions {
        id: image.clone(),
        change: PermissionChange {
            add: add.clone(),
            remove: BTreeSet::new(),
        },
    };
    let outcome = lab.perform(&desired, REGION, action).await;
    assert_eq!(outcome.result, Ok(Answer::Changed));
    let shared = Some(Permissions::Of(add));
    assert_eq!(seen(&lab, &desired, &image, When::Now).await, shared);
}

#[tokio::test(start_paused = true)]
async fn what_was_in_line_is_read_once_in_an_interval_and_not_at_the_start() {
    let lab = Lab::calm().started().await;
    let (desired, image, snapshot) = made(&lab).await;
    let reached = || {
        let calls = ["DescribeImageAttribute", "DescribeSnapshotAttribute"];
        calls.map(|action| lab.reached(action))
    };
    for id in [&image, &snapshot] {
        assert_eq!(seen(&lab, &desired, id, When::InTurn).await, None);
    }
    assert_eq!(reached(), [0, 0]);
    for _ in 0..24 * 6 {
        lab.pass(600).await;
        for id in [&image, &snapshot] {
            seen(&lab, &desired, id, When::InTurn).await;
        }
    }
    assert_eq!(reached(), [2, 2], "in a day");
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_is_believed_until_ec2_surely_shows_it() {
    let lab = Lab::calm().started().await;
    let (desired, image, _) = made(&lab).await;
    seen(&lab, &desired, &image, When::Now).await;
    change(&lab, &desired, &image, &[FRIEND], &[]).await;
    let shared = Some(Permissions::Of(accounts(&[FRIEND])));
    assert_eq!(seen(&lab, &desired, &image, When::InTurn).await, shared);
    assert_eq!(lab.reached("DescribeImageAttribute"), 1);
    lab.pass(1200).await;
    assert_eq!(seen(&lab, &desired, &image, When::Now).await, shared);
    assert_eq!(lab.reached("DescribeImageAttribute"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_unknown_and_not_nobody() {
    let lab = Lab::calm().started().await;
    let (desired, image, _) = made(&lab).await;
    lab.fail(
        "DescribeImageAttribute",
        Fault::InternalError { effect: false },
    );
    let told = seen(&lab, &desired, &image, When::Now).await;
    assert!(
        matches!(told, None | Some(Permissions::Unknown(_))),
        "{told:?}"
    );
    lab.heal();
    lab.pass(120).await;
    let told = seen(&lab, &desired, &image, When::Now).await;
    assert_eq!(told, Some(Permissions::Of(BTreeSet::new())));
}

#[tokio::test(start_paused = true)]
async fn making_an_image_public_is_refused_with_the_remedy_while_the_account_blocks_it() {
    let lab = Lab::calm().started().await;
    let (desired, id, _) = made(&lab).await;
    let action = Action::ModifyImage {
        id,
        change: AttributeChange::Public(true),
    };
    let outcome = lab.perform(&desired, REGION, action).await;
    let refusal = outcome.result.expect_err("public access is blocked");
    assert!(
        refusal
            .message
            .contains("disable-image-block-public-access"),
        "{}",
        refusal.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_never_given_to_an_organization_and_nothing_is_sent_without_a_change() {
    let lab = Lab::calm().started().await;
    let (desired, image, snapshot) = made(&lab).await;
    let organization = Grantee::Organization("arn:aws:organizations::1:organization/o-1".into());
    let changes = [
        (image, PermissionChange::default()),
        (
            snapshot,
            PermissionChange {
                add: BTreeSet::from([organization]),
                remove: BTreeSet::new(),
            },
        ),
    ];
    for (id, change) in changes {
        let action = Action::ChangePermissions { id, change };
        let outcome = lab.perform(&desired, REGION, action).await;
        assert!(outcome.result.is_err());
    }
    let calls = ["ModifyImageAttribute", "ModifySnapshotAttribute"];
    assert_eq!(calls.map(|action| lab.reached(action)), [0, 0]);
}
