"""Launch templates: their versions, and what is launched by them and by resolve:ssm:."""

import pytest

from support import world
from support.expect import DRY_RUN, eventually, refused

calm = pytest.mark.sim(knobs={"maxReadLagSeconds": 0, "requestBuckets": False})

BY_PARAMETER = f"resolve:ssm:{world.PARAMETER}"


def launch(ec2, **by):
    """Launches one instance and gives the id of its image."""
    (instance,) = ec2.run_instances(MinCount=1, MaxCount=1, **by)["Instances"]
    return instance["ImageId"]


def test_a_launch_by_a_parameter_uses_the_image_that_it_names(ec2):
    assert launch(ec2, ImageId=BY_PARAMETER) == world.OWN


def test_a_launch_by_a_parameter_follows_it_and_by_its_version_does_not(aws, ec2):
    ssm, name = aws("ssm"), "/launched/web"
    ssm.put_parameter(Name=name, Value=world.OWN, Type="String", DataType="aws:ec2:image")
    eventually(lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"] == world.OWN, "the value")
    assert launch(ec2, ImageId=f"resolve:ssm:{name}") == world.OWN
    ssm.put_parameter(Name=name, Value=world.PUBLIC, DataType="aws:ec2:image", Overwrite=True)
    eventually(lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"] == world.PUBLIC, "the new value")
    assert launch(ec2, ImageId=f"resolve:ssm:{name}") == world.PUBLIC
    assert launch(ec2, ImageId=f"resolve:ssm:{name}:1") == world.OWN


@calm
def test_a_template_that_names_a_parameter_is_resolved_when_it_is_used(ec2):
    name = "by-parameter"
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": BY_PARAMETER})
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["ImageId"] == BY_PARAMETER
    resolved = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, ResolveAlias=True)
    assert resolved["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"] == world.OWN
    for by in [
        {"LaunchTemplateName": name},
        {"LaunchTemplateId": template_id, "Version": "$Latest"},
        {"LaunchTemplateId": template_id, "Version": "1"},
    ]:
        assert launch(ec2, LaunchTemplate=by) == world.OWN


def test_the_cli_launches_by_a_parameter(cli):
    answer = cli("ec2", "run-instances", "--image-id", BY_PARAMETER, "--count", "1").json
    assert answer["Instances"][0]["ImageId"] == world.OWN


@pytest.mark.parametrize("image", ["resolve:ssm:/golden/none", f"{BY_PARAMETER}:99"])
def test_a_parameter_that_is_not_there_launches_nothing(ec2, image):
    with refused("InvalidParameterValue"):
        launch(ec2, ImageId=image)


def test_a_template_that_is_not_there_launches_nothing(ec2):
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        launch(ec2, LaunchTemplate={"LaunchTemplateName": "nobodys"})


WHOLE = {
    "ImageId": world.OWN,
    "InstanceType": "t3.micro",
    "KeyName": world.KEY_PAIR,
    "IamInstanceProfile": {"Name": world.MANAGED_PROFILE},
    "NetworkInterfaces": [
        {"DeviceIndex": 0, "SubnetId": world.SUBNET_A, "Groups": [world.GROUP], "AssociatePublicIpAddress": False},
    ],
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True, "Iops": 3000}},
    ],
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    "UserData": "IyEvYmluL3NoCg==",
    "InstanceInitiatedShutdownBehavior": "terminate",
    "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
    "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}],
    "Monitoring": {"Enabled": True},
    "EbsOptimized": True,
    "DisableApiTermination": False,
    "SecurityGroupIds": [world.GROUP],
    "Placement": {"AvailabilityZone": f"{world.HOME}a"},
}


def tagged(**tags):
    return [{"ResourceType": "launch-template", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def versions(ec2, **ask):
    """Numbers of versions, and whether each is the default one."""
    found = ec2.describe_launch_template_versions(**ask)["LaunchTemplateVersions"]
    return {one["VersionNumber"]: one["DefaultVersion"] for one in found}


@calm
def test_a_version_is_shown_as_it_was_given(ec2):
    made = ec2.create_launch_template(LaunchTemplateName="whole", VersionDescription="all of it", LaunchTemplateData=WHOLE)
    template = made["LaunchTemplate"]
    assert (template["DefaultVersionNumber"], template["LatestVersionNumber"]) == (1, 1)
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])[
        "LaunchTemplateVersions"
    ]
    assert version["VersionDescription"] == "all of it"
    assert version["LaunchTemplateData"] == WHOLE


@calm
def test_a_launch_has_what_its_template_says_and_overrides_it(ec2):
    data = {key: value for key, value in WHOLE.items() if key != "SecurityGroupIds"}
    ec2.create_launch_template(LaunchTemplateName="whole", LaunchTemplateData=data)
    by = {"LaunchTemplate": {"LaunchTemplateName": "whole"}, "MinCount": 1, "MaxCount": 1}
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.run_instances(DryRun=True, **by)
    (instance,) = ec2.run_instances(**by)["Instances"]
    assert (instance["ImageId"], instance["SubnetId"]) == (world.OWN, world.SUBNET_A)
    assert instance["SecurityGroups"][0]["GroupId"] == world.GROUP
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["Tags"] == [{"Key": "from", "Value": "template"}]
    (other,) = ec2.run_instances(ImageId=world.LAUNCHED, InstanceType="t3.small", **by)["Instances"]
    assert (other["ImageId"], other["InstanceType"]) == (world.LAUNCHED, "t3.small")


