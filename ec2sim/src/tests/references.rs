//! `DescribeImageReferences`.

use super::*;
use crate::state::LaunchTemplate;

const TEMPLATE: &str = "lt-0123456789abcdef0";
const TEMPLATE_ARN: &str =
    "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0123456789abcdef0";
const PARAMETER_ARN: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/golden/web";
const INSTANCE_ARN: &str = "arn:aws:ec2:us-east-1:111122223333:instance/i-0a1b2c3d4e5f60718";

/// The ARNs of what refers to an image, in order.
fn arns(ec2: &mut Ec2, image: &str, more: &[(&str, &str)]) -> Vec<String> {
    let mut parameters = vec![("ImageId.1", image)];
    parameters.extend_from_slice(more);
    let mut arns = texts(&ec2.ok("DescribeImageReferences", &parameters), "arn");
    arns.sort();
    arns
}

const EVERYTHING: (&str, &str) = ("IncludeAllResourceTypes", "true");

/// Gives the template these versions.
fn versions(ec2: &mut Ec2, images: &[Option<&str>]) {
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let images = images.iter().map(|image| image.map(str::to_owned));
    let template = LaunchTemplate::of_images(TEMPLATE, "111122223333", "web", images);
    region
        .launch_templates
        .insert(TEMPLATE.to_owned(), template);
}

#[test]
fn instances_templates_and_parameters_are_references() {
    let mut ec2 = Ec2::calm();
    assert_eq!(
        arns(&mut ec2, GOLDEN, &[EVERYTHING]),
        [TEMPLATE_ARN, PARAMETER_ARN]
    );
    assert_eq!(arns(&mut ec2, PUBLIC, &[EVERYTHING]), [INSTANCE_ARN]);
    let body = ec2.ok(
        "DescribeImageReferences",
        &[("ImageId.1", PUBLIC), ("ImageId.2", SHARED), EVERYTHING],
    );
    assert!(body.contains(&format!(
        "<imageReferenceSet><item><imageId>{PUBLIC}</imageId><resourceType>ec2:Instance</resourceType><arn>{INSTANCE_ARN}</arn></item></imageReferenceSet>"
    )), "{body}");
}

#[test]
fn only_the_types_that_are_asked_for_are_looked_at() {
    let mut ec2 = Ec2::calm();
    let only = |kind| [("ResourceType.1.ResourceType", kind)];
    assert_eq!(
        arns(&mut ec2, GOLDEN, &only("ec2:LaunchTemplate")),
        [TEMPLATE_ARN]
    );
    assert_eq!(
        arns(&mut ec2, GOLDEN, &only("ssm:Parameter")),
        [PARAMETER_ARN]
    );
    assert!(arns(&mut ec2, GOLDEN, &only("ec2:Instance")).is_empty());
    assert!(arns(&mut ec2, GOLDEN, &only("imagebuilder:ImageRecipe")).is_empty());
    for wrong in [
        vec![("ImageId.1", GOLDEN)],
        vec![EVERYTHING],
        vec![
            ("ImageId.1", GOLDEN),
            ("ResourceType.1.ResourceType", "ec2:Fleet"),
        ],
    ] {
        ec2.code("DescribeImageReferences", &wrong);
    }
}

#[test]
fn another_account_and_another_region_are_not_looked_at() {
    let mut ec2 = Ec2::calm();
    assert!(arns(ec2.at("eu-west-1"), PUBLIC, &[EVERYTHING]).is_empty());
    ec2.at("us-east-1").as_key(PARTNER);
    assert!(arns(&mut ec2, PUBLIC, &[EVERYTHING]).is_empty());
}

#[test]
fn terminated_instances_count_unless_states_are_named() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    region
        .instances
        .get_mut(INSTANCE)
        .expect("the instance")
        .state = crate::state::InstanceState::Terminated;
    assert_eq!(arns(&mut ec2, PUBLIC, &[EVERYTHING]), [INSTANCE_ARN]);
    let running = [
        EVERYTHING,
        ("ResourceType.1.ResourceType", "ec2:Instance"),
        (
            "ResourceType.1.ResourceTypeOption.1.OptionName",
            "state-name",
        ),
        (
            "ResourceType.1.ResourceTypeOption.1.OptionValue.1",
            "running",
        ),
    ];
    assert!(arns(&mut ec2, PUBLIC, &running).is_empty());
}

#[test]
fn only_the_ten_newest_versions_of_a_template_count_unless_a_depth_is_given() {
    let mut ec2 = Ec2::calm();
    let mut images = vec![Some(SHARED)];
    images.extend([Some(GOLDEN); 10]);
    versions(&mut ec2, &images);
    assert!(arns(&mut ec2, SHARED, &[EVERYTHING]).is_empty());
    let deep = |depth| {
        [
            ("ResourceType.1.ResourceType", "ec2:LaunchTemplate"),
            (
                "ResourceType.1.ResourceTypeOption.1.OptionName",
                "version-depth",
            ),
            ("ResourceType.1.ResourceTypeOption.1.OptionValue.1", depth),
        ]
    };
    assert_eq!(arns(&mut ec2, SHARED, &deep("11")), [TEMPLATE_ARN]);
    assert_eq!(arns(&mut ec2, SHARED, &deep("10000")), [TEMPLATE_ARN]);
    for wrong in ["0", "10001", "all"] {
        let mut parameters = vec![("ImageId.1", SHARED)];
        parameters.extend(deep(wrong));
        assert_eq!(
            ec2.code("DescribeImageReferences", &parameters),
            "InvalidParameterValue"
        );
    }
}

