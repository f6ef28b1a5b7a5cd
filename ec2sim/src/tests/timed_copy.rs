//! `CopyImage` with a completion duration.

use super::*;

/// Copies with a completion duration.
fn copy_within(ec2: &mut Ec2, source: &str, minutes: &str) -> String {
    let duration = [("SnapshotCopyCompletionDurationMinutes", minutes)];
    ec2.at("eu-west-1").copy(source, &duration)
}

fn with_size(gib: u64) -> Ec2 {
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
    snapshot.size_gib = gib;
    ec2
}

/// Waits so many seconds and gives the state of an image before and after the last one.
fn around(ec2: &mut Ec2, image: &str, seconds: i64) -> (String, String) {
    ec2.wait(seconds - 1);
    let before = ec2.state(image);
    ec2.wait(1);
    (before, ec2.state(image))
}

fn done() -> (String, String) {
    ("pending".to_owned(), "available".to_owned())
}

#[test]
fn a_duration_is_15_minutes_to_48_hours_in_steps_of_15_minutes() {
    for wrong in ["0", "1", "14", "16", "2895", "x"] {
        let mut ec2 = Ec2::calm();
        let wrong = [("SnapshotCopyCompletionDurationMinutes", wrong)];
        let code = ec2.code("CopyImage", &copy_of(GOLDEN, &wrong));
        assert_eq!(code, "InvalidParameterValue");
    }
    for right in ["15", "2880"] {
        copy_within(&mut Ec2::calm(), GOLDEN, right);
    }
}

#[test]
fn a_copy_is_done_within_its_duration() {
    let mut ec2 = Ec2::slow();
    let image = copy_within(&mut ec2, GOLDEN, "30");
    assert_eq!(around(&mut ec2, &image, 30 * 60), done());
}

#[test]
fn a_snapshot_is_copied_with_500_mib_a_second_at_the_most() {
    // 1,000 GiB in 15 minutes would be 1,137 MiB/s; with 500 they take 2,048 seconds.
    let mut ec2 = with_size(1000);
    let image = copy_within(&mut ec2, GOLDEN, "15");
    assert_eq!(around(&mut ec2, &image, 2048), done());
}

#[test]
fn what_is_copied_between_two_regions_at_a_time_has_a_limit() {
    let mut ec2 = with_size(1000);
    let copies: Vec<String> = (0..4)
        .map(|_| {
            let source = ec2.at("us-east-1").copy(GOLDEN, &[]);
            ec2.wait(10);
            source
        })
        .collect();
    for source in &copies {
        copy_within(&mut ec2, source, "15");
    }
    let more = copy_of(GOLDEN, &[("SnapshotCopyCompletionDurationMinutes", "15")]);
    assert_eq!(ec2.code("CopyImage", &more), "ResourceLimitExceeded");
    ec2.at("ap-northeast-1").ok("CopyImage", &more);
    ec2.at("eu-west-1").copy(GOLDEN, &[]);
    ec2.wait(2048);
    copy_within(&mut ec2, GOLDEN, "15");
}

#[test]
fn a_second_copy_of_the_same_image_begins_when_the_first_is_done() {
    let mut ec2 = Ec2::slow();
    let first = copy_within(&mut ec2, GOLDEN, "15");
    let second = copy_within(&mut ec2, GOLDEN, "15");
    assert_eq!(around(&mut ec2, &first, 15 * 60), done());
    assert_eq!(around(&mut ec2, &second, 15 * 60), done());
}
