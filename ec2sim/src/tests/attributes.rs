//! `ModifyImageAttribute`, `DescribeImageAttribute`, `ResetImageAttribute`.

use super::*;

const PARTNER_ID: &str = "444455556666";

fn modify(ec2: &mut Ec2, more: &[(&str, &str)]) {
    ec2.ok("ModifyImageAttribute", &on(GOLDEN, more));
}

fn on<'a>(image: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![("ImageId", image)];
    parameters.extend_from_slice(more);
    parameters
}

fn permissions(ec2: &mut Ec2) -> Vec<String> {
    let asked = on(GOLDEN, &[("Attribute", "launchPermission")]);
    let body = ec2.ok("DescribeImageAttribute", &asked);
    assert_eq!(text(&body, "imageId").as_deref(), Some(GOLDEN));
    let mut all = texts(&body, "userId");
    all.extend(texts(&body, "group"));
    all
}

fn allow_public_images(ec2: &mut Ec2) {
    let place = ec2.world.place_mut("111122223333", "us-east-1");
    place.expect("the account").allows_public_images = true;
}

#[test]
fn an_image_is_shared_and_no_longer_in_either_style() {
    for (add, remove) in [
        (
            vec![("LaunchPermission.Add.1.UserId", PARTNER_ID)],
            vec![("LaunchPermission.Remove.1.UserId", PARTNER_ID)],
        ),
        (
            vec![
                ("Attribute", "launchPermission"),
                ("OperationType", "add"),
                ("UserId.1", PARTNER_ID),
            ],
            vec![
                ("Attribute", "launchPermission"),
                ("OperationType", "remove"),
                ("UserId.1", PARTNER_ID),
            ],
        ),
    ] {
        let mut ec2 = Ec2::calm();
        modify(&mut ec2, &add);
        assert_eq!(permissions(&mut ec2), [PARTNER_ID]);
        assert_eq!(
            ec2.as_key(PARTNER).list(&[("ExecutableBy.1", "self")]),
            [GOLDEN]
        );
        modify(ec2.as_key(HOME), &remove);
        assert!(permissions(&mut ec2).is_empty());
    }
}

#[test]
fn one_call_adds_and_removes() {
    let mut ec2 = Ec2::calm();
    modify(&mut ec2, &[("LaunchPermission.Add.1.UserId", PARTNER_ID)]);
    modify(
        &mut ec2,
        &[
            ("LaunchPermission.Add.1.UserId", "999999999999"),
            ("LaunchPermission.Remove.1.UserId", PARTNER_ID),
        ],
    );
    assert_eq!(permissions(&mut ec2), ["999999999999"]);
}

#[test]
fn block_public_access_is_on_unless_the_world_says_otherwise() {
    let mut ec2 = Ec2::calm();
    let public = on(GOLDEN, &[("LaunchPermission.Add.1.Group", "all")]);
    let (code, message) = ec2.refused("ModifyImageAttribute", &public);
    assert_eq!(code, "OperationNotPermitted");
    assert!(message.starts_with("You can’t publicly share"), "{message}");
    allow_public_images(&mut ec2);
    ec2.ok("ModifyImageAttribute", &public);
    assert_eq!(permissions(&mut ec2), ["all"]);
    assert!(ec2.image(GOLDEN).contains("<isPublic>true</isPublic>"));
}

#[test]
fn resetting_removes_every_permission() {
    let mut ec2 = Ec2::calm();
    allow_public_images(&mut ec2);
    modify(
        &mut ec2,
        &[
            ("LaunchPermission.Add.1.UserId", PARTNER_ID),
            ("LaunchPermission.Add.2.Group", "all"),
        ],
    );
    let reset = on(GOLDEN, &[("Attribute", "launchPermission")]);
    ec2.ok("ResetImageAttribute", &reset);
    assert!(permissions(&mut ec2).is_empty());
    let other = on(GOLDEN, &[("Attribute", "description")]);
    assert_eq!(
        ec2.code("ResetImageAttribute", &other),
        "InvalidParameterValue"
    );
}

#[test]
fn a_description_is_replaced_in_either_style() {
    let mut ec2 = Ec2::calm();
    for style in [
        vec![("Description.Value", "new")],
        vec![("Attribute", "description"), ("Value", "new")],
    ] {
        modify(&mut ec2, &[("Description.Value", "old")]);
        modify(&mut ec2, &style);
        let body = ec2.ok(
            "DescribeImageAttribute",
            &on(GOLDEN, &[("Attribute", "description")]),
        );
        assert!(body.contains("<description><value>new</value></description>"));
        assert!(ec2.image(GOLDEN).contains("<description>new</description>"));
    }
}