@calm
def test_versions_are_numbered_for_ever_and_the_default_is_moved_by_hand(ec2):
    name = {"LaunchTemplateName": "rolled"}
    ec2.create_launch_template(**name, LaunchTemplateData={"ImageId": world.OWN, "InstanceType": "t3.micro"})
    second = ec2.create_launch_template_version(
        **name, SourceVersion="1", LaunchTemplateData={"ImageId": world.LAUNCHED}
    )["LaunchTemplateVersion"]
    assert (second["VersionNumber"], second["DefaultVersion"]) == (2, False)
    assert second["LaunchTemplateData"] == {"ImageId": world.LAUNCHED, "InstanceType": "t3.micro"}
    assert launch(ec2, LaunchTemplate=name) == world.OWN
    assert launch(ec2, LaunchTemplate={**name, "Version": "$Latest"}) == world.LAUNCHED
    changed = ec2.modify_launch_template(**name, DefaultVersion="2")["LaunchTemplate"]
    assert (changed["DefaultVersionNumber"], changed["LatestVersionNumber"]) == (2, 2)
    assert launch(ec2, LaunchTemplate=name) == world.LAUNCHED
    assert versions(ec2, **name) == {1: False, 2: True}
    assert versions(ec2, **name, Versions=["$Default"]) == {2: True}
    ec2.create_launch_template_version(**name, LaunchTemplateData={"ImageId": world.OWN})
    ec2.delete_launch_template_versions(**name, Versions=["3"])
    again = ec2.create_launch_template_version(**name, LaunchTemplateData={"ImageId": world.OWN})
    assert again["LaunchTemplateVersion"]["VersionNumber"] == 4
    with refused("InvalidLaunchTemplateId.VersionNotFound", "Could not find launch template version 3."):
        ec2.modify_launch_template(**name, DefaultVersion="3")


@calm
def test_the_default_version_is_refused_inside_a_success(ec2):
    name = {"LaunchTemplateName": "rolled"}
    ec2.create_launch_template(**name, LaunchTemplateData={"ImageId": world.OWN})
    ec2.create_launch_template_version(**name, LaunchTemplateData={"ImageId": world.OWN})
    answer = ec2.delete_launch_template_versions(**name, Versions=["1", "2", "9"])
    assert [one["VersionNumber"] for one in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    refusals = {
        one["VersionNumber"]: one["ResponseError"]["Code"] for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    }
    assert set(refusals) == {1, 9}
    assert refusals[9] == "launchTemplateVersionDoesNotExist"
    assert versions(ec2, **name) == {1: True}


@calm
def test_templates_are_listed_tagged_and_deleted(aws, ec2):
    ec2.create_launch_template(
        LaunchTemplateName="mine", LaunchTemplateData={"ImageId": world.OWN}, TagSpecifications=tagged(owner="us")
    )
    for ask in (
        {"LaunchTemplateNames": ["mine"]},
        {"Filters": [{"Name": "tag:owner", "Values": ["us"]}]},
        {"Filters": [{"Name": "launch-template-name", "Values": ["mi*"]}]},
    ):
        (template,) = ec2.describe_launch_templates(**ask)["LaunchTemplates"]
        assert template["Tags"] == [{"Key": "owner", "Value": "us"}]
    ec2.create_tags(Resources=[template["LaunchTemplateId"]], Tags=[{"Key": "more", "Value": "1"}])
    pages = ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 1})
    names = [one["LaunchTemplateName"] for page in pages for one in page["LaunchTemplates"]]
    assert sorted(names) == ["mine", "web"]
    assert aws(account=world.OTHER).describe_launch_templates()["LaunchTemplates"] == []
    gone = ec2.delete_launch_template(LaunchTemplateName="mine")["LaunchTemplate"]
    assert gone["LaunchTemplateId"] == template["LaunchTemplateId"]
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        ec2.describe_launch_templates(LaunchTemplateNames=["mine"])
    with refused("InvalidLaunchTemplateId.NotFound"):
        ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])


@calm
def test_a_name_is_there_once_in_a_region(aws, ec2):
    arguments = {"LaunchTemplateName": "web", "LaunchTemplateData": {"ImageId": world.OWN}}
    with refused("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use."):
        ec2.create_launch_template(**arguments)
    aws(region=world.EUROPE).create_launch_template(**arguments)


