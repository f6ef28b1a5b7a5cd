//! With whom images are shared, and with whom no longer.

use amity_testbed::{HeldImage, eventually};

use crate::lab::{Lab, Namespace, PATIENCE, USER, published};

const FRIEND: &str = "222233334444";
const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-0123456789";

/// What EC2 says of who else may use an image or a snapshot.
fn permissions(namespace: &Namespace<'_>, id: &str) -> String {
    let (action, kind, attribute) = if id.starts_with("ami-") {
        ("DescribeImageAttribute", "ImageId", "launchPermission")
    } else {
        (
            "DescribeSnapshotAttribute",
            "SnapshotId",
            "createVolumePermission",
        )
    };
    let parameters = [(kind, id), ("Attribute", attribute)];
    namespace.lab.user_does(USER, action, &parameters)
}

/// Waits until EC2 says of each of these whether it is among those who may use it.
fn until_shared(namespace: &Namespace<'_>, id: &str, with: &[(&str, bool)]) {
    eventually(PATIENCE, &format!("{id} is shared as wanted"), || {
        let said = permissions(namespace, id);
        let is_as_wanted = with.iter().all(|(who, is)| said.contains(who) == *is);
        is_as_wanted.then_some(()).ok_or(said)
    })
    .unwrap();
}

#[test]
fn an_image_is_shared_as_the_spec_says_and_its_snapshots_with_the_accounts() {
    let namespace = Lab::shared().namespace("shared");
    let sharing = format!(
        "sharing: {{accounts: [\"{FRIEND}\"], organizations: [\"{ORGANIZATION}\"]}}\n  publish: {{configMapName: shared}}"
    );
    namespace.apply_of_instance("web", &["us-east-1"], &sharing);
    let id = published(&namespace.until_ready("web"))["us-east-1"].clone();
    let images = namespace.lab.holdings().images;
    let image = images.iter().find(|image| image.id == id);
    let snapshots: Vec<_> = image.into_iter().flat_map(HeldImage::snapshots).collect();
    let [snapshot] = snapshots.as_slice() else {
        panic!("one snapshot: {snapshots:?}")
    };
    until_shared(&namespace, &id, &[(FRIEND, true), (ORGANIZATION, true)]);
    until_shared(
        &namespace,
        snapshot,
        &[(FRIEND, true), (ORGANIZATION, false)],
    );

    namespace.patch("web", r#"{"spec": {"sharing": {"organizations": null}}}"#);
    until_shared(&namespace, &id, &[(FRIEND, true), (ORGANIZATION, false)]);

    namespace.patch("web", r#"{"spec": {"sharing": {"accounts": null}}}"#);
    until_shared(&namespace, &id, &[(FRIEND, false)]);
    until_shared(&namespace, snapshot, &[(FRIEND, false)]);
    namespace.until_ready("web");
}

#[test]
fn sharing_without_a_grant_is_refused_with_the_grant_that_is_missing() {
    let namespace = Lab::shared().namespace("not-granted");
    let sharing = "sharing: {accounts: [\"999988887777\"]}";
    namespace.apply_of_instance("web", &["us-east-1"], sharing);
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NotGranted", "{message}");
    for said in ["999988887777", "spec.grants.sharing"] {
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn an_image_that_the_account_does_not_let_be_public_says_how_to_let_it() {
    let namespace = Lab::shared().namespace("not-public");
    let sharing = "sharing: {visibility: Public}";
    namespace.apply_of_instance("web", &["us-east-1"], sharing);
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "Refused", "{message}");
    assert!(
        message.contains("disable-image-block-public-access"),
        "{message}"
    );
}

#[test]
fn a_copy_that_could_not_be_shared_as_it_would_be_encrypted_is_not_made() {
    let namespace = Lab::shared().namespace("not-shareable");
    let more = format!("sharing: {{accounts: [\"{FRIEND}\"]}}\n  suspend: true");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], &more);
    let encrypted = |encryption: &str| {
        format!(
            r#"{{"spec": {{"suspend": false, "regions": [{{"name": "us-east-1"}}, {{"name": "eu-west-1", "encryption": {encryption}}}]}}}}"#
        )
    };
    namespace.patch("web", &encrypted("{}"));
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NotShareable", "{message}");
    for said in ["eu-west-1", "aws/ebs", "encryption.kmsKeyId"] {
        assert!(message.contains(said), "{message}");
    }
    namespace.assert_nothing_left("web", Some("eu-west-1"));

    namespace.patch("web", &encrypted(r#"{"kmsKeyId": "alias/images"}"#));

    let image = namespace.until_ready("web");
    let id = &published(&image)["eu-west-1"];
    let parameters = [("ImageId", id.as_str()), ("Attribute", "launchPermission")];
    let said = namespace
        .lab
        .user_does_in("eu-west-1", USER, "DescribeImageAttribute", &parameters);
    assert!(said.contains(FRIEND), "{said}");
}
