//! Launch templates, and launches by a parameter.

use super::ssm::ask;
use super::*;

const PARAMETER: &str = "resolve:ssm:/golden/web";
const ONE: [(&str, &str); 2] = [("MinCount", "1"), ("MaxCount", "1")];

fn launched(ec2: &mut Ec2, by: &[(&str, &str)]) -> String {
    let body = ec2.ok("RunInstances", &[by, &ONE].concat());
    text(&body, "imageId").expect("an image")
}

#[test]
fn a_launch_by_a_parameter_uses_the_image_that_it_names_at_that_moment() {
    let mut ec2 = Ec2::calm();
    assert_eq!(launched(&mut ec2, &[("ImageId", PARAMETER)]), GOLDEN);
    let image = ec2.capture("web");
    let put = [
        ("Name", "/golden/web"),
        ("Value", image.as_str()),
        ("Overwrite", "true"),
    ];
    assert_eq!(ask(&mut ec2, HOME, "PutParameter", &put).0, 200);
    ec2.wait(60);
    assert_eq!(launched(&mut ec2, &[("ImageId", PARAMETER)]), image);
    let before = format!("{PARAMETER}:3");
    assert_eq!(launched(&mut ec2, &[("ImageId", &before)]), GOLDEN);
}

#[test]
fn a_launch_by_a_parameter_that_is_not_there_is_refused() {
    let mut ec2 = Ec2::calm();
    let launch = [&[("ImageId", "resolve:ssm:/golden/none")], &ONE[..]].concat();
    assert_eq!(ec2.code("RunInstances", &launch), "InvalidParameterValue");
}

#[test]
fn a_template_may_name_a_parameter_which_each_launch_looks_up() {
    let mut ec2 = Ec2::calm();
    let template = [
        ("LaunchTemplateName", "golden"),
        ("LaunchTemplateData.ImageId", PARAMETER),
    ];
    let made = ec2.ok("CreateLaunchTemplate", &template);
    let id = text(&made, "launchTemplateId").expect("an id");
    assert_eq!(
        ec2.code("CreateLaunchTemplate", &template),
        "InvalidLaunchTemplateName.AlreadyExistsException"
    );
    for by in [
        ("LaunchTemplate.LaunchTemplateName", "golden"),
        ("LaunchTemplate.LaunchTemplateId", id.as_str()),
    ] {
        assert_eq!(launched(&mut ec2, &[by]), GOLDEN);
    }
    let shown = |ec2: &mut Ec2, resolve: &str| {
        let versions = [("LaunchTemplateName", "golden"), ("ResolveAlias", resolve)];
        let body = ec2.ok("DescribeLaunchTemplateVersions", &versions);
        text(&body, "imageId").expect("an image")
    };
    assert_eq!(shown(&mut ec2, "false"), PARAMETER);
    assert_eq!(shown(&mut ec2, "true"), GOLDEN);
    let other = [&[("LaunchTemplate.LaunchTemplateName", "other")], &ONE[..]].concat();
    assert_eq!(
        ec2.code("RunInstances", &other),
        "InvalidLaunchTemplateName.NotFoundException"
    );
}

#[test]
fn a_launch_that_is_repeated_with_its_token_starts_nothing_new() {
    let mut ec2 = Ec2::calm();
    let launch = [&[("ImageId", GOLDEN), ("ClientToken", "one")], &ONE[..]].concat();
    let first = text(&ec2.ok("RunInstances", &launch), "instanceId");
    let again = text(&ec2.ok("RunInstances", &launch), "instanceId");
    assert_eq!(first, again);
    let two = [
        ("ImageId", GOLDEN),
        ("ClientToken", "one"),
        ("MinCount", "2"),
        ("MaxCount", "2"),
    ];
    assert_eq!(
        ec2.code("RunInstances", &two),
        "IdempotentParameterMismatch"
    );
}

/// A template `roll` with these images.
fn roll(ec2: &mut Ec2, images: &[&str]) -> String {
    let mut id = String::new();
    for (number, image) in images.iter().enumerate() {
        let action = if number == 0 {
            "CreateLaunchTemplate"
        } else {
            "CreateLaunchTemplateVersion"
        };
        let given = [
            ("LaunchTemplateName", "roll"),
            ("LaunchTemplateData.ImageId", image),
        ];
        let body = ec2.ok(action, &given);
        id = text(&body, "launchTemplateId").expect("an id");
    }
    id
}

const ROLL: (&str, &str) = ("LaunchTemplateName", "roll");
const BY_ROLL: (&str, &str) = ("LaunchTemplate.LaunchTemplateName", "roll");

