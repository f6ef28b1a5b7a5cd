//! Sharing: organizations and their units, snapshots, block public access, and the quotas.

use super::*;

const PARTNER_ID: &str = "444455556666";
const PARTNER_SNAPSHOT: &str = "snap-0beefcafebeefcafe";
const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-example0001";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-example0001/ou-ex01-workload";
const FOREIGN: &str = "arn:aws:organizations::999999999999:organization/o-elsewhere1";

fn share(ec2: &mut Ec2, more: &[(&str, &str)]) {
    ec2.ok("ModifyImageAttribute", &on_image(more));
}

fn on_image<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("ImageId", GOLDEN)], more].concat()
}

fn on_snapshot<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("SnapshotId", GOLDEN_SNAPSHOT)], more].concat()
}

fn launchers(ec2: &mut Ec2) -> String {
    let asked = on_image(&[("Attribute", "launchPermission")]);
    let body = ec2.ok("DescribeImageAttribute", &asked);
    text(&body, "launchPermission").unwrap_or_default()
}

fn users(ec2: &mut Ec2) -> String {
    let asked = on_snapshot(&[("Attribute", "createVolumePermission")]);
    let body = ec2.ok("DescribeSnapshotAttribute", &asked);
    text(&body, "createVolumePermission").unwrap_or_default()
}

fn allow_public_images(ec2: &mut Ec2) {
    let place = ec2.world.place_mut("111122223333", "us-east-1");
    place.expect("the account").allows_public_images = true;
}

/// The example with its partner somewhere in an organization.
fn organized(organizations: &str) -> Ec2 {
    let yaml = crate::world_file::EXAMPLE.split("\norganizations:").next();
    let yaml = format!(
        "{}\norganizations: {organizations}",
        yaml.expect("the rest")
    );
    let mut ec2 = Ec2::calm();
    ec2.world = World::from_yaml(&yaml)
        .expect("a world")
        .with_knobs(Knobs::calm());
    ec2
}

#[test]
fn one_call_grants_and_takes_back_all_four_kinds() {
    let mut ec2 = Ec2::calm();
    allow_public_images(&mut ec2);
    share(
        &mut ec2,
        &[
            ("LaunchPermission.Add.1.UserId", PARTNER_ID),
            ("LaunchPermission.Add.2.Group", "all"),
            ("LaunchPermission.Add.3.OrganizationArn", ORGANIZATION),
            ("LaunchPermission.Add.4.OrganizationalUnitArn", UNIT),
        ],
    );
    assert_eq!(
        launchers(&mut ec2),
        format!(
            "<item><group>all</group></item><item><userId>{PARTNER_ID}</userId></item>\
             <item><organizationArn>{ORGANIZATION}</organizationArn></item>\
             <item><organizationalUnitArn>{UNIT}</organizationalUnitArn></item>"
        )
    );
    share(
        &mut ec2,
        &[
            ("LaunchPermission.Add.1.OrganizationArn", FOREIGN),
            ("LaunchPermission.Remove.1.UserId", PARTNER_ID),
            ("LaunchPermission.Remove.2.Group", "all"),
            ("LaunchPermission.Remove.3.OrganizationArn", ORGANIZATION),
            ("LaunchPermission.Remove.4.OrganizationalUnitArn", UNIT),
        ],
    );
    assert_eq!(
        launchers(&mut ec2),
        format!("<item><organizationArn>{FOREIGN}</organizationArn></item>")
    );
    let reset = on_image(&[("Attribute", "launchPermission")]);
    ec2.ok("ResetImageAttribute", &reset);
    assert_eq!(launchers(&mut ec2), "");
}

#[test]
fn the_old_style_knows_organizations() {
    let mut ec2 = Ec2::calm();
    let named = [
        ("Attribute", "launchPermission"),
        ("OrganizationArn.1", ORGANIZATION),
        ("OrganizationalUnitArn.1", UNIT),
    ];
    share(
        &mut ec2,
        &[&named[..], &[("OperationType", "add")]].concat(),
    );
    assert!(launchers(&mut ec2).contains(ORGANIZATION));
    assert!(launchers(&mut ec2).contains(UNIT));
    share(
        &mut ec2,
        &[&named[..], &[("OperationType", "remove")]].concat(),
    );
    assert_eq!(launchers(&mut ec2), "");
}

