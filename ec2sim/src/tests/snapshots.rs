//! `DescribeSnapshots` and `DeleteSnapshot`.

use super::*;

#[test]
fn progress_grows_with_time() {
    let mut ec2 = Ec2::slow();
    let image = ec2.capture("web-1");
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    let mut progress = Vec::new();
    for _ in 0..3 {
        progress.push(text(&ec2.snapshot(&snapshot), "progress").unwrap_or_default());
        ec2.wait(5);
    }
    assert_eq!(progress, ["0%", "49%", "100%"]);
}

#[test]
fn a_bigger_volume_takes_longer() {
    let mut ec2 = Ec2::with(Knobs {
        milliseconds_per_gib: 1000,
        ..Knobs::calm()
    });
    let image = ec2.capture("web-1");
    ec2.wait(4);
    assert_eq!(
        ec2.state(&image),
        "pending",
        "8 GiB take at least 4 s, 20 GiB at least 10"
    );
    ec2.wait(36);
    assert_eq!(ec2.state(&image), "available");
}

#[test]
fn a_snapshot_that_an_image_uses_cannot_be_deleted() {
    let mut ec2 = Ec2::calm();
    let (code, message) = ec2.refused("DeleteSnapshot", &[("SnapshotId", GOLDEN_SNAPSHOT)]);
    assert_eq!(code, "InvalidSnapshot.InUse");
    assert_eq!(
        message,
        format!("The snapshot {GOLDEN_SNAPSHOT} is currently in use by {GOLDEN}")
    );
}

#[test]
fn a_snapshot_stays_in_use_for_a_moment_after_the_image_is_gone() {
    let mut ec2 = Ec2::with(Knobs {
        snapshot_hold_seconds: 10,
        ..Knobs::calm()
    });
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    ec2.wait(9);
    assert_eq!(
        ec2.code("DeleteSnapshot", &[("SnapshotId", GOLDEN_SNAPSHOT)]),
        "InvalidSnapshot.InUse"
    );
    ec2.wait(1);
    ec2.ok("DeleteSnapshot", &[("SnapshotId", GOLDEN_SNAPSHOT)]);
    assert_eq!(
        ec2.code("DeleteSnapshot", &[("SnapshotId", GOLDEN_SNAPSHOT)]),
        "InvalidSnapshot.NotFound"
    );
}

#[test]
fn somebody_elses_snapshot_cannot_be_deleted() {
    let mut ec2 = Ec2::calm();
    assert_eq!(
        ec2.code(
            "DeleteSnapshot",
            &[("SnapshotId", "snap-0beefcafebeefcafe")]
        ),
        "AuthFailure"
    );
}

#[test]
fn an_id_that_the_caller_may_not_see_is_left_out() {
    let mut ec2 = Ec2::calm();
    let body = ec2
        .as_key(PARTNER)
        .ok("DescribeSnapshots", &[("SnapshotId.1", GOLDEN_SNAPSHOT)]);
    assert!(texts(&body, "snapshotId").is_empty());
    let absent = [("SnapshotId.1", "snap-00000000000000000")];
    assert_eq!(
        ec2.code("DescribeSnapshots", &absent),
        "InvalidSnapshot.NotFound"
    );
}

#[test]
fn a_snapshot_tells_how_much_was_written_when_it_is_done_and_so_do_its_copies() {
    let mut ec2 = Ec2::slow();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let snapshot = region
        .snapshots
        .get_mut(GOLDEN_SNAPSHOT)
        .expect("the snapshot");
    snapshot.full_bytes = Some(123_456_789);
    let full = |ec2: &mut Ec2, id: &str| text(&ec2.snapshot(id), "fullSnapshotSizeInBytes");
    assert_eq!(
        full(&mut ec2, GOLDEN_SNAPSHOT).as_deref(),
        Some("123456789")
    );
    let copy = ec2.copy(GOLDEN, &[]);
    let copy = ec2.snapshots_of(&copy)[0].clone();
    assert_eq!(full(&mut ec2, &copy), None);
    ec2.wait(10);
    assert_eq!(full(&mut ec2, &copy).as_deref(), Some("123456789"));
    let image = ec2.capture("web-1");
    ec2.wait(10);
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    assert_eq!(full(&mut ec2, &snapshot).as_deref(), Some("8589934592"));
}
