//! `CopyImage`.

use super::*;

fn key_of(ec2: &mut Ec2, image: &str) -> Option<String> {
    let snapshot = ec2.snapshots_of(image)[0].clone();
    text(&ec2.snapshot(&snapshot), "kmsKeyId")
}

#[test]
fn a_copy_names_its_source_and_no_instance() {
    let mut ec2 = Ec2::calm();
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    let body = ec2.image(&image);
    assert_eq!(text(&body, "sourceImageId").as_deref(), Some(GOLDEN));
    assert_eq!(
        text(&body, "sourceImageRegion").as_deref(),
        Some("us-east-1")
    );
    assert_eq!(text(&body, "sourceInstanceId"), None);
}

#[test]
fn the_snapshots_of_a_copy_say_where_they_come_from() {
    let mut ec2 = Ec2::calm();
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    let description = text(&ec2.snapshot(&snapshot), "description").expect("a description");
    let wanted = format!(
        "Copied for DestinationAmi {image} from SourceAmi {GOLDEN} for SourceSnapshot {GOLDEN_SNAPSHOT}. Task created on 1,780,315,200,000."
    );
    assert_eq!(description, wanted);
}

#[test]
fn the_names_of_copies_are_not_unique() {
    let mut ec2 = Ec2::calm();
    let first = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert_ne!(first, ec2.copy(GOLDEN, &[]));
}

#[test]
fn the_same_token_and_parameters_give_the_same_image() {
    let mut ec2 = Ec2::calm();
    let first = ec2.at("eu-west-1").copy(GOLDEN, &[("ClientToken", "t")]);
    assert_eq!(ec2.copy(GOLDEN, &[("ClientToken", "t")]), first);
    assert_ne!(ec2.copy(GOLDEN, &[("ClientToken", "u")]), first);
}

#[test]
fn the_same_token_with_other_parameters_is_a_mismatch() {
    let mut ec2 = Ec2::calm();
    ec2.at("eu-west-1").copy(GOLDEN, &[("ClientToken", "t")]);
    let other = copy_of(GOLDEN, &[("ClientToken", "t"), ("Description", "other")]);
    assert_eq!(ec2.code("CopyImage", &other), "IdempotentParameterMismatch");
}

#[test]
fn tokens_are_per_region() {
    let mut ec2 = Ec2::calm();
    let first = ec2.at("eu-west-1").copy(GOLDEN, &[("ClientToken", "t")]);
    assert_ne!(
        ec2.at("us-west-2").copy(GOLDEN, &[("ClientToken", "t")]),
        first
    );
}

#[test]
fn a_token_outlives_its_image_and_the_source() {
    let mut ec2 = Ec2::calm();
    let source = ec2.capture("web-1");
    let image = ec2.at("eu-west-1").copy(&source, &[("ClientToken", "t")]);
    ec2.ok("DeregisterImage", &[("ImageId", &image)]);
    ec2.at("us-east-1")
        .ok("DeregisterImage", &[("ImageId", &source)]);
    assert_eq!(
        ec2.at("eu-west-1").copy(&source, &[("ClientToken", "t")]),
        image
    );
}

#[test]
fn tags_are_copied_only_when_asked_and_those_of_the_call_win() {
    let mut ec2 = Ec2::calm();
    let plain = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert!(!ec2.image(&plain).contains("tagSet"));
    let tagged = ec2.copy(
        GOLDEN,
        &[
            ("CopyImageTags", "true"),
            ("TagSpecification.1.ResourceType", "image"),
            ("TagSpecification.1.Tag.1.Key", "team"),
            ("TagSpecification.1.Tag.1.Value", "mine"),
        ],
    );
    let body = ec2.image(&tagged);
    assert_eq!(texts(&body, "key"), ["Name", "team"]);
    assert_eq!(texts(&body, "value"), ["golden", "mine"]);
}

#[test]
fn a_source_that_is_pending_cannot_be_copied() {
    let mut ec2 = Ec2::slow();
    let source = ec2.capture("web-1");
    assert_eq!(
        ec2.at("eu-west-1")
            .code("CopyImage", &copy_of(&source, &[])),
        "InvalidAMIID.Unavailable"
    );
}