#[test]
fn an_organization_is_named_by_its_whole_arn() {
    let mut ec2 = Ec2::calm();
    for (kind, value) in [
        ("OrganizationArn", "o-example0001"),
        (
            "OrganizationArn",
            "arn:aws:organizations::111122223333:account/o-example0001",
        ),
        ("OrganizationArn", UNIT),
        ("OrganizationalUnitArn", "ou-ex01-workload"),
        ("OrganizationalUnitArn", ORGANIZATION),
    ] {
        let name = format!("LaunchPermission.Add.1.{kind}");
        let wrong = on_image(&[(name.as_str(), value)]);
        assert_eq!(
            ec2.refused("ModifyImageAttribute", &wrong),
            (
                "InvalidAMIAttributeItemValue".to_owned(),
                format!("Invalid attribute item value \"{value}\" for {kind} item type.")
            )
        );
    }
}

#[test]
fn an_account_sees_what_is_shared_with_its_organization_or_a_unit_around_it() {
    let nested = "{o-example0001: {management: \"111122223333\", units: {ou-ex01-everyone: {}, \
                  ou-ex01-workload: {parent: ou-ex01-everyone, accounts: [\"444455556666\"]}}}}";
    let around = UNIT.replace("workload", "everyone");
    for (kind, arn, seen) in [
        ("OrganizationArn", ORGANIZATION, true),
        ("OrganizationalUnitArn", UNIT, true),
        ("OrganizationalUnitArn", &around, true),
        (
            "OrganizationalUnitArn",
            &UNIT.replace("workload", "sandbox1"),
            false,
        ),
        ("OrganizationArn", FOREIGN, false),
    ] {
        let mut ec2 = organized(nested);
        let add = format!("LaunchPermission.Add.1.{kind}");
        share(&mut ec2, &[(add.as_str(), arn)]);
        let theirs = ec2.as_key(PARTNER);
        assert_eq!(theirs.list(&[]).contains(&GOLDEN.to_owned()), seen, "{arn}");
        let launch = [("ImageId", GOLDEN), ("MinCount", "1"), ("MaxCount", "1")];
        let launched = theirs.call("RunInstances", &launch).error.is_none();
        assert_eq!(launched, seen, "{arn}");
        assert_eq!(
            theirs.world.can_launch(PARTNER_ID, "us-east-1", GOLDEN),
            seen
        );
    }
}

#[test]
fn executable_by_shows_shares_of_an_organization_to_its_members_only() {
    let mut ec2 = Ec2::calm();
    share(
        &mut ec2,
        &[("LaunchPermission.Add.1.OrganizationArn", ORGANIZATION)],
    );
    assert!(ec2.list(&[("ExecutableBy.1", PARTNER_ID)]).is_empty());
    ec2.as_key(PARTNER);
    for by in ["self", PARTNER_ID] {
        assert_eq!(ec2.list(&[("ExecutableBy.1", by)]), [GOLDEN], "{by}");
    }
    assert_eq!(
        ec2.list(&[("ExecutableBy.1", "111122223333")]),
        [SHARED],
        "what is shared with that account itself"
    );
}

#[test]
fn mistakes_in_an_organization_are_named() {
    for (organization, wanted) in [
        ("{o-x: {management: \"111122223333\"}}", "o- and 10"),
        (
            "{o-example0001: {management: \"999999999999\"}}",
            "no account 999999999999",
        ),
        (
            "{o-example0001: {management: \"111122223333\", accounts: [\"444455556666\"], units: \
             {ou-ex01-workload: {accounts: [\"444455556666\"]}}}}",
            "already",
        ),
        (
            "{o-example0001: {management: \"111122223333\", units: {ou-ex01-workload: {parent: ou-ex01-nowhere1}}}}",
            "no unit ou-ex01-nowhere1",
        ),
        (
            "{o-example0001: {management: \"111122223333\", units: {ou-ex01-workload: {parent: ou-ex01-workload}}}}",
            "part of itself",
        ),
    ] {
        let yaml = format!(
            "{{accounts: {{\"111122223333\": {{}}, \"444455556666\": {{}}}}, organizations: {organization}}}"
        );
        let error = World::from_yaml(&yaml).expect_err(organization).to_string();
        assert!(error.contains(wanted), "{organization}: {error}");
    }
}

#[test]
fn an_image_is_shared_with_a_thousand_at_the_most() {
    let mut ec2 = Ec2::calm();
    let grants = |numbers: std::ops::Range<u64>| -> Vec<(String, String)> {
        let grant = |n| {
            (
                format!("LaunchPermission.Add.{n}.UserId"),
                format!("{n:012}"),
            )
        };
        numbers.map(grant).collect()
    };
    let most = grants(1..1000);
    let most: Vec<(&str, &str)> = most.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    share(&mut ec2, &most);
    share(
        &mut ec2,
        &[("LaunchPermission.Add.1.OrganizationArn", ORGANIZATION)],
    );
    let more = on_image(&[("LaunchPermission.Add.1.OrganizationalUnitArn", UNIT)]);
    assert_eq!(
        ec2.code("ModifyImageAttribute", &more),
        "ResourceLimitExceeded"
    );
    let instead = [
        ("LaunchPermission.Add.1.OrganizationalUnitArn", UNIT),
        ("LaunchPermission.Remove.1.OrganizationArn", ORGANIZATION),
    ];
    share(&mut ec2, &instead);
}