#[test]
fn imds_support_is_set_in_either_style_and_for_good() {
    for style in [
        vec![("ImdsSupport.Value", "v2.0")],
        vec![("Attribute", "imdsSupport"), ("Value", "v2.0")],
    ] {
        let mut ec2 = Ec2::calm();
        let read = on(GOLDEN, &[("Attribute", "imdsSupport")]);
        let body = ec2.ok("DescribeImageAttribute", &read);
        assert!(body.contains("<imdsSupport></imdsSupport>"), "{body}");
        assert!(!ec2.image(GOLDEN).contains("imdsSupport"));
        modify(&mut ec2, &style);
        modify(&mut ec2, &style);
        let body = ec2.ok("DescribeImageAttribute", &read);
        assert!(body.contains("<imdsSupport><value>v2.0</value></imdsSupport>"));
        assert_eq!(
            text(&ec2.image(GOLDEN), "imdsSupport").as_deref(),
            Some("v2.0")
        );
        for back in ["", "v1.0"] {
            let back = on(GOLDEN, &[("ImdsSupport.Value", back)]);
            assert_eq!(
                ec2.code("ModifyImageAttribute", &back),
                "InvalidParameterValue"
            );
        }
        let reset = on(GOLDEN, &[("Attribute", "imdsSupport")]);
        assert_eq!(
            ec2.code("ResetImageAttribute", &reset),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn an_image_of_an_instance_has_the_imds_support_of_its_image() {
    let mut ec2 = Ec2::calm();
    modify(&mut ec2, &[("ImdsSupport.Value", "v2.0")]);
    let launch = [("ImageId", GOLDEN), ("MinCount", "1"), ("MaxCount", "1")];
    let body = ec2.ok("RunInstances", &launch);
    let instance = text(&body, "instanceId").expect("an instance");
    let body = ec2.ok(
        "CreateImage",
        &[("InstanceId", &instance), ("Name", "web-1")],
    );
    let image = text(&body, "imageId").expect("an image");
    assert_eq!(
        text(&ec2.image(&image), "imdsSupport").as_deref(),
        Some("v2.0")
    );
    let other = ec2.capture("web-2");
    assert_eq!(text(&ec2.image(&other), "imdsSupport"), None);
}

#[test]
fn one_attribute_is_changed_at_a_time() {
    let mut ec2 = Ec2::calm();
    let both = on(
        GOLDEN,
        &[
            ("Description.Value", "new"),
            ("LaunchPermission.Add.1.UserId", PARTNER_ID),
        ],
    );
    let other = on(
        GOLDEN,
        &[("Description.Value", "new"), ("ImdsSupport.Value", "v2.0")],
    );
    for wrong in [both, other, on(GOLDEN, &[])] {
        assert_eq!(
            ec2.code("ModifyImageAttribute", &wrong),
            "InvalidParameterCombination"
        );
    }
}

#[test]
fn a_pending_image_is_unavailable() {
    let mut ec2 = Ec2::slow();
    let image = ec2.capture("web-1");
    let change = on(&image, &[("Description.Value", "new")]);
    assert_eq!(
        ec2.refused("ModifyImageAttribute", &change),
        (
            "InvalidAMIID.Unavailable".to_owned(),
            format!(
                "The AMI ID '{image}' is currently pending and may not be used for this operation"
            )
        )
    );
}

#[test]
fn only_the_owner_changes_and_reads_attributes() {
    let mut ec2 = Ec2::calm();
    let change = on(SHARED, &[("Description.Value", "new")]);
    assert_eq!(ec2.code("ModifyImageAttribute", &change), "AuthFailure");
    let read = on(SHARED, &[("Attribute", "launchPermission")]);
    assert_eq!(ec2.code("DescribeImageAttribute", &read), "AuthFailure");
}

#[test]
fn what_is_under_the_aws_managed_key_cannot_be_shared() {
    let mut ec2 = Ec2::calm();
    let share = [("LaunchPermission.Add.1.UserId", PARTNER_ID)];
    let managed = ec2.copy(GOLDEN, &[("Encrypted", "true")]);
    let own = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    ec2.wait(1);
    assert_eq!(
        ec2.refused("ModifyImageAttribute", &on(&managed, &share)),
        (
            "InvalidParameter".to_owned(),
            "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot."
                .to_owned()
        )
    );
    ec2.ok("ModifyImageAttribute", &on(&own, &share));
    allow_public_images(&mut ec2);
    let public = on(&own, &[("LaunchPermission.Add.1.Group", "all")]);
    assert_eq!(
        ec2.code("ModifyImageAttribute", &public),
        "UnsupportedOperation"
    );
}

#[test]
fn whom_to_share_with_must_be_an_account_or_everybody() {
    let mut ec2 = Ec2::calm();
    for (name, value) in [("UserId", "bob"), ("Group", "some")] {
        let name = format!("LaunchPermission.Add.1.{name}");
        let wrong = on(GOLDEN, &[(name.as_str(), value)]);
        assert_eq!(
            ec2.code("ModifyImageAttribute", &wrong),
            "InvalidAMIAttributeItemValue"
        );
    }
}

#[test]
fn a_deprecated_image_is_hidden_from_others_but_not_by_its_id() {
    let mut ec2 = Ec2::calm();
    let region = ec2.world.regions_mut().get_mut("us-east-1");
    let images = &mut region.expect("the region").images;
    images.get_mut(SHARED).expect("the image").deprecation = Some(ec2.now);
    assert_eq!(ec2.list(&[]), [PUBLIC, GOLDEN]);
    assert_eq!(
        ec2.list(&[("IncludeDeprecated", "true")]),
        [PUBLIC, SHARED, GOLDEN]
    );
    assert_eq!(
        text(&ec2.image(SHARED), "deprecationTime").as_deref(),
        Some("2026-06-01T12:00:00.000Z")
    );
    assert_eq!(ec2.as_key(PARTNER).list(&[("Owner.1", "self")]), [SHARED]);
}
