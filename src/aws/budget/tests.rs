//! Each test tells one story of a bucket, in virtual time.

use std::time::Duration;

use super::*;

const START: &str = "2026-03-01T00:00:00Z";

fn start() -> Timestamp {
    START.parse().expect("a time")
}

fn at(milliseconds: i64) -> Timestamp {
    start() + SignedDuration::from_millis(milliseconds)
}

fn bucket(action: &str) -> Bucket<usize> {
    Bucket::full(Rate::of(action), start())
}

/// How many of so many are let through at once.
fn taken(bucket: &mut Bucket<usize>, askers: std::ops::Range<usize>, now: Timestamp) -> usize {
    askers
        .filter(|asker| bucket.take(*asker, now).is_ok())
        .count()
}

#[test]
fn a_burst_of_half_of_ec2s_bucket_is_let_through() {
    assert_eq!(taken(&mut bucket("CopyImage"), 0..500, start()), 50);
    assert_eq!(taken(&mut bucket("CreateImage"), 0..500, start()), 25);
}

#[test]
fn a_bucket_fills_again_up_to_its_size() {
    let mut tags = bucket("CreateTags");
    assert_eq!(taken(&mut tags, 0..50, start()), 50);
    tags.forget(|_| true);
    assert_eq!(taken(&mut tags, 0..50, at(1000)), 8, "8 a second");
    tags.forget(|_| true);
    assert_eq!(taken(&mut tags, 0..500, at(3_600_000)), 50);
}

#[test]
fn each_that_is_held_back_gets_a_moment_of_its_own_and_then_its_request() {
    let mut copies = bucket("CopyImage");
    let mut moments = Vec::new();
    for asker in 0..550 {
        moments.extend(
            copies
                .take(asker, start())
                .err()
                .map(|moment| (moment, asker)),
        );
    }
    assert_eq!(moments.len(), 500);
    for (index, (moment, asker)) in moments.into_iter().enumerate() {
        let nth = i64::try_from(index).expect("small") + 1;
        assert_eq!(moment, at(nth * 1250), "0.8 a second");
        assert_eq!(copies.take(asker, moment), Ok(()), "it comes at its moment");
    }
}

#[test]
fn nobody_overtakes_who_waits() {
    let mut copies = bucket("CopyImage");
    taken(&mut copies, 0..50, start());
    let first = copies.take(100, start()).expect_err("empty");
    let second = copies.take(101, start()).expect_err("empty");
    assert!(
        copies.take(999, first).is_err(),
        "one is there, and it is the first one's"
    );
    assert_eq!(
        copies.take(101, first),
        Err(second),
        "who asks too early keeps its moment"
    );
    assert_eq!(copies.take(100, first), Ok(()));
    assert_eq!(copies.take(101, second), Ok(()));
}

#[test]
fn who_does_not_come_back_loses_its_place_after_a_minute() {
    let mut copies = bucket("CopyImage");
    taken(&mut copies, 0..50, start());
    for asker in 100..150 {
        assert!(copies.take(asker, start()).is_err());
    }
    assert!(
        copies.take(200, at(60_000)).is_err(),
        "they are late, and still come first"
    );
    assert_eq!(copies.take(200, at(125_000)), Ok(()));
}

#[test]
fn throttling_empties_the_bucket_and_shuts_it_ever_longer() {
    let mut copies = bucket("CopyImage");
    let mut now = start();
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(copies.take(1, now), Ok(()));
        let moment = copies.throttle(1, now);
        waits.push(moment.duration_since(now).as_secs());
        now = moment;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(copies.take(1, now), Ok(()));
    copies.succeeded();
    assert!(!copies.is_throttled());
    assert_eq!(
        taken(&mut copies, 2..100, now),
        0,
        "it is empty and fills slowly"
    );
    copies.forget(|_| true);
    assert_eq!(
        copies.throttle(1, now).duration_since(now).as_secs(),
        1,
        "a new story"
    );
}

#[test]
fn answers_to_what_was_sent_together_shut_it_once_and_keep_their_order() {
    let mut copies = bucket("CopyImage");
    taken(&mut copies, 0..3, start());
    assert_eq!(copies.throttle(0, start()), at(1000));
    assert_eq!(copies.throttle(1, at(20)), at(2250));
    assert_eq!(copies.throttle(2, at(40)), at(3500));
    assert_eq!(copies.take(3, at(60)), Err(at(4750)));
}

#[test]
fn throttling_puts_off_who_waits_in_the_same_order() {
    let mut copies = bucket("CopyImage");
    taken(&mut copies, 0..50, start());
    let first = copies.take(100, start()).expect_err("empty");
    let second = copies.take(101, start()).expect_err("empty");
    copies.throttle(0, at(1200));
    assert_eq!(copies.take(101, second), Err(at(2200 + 2 * 1250)));
    assert_eq!(copies.take(100, first.max(second)), Err(at(2200 + 1250)));
}

#[test]
fn reads_take_in_advance_and_wait_at_most_for_seconds() {
    let mut reads = bucket("DescribeInstances");
    let latest = start() + READS_WAIT;
    let moments: Vec<_> = (0..1000)
        .filter_map(|_| reads.reserve(start(), latest))
        .collect();
    assert_eq!(moments.len(), 50 + 5 * 16);
    assert_eq!((moments[49], moments[50]), (start(), at(63)));
}

#[tokio::test(start_paused = true)]
async fn a_read_sleeps_until_its_turn_and_a_late_one_says_why_it_does_not() {
    let budget = Budget::new(Clock::virtual_from(start()));
    let (here, there) = (Place::new("1", "eu-west-1"), Place::new("1", "us-east-1"));
    for _ in 0..50 + 16 {
        budget
            .turn(&here, "DescribeInstances")
            .await
            .expect("its turn comes");
    }
    assert_eq!(budget.clock.now(), at(1000));
    budget.was_read(&here, "DescribeInstances", Some(Class::Throttled));
    budget
        .turn(&here, "DescribeInstances")
        .await
        .expect("a second is not long");
    for _ in 0..5 {
        tokio::time::advance(Duration::from_secs(61)).await;
        budget.was_read(&here, "DescribeInstances", Some(Class::Throttled));
    }
    let late = budget
        .turn(&here, "DescribeInstances")
        .await
        .expect_err("shut for long");
    assert_eq!(late.reason, conditions::THROTTLED);
    let before = budget.clock.now();
    budget
        .turn(&there, "DescribeInstances")
        .await
        .expect("another place");
    assert_eq!(budget.clock.now(), before, "another place is unaffected");
}