#[test]
fn an_account_has_five_public_images_in_a_region() {
    let mut ec2 = Ec2::calm();
    allow_public_images(&mut ec2);
    let images: Vec<String> = (0..6).map(|_| ec2.copy(GOLDEN, &[])).collect();
    ec2.wait(1);
    for (number, image) in images.iter().enumerate() {
        let public = [
            ("ImageId", image.as_str()),
            ("LaunchPermission.Add.1.Group", "all"),
        ];
        let error = ec2.call("ModifyImageAttribute", &public).error;
        let wanted = (number == 5).then(|| "ResourceLimitExceeded".to_owned());
        assert_eq!(error, wanted, "public image {number}");
    }
    let again = [
        ("ImageId", images[0].as_str()),
        ("LaunchPermission.Add.1.Group", "all"),
    ];
    ec2.ok("ModifyImageAttribute", &again);
}

#[test]
fn an_encrypted_image_is_not_made_public() {
    let mut ec2 = Ec2::calm();
    allow_public_images(&mut ec2);
    let own = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    ec2.wait(1);
    let public = [
        ("ImageId", own.as_str()),
        ("LaunchPermission.Add.1.Group", "all"),
    ];
    assert_eq!(
        ec2.refused("ModifyImageAttribute", &public),
        (
            "UnsupportedOperation".to_owned(),
            "Encrypted snapshots can’t be shared publicly. Specify another snapshot.".to_owned()
        )
    );
}

#[test]
fn a_snapshot_is_shared_and_no_longer_in_either_style() {
    for (add, remove) in [
        (
            vec![("CreateVolumePermission.Add.1.UserId", PARTNER_ID)],
            vec![("CreateVolumePermission.Remove.1.UserId", PARTNER_ID)],
        ),
        (
            vec![("OperationType", "add"), ("UserId.1", PARTNER_ID)],
            vec![("OperationType", "remove"), ("UserId.1", PARTNER_ID)],
        ),
    ] {
        let mut ec2 = Ec2::calm();
        ec2.ok("ModifySnapshotAttribute", &on_snapshot(&add));
        assert_eq!(
            users(&mut ec2),
            format!("<item><userId>{PARTNER_ID}</userId></item>")
        );
        let register = [
            ("Name", "theirs"),
            ("RootDeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.Ebs.SnapshotId", GOLDEN_SNAPSHOT),
        ];
        ec2.as_key(PARTNER).ok("RegisterImage", &register);
        ec2.as_key(HOME);
        ec2.ok("ModifySnapshotAttribute", &on_snapshot(&remove));
        assert_eq!(users(&mut ec2), "");
    }
}

#[test]
fn everybody_may_use_a_public_snapshot_until_it_is_reset() {
    let mut ec2 = Ec2::calm();
    let public = on_snapshot(&[
        ("Attribute", "createVolumePermission"),
        ("OperationType", "add"),
        ("UserGroup.1", "all"),
        ("UserId.1", PARTNER_ID),
    ]);
    ec2.ok("ModifySnapshotAttribute", &public);
    assert!(users(&mut ec2).contains("<group>all</group>"));
    let reset = on_snapshot(&[("Attribute", "createVolumePermission")]);
    ec2.ok("ResetSnapshotAttribute", &reset);
    assert_eq!(users(&mut ec2), "");
}

#[test]
fn one_call_adds_or_removes_users_of_a_snapshot() {
    let mut ec2 = Ec2::calm();
    let both = on_snapshot(&[
        ("CreateVolumePermission.Add.1.UserId", PARTNER_ID),
        ("CreateVolumePermission.Remove.1.Group", "all"),
    ]);
    let code = "InvalidParameterCombination";
    assert_eq!(ec2.code("ModifySnapshotAttribute", &both), code);
    assert_eq!(ec2.code("ModifySnapshotAttribute", &on_snapshot(&[])), code);
}

#[test]
fn an_encrypted_snapshot_is_not_shared_with_everybody_nor_under_the_managed_key_with_anybody() {
    let mut ec2 = Ec2::calm();
    let managed = ec2.copy(GOLDEN, &[("Encrypted", "true")]);
    let own = ec2.copy(GOLDEN, &[("Encrypted", "true"), ("KmsKeyId", "alias/ami")]);
    ec2.wait(1);
    let add = ("CreateVolumePermission.Add.1.UserId", PARTNER_ID);
    let managed = ec2.snapshots_of(&managed)[0].clone();
    assert_eq!(
        ec2.refused("ModifySnapshotAttribute", &[("SnapshotId", &managed), add]),
        (
            "OperationNotPermitted".to_owned(),
            "Encrypted snapshots with EBS default key cannot be shared".to_owned()
        )
    );
    let own = ec2.snapshots_of(&own)[0].clone();
    ec2.ok("ModifySnapshotAttribute", &[("SnapshotId", &own), add]);
    let public = [
        ("SnapshotId", own.as_str()),
        ("CreateVolumePermission.Add.1.Group", "all"),
    ];
    assert_eq!(
        ec2.code("ModifySnapshotAttribute", &public),
        "OperationNotPermitted"
    );
}

