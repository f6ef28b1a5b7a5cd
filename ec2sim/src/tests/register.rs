//! `RegisterImage`.

use super::*;
use crate::MissingBilling;
use crate::state::Platform;

const ROOT: &str = "/dev/sda1";

fn over<'a>(snapshot: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("Name", "registered"),
        ("RootDeviceName", ROOT),
        ("BlockDeviceMapping.1.DeviceName", ROOT),
        ("BlockDeviceMapping.1.Ebs.SnapshotId", snapshot),
    ];
    parameters.extend_from_slice(more);
    parameters
}

fn register(ec2: &mut Ec2, more: &[(&str, &str)]) -> String {
    let body = ec2.ok("RegisterImage", &over(GOLDEN_SNAPSHOT, more));
    text(&body, "imageId").expect("an image id")
}

/// What is on the snapshot of the golden image, and whether it says so.
fn disk(ec2: &mut Ec2, platform: Platform, billing_metadata: bool) {
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let snapshot = region
        .snapshots
        .get_mut(GOLDEN_SNAPSHOT)
        .expect("the snapshot");
    snapshot.platform = platform;
    snapshot.billing_metadata = billing_metadata;
}

#[test]
fn a_registered_image_is_pending_and_then_available() {
    let mut ec2 = Ec2::with(Knobs {
        register_milliseconds: 3000,
        ..Knobs::calm()
    });
    let image = register(&mut ec2, &[]);
    assert_eq!(ec2.state(&image), "pending");
    ec2.wait(3);
    assert_eq!(ec2.state(&image), "available");
}

#[test]
fn a_registered_image_names_no_source() {
    let mut ec2 = Ec2::calm();
    let image = register(&mut ec2, &[]);
    assert!(!ec2.image(&image).contains("<source"));
}

#[test]
fn the_defaults_are_those_of_ec2_and_old() {
    let mut ec2 = Ec2::calm();
    let image = register(&mut ec2, &[]);
    let body = ec2.image(&image);
    assert_eq!(text(&body, "architecture").as_deref(), Some("i386"));
    assert_eq!(
        text(&body, "virtualizationType").as_deref(),
        Some("paravirtual")
    );
    assert_eq!(text(&body, "enaSupport"), None);
    assert_eq!(text(&body, "bootMode"), None);
    assert_eq!(text(&body, "imdsSupport"), None);
}

#[test]
fn what_is_given_is_shown() {
    let mut ec2 = Ec2::calm();
    let image = register(
        &mut ec2,
        &[
            ("Architecture", "arm64"),
            ("VirtualizationType", "hvm"),
            ("BootMode", "uefi"),
            ("EnaSupport", "true"),
            ("ImdsSupport", "v2.0"),
            ("Description", "by hand"),
            ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "false"),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", "30"),
            ("BlockDeviceMapping.1.Ebs.VolumeType", "gp3"),
            ("TagSpecification.1.ResourceType", "image"),
            ("TagSpecification.1.Tag.1.Key", "a"),
            ("TagSpecification.1.Tag.1.Value", "1"),
        ],
    );
    let body = ec2.image(&image);
    for (name, wanted) in [
        ("architecture", "arm64"),
        ("virtualizationType", "hvm"),
        ("bootMode", "uefi"),
        ("enaSupport", "true"),
        ("imdsSupport", "v2.0"),
        ("description", "by hand"),
        ("rootDeviceName", ROOT),
        ("rootDeviceType", "ebs"),
        ("deviceName", ROOT),
        ("snapshotId", GOLDEN_SNAPSHOT),
        ("deleteOnTermination", "false"),
        ("volumeSize", "30"),
        ("volumeType", "gp3"),
        ("key", "a"),
    ] {
        assert_eq!(text(&body, name).as_deref(), Some(wanted), "{name}");
    }
}

#[test]
fn a_name_is_one_lock_for_captures_and_registrations() {
    let mut ec2 = Ec2::calm();
    let image = register(&mut ec2, &[]);
    let capture = [("InstanceId", INSTANCE), ("Name", "registered")];
    let wanted = (
        "InvalidAMIName.Duplicate".to_owned(),
        format!("AMI name registered is already in use by AMI {image}"),
    );
    assert_eq!(ec2.refused("CreateImage", &capture), wanted);
    let again = over(GOLDEN_SNAPSHOT, &[]);
    assert_eq!(ec2.refused("RegisterImage", &again), wanted);
}

#[test]
fn several_images_may_share_a_snapshot() {
    let mut ec2 = Ec2::calm();
    let image = register(&mut ec2, &[]);
    let both = [
        ("Filter.1.Name", "block-device-mapping.snapshot-id"),
        ("Filter.1.Value.1", GOLDEN_SNAPSHOT),
    ];
    let mut wanted = vec![GOLDEN.to_owned(), image];
    wanted.sort();
    assert_eq!(ec2.list(&both), wanted);
    let body = ec2.ok(
        "DeregisterImage",
        &[("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")],
    );
    assert_eq!(text(&body, "returnCode").as_deref(), Some("skipped"));
}

