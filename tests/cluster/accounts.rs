//! An `AwsAccount` and what it holds: it stays while something needs it, and shows what nobody asks for.

use crate::lab::{Lab, Namespace, account, condition, published, without_finalizers};

fn delete(namespace: &Namespace<'_>, account: &str) {
    let arguments = ["delete", "awsaccount", account, "--wait=false"];
    namespace.kubectl.run(&arguments).unwrap().ok().unwrap();
}

#[test]
fn an_account_that_is_named_waits_for_those_that_name_it() {
    let lab = Lab::shared();
    let namespace = lab.namespace("leaving");
    let source = "{image: {region: us-east-1, imageId: ami-0666666666666666a}}";
    let named = "accountName: leaving";
    namespace
        .kubectl
        .apply_yaml(&account("leaving", "666677778888", ""))
        .unwrap();
    namespace.apply("web", source, &["us-east-1"], named);
    namespace.until_ready("web");

    delete(&namespace, "leaving");

    let message = lab.cluster.until_account_says("leaving", "Deleting");
    assert!(message.contains("leaving/web"), "{message}");
    namespace.apply("late", source, &["us-east-1"], named);
    let (reason, message) = namespace.until_stalled("late");
    assert_eq!(reason, "AccountNotReady", "{message}");
    assert!(message.contains("is being deleted"), "{message}");
    namespace.assert_nothing_left("late", None);
    assert_eq!(
        lab.holdings().images_of("leaving/web").len(),
        1,
        "what is there stays"
    );

    for name in ["late", "web"] {
        namespace.delete(name);
        namespace.until_gone(name);
        namespace.assert_nothing_left(name, None);
    }
    lab.cluster.until_account_gone("leaving");
}

#[test]
fn an_account_that_was_never_reached_goes_at_once() {
    let lab = Lab::shared();
    let namespace = lab.namespace("never-reached");
    namespace
        .kubectl
        .apply_yaml(&account("never-reached", "999900001111", ""))
        .unwrap();
    lab.cluster
        .until_account_says("never-reached", "NoCredentials");

    delete(&namespace, "never-reached");

    lab.cluster.until_account_gone("never-reached");
}

#[test]
fn what_nobody_asks_for_any_more_is_shown_and_left_alone() {
    const ACCOUNT: &str = "777788889999";
    let lab = Lab::shared();
    let namespace = lab.namespace("strays");
    let source = "{image: {region: us-east-1, imageId: ami-0777777777777777a}}";
    namespace
        .kubectl
        .apply_yaml(&account("littered", ACCOUNT, ""))
        .unwrap();
    namespace.apply("web", source, &["us-east-1"], "accountName: littered");
    let image = namespace.until_ready("web");
    let id = published(&image)["us-east-1"].clone();

    // Somebody is tired of waiting for a deletion.
    lab.user_does(
        "AKIAEC2SIMUSER000007",
        "EnableImageDeregistrationProtection",
        &[("ImageId", &id)],
    );
    namespace.delete("web");
    namespace.until("web", "is blocked", |image| {
        let stalled = condition(image, "Stalled")?;
        (stalled.reason == "DeregistrationBlocked").then_some(())
    });
    let no_finalizers = without_finalizers("machineimage", "web");
    namespace.kubectl.run(&no_finalizers).unwrap().ok().unwrap();
    namespace.until_gone("web");

    let strays = lab
        .cluster
        .until_account("littered", "shows strays", |account| {
            account.status.as_ref()?.strays.clone()
        });
    assert_eq!(
        (strays.images, strays.snapshots, strays.gib),
        (1, 1, 1),
        "{strays:?}"
    );
    assert!(
        strays
            .examples
            .iter()
            .any(|one| one.id == id && one.object == "strays/web"),
        "{strays:?}"
    );
    let message = lab.cluster.until_account_says("littered", "Verified");
    assert!(message.contains("1 image and 1 snapshot"), "{message}");
    lab.until_read_three_times(ACCOUNT);
    let holdings = lab.holdings();
    assert_eq!(
        holdings.images_of("strays/web").len(),
        1,
        "nothing deletes them"
    );
    assert_eq!(holdings.snapshots_of("strays/web").len(), 1);

    // They keep the account, until somebody says that they may stay.
    delete(&namespace, "littered");
    let message = lab.cluster.until_account_says("littered", "Deleting");
    assert!(
        message.contains(&id) && message.contains("amity.dev/retained"),
        "{message}"
    );
    let snapshot = &holdings.snapshots_of("strays/web")[0].id;
    let tags = [
        ("ResourceId.1", id.as_str()),
        ("ResourceId.2", snapshot),
        ("Tag.1.Key", "amity.dev/retained"),
        ("Tag.1.Value", "by hand"),
    ];
    lab.user_does("AKIAEC2SIMUSER000007", "CreateTags", &tags);
    lab.cluster.until_account_gone("littered");
    assert_eq!(lab.holdings().images_of("strays/web").len(), 1);
}
