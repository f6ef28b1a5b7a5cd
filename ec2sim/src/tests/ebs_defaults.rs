//! Encryption by default.

use super::*;

fn is_on(ec2: &mut Ec2) -> bool {
    let body = ec2.ok("GetEbsEncryptionByDefault", &[]);
    text(&body, "ebsEncryptionByDefault").as_deref() == Some("true")
}

/// The keys of the snapshots of an image that is made of a new instance of another image.
fn keys_of_captured(ec2: &mut Ec2, image: &str) -> Vec<String> {
    let launch = [("ImageId", image), ("MinCount", "1"), ("MaxCount", "1")];
    let body = ec2.ok("RunInstances", &launch);
    let instance = text(&body, "instanceId").expect("an instance");
    let body = ec2.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("Name", "captured")],
    );
    let image = text(&body, "imageId").expect("an image");
    let snapshots = ec2.snapshots_of(&image);
    let keys = snapshots.iter().map(|id| ec2.snapshot(id));
    keys.filter_map(|body| text(&body, "kmsKeyId")).collect()
}

#[test]
fn it_is_a_setting_of_one_region() {
    let mut ec2 = Ec2::calm();
    assert!(!is_on(&mut ec2));
    let body = ec2.ok("EnableEbsEncryptionByDefault", &[]);
    assert_eq!(
        text(&body, "ebsEncryptionByDefault").as_deref(),
        Some("true")
    );
    assert!(is_on(&mut ec2));
    assert!(!is_on(ec2.at("eu-west-1")));
    assert!(!is_on(ec2.at("us-east-1").as_key(PARTNER)));
    ec2.as_key(HOME).ok("DisableEbsEncryptionByDefault", &[]);
    assert!(!is_on(&mut ec2));
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut ec2 = Ec2::calm();
    let code = ec2.code("EnableEbsEncryptionByDefault", &[("DryRun", "true")]);
    assert_eq!(code, "DryRunOperation");
    assert!(!is_on(&mut ec2));
}

#[test]
fn copies_are_encrypted_while_it_is_on() {
    let mut ec2 = Ec2::calm();
    ec2.at("eu-west-1").ok("EnableEbsEncryptionByDefault", &[]);
    let copy = ec2.copy(GOLDEN, &[]);
    assert_eq!(
        text(&ec2.image(&copy), "encrypted").as_deref(),
        Some("true")
    );
    ec2.ok("DisableEbsEncryptionByDefault", &[]);
    let copy = ec2.copy(GOLDEN, &[]);
    assert_eq!(
        text(&ec2.image(&copy), "encrypted").as_deref(),
        Some("false")
    );
}

#[test]
fn the_volumes_of_instances_are_encrypted_while_it_is_on() {
    let mut ec2 = Ec2::calm();
    assert!(keys_of_captured(&mut ec2, GOLDEN).is_empty());
    let mut ec2 = Ec2::calm();
    ec2.ok("EnableEbsEncryptionByDefault", &[]);
    assert_eq!(keys_of_captured(&mut ec2, GOLDEN).len(), 1);
}

#[test]
fn the_volume_of_an_encrypted_snapshot_keeps_its_key() {
    let mut ec2 = Ec2::calm();
    let own = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    ec2.wait(1);
    let snapshot = ec2.snapshots_of(&own)[0].clone();
    let key = text(&ec2.snapshot(&snapshot), "kmsKeyId").expect("a key");
    assert_eq!(keys_of_captured(&mut ec2, &own), [key]);
}

#[test]
fn the_default_key_is_the_managed_one_by_its_alias_or_another_by_its_arn() {
    let mut ec2 = Ec2::calm();
    let read = |ec2: &mut Ec2| text(&ec2.ok("GetEbsDefaultKmsKeyId", &[]), "kmsKeyId");
    assert_eq!(read(&mut ec2).as_deref(), Some("alias/aws/ebs"));
    let arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-4333-8444-555555555555";
    let place = ec2.world.place_mut("111122223333", "us-east-1");
    place.expect("the account").default_key = Some(arn.to_owned());
    assert_eq!(read(&mut ec2).as_deref(), Some(arn));
}
