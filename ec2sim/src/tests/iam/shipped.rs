//! The policies in `deploy/iam`: that they can be evaluated, and what they keep.

use super::*;
use crate::state::Platform;

const CONTROLLER: &str = include_str!("../../../../deploy/iam/controller.json");
const SPOKE: &str = include_str!("../../../../deploy/iam/spoke.json");
const PLAN: &str = include_str!("../../../../deploy/iam/plan.json");
const OF_THE_ORGANIZATION: &str =
    include_str!("../../../../deploy/iam/service-control-policy.json");

const OWNER: (&str, &str) = ("amity.dev/owner", "test");

fn shipped(name: &str, json: &str) -> Policy {
    Policy::parse(name, &json.replace("OWNER_ID", OWNER.1)).expect(name)
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}

fn as_controller() -> Ec2 {
    let mut ec2 = Ec2::calm();
    let policy = shipped("controller", CONTROLLER);
    ec2.world.set_policies(HOME, vec![policy]).expect("the key");
    ec2
}

/// Tags for a new resource of each type.
fn born<'a>(types: &[&'a str], key: &'a str, tag: &'a str) -> Vec<(String, &'a str)> {
    let all = types.iter().enumerate().flat_map(|(at, kind)| {
        let name = format!("TagSpecification.{}", at + 1);
        [
            (format!("{name}.ResourceType"), *kind),
            (format!("{name}.Tag.1.Key"), key),
            (format!("{name}.Tag.1.Value"), tag),
        ]
    });
    all.collect()
}

fn with<'a>(
    fixed: &[(&'a str, &'a str)],
    more: &'a [(String, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut all = fixed.to_vec();
    all.extend(more.iter().map(|(name, value)| (name.as_str(), *value)));
    all
}

fn create(ec2: &mut Ec2, action: &str, parameters: &[(&str, &str)]) -> String {
    text(&ec2.ok(action, parameters), "imageId").expect("an image id")
}

