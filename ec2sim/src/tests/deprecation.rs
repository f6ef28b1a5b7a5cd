//! `EnableImageDeprecation` and `DisableImageDeprecation`. The golden image was made on 2025-03-01.

use super::*;

fn deprecate(ec2: &mut Ec2, at: &str) {
    ec2.ok("EnableImageDeprecation", &until(GOLDEN, at));
}

fn until<'a>(image: &'a str, at: &'a str) -> [(&'a str, &'a str); 2] {
    [("ImageId", image), ("DeprecateAt", at)]
}

fn deprecation(ec2: &mut Ec2) -> Option<String> {
    text(&ec2.image(GOLDEN), "deprecationTime")
}

fn publish(ec2: &mut Ec2) {
    let place = ec2.world.place_mut("111122223333", "us-east-1");
    place.expect("the account").allows_public_images = true;
    let public = [("ImageId", GOLDEN), ("LaunchPermission.Add.1.Group", "all")];
    ec2.ok("ModifyImageAttribute", &public);
}

fn unpublish(ec2: &mut Ec2) {
    let private = [
        ("ImageId", GOLDEN),
        ("LaunchPermission.Remove.1.Group", "all"),
    ];
    ec2.ok("ModifyImageAttribute", &private);
}

#[test]
fn the_time_is_rounded_to_the_minute() {
    let mut ec2 = Ec2::calm();
    for (asked, shown) in [
        ("2027-01-02T03:04:29.999Z", "2027-01-02T03:04:00.000Z"),
        ("2027-01-02T03:04:30Z", "2027-01-02T03:05:00.000Z"),
        ("2027-01-02T03:04:59.999999Z", "2027-01-02T03:05:00.000Z"),
        ("2027-01-02T03:04:00Z", "2027-01-02T03:04:00.000Z"),
    ] {
        deprecate(&mut ec2, asked);
        assert_eq!(deprecation(&mut ec2).as_deref(), Some(shown));
    }
}

#[test]
fn it_is_cancelled_and_both_may_be_repeated() {
    let mut ec2 = Ec2::calm();
    deprecate(&mut ec2, "2027-01-01T00:00:00Z");
    deprecate(&mut ec2, "2027-01-01T00:00:00Z");
    for _ in 0..2 {
        ec2.ok("DisableImageDeprecation", &[("ImageId", GOLDEN)]);
        assert_eq!(deprecation(&mut ec2), None);
    }
}

#[test]
fn the_past_and_more_than_ten_years_are_refused() {
    let mut ec2 = Ec2::calm();
    for wrong in [
        "2026-06-01T11:59:59Z",
        "2036-06-01T12:00:01Z",
        "tomorrow",
        "2027-01-01",
    ] {
        assert_eq!(
            ec2.code("EnableImageDeprecation", &until(GOLDEN, wrong)),
            "InvalidParameterValue",
            "{wrong}"
        );
    }
    for right in ["2026-06-01T12:00:00Z", "2036-06-01T12:00:00Z"] {
        deprecate(&mut ec2, right);
    }
    assert_eq!(
        ec2.code("EnableImageDeprecation", &[("ImageId", GOLDEN)]),
        "MissingParameter"
    );
}

#[test]
fn only_the_owner_may() {
    let mut ec2 = Ec2::calm();
    let at = until(SHARED, "2027-01-01T00:00:00Z");
    assert_eq!(ec2.code("EnableImageDeprecation", &at), "AuthFailure");
    assert_eq!(
        ec2.code("DisableImageDeprecation", &[("ImageId", SHARED)]),
        "AuthFailure"
    );
    assert_eq!(
        ec2.as_key(PARTNER)
            .code("DisableImageDeprecation", &[("ImageId", GOLDEN)]),
        "InvalidAMIID.NotFound"
    );
}

#[test]
fn a_pending_image_and_one_that_is_gone_are_unavailable() {
    let mut ec2 = Ec2::with(Knobs {
        base_milliseconds: 10_000,
        deregistered_visible_seconds: 60,
        ..Knobs::calm()
    });
    let pending = ec2.capture("web-1");
    ec2.ok("DeregisterImage", &[("ImageId", GOLDEN)]);
    for image in [pending.as_str(), GOLDEN] {
        let at = until(image, "2027-01-01T00:00:00Z");
        assert_eq!(
            ec2.code("EnableImageDeprecation", &at),
            "InvalidAMIID.Unavailable"
        );
    }
}

#[test]
fn a_public_image_is_deprecated_after_two_years() {
    let mut ec2 = Ec2::calm();
    publish(&mut ec2);
    assert_eq!(
        deprecation(&mut ec2).as_deref(),
        Some("2027-03-01T12:00:00.000Z")
    );
    let late = until(GOLDEN, "2027-03-01T12:01:00Z");
    assert_eq!(
        ec2.code("EnableImageDeprecation", &late),
        "InvalidParameterValue"
    );
    deprecate(&mut ec2, "2027-02-01T00:00:00Z");
    unpublish(&mut ec2);
    deprecate(&mut ec2, "2030-01-01T00:00:00Z");
    publish(&mut ec2);
    assert_eq!(
        deprecation(&mut ec2).as_deref(),
        Some("2027-03-01T12:00:00.000Z")
    );
}

#[test]
fn a_public_image_keeps_its_deprecation_and_an_earlier_one() {
    for code in ["OperationNotPermitted", "InvalidParameterValue"] {
        let mut ec2 = Ec2::calm();
        code.clone_into(&mut ec2.world.facts_mut().public_deprecation_code);
        publish(&mut ec2);
        deprecate(&mut ec2, "2026-12-01T00:00:00Z");
        let later = until(GOLDEN, "2026-12-02T00:00:00Z");
        assert_eq!(ec2.code("EnableImageDeprecation", &later), code);
        assert_eq!(
            ec2.code("DisableImageDeprecation", &[("ImageId", GOLDEN)]),
            code
        );
        unpublish(&mut ec2);
        ec2.ok("EnableImageDeprecation", &later);
        ec2.ok("DisableImageDeprecation", &[("ImageId", GOLDEN)]);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut ec2 = Ec2::calm();
    let mut dry = until(GOLDEN, "2027-01-01T00:00:00Z").to_vec();
    dry.push(("DryRun", "true"));
    assert_eq!(ec2.code("EnableImageDeprecation", &dry), "DryRunOperation");
    assert_eq!(deprecation(&mut ec2), None);
}
