//! What stands in the way is said with its reason and what to do about it, and the image goes on by
//! itself once it is mended.

use crate::lab::{Lab, Namespace, account};

/// That the image is stalled for this reason, with these words in the message.
fn assert_stalled(namespace: &Namespace<'_>, name: &str, reason: &str, words: &[&str]) {
    let (found, message) = namespace.until_stalled(name);
    assert_eq!(found, reason, "{message}");
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    namespace.assert_nothing_left(name, None);
}

#[test]
fn a_missing_grant_is_named() {
    let namespace = Lab::shared().namespace_without_grants("no-grant");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    assert_stalled(&namespace, "web", "NotGranted", &["no-grant", "capture"]);

    let grant = r#"[{"op": "add", "path": "/spec/grants/capture/-", "value": {"namespaces": {"matchNames": ["no-grant"]}}}]"#;
    let patch = ["patch", "awsaccount", "default", "--type=json", "-p", grant];
    namespace.kubectl.run(&patch).unwrap().ok().unwrap();

    namespace.until_ready("web");
}

#[test]
fn a_label_that_a_grant_asks_for_is_enough() {
    let namespace = Lab::shared().namespace_without_grants("no-label");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    assert_stalled(&namespace, "web", "NotGranted", &["no-label"]);

    let label = ["label", "namespace", "no-label", "grants=all"];
    namespace.kubectl.run(&label).unwrap().ok().unwrap();

    namespace.until_ready("web");
}

#[test]
fn a_missing_account_is_named() {
    let namespace = Lab::shared().namespace("no-account");
    let source = "{instance: {region: us-east-1, instanceId: i-0222222222222222a, reboot: Never}}";
    namespace.apply(
        "web",
        source,
        &["us-east-1", "eu-west-1"],
        "accountName: late",
    );
    assert_stalled(
        &namespace,
        "web",
        "AccountNotFound",
        &["late", "kubectl get awsaccounts"],
    );

    namespace
        .kubectl
        .apply_yaml(&account("late", "222233334444", ""))
        .unwrap();

    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
    let holdings = namespace.lab.holdings();
    assert!(
        holdings
            .images_of("no-account/web")
            .iter()
            .all(|one| one.account == "222233334444")
    );
}

#[test]
fn a_region_that_the_account_lacks_is_named() {
    let namespace = Lab::shared().namespace("no-region");
    namespace
        .kubectl
        .apply_yaml(&account("narrow", "333344445555", "regions: [us-east-1]"))
        .unwrap();
    let source = "{instance: {region: us-east-1, instanceId: i-0333333333333333a, reboot: Never}}";
    namespace.apply(
        "web",
        source,
        &["us-east-1", "eu-west-1"],
        "accountName: narrow",
    );
    assert_stalled(
        &namespace,
        "web",
        "RegionNotInAccount",
        &["eu-west-1", "narrow"],
    );

    namespace
        .kubectl
        .apply_yaml(&account(
            "narrow",
            "333344445555",
            "regions: [us-east-1, eu-west-1]",
        ))
        .unwrap();

    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
}

#[test]
fn a_role_that_cannot_be_assumed_is_named() {
    let namespace = Lab::shared().namespace("no-role");
    namespace
        .kubectl
        .apply_yaml(&account("locked", "444455556666", ""))
        .unwrap();
    let source = "{instance: {region: us-east-1, instanceId: i-0444444444444444a, reboot: Never}}";
    namespace.apply("web", source, &["us-east-1"], "accountName: locked");
    assert_stalled(&namespace, "web", "NoCredentials", &["role/amity"]);

    let patch = r#"{"spec": {"assumeRole": {"externalId": "right"}}}"#;
    let patch = ["patch", "awsaccount", "locked", "--type=merge", "-p", patch];
    namespace.kubectl.run(&patch).unwrap().ok().unwrap();

    namespace.until_ready("web");
}

#[test]
fn a_missing_instance_is_named() {
    let namespace = Lab::shared().namespace("no-instance");
    let source = "{instance: {region: us-east-1, instanceId: i-0eeeeeeeeeeeeeeee, reboot: Never}}";
    namespace.apply("web", source, &["us-east-1"], "");
    assert_stalled(
        &namespace,
        "web",
        "SourceNotFound",
        &["i-0eeeeeeeeeeeeeeee", "us-east-1"],
    );

    namespace.apply_of_instance("web", &["us-east-1"], "");

    namespace.until_ready("web");
}

#[test]
fn what_was_never_made_can_be_deleted() {
    let namespace = Lab::shared().namespace_without_grants("never-made");
    namespace.apply_of_instance("web", &["us-east-1"], "");
    assert_stalled(&namespace, "web", "NotGranted", &[]);

    namespace.delete("web");

    namespace.until_gone("web");
}