#[test]
fn a_life_of_an_image_uses_all_of_the_controllers_policy() {
    let mut ec2 = as_controller();
    let region = ec2.world.regions_mut().get_mut("us-east-1");
    let instance = region.and_then(|region| region.instances.get_mut(INSTANCE));
    let machine = &mut instance.expect("the instance").machine;
    machine.platform = Platform::Windows;
    machine.billed_as = Some(Platform::Windows);
    let both = born(&["image", "snapshot"], OWNER.0, OWNER.1);
    let one = born(&["image"], OWNER.0, OWNER.1);
    let capture = with(&[("InstanceId", INSTANCE), ("Name", "one")], &both);
    let origin = create(&mut ec2, "CreateImage", &capture);
    let copy = copy_of(&origin, &[]);
    ec2.at("eu-west-1");
    let image = create(&mut ec2, "CopyImage", &with(&copy, &both));
    let snapshot = ec2.snapshots_of(&image).remove(0);
    for action in ["DescribeInstances", "DescribeRegions", "DescribeSnapshots"] {
        ec2.ok(action, &[]);
    }
    let references = [
        ("ImageId.1", image.as_str()),
        ("IncludeAllResourceTypes", "true"),
    ];
    ec2.ok("DescribeImageReferences", &references);
    let id = ("ImageId", image.as_str());
    ec2.ok("ModifyImageAttribute", &[id, ("ImdsSupport.Value", "v2.0")]);
    ec2.ok(
        "EnableImageDeprecation",
        &[id, ("DeprecateAt", "2030-01-01T00:00:00Z")],
    );
    ec2.ok("DisableImageDeprecation", &[id]);
    ec2.ok("EnableImageDeregistrationProtection", &[id]);
    ec2.ok("DisableImageDeregistrationProtection", &[id]);
    ec2.ok("EnableFastLaunch", &[id]);
    ec2.wait(1);
    ec2.ok("DescribeFastLaunchImages", &[]);
    ec2.ok("DisableFastLaunch", &[id]);
    ec2.wait(1);
    ec2.ok(
        "DescribeImageAttribute",
        &[id, ("Attribute", "launchPermission")],
    );
    let of_snapshot = [
        ("SnapshotId", snapshot.as_str()),
        ("Attribute", "createVolumePermission"),
    ];
    ec2.ok("DescribeSnapshotAttribute", &of_snapshot);
    let friend = ("CreateVolumePermission.Add.1.UserId", "222233334444");
    ec2.ok("ModifySnapshotAttribute", &[of_snapshot[0], friend]);
    ec2.ok("GetAllowedImagesSettings", &[]);
    for resource in [&image, &snapshot] {
        let tag = [
            ("ResourceId.1", resource.as_str()),
            ("Tag.1.Key", "amity.dev/self"),
        ];
        ec2.ok(
            "CreateTags",
            &[&tag[..], &[("Tag.1.Value", resource)]].concat(),
        );
        ec2.ok("DeleteTags", &tag);
    }
    let place = ec2
        .world
        .place_mut("111122223333", "eu-west-1")
        .expect("a place");
    (place.recycle_bin_days, place.snapshot_recycle_bin_days) = (7, 7);
    let of_instances = [id, ("ResourceType.1.ResourceType", "ec2:Instance")];
    let tagged = born(&["image-usage-report"], OWNER.0, OWNER.1);
    ec2.ok("CreateImageUsageReport", &with(&of_instances, &tagged));
    ec2.ok("DescribeImageUsageReports", &[]);
    ec2.ok("DescribeImageUsageReportEntries", &[]);
    ec2.ok("DeregisterImage", &[id]);
    let snapshot = ("SnapshotId", snapshot.as_str());
    ec2.ok("DeleteSnapshot", &[snapshot]);
    ec2.ok("ListImagesInRecycleBin", &[]);
    ec2.ok("ListSnapshotsInRecycleBin", &[]);
    ec2.ok("RestoreSnapshotFromRecycleBin", &[snapshot]);
    ec2.ok("RestoreImageFromRecycleBin", &[id]);
    ec2.ok("GetEbsEncryptionByDefault", &[]);
    ec2.ok("GetEbsDefaultKmsKeyId", &[]);
    ec2.at("us-east-1");
    let registration = [
        ("Name", "two"),
        ("RootDeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.SnapshotId", GOLDEN_SNAPSHOT),
    ];
    create(&mut ec2, "RegisterImage", &with(&registration, &one));
    ask(&mut ec2, HOME, "GetParameter", &[("Name", "/golden/web")]);
    a_life_of_a_parameter(&mut ec2, GOLDEN);
    ec2.caller.service = Service::Sts;
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
        ("Tags.member.1.Key", "amity.dev/namespace"),
        ("Tags.member.1.Value", "images"),
    ];
    ec2.ok("AssumeRole", &role);
    let ledger = ec2.world.policy_ledger();
    assert_eq!(ledger.denials(), []);
    assert_eq!(ledger.unused(), [""; 0]);
}

/// One that names published images: found, read, made, overwritten, marked and removed.
fn a_life_of_a_parameter(ec2: &mut Ec2, image: &str) {
    let name = ("Name", "/published/web");
    let value = [("Value", image), ("DataType", "aws:ec2:image")];
    let one = ("ResourceId", name.1);
    let resource = [("ResourceType", "Parameter"), one];
    let tag = [("Tags.1.Key", OWNER.0), ("Tags.1.Value", OWNER.1)];
    ask(ec2, HOME, "DescribeParameters", &[]);
    let made = [&[name, ("Type", "String")], &value[..], &tag].concat();
    ask(ec2, HOME, "PutParameter", &made);
    ask(ec2, HOME, "GetParameters", &[("Names.1", name.1)]);
    ask(ec2, HOME, "ListTagsForResource", &resource);
    let again = [&[name, ("Overwrite", "true")], &value[..]].concat();
    ask(ec2, HOME, "PutParameter", &again);
    let mark = [("Tags.1.Key", "amity.dev/retained"), ("Tags.1.Value", "x")];
    let marked = [&resource[..], &mark].concat();
    ask(ec2, HOME, "AddTagsToResource", &marked);
    ask(ec2, HOME, "DeleteParameter", &[name]);
}

