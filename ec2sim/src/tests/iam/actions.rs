//! What IAM is asked about for each action.

use super::*;

/// Every action and resource that must be allowed before a call goes through, in the order in
/// which it is denied without.
fn asked(
    ec2: &mut Ec2,
    service: Service,
    action: &str,
    parameters: &[(&str, &str)],
) -> Vec<String> {
    let mut statements = Vec::new();
    let mut asked = Vec::new();
    loop {
        let policies = if statements.is_empty() {
            Vec::new()
        } else {
            vec![policy(&json!(statements))]
        };
        ec2.world.set_policies(HOME, policies).expect("the key");
        let before = ec2.world.policy_ledger().denials().len();
        let caller = Caller {
            service,
            ..Caller::ec2(HOME, "us-east-1")
        };
        let answer = ec2
            .world
            .call(ec2.now, &caller, &Request::new(action, parameters));
        let denials = ec2.world.policy_ledger().denials();
        let Some(denial) = denials.get(before) else {
            let error = answer.error;
            assert!(
                error.is_none() || error.as_deref() == Some("DryRunOperation"),
                "{action}: {error:?}"
            );
            return asked;
        };
        asked.push(format!("{} {}", denial.action, denial.resource));
        statements
            .push(json!({"Effect": "Allow", "Action": denial.action, "Resource": denial.resource}));
    }
}

fn of_ec2(action: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let mut parameters = parameters.to_vec();
    parameters.push(("DryRun", "true"));
    asked(&mut Ec2::calm(), Service::Ec2, action, &parameters)
}

/// The tags `owner` of a new resource of each type.
fn tags(types: &[&'static str]) -> Vec<(String, String)> {
    let all = types.iter().enumerate().flat_map(|(at, kind)| {
        let name = format!("TagSpecification.{}", at + 1);
        [
            (format!("{name}.ResourceType"), (*kind).to_owned()),
            (format!("{name}.Tag.1.Key"), "owner".to_owned()),
            (format!("{name}.Tag.1.Value"), "me".to_owned()),
        ]
    });
    all.collect()
}

fn with<'a>(fixed: &[(&'a str, &'a str)], more: &'a [(String, String)]) -> Vec<(&'a str, &'a str)> {
    let mut all = fixed.to_vec();
    all.extend(
        more.iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    all
}

#[test]
fn lists_are_about_nothing() {
    for action in [
        "DescribeImages",
        "DescribeInstances",
        "DescribeRegions",
        "DescribeSnapshots",
        "DescribeTags",
    ] {
        assert_eq!(of_ec2(action, &[]), [format!("ec2:{action} *")]);
    }
}

#[test]
fn what_changes_or_removes_an_image_is_about_that_image() {
    let image = format!("arn:aws:ec2:us-east-1::image/{GOLDEN}");
    for (action, more) in [
        ("DeregisterImage", None),
        ("DescribeImageAttribute", Some(("Attribute", "description"))),
        ("DisableImageDeprecation", None),
        ("DisableImageDeregistrationProtection", None),
        (
            "EnableImageDeprecation",
            Some(("DeprecateAt", "2030-01-01T00:00:00Z")),
        ),
        ("EnableImageDeregistrationProtection", None),
        ("ModifyImageAttribute", Some(("Description.Value", "x"))),
        (
            "ResetImageAttribute",
            Some(("Attribute", "launchPermission")),
        ),
    ] {
        let parameters: Vec<_> = [("ImageId", GOLDEN)].into_iter().chain(more).collect();
        assert_eq!(
            of_ec2(action, &parameters),
            [format!("ec2:{action} {image}")]
        );
    }
}

#[test]
fn a_snapshot_an_instance_and_tags_are_about_what_they_name() {
    let snapshot = format!("arn:aws:ec2:us-east-1::snapshot/{GOLDEN_SNAPSHOT}");
    let instance = format!("arn:aws:ec2:us-east-1:111122223333:instance/{INSTANCE}");
    assert_eq!(
        of_ec2("DeleteSnapshot", &[("SnapshotId", GOLDEN_SNAPSHOT)]),
        [format!("ec2:DeleteSnapshot {snapshot}")]
    );
    assert_eq!(
        of_ec2("TerminateInstances", &[("InstanceId.1", INSTANCE)]),
        [format!("ec2:TerminateInstances {instance}")]
    );
    for action in ["CreateTags", "DeleteTags"] {
        let parameters = [
            ("ResourceId.1", GOLDEN_SNAPSHOT),
            ("ResourceId.2", INSTANCE),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "1"),
        ];
        assert_eq!(
            of_ec2(action, &parameters),
            [
                format!("ec2:{action} {snapshot}"),
                format!("ec2:{action} {instance}")
            ]
        );
    }
}

