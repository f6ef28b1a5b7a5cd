//! The same seed and the same calls give the same world.

use super::*;

fn history(seed: u64) -> (World, Vec<Answer>) {
    let mut ec2 = Ec2::with(Knobs {
        failed_copies_per_mille: 300,
        ..Knobs::default()
    });
    ec2.world = ec2.world.with_seed(seed);
    let mut answers = vec![ec2.call(
        "CreateImage",
        &[("InstanceId", INSTANCE), ("Name", "web-1")],
    )];
    for step in 0..40 {
        ec2.wait(7 * step);
        ec2.at("eu-west-1");
        answers.push(ec2.call("CopyImage", &copy_of(GOLDEN, &[])));
        answers.push(ec2.call(
            "DescribeImages",
            &[("Owner.1", "self"), ("MaxResults", "5")],
        ));
        answers.push(ec2.call("DescribeSnapshots", &[("Owner.1", "self")]));
    }
    (ec2.world, answers)
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let (world, answers) = history(7);
    let (again, answers_again) = history(7);
    assert_eq!(answers, answers_again);
    assert_eq!(world.fingerprint(), again.fingerprint());
    assert!(world == again);
}

#[test]
fn another_seed_gives_another_world() {
    assert_ne!(history(7).0.fingerprint(), history(8).0.fingerprint());
}

#[test]
fn reads_do_not_change_what_writes_do() {
    let write = |ec2: &mut Ec2| {
        ec2.call(
            "CreateImage",
            &[("InstanceId", INSTANCE), ("Name", "web-1")],
        )
        .made
    };
    let mut quiet = Ec2::with(Knobs::default());
    let mut read = Ec2::with(Knobs::default());
    for _ in 0..10 {
        read.call(
            "DescribeImages",
            &[("Owner.1", "self"), ("MaxResults", "5")],
        );
    }
    assert_eq!(write(&mut quiet), write(&mut read));
}