#[test]
fn a_parameter_of_somebody_else_is_neither_removed_nor_tagged_otherwise_than_as_ones_own() {
    let mut ec2 = as_controller();
    let mut refused = |action: &str, parameters: &[(&str, &str)]| {
        let caller = Caller::ssm(HOME, "us-east-1");
        let answer = ec2
            .world
            .call(ec2.now, &caller, &Request::new(action, parameters));
        answer.error.as_deref() == Some("AccessDeniedException")
    };
    assert!(refused("DeleteParameter", &[("Name", "/golden/web")]));
    let resource = [("ResourceType", "Parameter"), ("ResourceId", "/golden/web")];
    let other = [("Tags.1.Key", "team"), ("Tags.1.Value", "x")];
    let tagging = [&resource[..], &other].concat();
    assert!(refused("AddTagsToResource", &tagging));
    let made = [
        ("Name", "/published/web"),
        ("Value", "x"),
        ("Type", "String"),
        ("Tags.1.Key", OWNER.0),
        ("Tags.1.Value", "another"),
    ];
    assert!(refused("PutParameter", &made));
}

#[test]
fn nothing_is_made_without_the_owners_tag() {
    let mut ec2 = as_controller();
    let others = born(&["image", "snapshot"], OWNER.0, "another");
    let image_only = born(&["image"], OWNER.0, OWNER.1);
    let copy = copy_of(GOLDEN, &[]);
    let capture = [("InstanceId", INSTANCE), ("Name", "new")];
    for (action, parameters) in [("CopyImage", &copy[..]), ("CreateImage", &capture)] {
        assert!(!may(&mut ec2, action, parameters));
        assert!(!may(&mut ec2, action, &with(parameters, &others)));
        assert!(!may(&mut ec2, action, &with(parameters, &image_only)));
    }
}

#[test]
fn nothing_is_changed_or_removed_that_others_made() {
    let mut ec2 = as_controller();
    let image = ("ImageId", GOLDEN);
    let take_over = [
        ("ResourceId.1", GOLDEN),
        ("Tag.1.Key", OWNER.0),
        ("Tag.1.Value", OWNER.1),
    ];
    assert!(!may(&mut ec2, "CreateTags", &take_over));
    assert!(!may(&mut ec2, "DeleteTags", &[("ResourceId.1", GOLDEN)]));
    assert!(!may(&mut ec2, "DeregisterImage", &[image]));
    assert!(!may(
        &mut ec2,
        "DeleteSnapshot",
        &[("SnapshotId", GOLDEN_SNAPSHOT)]
    ));
    assert!(!may(
        &mut ec2,
        "ModifyImageAttribute",
        &[image, ("Description.Value", "x")]
    ));
}

#[test]
fn a_spoke_accounts_role_may_do_the_same_and_assume_no_other() {
    let (mut controller, spoke) = (value(CONTROLLER), value(SPOKE));
    let statements = controller["Statement"].as_array_mut().expect("a list");
    let last = statements.pop().expect("a statement");
    assert_eq!(last["Sid"], "ReachOtherAccounts");
    assert_eq!(controller, spoke);
}

#[test]
fn a_plan_reads_what_the_controller_reads() {
    let (controller, plan) = (value(CONTROLLER), value(PLAN));
    for at in 0..4 {
        assert_eq!(plan["Statement"][at], controller["Statement"][at]);
    }
    let mut ec2 = Ec2::calm();
    let policy = shipped("plan", PLAN);
    ec2.world.set_policies(HOME, vec![policy]).expect("the key");
    for action in [
        "DescribeImages",
        "DescribeInstances",
        "DescribeRegions",
        "DescribeSnapshots",
    ] {
        assert!(may(&mut ec2, action, &[]));
    }
    let tag = [
        ("ResourceId.1", GOLDEN),
        ("Tag.1.Key", "a"),
        ("Tag.1.Value", "1"),
    ];
    assert!(!may(&mut ec2, "CreateTags", &tag));
    assert!(!may(&mut ec2, "DeregisterImage", &[("ImageId", GOLDEN)]));
}