#[test]
fn a_template_is_one_reference_however_many_versions_name_the_image() {
    let mut ec2 = Ec2::calm();
    versions(&mut ec2, &[Some(SHARED), None, Some(SHARED)]);
    assert_eq!(arns(&mut ec2, SHARED, &[EVERYTHING]), [TEMPLATE_ARN]);
}

#[test]
fn a_template_that_resolves_a_parameter_may_be_a_reference_or_not() {
    let mut ec2 = Ec2::calm();
    versions(&mut ec2, &[Some("resolve:ssm:/golden/web")]);
    assert_eq!(arns(&mut ec2, GOLDEN, &[EVERYTHING]), [PARAMETER_ARN]);
    ec2.world.facts_mut().template_parameters_are_references = true;
    assert_eq!(
        arns(&mut ec2, GOLDEN, &[EVERYTHING]),
        [TEMPLATE_ARN, PARAMETER_ARN]
    );
}

#[test]
fn a_parameter_of_mere_text_may_be_a_reference_or_not() {
    let mut ec2 = Ec2::calm();
    versions(&mut ec2, &[]);
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let own = region
        .parameters
        .get_mut("111122223333")
        .expect("parameters");
    own.get_mut("/golden/web").expect("it").data_type = crate::state::DataType::Text;
    assert!(arns(&mut ec2, GOLDEN, &[EVERYTHING]).is_empty());
    ec2.world.facts_mut().text_parameters_are_references = true;
    assert_eq!(arns(&mut ec2, GOLDEN, &[EVERYTHING]), [PARAMETER_ARN]);
}

#[test]
fn one_to_ten_images_are_asked_about() {
    let mut ec2 = Ec2::calm();
    let names: Vec<String> = (1..=11).map(|n| format!("ImageId.{n}")).collect();
    let mut parameters: Vec<_> = names.iter().map(|name| (name.as_str(), GOLDEN)).collect();
    parameters.push(EVERYTHING);
    assert_eq!(
        ec2.code("DescribeImageReferences", &parameters),
        "InvalidParameterValue"
    );
}

#[test]
fn references_come_in_pages() {
    let mut ec2 = Ec2::calm();
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("the region");
    let template = region.launch_templates[TEMPLATE].clone();
    for number in 1..=6 {
        let id = format!("lt-0000000000000000{number}");
        let more = crate::state::LaunchTemplate {
            id: id.clone(),
            ..template.clone()
        };
        region.launch_templates.insert(id, more);
    }
    let first = [("ImageId.1", GOLDEN), EVERYTHING, ("MaxResults", "5")];
    let body = ec2.ok("DescribeImageReferences", &first);
    assert_eq!(texts(&body, "arn").len(), 5);
    let token = text(&body, "nextToken").expect("a token");
    let mut rest = first.to_vec();
    rest.push(("NextToken", &token));
    let body = ec2.ok("DescribeImageReferences", &rest);
    assert_eq!(texts(&body, "arn").len(), 3);
    assert_eq!(text(&body, "nextToken"), None);
    let few = [("ImageId.1", GOLDEN), EVERYTHING, ("MaxResults", "4")];
    assert_eq!(
        ec2.code("DescribeImageReferences", &few),
        "InvalidParameterValue"
    );
}

#[test]
fn an_instance_that_is_launched_refers_to_its_image_until_it_is_terminated() {
    let mut ec2 = Ec2::calm();
    let launch = [("ImageId", GOLDEN), ("MinCount", "1"), ("MaxCount", "1")];
    let instance = text(&ec2.ok("RunInstances", &launch), "instanceId").expect("an id");
    let running = [
        ("ResourceType.1.ResourceType", "ec2:Instance"),
        (
            "ResourceType.1.ResourceTypeOption.1.OptionName",
            "state-name",
        ),
        (
            "ResourceType.1.ResourceTypeOption.1.OptionValue.1",
            "running",
        ),
    ];
    let arn = format!("arn:aws:ec2:us-east-1:111122223333:instance/{instance}");
    assert_eq!(arns(&mut ec2, GOLDEN, &running), [arn]);

    let ended = ec2.ok("TerminateInstances", &[("InstanceId.1", &instance)]);

    assert!(ended.contains("<currentState><code>48</code><name>terminated</name></currentState>"));
    assert!(ended.contains("<previousState><code>16</code><name>running</name></previousState>"));
    assert!(arns(&mut ec2, GOLDEN, &running).is_empty());
}

#[test]
fn only_an_available_image_can_be_launched() {
    let mut ec2 = Ec2::slow();
    let pending = ec2.capture("web");
    let launch = [
        ("ImageId", pending.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    assert_eq!(
        ec2.code("RunInstances", &launch),
        "InvalidAMIID.Unavailable"
    );
    let unknown = [
        ("ImageId", "ami-0eeeeeeeeeeeeeeee"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    assert_eq!(ec2.code("RunInstances", &unknown), "InvalidAMIID.NotFound");
}
