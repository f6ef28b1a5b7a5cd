//! The Recycle Bin.

use super::*;

/// A world whose rules keep images and snapshots for two days.
fn world() -> Ec2 {
    let mut ec2 = Ec2::calm();
    let place = ec2.world.place_mut("111122223333", "us-east-1");
    let place = place.expect("the account");
    place.recycle_bin_days = 2;
    place.snapshot_recycle_bin_days = 2;
    ec2
}

/// The same after GOLDEN and its snapshot are gone.
fn thrown_away() -> Ec2 {
    let mut ec2 = world();
    let both = [("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")];
    ec2.ok("DeregisterImage", &both);
    ec2.wait(1);
    ec2
}

fn images(ec2: &mut Ec2) -> Vec<String> {
    texts(&ec2.ok("ListImagesInRecycleBin", &[]), "imageId")
}

fn snapshots(ec2: &mut Ec2) -> Vec<String> {
    texts(&ec2.ok("ListSnapshotsInRecycleBin", &[]), "snapshotId")
}

#[test]
fn what_is_thrown_away_is_in_the_bin_until_its_time_is_over() {
    let mut ec2 = thrown_away();
    assert_eq!(
        ec2.code("DescribeImages", &[("ImageId.1", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
    let body = ec2.ok("ListImagesInRecycleBin", &[("ImageId.1", GOLDEN)]);
    assert_eq!(text(&body, "name").as_deref(), Some("golden-2025"));
    assert_eq!(
        text(&body, "recycleBinEnterTime").as_deref(),
        Some("2026-06-01T12:00:00.000Z")
    );
    assert_eq!(
        text(&body, "recycleBinExitTime").as_deref(),
        Some("2026-06-03T12:00:00.000Z")
    );
    assert_eq!(snapshots(&mut ec2), [GOLDEN_SNAPSHOT]);
    ec2.wait(2 * 24 * 3600);
    assert!(images(&mut ec2).is_empty());
    assert!(snapshots(&mut ec2).is_empty());
    let code = ec2.code("RestoreImageFromRecycleBin", &[("ImageId", GOLDEN)]);
    assert_eq!(code, "InvalidAMIID.NotFound");
}

#[test]
fn an_image_comes_back_with_its_tags_and_shares_once_its_snapshot_is_back() {
    let mut ec2 = world();
    let share = [
        ("ImageId", GOLDEN),
        ("LaunchPermission.Add.1.UserId", "444455556666"),
    ];
    ec2.ok("ModifyImageAttribute", &share);
    let both = [("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")];
    ec2.ok("DeregisterImage", &both);
    let restore = [("ImageId", GOLDEN)];
    let code = ec2.code("RestoreImageFromRecycleBin", &restore);
    assert_eq!(code, "InvalidSnapshot.NotFound");
    let body = ec2.ok(
        "RestoreSnapshotFromRecycleBin",
        &[("SnapshotId", GOLDEN_SNAPSHOT)],
    );
    assert_eq!(text(&body, "status").as_deref(), Some("recovering"));
    assert!(ec2.snapshot(GOLDEN_SNAPSHOT).contains("<key>team</key>"));
    ec2.ok("RestoreImageFromRecycleBin", &restore);
    let body = ec2.image(GOLDEN);
    assert_eq!(text(&body, "imageState").as_deref(), Some("available"));
    assert!(body.contains("<value>golden</value>"));
    assert!(images(&mut ec2).is_empty() && snapshots(&mut ec2).is_empty());
    assert!(ec2.as_key(PARTNER).list(&[]).contains(&GOLDEN.to_owned()));
}

#[test]
fn an_image_whose_snapshot_was_kept_comes_back_alone() {
    let mut ec2 = world();
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    ec2.ok("RestoreImageFromRecycleBin", &[("ImageId", GOLDEN)]);
    assert_eq!(ec2.state(GOLDEN), "available");
    let delete = [("SnapshotId", GOLDEN_SNAPSHOT)];
    assert_eq!(ec2.code("DeleteSnapshot", &delete), "InvalidSnapshot.InUse");
}

#[test]
fn without_a_rule_nothing_is_kept() {
    let mut ec2 = Ec2::calm();
    let both = [("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")];
    ec2.ok("DeregisterImage", &both);
    assert!(images(&mut ec2).is_empty() && snapshots(&mut ec2).is_empty());
    let restore = [("SnapshotId", GOLDEN_SNAPSHOT)];
    let code = ec2.code("RestoreSnapshotFromRecycleBin", &restore);
    assert_eq!(code, "InvalidSnapshot.NotFound");
}

#[test]
fn the_bin_is_the_owners() {
    let mut ec2 = thrown_away();
    ec2.as_key(PARTNER);
    assert!(images(&mut ec2).is_empty() && snapshots(&mut ec2).is_empty());
    let code = ec2.code("RestoreImageFromRecycleBin", &[("ImageId", GOLDEN)]);
    assert_eq!(code, "InvalidAMIID.NotFound");
    let code = ec2.code(
        "RestoreSnapshotFromRecycleBin",
        &[("SnapshotId", GOLDEN_SNAPSHOT)],
    );
    assert_eq!(code, "InvalidSnapshot.NotFound");
}

#[test]
fn what_is_not_in_the_bin_is_not_listed_by_its_id() {
    let mut ec2 = world();
    let code = ec2.code("ListImagesInRecycleBin", &[("ImageId.1", GOLDEN)]);
    assert_eq!(code, "InvalidAMIID.NotFound");
    let code = ec2.code(
        "ListSnapshotsInRecycleBin",
        &[("SnapshotId.1", GOLDEN_SNAPSHOT)],
    );
    assert_eq!(code, "InvalidSnapshot.NotFound");
}
