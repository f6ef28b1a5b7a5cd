//! `CreateImage`.

use super::*;

#[test]
fn a_capture_is_pending_and_then_available() {
    let mut ec2 = Ec2::slow();
    let image = ec2.capture("web-1");
    assert_eq!(ec2.state(&image), "pending");
    ec2.wait(10);
    assert_eq!(ec2.state(&image), "available");
}

#[test]
fn a_capture_names_its_instance_and_the_image_that_was_launched() {
    let mut ec2 = Ec2::calm();
    let image = ec2.capture("web-1");
    let body = ec2.image(&image);
    assert_eq!(text(&body, "sourceInstanceId").as_deref(), Some(INSTANCE));
    assert_eq!(text(&body, "sourceImageId").as_deref(), Some(PUBLIC));
    assert_eq!(
        text(&body, "sourceImageRegion").as_deref(),
        Some("us-east-1")
    );
}

#[test]
fn the_snapshots_of_a_capture_say_what_they_are_of() {
    let mut ec2 = Ec2::calm();
    let image = ec2.capture("web-1");
    let snapshots = ec2.snapshots_of(&image);
    assert_eq!(snapshots.len(), 2);
    let body = ec2.snapshot(&snapshots[0]);
    let wanted = format!("Created by CreateImage({INSTANCE}) for {image}");
    assert_eq!(text(&body, "description"), Some(wanted));
}

#[test]
fn a_name_is_unique_in_an_account_and_region() {
    let mut ec2 = Ec2::calm();
    let (code, message) = ec2.refused(
        "CreateImage",
        &[("InstanceId", INSTANCE), ("Name", "golden-2025")],
    );
    assert_eq!(code, "InvalidAMIName.Duplicate");
    assert_eq!(
        message,
        format!("AMI name golden-2025 is already in use by AMI {GOLDEN}")
    );
}

#[test]
fn the_name_of_a_deregistered_image_is_free_after_a_while() {
    let mut ec2 = Ec2::with(Knobs {
        name_hold_seconds: 30,
        ..Knobs::calm()
    });
    let image = ec2.capture("web-1");
    ec2.ok("DeregisterImage", &[("ImageId", &image)]);
    ec2.wait(29);
    assert_eq!(
        ec2.code(
            "CreateImage",
            &[("InstanceId", INSTANCE), ("Name", "web-1")]
        ),
        "InvalidAMIName.Duplicate"
    );
    ec2.wait(1);
    ec2.capture("web-1");
}

#[test]
fn a_running_instance_is_rebooted_once_unless_told_otherwise() {
    let mut ec2 = Ec2::calm();
    let image = ec2.capture("web-1");
    ec2.ok(
        "CreateImage",
        &[
            ("InstanceId", INSTANCE),
            ("Name", "web-2"),
            ("NoReboot", "true"),
        ],
    );
    let reboots = &ec2.world.regions()["us-east-1"].instances[INSTANCE].reboots;
    assert_eq!(reboots.len(), 1);
    assert_eq!((reboots[0].at, &reboots[0].image), (ec2.now, &image));
}

#[test]
fn an_instance_on_its_way_is_not_captured() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region
        .instances
        .get_mut(INSTANCE)
        .expect("the instance")
        .state = crate::state::InstanceState::Stopping;
    let (code, message) = ec2.refused(
        "CreateImage",
        &[("InstanceId", INSTANCE), ("Name", "web-1")],
    );
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        format!(
            "Invalid value '{INSTANCE}' for instanceId. Instance is not in state 'running' or 'stopped'"
        )
    );
}

#[test]
fn one_capture_without_reboot_at_a_time() {
    let mut ec2 = Ec2::slow();
    let without = |name| {
        [
            ("InstanceId", INSTANCE),
            ("Name", name),
            ("NoReboot", "true"),
        ]
    };
    ec2.ok("CreateImage", &without("web-1"));
    assert_eq!(
        ec2.code("CreateImage", &without("web-2")),
        "ConcurrentCreateImageNoRebootLimitExceeded"
    );
    ec2.wait(10);
    ec2.ok("CreateImage", &without("web-2"));
}