#[test]
fn only_the_image_can_be_tagged() {
    let mut ec2 = Ec2::calm();
    let tagged = over(
        GOLDEN_SNAPSHOT,
        &[
            ("TagSpecification.1.ResourceType", "snapshot"),
            ("TagSpecification.1.Tag.1.Key", "a"),
        ],
    );
    assert_eq!(
        ec2.refused("RegisterImage", &tagged),
        (
            "InvalidParameterValue".to_owned(),
            "'snapshot' is not a valid taggable resource type for this operation.".to_owned()
        )
    );
    assert_eq!(ec2.list(&[("Owner.1", "self")]), [GOLDEN]);
}

#[test]
fn encryption_is_the_snapshots() {
    let mut ec2 = Ec2::calm();
    for value in ["true", "false"] {
        let encrypted = over(
            GOLDEN_SNAPSHOT,
            &[("BlockDeviceMapping.1.Ebs.Encrypted", value)],
        );
        assert_eq!(
            ec2.code("RegisterImage", &encrypted),
            "InvalidParameterCombination"
        );
    }
}

#[test]
fn the_snapshot_must_be_there_and_visible_and_done() {
    let mut ec2 = Ec2::slow();
    let absent = over("snap-00000000000000000", &[]);
    assert_eq!(
        ec2.code("RegisterImage", &absent),
        "InvalidSnapshot.NotFound"
    );
    let foreign = over(GOLDEN_SNAPSHOT, &[]);
    assert_eq!(
        ec2.as_key(PARTNER).code("RegisterImage", &foreign),
        "InvalidSnapshot.NotFound"
    );
    let capture = ec2.as_key(HOME).capture("web-1");
    let pending = ec2.snapshots_of(&capture)[0].clone();
    assert_eq!(
        ec2.code("RegisterImage", &over(&pending, &[])),
        "IncorrectState"
    );
    ec2.wait(10);
    ec2.ok("RegisterImage", &over(&pending, &[]));
}

#[test]
fn the_root_device_needs_a_snapshot() {
    let mut ec2 = Ec2::calm();
    let elsewhere = over(
        GOLDEN_SNAPSHOT,
        &[("BlockDeviceMapping.2.DeviceName", "/dev/sdb")],
    );
    let elsewhere: Vec<_> = elsewhere
        .into_iter()
        .map(|(name, value)| match name {
            "RootDeviceName" => (name, "/dev/xvda"),
            "BlockDeviceMapping.2.DeviceName" => ("BlockDeviceMapping.2.Ebs.VolumeSize", "8"),
            _ => (name, value),
        })
        .chain([("BlockDeviceMapping.2.DeviceName", "/dev/sdb")])
        .collect();
    assert_eq!(
        ec2.code("RegisterImage", &elsewhere),
        "InvalidBlockDeviceMapping"
    );
}

#[test]
fn a_volume_is_not_smaller_than_its_snapshot() {
    let mut ec2 = Ec2::calm();
    let small = over(
        GOLDEN_SNAPSHOT,
        &[("BlockDeviceMapping.1.Ebs.VolumeSize", "7")],
    );
    assert_eq!(
        ec2.code("RegisterImage", &small),
        "InvalidBlockDeviceMapping"
    );
}

#[test]
fn billing_comes_from_the_snapshot() {
    for (platform, details, operation) in [
        (Platform::Linux, "Linux/UNIX", "RunInstances"),
        (Platform::Windows, "Windows", "RunInstances:0002"),
        (
            Platform::Rhel,
            "Red Hat Enterprise Linux",
            "RunInstances:0010",
        ),
        (Platform::Suse, "SUSE Linux", "RunInstances:000g"),
    ] {
        let mut ec2 = Ec2::calm();
        disk(&mut ec2, platform, true);
        let image = register(&mut ec2, &[]);
        let body = ec2.image(&image);
        assert_eq!(text(&body, "platformDetails").as_deref(), Some(details));
        assert_eq!(text(&body, "usageOperation").as_deref(), Some(operation));
        let windows = text(&body, "platform");
        assert_eq!(windows.is_some(), platform == Platform::Windows);
    }
}

#[test]
fn without_metadata_a_windows_disk_is_shown_as_linux_or_as_nothing() {
    for (fact, details) in [
        (MissingBilling::Linux, Some("Linux/UNIX")),
        (MissingBilling::Empty, None),
    ] {
        let mut ec2 = Ec2::calm();
        ec2.world.facts_mut().missing_billing_metadata = fact;
        disk(&mut ec2, Platform::Windows, false);
        let image = register(&mut ec2, &[]);
        let body = ec2.image(&image);
        assert_eq!(text(&body, "platformDetails").as_deref(), details);
        assert_eq!(text(&body, "platform"), None);
    }
}

#[test]
fn captures_and_copies_hand_billing_on_to_their_snapshots() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let instance = region.instances.get_mut(INSTANCE).expect("the instance");
    instance.machine.platform = Platform::Suse;
    instance.machine.billed_as = Some(Platform::Suse);
    let capture = ec2.capture("web-1");
    ec2.wait(1);
    let copy = ec2.at("eu-west-1").copy(&capture, &[]);
    ec2.wait(1);
    let root = ec2.snapshots_of(&copy)[0].clone();
    let body = ec2.ok("RegisterImage", &over(&root, &[]));
    let image = ec2.image(&text(&body, "imageId").expect("an id"));
    assert_eq!(
        text(&image, "platformDetails").as_deref(),
        Some("SUSE Linux")
    );
}
