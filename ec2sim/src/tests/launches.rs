//! `RunInstances`: what it names, and how often it launches.

use super::machines::{launch, machine, timed};
use super::*;
use crate::state::Instance;

fn zone_and_subnet(one: &Instance) -> (&str, &str) {
    let network = one.network.as_ref().expect("a network");
    (&one.zone, &network.subnet)
}

#[test]
fn without_a_subnet_it_goes_to_the_first_default_one_with_the_type_and_room_for_it() {
    let mut ec2 = Ec2::calm();
    let id = launch(&mut ec2, &[]);
    assert_eq!(
        zone_and_subnet(machine(&ec2, &id)),
        ("us-east-1a", "subnet-0123456789abcdef0")
    );
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("a region");
    let first = region.zones.get_mut("us-east-1a").expect("a zone");
    first.full.insert("t3.*".to_owned());
    let id = launch(&mut ec2, &[]);
    assert_eq!(machine(&ec2, &id).zone, "us-east-1b");
}

#[test]
fn a_zone_may_not_offer_a_type_or_have_no_room() {
    let mut ec2 = Ec2::calm();
    let of = |ec2: &mut Ec2, kind: &str, zone: &str| {
        let more = [
            ("ImageId", GOLDEN),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("InstanceType", kind),
            ("Placement.AvailabilityZone", zone),
        ];
        ec2.refused("RunInstances", &more)
    };
    let (code, message) = of(&mut ec2, "m1.small", "us-east-1c");
    assert_eq!(code, "Unsupported");
    assert!(
        message.contains("choosing us-east-1a, us-east-1b."),
        "{message}"
    );
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("a region");
    let first = region.zones.get_mut("us-east-1a").expect("a zone");
    first.full.insert("m5.large".to_owned());
    assert_eq!(
        of(&mut ec2, "m5.large", "us-east-1a").0,
        "InsufficientInstanceCapacity"
    );
}

#[test]
fn a_token_counts_in_the_zone_that_is_named() {
    let mut ec2 = Ec2::calm();
    let token = ("ClientToken", "t");
    let a = [token, ("SubnetId", "subnet-0123456789abcdef0")];
    let b = [token, ("SubnetId", "subnet-0123456789abcdef1")];
    let first = launch(&mut ec2, &a);
    assert_ne!(launch(&mut ec2, &b), first);
    assert_ne!(launch(&mut ec2, &[token]), first);
    assert_eq!(launch(&mut ec2, &a), first);
}

#[test]
fn the_token_of_a_terminated_instance_is_used_up_for_good() {
    let mut ec2 = timed();
    let given = [
        ("ImageId", GOLDEN),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("InstanceType", "t3.micro"),
        ("ClientToken", "t"),
    ];
    let id = launch(&mut ec2, &[("ClientToken", "t")]);
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]);
    for seconds in [0, 5, 4000] {
        ec2.wait(seconds);
        assert_eq!(
            ec2.code("RunInstances", &given),
            "IdempotentInstanceTerminated"
        );
    }
}

#[test]
fn a_dry_run_uses_up_no_token() {
    let mut ec2 = Ec2::calm();
    let given = [
        ("ImageId", GOLDEN),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ClientToken", "t"),
        ("DryRun", "true"),
    ];
    assert_eq!(ec2.code("RunInstances", &given), "DryRunOperation");
    launch(&mut ec2, &[("ClientToken", "t")]);
}

#[test]
fn chance_lets_capacity_run_out() {
    let mut ec2 = Ec2::calm();
    ec2.world.knobs_mut().insufficient_capacity_per_mille = 500;
    let given = [("ImageId", GOLDEN), ("MinCount", "1"), ("MaxCount", "1")];
    let refused = (0..40)
        .filter(|_| {
            let answer = ec2.call("RunInstances", &given);
            answer.error.as_deref() == Some("InsufficientInstanceCapacity") && answer.status == 500
        })
        .count();
    assert!((10..30).contains(&refused), "{refused}");
}

#[test]
fn a_key_that_does_not_work_ends_the_launch_late() {
    let mut ec2 = timed();
    let encrypted = [
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.Encrypted", "true"),
        ("BlockDeviceMapping.1.Ebs.KmsKeyId", "alias/broken"),
    ];
    let id = launch(&mut ec2, &encrypted);
    ec2.wait(20);
    ec2.ok("DescribeInstances", &[]);
    let one = machine(&ec2, &id);
    assert_eq!(one.state.to_string(), "terminated");
    let reason = one.reason.as_ref().expect("a reason");
    assert!(reason.message.contains("InvalidKMSKey.InvalidState"));
    let given = [
        ("ImageId", GOLDEN),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        encrypted[0],
        encrypted[2],
    ];
    assert_eq!(
        ec2.code("RunInstances", &given),
        "InvalidParameterDependency"
    );
}

#[test]
fn step_by_step_a_machine_turns_when_it_is_told_to() {
    let mut ec2 = Ec2::calm();
    ec2.world = ec2.world.step_by_step(SignedDuration::from_secs(60));
    let user_data = crate::wire::base64::encode(b"#!/bin/sh\npoweroff\n");
    let id = launch(&mut ec2, &[("UserData", &user_data)]);
    let mut states = Vec::new();
    for _ in 0..8 {
        states.push(machine(&ec2, &id).state.to_string());
        let next = ec2
            .world
            .under_way()
            .first()
            .map(|(region, key)| ((*region).to_owned(), (*key).to_owned()));
        let Some((region, key)) = next else {
            break;
        };
        ec2.world.finish(&region, &key, false);
    }
    states.dedup();
    assert_eq!(states, ["pending", "running", "stopping", "stopped"]);
}