#[test]
fn a_copy_is_about_its_source_what_it_makes_and_the_tags_of_that() {
    let tags = tags(&["image", "snapshot"]);
    let parameters = copy_of(GOLDEN, &[]);
    assert_eq!(
        of_ec2("CopyImage", &with(&parameters, &tags)),
        [
            &format!("ec2:CopyImage arn:aws:ec2:us-east-1::image/{GOLDEN}"),
            "ec2:CopyImage arn:aws:ec2:us-east-1::image/*",
            "ec2:CopyImage arn:aws:ec2:us-east-1::snapshot/*",
            "ec2:CreateTags arn:aws:ec2:us-east-1::image/*",
            "ec2:CreateTags arn:aws:ec2:us-east-1::snapshot/*",
        ]
    );
    assert_eq!(
        of_ec2("CopyImage", &parameters).len(),
        3,
        "no tags, no right to tag"
    );
    let tags = copy_of(GOLDEN, &[("CopyImageTags", "true")]);
    assert_eq!(
        of_ec2("CopyImage", &tags)[3..],
        ["ec2:CreateTags arn:aws:ec2:us-east-1::image/*"]
    );
}

#[test]
fn a_capture_is_about_the_instance_what_it_makes_and_the_tags_of_that() {
    let tags = tags(&["image", "snapshot"]);
    assert_eq!(
        of_ec2(
            "CreateImage",
            &with(&[("InstanceId", INSTANCE), ("Name", "new")], &tags)
        ),
        [
            &format!("ec2:CreateImage arn:aws:ec2:us-east-1:111122223333:instance/{INSTANCE}"),
            "ec2:CreateImage arn:aws:ec2:us-east-1::image/*",
            "ec2:CreateImage arn:aws:ec2:us-east-1::snapshot/*",
            "ec2:CreateTags arn:aws:ec2:us-east-1::image/*",
            "ec2:CreateTags arn:aws:ec2:us-east-1::snapshot/*",
        ]
    );
}

#[test]
fn a_registration_is_about_the_image_its_snapshots_and_its_tags() {
    let tags = tags(&["image"]);
    let parameters = [
        ("Name", "new"),
        ("RootDeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.SnapshotId", GOLDEN_SNAPSHOT),
    ];
    assert_eq!(
        of_ec2("RegisterImage", &with(&parameters, &tags)),
        [
            "ec2:RegisterImage arn:aws:ec2:us-east-1::image/*",
            &format!("ec2:RegisterImage arn:aws:ec2:us-east-1::snapshot/{GOLDEN_SNAPSHOT}"),
            "ec2:CreateTags arn:aws:ec2:us-east-1::image/*",
        ]
    );
}

#[test]
fn a_launch_is_about_the_image_and_all_that_it_makes() {
    let parameters = [("ImageId", GOLDEN), ("MinCount", "1"), ("MaxCount", "1")];
    let asked = of_ec2("RunInstances", &with(&parameters, &tags(&["instance"])));
    assert_eq!(
        asked[0],
        format!("ec2:RunInstances arn:aws:ec2:us-east-1::image/{GOLDEN}")
    );
    let instance = "arn:aws:ec2:us-east-1:111122223333:instance/*";
    assert_eq!(asked[1], format!("ec2:RunInstances {instance}"));
    assert_eq!(asked.last(), Some(&format!("ec2:CreateTags {instance}")));
}

