//! Request buckets and limits on concurrent copies.

use super::*;

#[test]
fn an_empty_bucket_answers_503_and_refills() {
    let mut ec2 = Ec2::with(Knobs {
        request_buckets: true,
        ..Knobs::calm()
    });
    for _ in 0..100 {
        ec2.ok("DescribeImages", &[]);
    }
    let answer = ec2.call("DescribeImages", &[]);
    assert_eq!(
        (answer.status, answer.error.as_deref()),
        (503, Some("RequestLimitExceeded"))
    );
    ec2.wait(1);
    for _ in 0..20 {
        ec2.ok("DescribeImages", &[]);
    }
    assert_eq!(ec2.code("DescribeImages", &[]), "RequestLimitExceeded");
}

#[test]
fn buckets_are_per_action_region_and_account() {
    let mut ec2 = Ec2::with(Knobs {
        request_buckets: true,
        ..Knobs::calm()
    });
    while ec2.call("DescribeImages", &[]).error.is_none() {}
    ec2.ok("DescribeSnapshots", &[]);
    ec2.at("eu-west-1").ok("DescribeImages", &[]);
    ec2.at("us-east-1")
        .as_key(PARTNER)
        .ok("DescribeImages", &[]);
}

#[test]
fn deprecation_and_protection_have_buckets_of_fifty() {
    for (action, more) in [
        (
            "EnableImageDeprecation",
            Some(("DeprecateAt", "2027-01-01T00:00:00Z")),
        ),
        ("DisableImageDeprecation", None),
        ("EnableImageDeregistrationProtection", None),
        ("DisableImageDeregistrationProtection", None),
    ] {
        let mut ec2 = Ec2::with(Knobs {
            request_buckets: true,
            ..Knobs::calm()
        });
        let mut parameters = vec![("ImageId", GOLDEN)];
        parameters.extend(more);
        for _ in 0..50 {
            ec2.ok(action, &parameters);
        }
        assert_eq!(ec2.code(action, &parameters), "RequestLimitExceeded");
        ec2.wait(1);
        for _ in 0..5 {
            ec2.ok(action, &parameters);
        }
        assert_eq!(ec2.code(action, &parameters), "RequestLimitExceeded");
    }
}

#[test]
fn image_copies_into_a_region_are_limited() {
    let mut ec2 = Ec2::slow();
    ec2.world.knobs_mut().concurrent_image_copies = Some(2);
    let first = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    ec2.copy(GOLDEN, &[]);
    assert_eq!(
        ec2.code("CopyImage", &copy_of(GOLDEN, &[])),
        "ResourceLimitExceeded"
    );
    ec2.at("us-west-2").copy(GOLDEN, &[]);
    ec2.at("eu-west-1")
        .ok("DeregisterImage", &[("ImageId", &first)]);
    ec2.copy(GOLDEN, &[]);
}

#[test]
fn snapshots_of_copies_into_a_region_are_limited() {
    let mut ec2 = Ec2::slow();
    let source = ec2.capture("web-1");
    ec2.wait(10);
    ec2.world.knobs_mut().concurrent_snapshot_copies = Some(3);
    ec2.at("eu-west-1").copy(&source, &[]);
    let (code, message) = ec2.refused("CopyImage", &copy_of(&source, &[]));
    assert_eq!(code, "ResourceLimitExceeded");
    assert_eq!(
        message,
        "Too many snapshot copies in progress. The limit is 3 for this destination region."
    );
    ec2.wait(10);
    ec2.copy(&source, &[]);
}

#[test]
fn a_repeated_token_needs_no_slot() {
    let mut ec2 = Ec2::slow();
    ec2.world.knobs_mut().concurrent_image_copies = Some(1);
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[("ClientToken", "t")]);
    assert_eq!(ec2.copy(GOLDEN, &[("ClientToken", "t")]), image);
}