#[test]
fn a_source_that_does_not_exist_or_is_private_is_not_found() {
    let mut ec2 = Ec2::calm();
    ec2.at("eu-west-1");
    assert_eq!(
        ec2.code("CopyImage", &copy_of("ami-00000000000000000", &[])),
        "InvalidAMIID.NotFound"
    );
    assert_eq!(
        ec2.as_key(PARTNER).code("CopyImage", &copy_of(GOLDEN, &[])),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn a_shared_image_is_copied_only_if_its_storage_is_shared_too() {
    let mut ec2 = Ec2::calm();
    ec2.at("us-east-1").copy(SHARED, &[]);
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region
        .snapshots
        .get_mut("snap-0beefcafebeefcafe")
        .expect("a snapshot")
        .shared_with
        .clear();
    let (code, message) = ec2.refused("CopyImage", &copy_of(SHARED, &[]));
    assert_eq!(code, "InvalidRequest");
    assert_eq!(
        message,
        "You do not have permission to access the storage of this ami"
    );
}

#[test]
fn a_copy_whose_source_is_deregistered_meanwhile_fails() {
    let mut ec2 = Ec2::slow();
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    ec2.at("us-east-1")
        .ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    ec2.at("eu-west-1").wait(10);
    let body = ec2.image(&image);
    assert_eq!(text(&body, "imageState").as_deref(), Some("failed"));
    assert!(body.contains("<stateReason><code>"));
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    assert_eq!(
        text(&ec2.snapshot(&snapshot), "status").as_deref(),
        Some("error")
    );
}

#[test]
fn an_unusable_key_is_found_out_late() {
    for key in [
        "alias/broken",
        "ami",
        "arn:aws:kms:us-east-1:111122223333:alias/elsewhere",
        "arn:aws:kms:eu",
    ] {
        let mut ec2 = Ec2::slow();
        let image = ec2
            .at("eu-west-1")
            .copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", key)]);
        assert_eq!(ec2.state(&image), "pending", "{key}");
        ec2.wait(10);
        let body = ec2.image(&image);
        assert_eq!(
            text(&body, "imageState").as_deref(),
            Some("failed"),
            "{key}"
        );
        assert_eq!(
            text(&body, "message").as_deref(),
            Some("Copy image failed with an internal error")
        );
        let snapshot = ec2.snapshots_of(&image)[0].clone();
        let message = text(&ec2.snapshot(&snapshot), "statusMessage");
        assert_eq!(
            message.as_deref(),
            Some("Given key ID is not accessible"),
            "{key}"
        );
    }
}

#[test]
fn copies_fail_by_chance_when_told_to() {
    let mut ec2 = Ec2::with(Knobs {
        failed_copies_per_mille: 1000,
        ..Knobs::calm()
    });
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    ec2.wait(1);
    assert_eq!(ec2.state(&image), "failed");
}

#[test]
fn a_key_is_shown_as_its_arn_however_it_is_named() {
    let mut ec2 = Ec2::calm();
    ec2.at("eu-west-1");
    let by_alias = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    let alias_arn = "arn:aws:kms:eu-west-1:111122223333:alias/ami";
    let by_arn = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", alias_arn)]);
    let key = key_of(&mut ec2, &by_alias).expect("a key");
    assert!(
        key.starts_with("arn:aws:kms:eu-west-1:111122223333:key/"),
        "{key}"
    );
    assert_eq!(key_of(&mut ec2, &by_arn), Some(key));
}

#[test]
fn a_key_needs_encrypted() {
    let mut ec2 = Ec2::calm();
    let parameters = copy_of(GOLDEN, &[("KmsKeyId", "alias/ami")]);
    assert_eq!(
        ec2.at("eu-west-1").code("CopyImage", &parameters),
        "InvalidParameterDependency"
    );
}

#[test]
fn an_encrypted_source_never_becomes_unencrypted() {
    let mut ec2 = Ec2::calm();
    let source = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    let key = key_of(&mut ec2, &source);
    ec2.wait(1);
    let again = ec2.copy(&source, &[]);
    assert_eq!(
        key_of(&mut ec2, &again),
        key,
        "in its own region it keeps its key"
    );
    let elsewhere = ec2.at("eu-west-1").copy(&source, &[]);
    assert!(key_of(&mut ec2, &elsewhere).is_some_and(|key| key.contains(":eu-west-1:")));
    let (code, message) = ec2.refused("CopyImage", &copy_of(&source, &[("Encrypted", "false")]));
    assert_eq!(code, "InvalidRequest");
    assert!(
        message
            .ends_with("Creating an unencrypted copy from an encrypted snapshot is not supported.")
    );
}

#[test]
fn encryption_by_default_encrypts_silently() {
    let mut ec2 = Ec2::calm();
    let place = ec2
        .world
        .place_mut("111122223333", "eu-west-1")
        .expect("the account");
    place.encryption_by_default = true;
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert!(key_of(&mut ec2, &image).is_some());
    assert!(ec2.image(&image).contains("<encrypted>true</encrypted>"));
}

#[test]
fn what_is_not_modelled_is_refused() {
    let mut ec2 = Ec2::calm();
    let parameters = copy_of(GOLDEN, &[("DestinationOutpostArn", "x")]);
    assert_eq!(ec2.code("CopyImage", &parameters), "UnsupportedOperation");
}

#[test]
fn an_image_that_is_gone_is_not_copied_even_where_it_is_still_seen() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 3600,
        ..Knobs::calm()
    });
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert_eq!(ec2.state(GOLDEN), "available");
    assert_eq!(
        ec2.at("eu-west-1").code("CopyImage", &copy_of(GOLDEN, &[])),
        "InvalidAMIID.Unavailable"
    );
}

#[test]
fn an_encrypted_image_of_somebody_else_is_copied_under_the_default_key() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let snapshot = region
        .snapshots
        .get_mut("snap-0beefcafebeefcafe")
        .expect("a snapshot");
    snapshot.key = Some(
        "arn:aws:kms:us-east-1:444455556666:key/11111111-2222-4333-8444-555555555555".to_owned(),
    );
    let image = ec2.copy(SHARED, &[]);
    assert!(key_of(&mut ec2, &image).is_some_and(|key| key.contains(":111122223333:key/")));
}

#[test]
fn what_is_deregistered_or_pending_cannot_be_launched() {
    let mut ec2 = Ec2::slow();
    let can = |ec2: &Ec2, image: &str| ec2.world.can_launch("111122223333", "eu-west-1", image);
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert!(!can(&ec2, &image));
    ec2.wait(10);
    ec2.image(&image);
    assert!(can(&ec2, &image));
    ec2.ok("DeregisterImage", &[("ImageId", &image)]);
    assert!(!can(&ec2, &image));
}