/// The partner's administrator, under the organization's policy, and an image of Amity there.
fn in_the_organization() -> (Ec2, String) {
    let mut ec2 = Ec2::calm();
    let owner = born(&["image"], OWNER.0, OWNER.1);
    let copy = with(&copy_of(SHARED, &[]), &owner)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect::<Vec<_>>();
    let copy: Vec<_> = copy
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let image = create(ec2.as_key(PARTNER), "CopyImage", &copy);
    let policy = shipped("scp", OF_THE_ORGANIZATION);
    ec2.world
        .set_service_control_policies("444455556666", vec![policy])
        .expect("the account");
    (ec2, image)
}

#[test]
fn nobody_else_writes_amitys_tags() {
    let (mut ec2, image) = in_the_organization();
    let tagged = |key: &'static str| {
        [
            ("ResourceId.1", SHARED),
            ("Tag.1.Key", key),
            ("Tag.1.Value", "x"),
        ]
    };
    assert!(!may(&mut ec2, "CreateTags", &tagged("amity.dev/owner")));
    assert!(!may(&mut ec2, "DeleteTags", &tagged("amity.dev/self")));
    assert!(may(&mut ec2, "CreateTags", &tagged("team")));
    assert!(
        may(&mut ec2, "CreateTags", &tagged("amity.dev/hold")),
        "it is anybody's"
    );
    let hold_and_more = [
        &tagged("amity.dev/hold")[..],
        &[("Tag.2.Key", "amity.dev/owner")],
    ]
    .concat();
    assert!(!may(&mut ec2, "CreateTags", &hold_and_more));
    let born = born(&["image"], OWNER.0, OWNER.1);
    assert!(!may(
        &mut ec2,
        "CopyImage",
        &with(&copy_of(SHARED, &[]), &born)
    ));
    let all = |id: &'static str| [("ResourceId.1", id)];
    assert!(may(&mut ec2, "DeleteTags", &all(SHARED)));
    assert!(!may(
        &mut ec2,
        "DeleteTags",
        &[("ResourceId.1", image.as_str())]
    ));
}

#[test]
fn amitys_role_writes_its_tags() {
    let (mut ec2, image) = in_the_organization();
    let policy = shipped("spoke", SPOKE);
    ec2.world
        .set_policies(ROLE, vec![policy])
        .expect("the role");
    ec2.as_key(HOME).caller.service = Service::Sts;
    let role = [
        ("RoleArn", ROLE),
        ("RoleSessionName", "test"),
        ("ExternalId", "amity-example"),
    ];
    let body = ec2.ok("AssumeRole", &role);
    ec2.caller = Caller {
        access_key_id: text(&body, "AccessKeyId"),
        session_token: text(&body, "SessionToken"),
        ..Caller::ec2(HOME, "us-east-1")
    };
    let seal = [
        ("ResourceId.1", image.as_str()),
        ("Tag.1.Key", "amity.dev/self"),
        ("Tag.1.Value", image.as_str()),
    ];
    ec2.ok("CreateTags", &seal);
    ec2.ok("DeregisterImage", &[("ImageId", &image)]);
}

/// Quotas of IAM and of AWS Organizations, without white space.
#[test]
fn they_are_not_too_long() {
    for (json, most) in [
        (CONTROLLER, 6144),
        (SPOKE, 6144),
        (PLAN, 6144),
        (OF_THE_ORGANIZATION, 5120),
    ] {
        assert!(value(json).to_string().len() <= most);
    }
}