#[test]
fn a_new_version_is_the_latest_and_not_the_default() {
    let mut ec2 = Ec2::calm();
    roll(&mut ec2, &[GOLDEN, PUBLIC]);
    assert_eq!(launched(&mut ec2, &[BY_ROLL]), GOLDEN);
    let latest = ("LaunchTemplate.Version", "$Latest");
    assert_eq!(launched(&mut ec2, &[BY_ROLL, latest]), PUBLIC);
    let body = ec2.ok("ModifyLaunchTemplate", &[ROLL, ("SetDefaultVersion", "2")]);
    assert_eq!(text(&body, "defaultVersionNumber").as_deref(), Some("2"));
    assert_eq!(launched(&mut ec2, &[BY_ROLL]), PUBLIC);
    let default = [ROLL, ("LaunchTemplateVersion.1", "$Default")];
    let body = ec2.ok("DescribeLaunchTemplateVersions", &default);
    assert_eq!(texts(&body, "versionNumber"), ["2"]);
}

#[test]
fn numbers_of_versions_are_not_given_again_and_the_default_stays() {
    let mut ec2 = Ec2::calm();
    let id = roll(&mut ec2, &[GOLDEN, PUBLIC]);
    let both = [
        ROLL,
        ("LaunchTemplateVersion.1", "1"),
        ("LaunchTemplateVersion.2", "2"),
    ];
    let body = ec2.ok("DeleteLaunchTemplateVersions", &both);
    let done = text(&body, "successfullyDeletedLaunchTemplateVersionSet").expect("a list");
    let refused = text(&body, "unsuccessfullyDeletedLaunchTemplateVersionSet").expect("a list");
    assert_eq!(
        (
            texts(&done, "versionNumber"),
            texts(&refused, "versionNumber")
        ),
        (vec!["2".to_owned()], vec!["1".to_owned()])
    );
    let given = [
        ("LaunchTemplateId", id.as_str()),
        ("LaunchTemplateData.ImageId", GOLDEN),
    ];
    let body = ec2.ok("CreateLaunchTemplateVersion", &given);
    assert_eq!(text(&body, "versionNumber").as_deref(), Some("3"));
}

#[test]
fn a_version_from_another_has_what_it_does_not_say_itself() {
    let mut ec2 = Ec2::calm();
    let first = [
        ROLL,
        ("LaunchTemplateData.ImageId", GOLDEN),
        ("LaunchTemplateData.InstanceType", "t3.micro"),
        (
            "LaunchTemplateData.BlockDeviceMapping.1.DeviceName",
            "/dev/xvda",
        ),
        (
            "LaunchTemplateData.BlockDeviceMapping.1.Ebs.SnapshotId",
            GOLDEN_SNAPSHOT,
        ),
    ];
    ec2.ok("CreateLaunchTemplate", &first);
    let second = [
        ROLL,
        ("SourceVersion", "1"),
        ("LaunchTemplateData.ImageId", PUBLIC),
    ];
    let body = ec2.ok("CreateLaunchTemplateVersion", &second);
    assert_eq!(text(&body, "imageId").as_deref(), Some(PUBLIC));
    assert_eq!(text(&body, "instanceType").as_deref(), Some("t3.micro"));
    assert_eq!(text(&body, "deviceName").as_deref(), Some("/dev/xvda"));
    assert_eq!(
        text(&body, "snapshotId"),
        None,
        "snapshots of the source are left out"
    );
}

#[test]
fn a_template_that_is_deleted_gives_its_name_back() {
    let mut ec2 = Ec2::calm();
    let id = roll(&mut ec2, &[GOLDEN]);
    ec2.ok("DeleteLaunchTemplate", &[ROLL]);
    assert_eq!(
        ec2.code("DescribeLaunchTemplates", &[("LaunchTemplateId.1", &id)]),
        "InvalidLaunchTemplateId.NotFound"
    );
    assert_ne!(roll(&mut ec2, &[GOLDEN]), id);
}

#[test]
fn the_token_of_a_template_is_that_of_one_request() {
    let mut ec2 = Ec2::calm();
    let given = [
        ROLL,
        ("LaunchTemplateData.ImageId", GOLDEN),
        ("ClientToken", "t"),
    ];
    let first = text(&ec2.ok("CreateLaunchTemplate", &given), "launchTemplateId");
    let again = text(&ec2.ok("CreateLaunchTemplate", &given), "launchTemplateId");
    assert_eq!(first, again);
    assert_eq!(
        ec2.code("CreateLaunchTemplateVersion", &given),
        "IdempotentParameterMismatch"
    );
}

#[test]
fn new_templates_and_versions_are_seen_late() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 100,
        ..Knobs::calm()
    });
    roll(&mut ec2, &[GOLDEN]);
    assert_eq!(
        ec2.code("DescribeLaunchTemplateVersions", &[ROLL]),
        "InvalidLaunchTemplateName.NotFoundException"
    );
    ec2.wait(100);
    let given = [ROLL, ("LaunchTemplateData.ImageId", PUBLIC)];
    ec2.ok("CreateLaunchTemplateVersion", &given);
    let second = [ROLL, ("SetDefaultVersion", "2")];
    assert_eq!(
        ec2.code("ModifyLaunchTemplate", &second),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
    ec2.wait(100);
    ec2.ok("ModifyLaunchTemplate", &second);
}
