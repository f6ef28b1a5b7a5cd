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
