//! `EnableImageDeregistrationProtection` and `DisableImageDeregistrationProtection`.

use super::*;

const DAY: i64 = 24 * 3600;

/// Enables it; gives what the call answers, which is what the image shows.
fn enable(ec2: &mut Ec2, with_cooldown: &str) -> String {
    let parameters = [("ImageId", GOLDEN), ("WithCooldown", with_cooldown)];
    let body = ec2.ok("EnableImageDeregistrationProtection", &parameters);
    assert_eq!(text(&body, "return"), Some(shown(ec2)));
    shown(ec2)
}

fn disable(ec2: &mut Ec2) -> String {
    let body = ec2.ok(
        "DisableImageDeregistrationProtection",
        &[("ImageId", GOLDEN)],
    );
    assert_eq!(text(&body, "return"), Some(shown(ec2)));
    shown(ec2)
}

fn shown(ec2: &mut Ec2) -> String {
    let asked = [
        ("ImageId", GOLDEN),
        ("Attribute", "deregistrationProtection"),
    ];
    let body = ec2.ok("DescribeImageAttribute", &asked);
    let listed = text(&ec2.image(GOLDEN), "deregistrationProtection");
    assert_eq!(text(&body, "value"), listed);
    listed.expect("it is always shown")
}

fn may_go(ec2: &mut Ec2) -> bool {
    let answer = ec2.call("DeregisterImage", &[("ImageId", GOLDEN)]);
    if let Some(code) = &answer.error {
        assert_eq!(code, "OperationNotPermitted");
    }
    answer.error.is_none()
}

#[test]
fn no_image_is_protected_of_itself() {
    let mut ec2 = Ec2::calm();
    assert_eq!(shown(&mut ec2), "disabled");
    assert_eq!(disable(&mut ec2), "disabled");
    assert!(may_go(&mut ec2));
}

#[test]
fn a_protected_image_goes_once_its_protection_is_disabled() {
    let mut ec2 = Ec2::calm();
    for _ in 0..2 {
        assert_eq!(enable(&mut ec2, "false"), "enabled-without-cooldown");
        assert!(!may_go(&mut ec2));
    }
    for _ in 0..2 {
        assert_eq!(disable(&mut ec2), "disabled");
    }
    assert!(may_go(&mut ec2));
}

#[test]
fn without_a_word_there_is_no_cooldown() {
    let mut ec2 = Ec2::calm();
    let body = ec2.ok(
        "EnableImageDeregistrationProtection",
        &[("ImageId", GOLDEN)],
    );
    assert_eq!(
        text(&body, "return").as_deref(),
        Some("enabled-without-cooldown")
    );
}

#[test]
fn with_a_cooldown_it_holds_a_day_longer() {
    let mut ec2 = Ec2::calm();
    assert_eq!(enable(&mut ec2, "true"), "enabled-with-cooldown");
    let end = "disabled after 2026-06-02T12:00:00.000Z";
    assert_eq!(disable(&mut ec2), end);
    assert!(!may_go(&mut ec2));
    ec2.wait(DAY - 1);
    assert_eq!(disable(&mut ec2), end);
    assert!(!may_go(&mut ec2));
    ec2.wait(1);
    assert_eq!(shown(&mut ec2), "disabled");
    assert!(may_go(&mut ec2));
}

#[test]
fn a_refused_deregistration_takes_no_snapshot() {
    let mut ec2 = Ec2::calm();
    enable(&mut ec2, "false");
    let parameters = [("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")];
    assert_eq!(
        ec2.code("DeregisterImage", &parameters),
        "OperationNotPermitted"
    );
    assert_eq!(ec2.state(GOLDEN), "available");
    ec2.snapshot(GOLDEN_SNAPSHOT);
}

#[test]
fn a_cooldown_can_be_dropped_or_not() {
    for cooldown_can_be_dropped in [false, true] {
        let mut ec2 = Ec2::calm();
        ec2.world.facts_mut().cooldown_can_be_dropped = cooldown_can_be_dropped;
        let wanted = if cooldown_can_be_dropped {
            "enabled-without-cooldown"
        } else {
            "enabled-with-cooldown"
        };
        enable(&mut ec2, "true");
        assert_eq!(enable(&mut ec2, "false"), wanted);
        enable(&mut ec2, "true");
        disable(&mut ec2);
        assert_eq!(enable(&mut ec2, "false"), wanted);
        disable(&mut ec2);
        assert_eq!(may_go(&mut ec2), cooldown_can_be_dropped);
    }
}

#[test]
fn a_cooldown_begins_anew_with_the_protection() {
    let mut ec2 = Ec2::calm();
    enable(&mut ec2, "true");
    disable(&mut ec2);
    ec2.wait(3600);
    enable(&mut ec2, "true");
    assert_eq!(disable(&mut ec2), "disabled after 2026-06-02T13:00:00.000Z");
    ec2.wait(DAY);
    assert_eq!(enable(&mut ec2, "false"), "enabled-without-cooldown");
}

#[test]
fn the_end_of_a_cooldown_is_written_as_the_facts_say() {
    for (format, wanted) in [
        ("%Y-%m-%d %H:%M:%S", "disabled after 2026-06-02 12:00:00"),
        ("%!", "disabled after 2026-06-02T12:00:00.000Z"),
    ] {
        let mut ec2 = Ec2::calm();
        format.clone_into(&mut ec2.world.facts_mut().cooldown_end_format);
        enable(&mut ec2, "true");
        assert_eq!(disable(&mut ec2), wanted);
    }
}

#[test]
fn a_copy_is_not_protected() {
    let mut ec2 = Ec2::calm();
    enable(&mut ec2, "true");
    let image = ec2.at("eu-west-1").copy(GOLDEN, &[]);
    assert_eq!(
        text(&ec2.image(&image), "deregistrationProtection").as_deref(),
        Some("disabled")
    );
}

#[test]
fn only_the_owner_may_and_only_of_a_whole_image() {
    let mut ec2 = Ec2::slow();
    let pending = ec2.capture("web-1");
    for action in [
        "EnableImageDeregistrationProtection",
        "DisableImageDeregistrationProtection",
    ] {
        for (image, code) in [
            (SHARED, "AuthFailure"),
            ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
            ("ami-x", "InvalidAMIID.Malformed"),
            (&pending, "InvalidAMIID.Unavailable"),
        ] {
            assert_eq!(ec2.code(action, &[("ImageId", image)]), code, "{action}");
        }
    }
}