#[test]
fn a_launch_is_about_all_that_it_uses_also_what_its_template_says() {
    let mut ec2 = Ec2::calm();
    let template = [
        ("LaunchTemplateName", "whole"),
        ("LaunchTemplateData.ImageId", "resolve:ssm:/golden/web"),
        ("LaunchTemplateData.IamInstanceProfile.Name", "build"),
        (
            "LaunchTemplateData.TagSpecification.1.ResourceType",
            "volume",
        ),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "a"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Value", "1"),
    ];
    let body = ec2.ok("CreateLaunchTemplate", &template);
    let id = text(&body, "launchTemplateId").expect("an id");
    let parameters = [
        ("LaunchTemplate.LaunchTemplateName", "whole"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("KeyName", "operator"),
        ("SubnetId", "subnet-0123456789abcdef1"),
        ("SecurityGroupId.1", "sg-0123456789abcdef0"),
    ];
    let ours = |rest: &str| format!("ec2:RunInstances arn:aws:ec2:us-east-1:111122223333:{rest}");
    assert_eq!(
        asked(&mut ec2, Service::Ec2, "RunInstances", &parameters),
        [
            format!("ec2:RunInstances arn:aws:ec2:us-east-1::image/{GOLDEN}"),
            ours("instance/*"),
            ours("network-interface/*"),
            ours("volume/*"),
            ours("subnet/subnet-0123456789abcdef1"),
            ours("security-group/sg-0123456789abcdef0"),
            ours("key-pair/operator"),
            ours(&format!("launch-template/{id}")),
            "iam:PassRole arn:aws:iam::111122223333:role/build".to_owned(),
            "ec2:CreateTags arn:aws:ec2:us-east-1:111122223333:volume/*".to_owned(),
        ]
    );
}

#[test]
fn launch_templates_are_named_by_id_or_by_name() {
    let arn = "arn:aws:ec2:us-east-1:111122223333:launch-template/lt-0123456789abcdef0";
    for by in [
        ("LaunchTemplateName", "web"),
        ("LaunchTemplateId", "lt-0123456789abcdef0"),
    ] {
        for action in [
            "CreateLaunchTemplateVersion",
            "ModifyLaunchTemplate",
            "DeleteLaunchTemplate",
        ] {
            assert_eq!(of_ec2(action, &[by]), [format!("ec2:{action} {arn}")]);
        }
    }
}

#[test]
fn a_command_is_about_its_document_and_its_instances() {
    let sent = [
        ("DocumentName", "AWS-RunShellScript"),
        ("InstanceIds.1", INSTANCE),
        ("Parameters.commands.1", "true"),
    ];
    let mut ec2 = Ec2::calm();
    let region = ec2.world.regions_mut().get_mut("us-east-1");
    let instance = region.and_then(|region| region.instances.get_mut(INSTANCE));
    instance.expect("the instance").profile = Some(crate::state::UsedProfile {
        arn: "arn:aws:iam::111122223333:instance-profile/build".to_owned(),
        id: String::new(),
        systems_manager: true,
    });
    assert_eq!(
        asked(&mut ec2, Service::Ssm, "SendCommand", &sent),
        [
            "ssm:SendCommand arn:aws:ssm:us-east-1::document/AWS-RunShellScript".to_owned(),
            format!("ssm:SendCommand arn:aws:ec2:us-east-1:111122223333:instance/{INSTANCE}"),
        ]
    );
}

#[test]
fn references_are_read_in_the_callers_name_by_ec2_alone() {
    let all = [("ImageId.1", GOLDEN), ("IncludeAllResourceTypes", "true")];
    let asked = of_ec2("DescribeImageReferences", &all);
    let actions: Vec<_> = asked
        .iter()
        .filter_map(|one| one.split(' ').next())
        .collect();
    assert_eq!(
        actions,
        [
            "ec2:DescribeImageReferences",
            "ec2:DescribeInstances",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeLaunchTemplateVersions",
            "ssm:DescribeParameters",
            "ssm:GetParameters",
            "imagebuilder:ListImageRecipes",
            "imagebuilder:ListContainerRecipes",
            "imagebuilder:GetContainerRecipe",
        ]
    );
    let templates = [
        ("ImageId.1", GOLDEN),
        ("ResourceType.1.ResourceType", "ec2:LaunchTemplate"),
    ];
    assert_eq!(of_ec2("DescribeImageReferences", &templates).len(), 3);

    let via = json!({"ForAnyValue:StringEquals": {"aws:CalledVia": "ec2-images.amazonaws.com"}});
    let mut ec2 = under(&json!([
        allow("ec2:DescribeImageReferences", &json!({})),
        allow("ec2:Describe*", &via),
        allow("ssm:*", &via),
        allow("imagebuilder:*", &via),
    ]));
    assert!(may(&mut ec2, "DescribeImageReferences", &all));
    assert!(!may(&mut ec2, "DescribeInstances", &[]));
}

#[test]
fn what_is_made_is_tagged_by_the_action_that_makes_it() {
    let tags = tags(&["image", "snapshot"]);
    let parameters = with(&[("InstanceId", INSTANCE), ("Name", "new")], &tags);
    for (action, value, may_tag) in [
        ("CreateImage", "me", true),
        ("CopyImage", "me", false),
        ("CreateImage", "you", false),
    ] {
        let condition =
            json!({"StringEquals": {"ec2:CreateAction": action, "aws:RequestTag/owner": value}});
        let mut ec2 = under(&json!([
            allow("ec2:CreateImage", &json!({})),
            allow("ec2:CreateTags", &condition),
        ]));
        assert_eq!(
            may(&mut ec2, "CreateImage", &parameters),
            may_tag,
            "{condition}"
        );
        let later = [
            ("ResourceId.1", GOLDEN),
            ("Tag.1.Key", "owner"),
            ("Tag.1.Value", value),
        ];
        assert!(
            !may(&mut ec2, "CreateTags", &later),
            "it is no part of another call"
        );
    }
}

#[test]
fn only_what_is_made_has_the_tags_of_the_request() {
    let owner = json!({"StringEquals": {"aws:RequestTag/owner": "me"}});
    let tags = tags(&["image", "snapshot"]);
    let copy = copy_of(GOLDEN, &[]);
    let parameters = with(&copy, &tags);
    let tagging = allow("ec2:CreateTags", &json!({}));
    let mut ec2 = under(&json!([tagging, allow("ec2:CopyImage", &owner)]));
    assert!(
        !may(&mut ec2, "CopyImage", &parameters),
        "the source has none"
    );
    let source = json!({"Effect": "Allow", "Action": "ec2:CopyImage", "Resource": "arn:aws:ec2:*::image/ami-*"});
    restrict(
        &mut ec2,
        HOME,
        &json!([tagging, source, allow("ec2:CopyImage", &owner)]),
    );
    assert!(may(&mut ec2, "CopyImage", &parameters));
    assert!(
        !may(&mut ec2, "CopyImage", &copy),
        "nothing is made without the tag"
    );
}

#[test]
fn parameters_are_about_their_names() {
    let of_ssm = |action: &str, parameters: &[(&str, &str)]| {
        asked(&mut Ec2::calm(), Service::Ssm, action, parameters)
    };
    let arn = |name: &str| format!("arn:aws:ssm:us-east-1:111122223333:parameter/{name}");
    let web = ("Name", "/golden/web");
    assert_eq!(
        of_ssm("GetParameter", &[web]),
        [format!("ssm:GetParameter {}", arn("golden/web"))]
    );
    assert_eq!(
        of_ssm(
            "GetParameters",
            &[("Names.1", "/golden/web"), ("Names.2", "x")]
        ),
        [
            format!("ssm:GetParameters {}", arn("golden/web")),
            format!("ssm:GetParameters {}", arn("x"))
        ]
    );
    assert_eq!(
        of_ssm("DeleteParameter", &[web]),
        [format!("ssm:DeleteParameter {}", arn("golden/web"))]
    );
    assert_eq!(
        of_ssm("DescribeParameters", &[]),
        ["ssm:DescribeParameters arn:aws:ssm:us-east-1:111122223333:*"]
    );
    let put = [
        ("Name", "new"),
        ("Value", "1"),
        ("Type", "String"),
        ("Tags.1.Key", "a"),
        ("Tags.1.Value", "1"),
    ];
    assert_eq!(
        of_ssm("PutParameter", &put),
        [
            format!("ssm:PutParameter {}", arn("new")),
            format!("ssm:AddTagsToResource {}", arn("new"))
        ]
    );
    let named = [("ResourceType", "Parameter"), ("ResourceId", "/golden/web")];
    for (action, more) in [
        ("ListTagsForResource", &[][..]),
        ("RemoveTagsFromResource", &[("TagKeys.1", "a")]),
        (
            "AddTagsToResource",
            &[("Tags.1.Key", "a"), ("Tags.1.Value", "1")],
        ),
    ] {
        let parameters = [&named[..], more].concat();
        assert_eq!(
            of_ssm(action, &parameters),
            [format!("ssm:{action} {}", arn("golden/web"))]
        );
    }
}

#[test]
fn a_role_is_assumed_by_who_may() {
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
    ];
    let asked = asked(&mut Ec2::calm(), Service::Sts, "AssumeRole", &role);
    assert_eq!(asked, [format!("sts:AssumeRole {ROLE}")]);
    for (external_id, allowed) in [("amity-example", true), ("another", false)] {
        let condition = json!({"StringEquals": {"sts:ExternalId": external_id}});
        let mut ec2 = under(&allow("sts:AssumeRole", &condition));
        ec2.caller.service = Service::Sts;
        assert_eq!(ec2.call("AssumeRole", &role).error.is_none(), allowed);
    }
}

