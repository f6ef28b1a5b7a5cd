//! `DeregisterImage`.

use super::*;

#[test]
fn a_deregistered_image_is_listed_a_while_and_then_gone() {
    let mut ec2 = Ec2::with(Knobs {
        deregistered_visible_seconds: 60,
        ..Knobs::calm()
    });
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert_eq!(ec2.state(GOLDEN), "deregistered");
    ec2.wait(60);
    assert_eq!(
        ec2.code("DescribeImages", &[("ImageId.1", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn while_instances_use_it_a_deregistered_image_is_an_empty_answer() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    GOLDEN.clone_into(
        &mut region
            .instances
            .get_mut(INSTANCE)
            .expect("the instance")
            .image,
    );
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert!(ec2.list(&[("ImageId.1", GOLDEN)]).is_empty());
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region
        .instances
        .get_mut(INSTANCE)
        .expect("the instance")
        .state = crate::state::InstanceState::Terminated;
    assert_eq!(
        ec2.code("DescribeImages", &[("ImageId.1", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn a_second_deregistration_is_refused() {
    let mut ec2 = Ec2::with(Knobs {
        deregistered_visible_seconds: 60,
        ..Knobs::calm()
    });
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    assert_eq!(
        ec2.code("DeregisterImage", &[("ImageId", GOLDEN)]),
        "InvalidAMIID.Unavailable"
    );
    ec2.wait(60);
    assert_eq!(
        ec2.code("DeregisterImage", &[("ImageId", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn somebody_elses_image_cannot_be_deregistered() {
    let mut ec2 = Ec2::calm();
    assert_eq!(
        ec2.code("DeregisterImage", &[("ImageId", SHARED)]),
        "AuthFailure"
    );
    assert_eq!(
        ec2.as_key(PARTNER)
            .code("DeregisterImage", &[("ImageId", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn snapshots_stay_unless_asked() {
    let mut ec2 = Ec2::calm();
    assert!(
        !ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)])
            .contains("deleteSnapshotResultSet")
    );
    assert_eq!(
        text(&ec2.snapshot(GOLDEN_SNAPSHOT), "status").as_deref(),
        Some("completed")
    );
}

#[test]
fn snapshots_go_with_the_image_when_asked() {
    let mut ec2 = Ec2::calm();
    let body = ec2.ok(
        "DeregisterImage",
        &[("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")],
    );
    assert_eq!(text(&body, "snapshotId").as_deref(), Some(GOLDEN_SNAPSHOT));
    assert_eq!(text(&body, "returnCode").as_deref(), Some("success"));
    assert_eq!(
        ec2.code("DescribeSnapshots", &[("SnapshotId.1", GOLDEN_SNAPSHOT)]),
        "InvalidSnapshot.NotFound"
    );
}

#[test]
fn a_snapshot_that_another_image_uses_is_skipped() {
    let mut ec2 = Ec2::calm();
    let other = ec2.capture("web-1");
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let devices = region.images[GOLDEN].devices.clone();
    region.images.get_mut(&other).expect("the image").devices = devices;
    let body = ec2.ok(
        "DeregisterImage",
        &[("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")],
    );
    assert_eq!(text(&body, "returnCode").as_deref(), Some("skipped"));
}

#[test]
fn a_pending_copy_is_stopped_by_deregistering_it() {
    let mut ec2 = Ec2::slow();
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    ec2.ok("DeregisterImage", &[("ImageId", &image)]);
    ec2.wait(20);
    assert!(ec2.list(&[("Owner.1", "self")]).is_empty());
}