#[test]
fn a_snapshot_is_shared_by_its_owner_once_it_is_completed() {
    let mut ec2 = Ec2::slow();
    let image = ec2.capture("web-1");
    let snapshot = ec2.snapshots_of(&image)[0].clone();
    let share = [
        ("SnapshotId", snapshot.as_str()),
        ("CreateVolumePermission.Add.1.UserId", PARTNER_ID),
    ];
    assert_eq!(
        ec2.code("ModifySnapshotAttribute", &share),
        "IncorrectState"
    );
    ec2.wait(10);
    ec2.ok("ModifySnapshotAttribute", &share);
    let theirs = [
        ("SnapshotId", PARTNER_SNAPSHOT),
        ("CreateVolumePermission.Add.1.UserId", "999999999999"),
    ];
    assert_eq!(ec2.code("ModifySnapshotAttribute", &theirs), "AuthFailure");
    let read = [
        ("SnapshotId", PARTNER_SNAPSHOT),
        ("Attribute", "createVolumePermission"),
    ];
    assert_eq!(ec2.code("DescribeSnapshotAttribute", &read), "AuthFailure");
    assert_eq!(ec2.code("ResetSnapshotAttribute", &read), "AuthFailure");
}

#[test]
fn block_public_access_changes_late_and_the_old_state_counts_until_then() {
    let mut ec2 = Ec2::with(Knobs {
        block_public_access_milliseconds: 60_000,
        ..Knobs::calm()
    });
    let public = on_image(&[("LaunchPermission.Add.1.Group", "all")]);
    let read = |ec2: &mut Ec2| {
        let body = ec2.ok("GetImageBlockPublicAccessState", &[]);
        assert_eq!(text(&body, "managedBy").as_deref(), Some("account"));
        text(&body, "imageBlockPublicAccessState").unwrap_or_default()
    };
    assert_eq!(read(&mut ec2), "block-new-sharing");
    let body = ec2.ok("DisableImageBlockPublicAccess", &[]);
    assert_eq!(
        text(&body, "imageBlockPublicAccessState").as_deref(),
        Some("unblocked")
    );
    ec2.wait(59);
    assert_eq!(read(&mut ec2), "block-new-sharing");
    assert_eq!(
        ec2.code("ModifyImageAttribute", &public),
        "OperationNotPermitted"
    );
    ec2.wait(1);
    assert_eq!(read(&mut ec2), "unblocked");
    ec2.ok("ModifyImageAttribute", &public);

    let enable = [("ImageBlockPublicAccessState", "block-new-sharing")];
    let body = ec2.ok("EnableImageBlockPublicAccess", &enable);
    assert_eq!(
        text(&body, "imageBlockPublicAccessState").as_deref(),
        Some("block-new-sharing")
    );
    ec2.wait(59);
    assert_eq!(read(&mut ec2), "unblocked");
    ec2.wait(1);
    assert_eq!(read(&mut ec2), "block-new-sharing");
    assert!(
        launchers(&mut ec2).contains("all"),
        "what is public stays so"
    );
}

#[test]
fn block_public_access_is_a_setting_of_one_region() {
    let mut ec2 = Ec2::calm();
    ec2.ok("DisableImageBlockPublicAccess", &[]);
    let body = ec2
        .at("eu-west-1")
        .ok("GetImageBlockPublicAccessState", &[]);
    assert!(body.contains("block-new-sharing"));
    let wrong = [("ImageBlockPublicAccessState", "unblocked")];
    assert_eq!(
        ec2.code("EnableImageBlockPublicAccess", &wrong),
        "InvalidParameterValue"
    );
}

#[test]
fn block_public_access_is_changed_once_in_ten_seconds() {
    let mut ec2 = Ec2::with(Knobs {
        request_buckets: true,
        ..Knobs::calm()
    });
    ec2.ok("DisableImageBlockPublicAccess", &[]);
    ec2.wait(9);
    assert_eq!(
        ec2.code("DisableImageBlockPublicAccess", &[]),
        "RequestLimitExceeded"
    );
    ec2.wait(1);
    ec2.ok("DisableImageBlockPublicAccess", &[]);
}