@calm
def test_a_token_makes_a_template_and_a_version_once(ec2):
    arguments = {"LaunchTemplateName": "once", "LaunchTemplateData": {"ImageId": world.OWN}, "ClientToken": "one"}
    first = ec2.create_launch_template(**arguments)["LaunchTemplate"]
    again = ec2.create_launch_template(**arguments)["LaunchTemplate"]
    assert again["LaunchTemplateId"] == first["LaunchTemplateId"]
    with refused("IdempotentParameterMismatch"):
        ec2.create_launch_template(**{**arguments, "LaunchTemplateName": "twice"})
    version = {"LaunchTemplateName": "once", "LaunchTemplateData": {"ImageId": world.OWN}, "ClientToken": "two"}
    for _ in range(2):
        made = ec2.create_launch_template_version(**version)["LaunchTemplateVersion"]
        assert made["VersionNumber"] == 2


@pytest.mark.sim(knobs={"maxReadLagSeconds": 10**7})
def test_a_new_version_is_seen_late(ec2):
    name = {"LaunchTemplateName": "web"}
    made = ec2.create_launch_template_version(**name, LaunchTemplateData={"ImageId": world.OWN})
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 12
    assert max(versions(ec2, **name)) == 11
    (template,) = ec2.describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"]
    assert template["LatestVersionNumber"] == 11
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        ec2.modify_launch_template(**name, DefaultVersion="12")


@calm
def test_versions_come_in_pages_and_by_range(ec2):
    pages = ec2.get_paginator("describe_launch_template_versions").paginate(
        LaunchTemplateId=world.TEMPLATE, PaginationConfig={"PageSize": 3}
    )
    assert len([one for page in pages for one in page["LaunchTemplateVersions"]]) == 11
    assert set(versions(ec2, LaunchTemplateId=world.TEMPLATE, MinVersion="3", MaxVersion="5")) == {3, 4, 5}
    assert versions(ec2, Versions=["$Latest"]) == {11: False}


@calm
def test_dry_runs_of_all_that_changes_templates(ec2):
    name = {"LaunchTemplateName": "web"}
    calls = {
        "create_launch_template": {"LaunchTemplateName": "new", "LaunchTemplateData": {"ImageId": world.OWN}},
        "create_launch_template_version": {**name, "LaunchTemplateData": {"ImageId": world.OWN}},
        "modify_launch_template": {**name, "DefaultVersion": "2"},
        "delete_launch_template_versions": {**name, "Versions": ["2"]},
        "delete_launch_template": name,
        "describe_launch_templates": {},
    }
    for call, arguments in calls.items():
        with refused("DryRunOperation", DRY_RUN, status=412):
            getattr(ec2, call)(DryRun=True, **arguments)
    assert versions(ec2, **name) == {number: number == 1 for number in range(1, 12)}


@calm
def test_the_cli_rolls_a_template(cli):
    data = f'{{"ImageId": "{world.LAUNCHED}"}}'
    cli("ec2", "create-launch-template", "--launch-template-name", "rolled", "--launch-template-data", data)
    made = cli(
        *("ec2", "create-launch-template-version", "--launch-template-name", "rolled"),
        *("--source-version", "$Latest", "--launch-template-data", f'{{"ImageId": "{world.OWN}"}}'),
    ).json
    number = str(made["LaunchTemplateVersion"]["VersionNumber"])
    cli("ec2", "modify-launch-template", "--launch-template-name", "rolled", "--default-version", number)
    launched = cli("ec2", "run-instances", "--launch-template", "LaunchTemplateName=rolled").json
    assert launched["Instances"][0]["ImageId"] == world.OWN
    deleted = cli("ec2", "delete-launch-template-versions", "--launch-template-name", "rolled", "--versions", "1").json
    assert deleted["SuccessfullyDeletedLaunchTemplateVersions"][0]["VersionNumber"] == 1


TEMPLATES = {
    "Effect": "Allow",
    "Action": ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:ResourceTag/owner": "us"}},
}
CREATE = {
    "Effect": "Allow",
    "Action": "ec2:CreateLaunchTemplate",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:RequestTag/owner": "us"}},
}
TAG = {
    "Effect": "Allow",
    "Action": "ec2:CreateTags",
    "Resource": f"arn:aws:ec2:{world.HOME}:{world.OURS.id}:launch-template/*",
    "Condition": {"StringEquals": {"ec2:CreateAction": "CreateLaunchTemplate"}},
}


@pytest.mark.sim(
    iam={"policies": {world.OURS.key: [{"Version": "2012-10-17", "Statement": [TEMPLATES, CREATE, TAG]}]}},
    knobs={"maxReadLagSeconds": 0},
)
def test_a_policy_is_about_the_template_and_its_tags(sim, ec2):
    data = {"LaunchTemplateData": {"ImageId": world.OWN}}
    with refused("UnauthorizedOperation", status=403):
        ec2.create_launch_template(LaunchTemplateName="mine", **data)
    ec2.create_launch_template(LaunchTemplateName="mine", TagSpecifications=tagged(owner="us"), **data)
    ec2.create_launch_template_version(LaunchTemplateName="mine", **data)
    ec2.modify_launch_template(LaunchTemplateName="mine", DefaultVersion="2")
    with refused("UnauthorizedOperation", status=403) as seen:
        ec2.create_launch_template_version(LaunchTemplateName="web", **data)
    assert f":launch-template/{world.TEMPLATE}" in seen.message
    assert sim.policies()["unused"] == []