#[test]
fn no_device_leaves_a_volume_out() {
    let mut ec2 = Ec2::calm();
    let body = ec2.ok(
        "CreateImage",
        &[
            ("InstanceId", INSTANCE),
            ("Name", "root-only"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/sdf"),
            ("BlockDeviceMapping.1.NoDevice", ""),
            ("BlockDeviceMapping.2.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.2.Ebs.DeleteOnTermination", "false"),
        ],
    );
    let image = ec2.image(&text(&body, "imageId").expect("an id"));
    assert_eq!(texts(&image, "deviceName"), ["/dev/xvda"]);
    assert_eq!(
        text(&image, "deleteOnTermination").as_deref(),
        Some("false")
    );
}

#[test]
fn of_an_existing_volume_only_delete_on_termination_can_be_changed() {
    let mut ec2 = Ec2::calm();
    for (member, value) in [("Encrypted", "true"), ("VolumeSize", "9")] {
        let member = format!("BlockDeviceMapping.1.Ebs.{member}");
        let parameters = [
            ("InstanceId", INSTANCE),
            ("Name", "web-1"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            (member.as_str(), value),
        ];
        assert_eq!(
            ec2.code("CreateImage", &parameters),
            "InvalidBlockDeviceMapping"
        );
    }
}

#[test]
fn a_malformed_name_is_refused() {
    let mut ec2 = Ec2::calm();
    for name in ["ab", "a!bc", &"x".repeat(129)] {
        assert_eq!(
            ec2.code("CreateImage", &[("InstanceId", INSTANCE), ("Name", name)]),
            "InvalidAMIName.Malformed"
        );
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut ec2 = Ec2::calm();
    let answer = ec2.call(
        "CreateImage",
        &[
            ("InstanceId", INSTANCE),
            ("Name", "web-1"),
            ("DryRun", "true"),
        ],
    );
    assert_eq!(
        (answer.status, answer.error.as_deref()),
        (412, Some("DryRunOperation"))
    );
    assert!(
        ec2.list(&[("Filter.1.Name", "name"), ("Filter.1.Value.1", "web-1")])
            .is_empty()
    );
}

#[test]
fn tags_in_the_creating_call_are_on_image_and_snapshots_from_birth() {
    let mut ec2 = Ec2::slow();
    let body = ec2.ok(
        "CreateImage",
        &[
            ("InstanceId", INSTANCE),
            ("Name", "web-1"),
            ("TagSpecification.1.ResourceType", "image"),
            ("TagSpecification.1.Tag.1.Key", "a"),
            ("TagSpecification.1.Tag.1.Value", "1"),
            ("TagSpecification.2.ResourceType", "snapshot"),
            ("TagSpecification.2.Tag.1.Key", "b"),
            ("TagSpecification.2.Tag.1.Value", ""),
        ],
    );
    let image = text(&body, "imageId").expect("an id");
    assert!(
        ec2.image(&image)
            .contains("<tagSet><item><key>a</key><value>1</value></item></tagSet>")
    );
    for snapshot in ec2.snapshots_of(&image) {
        assert!(
            ec2.snapshot(&snapshot)
                .contains("<tagSet><item><key>b</key><value></value></item></tagSet>")
        );
    }
}

#[test]
fn a_creating_call_with_a_bad_tag_creates_nothing() {
    let mut ec2 = Ec2::calm();
    let before = ec2.list(&[("Owner.1", "self")]);
    for (resource_type, key) in [("image", "aws:x"), ("volume", "a"), ("image", "")] {
        let parameters = [
            ("InstanceId", INSTANCE),
            ("Name", "web-1"),
            ("TagSpecification.1.ResourceType", resource_type),
            ("TagSpecification.1.Tag.1.Key", key),
        ];
        ec2.code("CreateImage", &parameters);
    }
    assert_eq!(ec2.list(&[("Owner.1", "self")]), before);
}
