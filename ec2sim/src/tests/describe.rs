//! `DescribeImages`, `DescribeInstances`, `DescribeRegions`: what is visible, filters, lag.

use super::*;

fn filter<'a>(name: &'a str, value: &'a str) -> [(&'a str, &'a str); 2] {
    [("Filter.1.Name", name), ("Filter.1.Value.1", value)]
}

#[test]
fn own_shared_and_public_images_are_visible() {
    let mut ec2 = Ec2::calm();
    assert_eq!(ec2.list(&[]), [PUBLIC, SHARED, GOLDEN]);
    assert_eq!(ec2.list(&[("Owner.1", "self")]), [GOLDEN]);
    assert_eq!(
        ec2.list(&[("Owner.1", "amazon"), ("Owner.2", "444455556666")]),
        [PUBLIC, SHARED]
    );
    assert_eq!(ec2.list(&[("ExecutableBy.1", "self")]), [SHARED]);
    assert_eq!(ec2.list(&[("ExecutableBy.1", "all")]), [PUBLIC]);
    assert_eq!(ec2.as_key(PARTNER).list(&[]), [PUBLIC, SHARED]);
}

#[test]
fn an_owner_that_is_none_is_refused() {
    assert_eq!(
        Ec2::calm().code("DescribeImages", &[("Owner.1", "me")]),
        "InvalidUserID.Malformed"
    );
}

#[test]
fn filters_find_by_every_attribute() {
    let mut ec2 = Ec2::calm();
    for (name, value) in [
        ("name", "golden-*"),
        ("name", "golden-202?"),
        ("owner-id", "111122223333"),
        ("tag:Name", "golden"),
        ("tag-key", "team"),
        ("block-device-mapping.snapshot-id", GOLDEN_SNAPSHOT),
        ("creation-date", "2025-03-*"),
        ("image-id", GOLDEN),
        ("description", "the golden*"),
    ] {
        assert_eq!(ec2.list(&filter(name, value)), [GOLDEN], "{name}={value}");
    }
    assert_eq!(ec2.list(&filter("is-public", "true")), [PUBLIC]);
    assert_eq!(ec2.list(&filter("owner-alias", "amazon")), [PUBLIC]);
    assert!(ec2.list(&filter("platform", "windows")).is_empty());
}

#[test]
fn values_of_a_filter_are_alternatives_and_filters_add_up() {
    let mut ec2 = Ec2::calm();
    let either = [
        ("Filter.1.Name", "image-id"),
        ("Filter.1.Value.1", GOLDEN),
        ("Filter.1.Value.2", SHARED),
    ];
    assert_eq!(ec2.list(&either), [SHARED, GOLDEN]);
    let mut both = either.to_vec();
    both.extend([("Filter.2.Name", "tag-key"), ("Filter.2.Value.1", "team")]);
    assert_eq!(ec2.list(&both), [GOLDEN]);
}

#[test]
fn an_unknown_filter_is_an_error() {
    let (code, message) = Ec2::calm().refused("DescribeImages", &filter("colour", "red"));
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(message, "The filter 'colour' is invalid");
}

#[test]
fn a_copy_is_found_by_its_source() {
    let mut ec2 = Ec2::calm();
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert_eq!(
        ec2.list(&filter("source-image-id", GOLDEN)),
        [image.as_str()]
    );
    assert_eq!(
        ec2.list(&filter("source-image-region", "us-east-1")),
        [image]
    );
    assert!(ec2.list(&filter("source-instance-id", "*")).is_empty());
}

#[test]
fn an_id_must_be_well_formed_and_there() {
    let mut ec2 = Ec2::calm();
    let (code, message) = ec2.refused("DescribeImages", &[("ImageId.1", "ami-x")]);
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "InvalidAMIID.Malformed",
            "Invalid id: \"ami-x\" (expecting \"ami-...\")"
        )
    );
    let (code, message) = ec2.refused("DescribeImages", &[("ImageId.1", "ami-00000000000000000")]);
    assert_eq!(code, "InvalidAMIID.NotFound");
    assert!(message.contains("[ami-00000000000000000]"), "{message}");
}

#[test]
fn disabled_images_are_listed_only_when_included() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region.images.get_mut(GOLDEN).expect("the image").state = crate::state::ImageState::Disabled;
    assert!(ec2.list(&[("Owner.1", "self")]).is_empty());
    assert_eq!(
        ec2.list(&[("Owner.1", "self"), ("IncludeDisabled", "true")]),
        [GOLDEN]
    );
}

#[test]
fn a_new_image_is_seen_at_the_latest_after_the_lag() {
    let mut late = 0;
    for seed in 0..20 {
        let mut ec2 = Ec2::with(Knobs {
            max_read_lag_seconds: 60,
            ..Knobs::calm()
        });
        ec2.world = ec2.world.with_seed(seed);
        let image = ec2.capture("web-1");
        late += usize::from(ec2.list(&[("Owner.1", "self")]) == [GOLDEN]);
        ec2.wait(60);
        assert_eq!(ec2.list(&filter("name", "web-1")), [image]);
    }
    assert!(late > 10, "{late} of 20 lists lagged");
}

#[test]
fn within_the_lag_reads_may_go_back() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 600,
        ..Knobs::calm()
    });
    ec2.capture("web-1");
    let mut seen = Vec::new();
    for _ in 0..600 {
        ec2.wait(1);
        seen.push(ec2.list(&filter("name", "web-1")).len());
    }
    assert!(seen.windows(2).any(|pair| pair == [1, 0]));
    assert_eq!(seen.last(), Some(&1));
}

#[test]
fn instances_are_found_by_tag() {
    let mut ec2 = Ec2::calm();
    let body = ec2.ok("DescribeInstances", &filter("tag:Name", "w*"));
    assert_eq!(texts(&body, "instanceId"), [INSTANCE]);
    assert_eq!(texts(&body, "deviceName"), ["/dev/xvda", "/dev/sdf"]);
    let (code, _) = ec2.refused(
        "DescribeInstances",
        &[("InstanceId.1", "i-00000000000000000")],
    );
    assert_eq!(code, "InvalidInstanceID.NotFound");
}

#[test]
fn regions_that_are_not_enabled_are_listed_only_when_asked_for() {
    let mut ec2 = Ec2::calm();
    assert!(!ec2.ok("DescribeRegions", &[]).contains("af-south-1"));
    assert!(
        ec2.ok("DescribeRegions", &[("AllRegions", "true")])
            .contains("not-opted-in")
    );
}

#[test]
fn what_an_image_was_made_from_may_be_seen_later_than_the_image() {
    let mut ec2 = Ec2::with(Knobs {
        max_source_lag_seconds: 600,
        ..Knobs::calm()
    });
    let image = ec2.capture("web-1");
    let body = ec2.image(&image);
    assert!(!body.contains("sourceI"), "{body}");
    ec2.wait(600);
    assert_eq!(ec2.list(&filter("source-instance-id", INSTANCE)), [image]);
}
