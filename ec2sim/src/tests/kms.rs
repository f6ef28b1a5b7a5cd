//! KMS keys that the world lists.

use super::*;

const ID: &str = "11111111-2222-4333-8444-555555555555";
const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555";
const THEIRS: &str = "arn:aws:kms:us-east-1:444455556666:key/99999999-2222-4333-8444-555555555555";

/// A world where each of two accounts has an image and one key, ours with this much more said.
fn world(place: &str, key: &str, theirs: &str) -> Ec2 {
    let yaml = format!(
        r#"
regions: {{us-east-1: {{}}}}
accounts:
  "111122223333":
    accessKeys: [{HOME}]
    places:
      us-east-1:
        {place}
        kmsKeys: {{{ID}: {{aliases: [alias/ami], {key}}}}}
        images:
          {GOLDEN}: {{name: golden, devices: [{{name: /dev/xvda, snapshot: {GOLDEN_SNAPSHOT}, size: 8}}]}}
          {PUBLIC}: {{name: own, devices: [{{name: /dev/xvda, snapshot: snap-00000000000000001, size: 8, kmsKey: alias/ami}}]}}
  "444455556666":
    places:
      us-east-1:
        kmsKeys: {{99999999-2222-4333-8444-555555555555: {{{theirs}}}}}
        images:
          {SHARED}:
            name: theirs
            sharedWith: ["111122223333"]
            devices: [{{name: /dev/xvda, snapshot: snap-00000000000000002, size: 8, kmsKey: 99999999-2222-4333-8444-555555555555}}]
"#
    );
    let mut ec2 = Ec2::slow();
    ec2.world = World::from_yaml(&yaml)
        .expect("a world")
        .with_knobs(ec2.world.knobs_mut().clone());
    ec2
}

/// Copies the source and gives the state it comes to, what its snapshot says, and its key.
fn copied(
    ec2: &mut Ec2,
    source: &str,
    more: &[(&str, &str)],
) -> (String, Option<String>, Option<String>) {
    let image = ec2.copy(source, more);
    assert_eq!(ec2.state(&image), "pending");
    ec2.wait(10);
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    let snapshot = ec2.snapshot(&snapshot);
    (
        ec2.state(&image),
        text(&snapshot, "statusMessage"),
        text(&snapshot, "kmsKeyId"),
    )
}

fn under(key: &str) -> [(&str, &str); 2] {
    [("Encrypted", "true"), ("KmsKeyId", key)]
}

fn failed(result: &(String, Option<String>, Option<String>)) -> bool {
    result.0 == "failed" && result.1.as_deref() == Some("Given key ID is not accessible")
}

#[test]
fn a_key_is_found_by_id_alias_and_arn() {
    let alias = "arn:aws:kms:us-east-1:111122223333:alias/ami";
    for name in [ID, "alias/ami", ARN, alias] {
        let mut ec2 = world("", "", "");
        let (state, _, key) = copied(&mut ec2, GOLDEN, &under(name));
        assert_eq!(
            (state.as_str(), key.as_deref()),
            ("available", Some(ARN)),
            "{name}"
        );
    }
}

#[test]
fn a_key_that_is_not_listed_is_found_out_late() {
    for name in ["alias/other", "99999999-2222-4333-8444-555555555555"] {
        let mut ec2 = world("", "", "");
        assert!(failed(&copied(&mut ec2, GOLDEN, &under(name))), "{name}");
    }
}

#[test]
fn a_key_that_does_not_work_is_found_out_late() {
    for key in [
        "state: disabled",
        "state: pending-deletion",
        "state: pending-import",
        "state: unavailable",
        "usable: false",
    ] {
        let mut ec2 = world("", key, "");
        assert!(failed(&copied(&mut ec2, GOLDEN, &under(ARN))), "{key}");
    }
}

#[test]
fn encryption_by_default_uses_the_default_key() {
    let place = "{encryptionByDefault: true, defaultKey: alias/ami}";
    let place = place.trim_matches(['{', '}']).replace(", ", "\n        ");
    let mut ec2 = world(&place, "", "");
    assert_eq!(copied(&mut ec2, GOLDEN, &[]).2.as_deref(), Some(ARN));
    let mut ec2 = world(&place, "state: disabled", "");
    assert!(failed(&copied(&mut ec2, GOLDEN, &[])));
}

#[test]
fn the_key_of_the_source_must_work_too() {
    let mut ec2 = world("", "", "");
    assert_eq!(copied(&mut ec2, PUBLIC, &[]).0, "available");
    let mut ec2 = world("", "state: disabled", "");
    let managed = [("Encrypted", "true"), ("KmsKeyId", "alias/aws/ebs")];
    assert!(failed(&copied(&mut ec2, PUBLIC, &managed)));
}

#[test]
fn a_key_of_somebody_else_must_be_shared() {
    let shared = "sharedWith: [\"111122223333\"]";
    for (theirs, works) in [("", false), (shared, true)] {
        let mut ec2 = world("", "", theirs);
        let result = copied(&mut ec2, SHARED, &under(ARN));
        assert_eq!(result.0 == "available", works, "as the key of the source");
        let result = copied(&mut ec2, GOLDEN, &under(THEIRS));
        assert_eq!(result.0 == "available", works, "as the key of the copy");
    }
}
