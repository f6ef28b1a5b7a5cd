//! How accounts are reached.

use amity_core::api::conditions;
use ec2sim::Fault;
use serde_json::json;

use crate::lab::{ACCOUNT, Lab, account, desired};

#[tokio::test(start_paused = true)]
async fn an_account_is_proven_and_its_enabled_regions_are_found() {
    let lab = Lab::calm();
    let session = lab
        .sessions
        .open(&account(json!({})))
        .await
        .expect("it opens");
    assert_eq!(session.account_id(), ACCOUNT);
    assert_eq!(
        session.regions(),
        [
            "ap-northeast-1",
            "ap-southeast-2",
            "eu-west-1",
            "us-east-1",
            "us-west-2"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_regions_of_the_spec_are_kept_and_others_left_out() {
    let lab = Lab::calm();
    let spec = json!({"regions": ["us-east-1", "af-south-1"]});
    let session = lab.sessions.open(&account(spec)).await.expect("it opens");
    assert_eq!(
        session.regions(),
        ["us-east-1"],
        "af-south-1 is not enabled"
    );
}

#[tokio::test(start_paused = true)]
async fn a_proof_is_remembered_for_an_hour() {
    let lab = Lab::calm();
    for _ in 0..5 {
        lab.sessions
            .open(&account(json!({})))
            .await
            .expect("it opens");
        lab.pass(600).await;
    }
    assert_eq!(lab.calls.count("GetCallerIdentity", "success"), 1);
    lab.pass(600).await;
    lab.sessions
        .open(&account(json!({})))
        .await
        .expect("it opens");
    assert_eq!(lab.calls.count("GetCallerIdentity", "success"), 2);
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_account_are_refused() {
    let lab = Lab::calm();
    let refused = lab
        .sessions
        .open(&account(json!({"accountId": "444455556666"})))
        .await
        .expect_err("not that account");
    assert_eq!(refused.reason, conditions::WRONG_ACCOUNT);
    assert!(
        refused.message.contains(ACCOUNT) && refused.message.contains("444455556666"),
        "{}",
        refused.message
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_with_its_external_id() {
    let lab = Lab::calm();
    let role = |external_id: &str| {
        json!({
            "accountId": "444455556666",
            "assumeRole": {"roleArn": "arn:aws:iam::444455556666:role/amity", "externalId": external_id},
        })
    };
    let refused = lab
        .sessions
        .open(&account(role("something-else")))
        .await
        .expect_err("the wrong external id");
    assert_eq!(refused.reason, conditions::NO_CREDENTIALS);
    assert!(
        refused
            .message
            .contains("arn:aws:iam::444455556666:role/amity"),
        "{}",
        refused.message
    );

    let session = lab
        .sessions
        .open(&account(role("amity-example")))
        .await
        .expect("it opens");
    assert_eq!(session.account_id(), "444455556666");
    assert_eq!(
        lab.calls.count("AssumeRole", "success"),
        1,
        "one role session serves every call"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_ends() {
    let lab = Lab::calm();
    lab.fail("GetCallerIdentity", Fault::Hang { effect: false });
    let refused = lab
        .sessions
        .open(&account(json!({})))
        .await
        .expect_err("no answer");
    assert_eq!(refused.reason, conditions::REGION_UNREADABLE);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_opened_makes_every_place_unreadable_with_its_reason() {
    let mut lab = Lab::calm();
    lab.fail("GetCallerIdentity", Fault::Throttle);
    lab.start(account(json!({})));
    lab.pass(10).await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    for region in ["us-east-1", "eu-west-1"] {
        assert_eq!(
            lab.unreadable(&desired, region).await.reason,
            conditions::THROTTLED
        );
    }
    lab.heal();
    lab.pass(120).await;
    lab.known(&desired, "us-east-1").await;
}