#[test]
fn a_session_is_tagged_by_who_may() {
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "web"),
    ];
    let both = [
        format!("sts:AssumeRole {ROLE}"),
        format!("sts:TagSession {ROLE}"),
    ];
    let asked = asked(&mut Ec2::calm(), Service::Sts, "AssumeRole", &role);
    assert_eq!(asked, both);
    let assume = allow("sts:AssumeRole", &json!({}));
    for (team, allowed) in [("web", true), ("base", false)] {
        let condition = json!({
            "StringEquals": {"aws:RequestTag/team": team},
            "ForAllValues:StringEquals": {"aws:TagKeys": "team"},
        });
        let mut ec2 = under(&json!([assume, allow("sts:TagSession", &condition)]));
        ec2.caller.service = Service::Sts;
        assert_eq!(ec2.call("AssumeRole", &role).error.is_none(), allowed);
        ec2.ok("AssumeRole", &role[..3]);
    }
}

#[test]
fn an_action_that_iam_is_not_asked_about_is_refused_to_who_has_policies() {
    let mut ec2 = under(&allow("ec2:*", &json!({})));
    assert_eq!(ec2.code("DescribeAddresses", &[]), "UnsupportedOperation");
    let with_snapshots = [("ImageId", GOLDEN), ("DeleteAssociatedSnapshots", "true")];
    assert_eq!(
        ec2.code("DeregisterImage", &with_snapshots),
        "UnsupportedOperation"
    );
}
