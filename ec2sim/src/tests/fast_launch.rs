//! Windows fast launch.

use super::*;
use crate::state::Platform;

/// A world where GOLDEN and the partner's shared image are Windows and enabling takes a minute.
fn windows() -> Ec2 {
    let mut ec2 = Ec2::with(Knobs {
        fast_launch_milliseconds: 60_000,
        ..Knobs::calm()
    });
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    for id in [GOLDEN, SHARED] {
        let image = region.images.get_mut(id).expect("the image");
        image.machine.platform = Platform::Windows;
        image.machine.billed_as = Some(Platform::Windows);
    }
    ec2
}

fn enable<'a>(image: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("ImageId", image)], more].concat()
}

fn state(ec2: &mut Ec2) -> Option<String> {
    text(
        &ec2.ok("DescribeFastLaunchImages", &[("ImageId.1", GOLDEN)]),
        "state",
    )
}

/// The snapshots that EC2 made.
fn made(ec2: &mut Ec2) -> Vec<String> {
    let filter = [
        ("Owner.1", "self"),
        ("Filter.1.Name", "tag:CreatedBy"),
        ("Filter.1.Value.1", "EC2 Fast Launch"),
    ];
    texts(&ec2.ok("DescribeSnapshots", &filter), "snapshotId")
}

#[test]
fn what_could_not_be_enabled_can_be_disabled() {
    let mut ec2 = windows();
    ec2.world.knobs.fast_launch_fails = true;
    ec2.ok("EnableFastLaunch", &enable(GOLDEN, &[]));
    ec2.wait(60);
    assert_eq!(state(&mut ec2).as_deref(), Some("enabling-failed"));
    assert!(made(&mut ec2).is_empty());
    ec2.ok("DisableFastLaunch", &enable(GOLDEN, &[]));
    ec2.wait(60);
    assert_eq!(state(&mut ec2), None);
}

#[test]
fn enabling_takes_a_while_and_leaves_snapshots() {
    let mut ec2 = windows();
    let asked = enable(
        GOLDEN,
        &[("SnapshotConfiguration.TargetResourceCount", "3")],
    );
    let body = ec2.ok("EnableFastLaunch", &asked);
    assert_eq!(text(&body, "state").as_deref(), Some("enabling"));
    assert_eq!(text(&body, "maxParallelLaunches").as_deref(), Some("6"));
    ec2.wait(59);
    assert_eq!(state(&mut ec2).as_deref(), Some("enabling"));
    assert!(made(&mut ec2).is_empty());
    ec2.wait(1);
    assert_eq!(state(&mut ec2).as_deref(), Some("enabled"));
    assert_eq!(made(&mut ec2).len(), 3);
}

#[test]
fn it_is_enabled_again_only_when_its_snapshots_are_removed() {
    let mut ec2 = windows();
    ec2.ok("EnableFastLaunch", &enable(GOLDEN, &[]));
    let disable = enable(GOLDEN, &[]);
    assert_eq!(ec2.code("DisableFastLaunch", &disable), "IncorrectState");
    ec2.wait(60);
    assert_eq!(
        ec2.code("EnableFastLaunch", &enable(GOLDEN, &[])),
        "IncorrectState"
    );
    let body = ec2.ok("DisableFastLaunch", &disable);
    assert_eq!(text(&body, "state").as_deref(), Some("disabling"));
    assert_eq!(made(&mut ec2).len(), 5);
    assert_eq!(
        ec2.code("EnableFastLaunch", &enable(GOLDEN, &[])),
        "IncorrectState"
    );
    ec2.wait(60);
    assert_eq!(state(&mut ec2), None);
    assert!(made(&mut ec2).is_empty());
    ec2.ok("EnableFastLaunch", &enable(GOLDEN, &[]));
}

#[test]
fn it_is_for_windows_images_that_one_may_use() {
    let mut ec2 = windows();
    ec2.ok("EnableFastLaunch", &enable(SHARED, &[]));
    assert_eq!(
        ec2.code("EnableFastLaunch", &enable(PUBLIC, &[])),
        "InvalidParameterValue"
    );
    let theirs = ec2
        .as_key(PARTNER)
        .code("EnableFastLaunch", &enable(GOLDEN, &[]));
    assert_eq!(theirs, "InvalidAMIID.NotFound");
    assert!(texts(&ec2.ok("DescribeFastLaunchImages", &[]), "imageId").is_empty());
}

#[test]
fn parallel_launches_are_six_at_least_and_forty_at_the_most() {
    let mut ec2 = windows();
    let few = enable(GOLDEN, &[("MaxParallelLaunches", "5")]);
    assert_eq!(ec2.code("EnableFastLaunch", &few), "InvalidParameterValue");
    ec2.ok(
        "EnableFastLaunch",
        &enable(GOLDEN, &[("MaxParallelLaunches", "35")]),
    );
    let more = enable(SHARED, &[]);
    assert_eq!(ec2.code("EnableFastLaunch", &more), "ResourceLimitExceeded");
}

#[test]
fn its_list_has_filters() {
    let mut ec2 = windows();
    ec2.ok("EnableFastLaunch", &enable(GOLDEN, &[]));
    for (name, value, found) in [
        ("state", "enabling", 1),
        ("state", "enabled", 0),
        ("resource-type", "snapshot", 1),
        ("owner-id", "444455556666", 0),
    ] {
        let filter = [("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        let body = ec2.ok("DescribeFastLaunchImages", &filter);
        assert_eq!(texts(&body, "imageId").len(), found, "{name}={value}");
    }
}
