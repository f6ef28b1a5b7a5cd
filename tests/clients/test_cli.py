"""The AWS CLI (version 1): every call, errors and exit codes, paging, and AWS's own examples."""

import json

import pytest

from support import world
from support.expect import DRY_RUN
from support.marks import at_great_length, in_great_number

SNAPSHOT = world.snapshot(world.OWN)


def refused_by(ran, operation, code, message=None):
    """The CLI's line for an error of the service, and its exit code."""
    assert ran.code in (254, 255)
    assert f"An error occurred ({code}) when calling the {operation} operation" in ran.stderr
    if message is not None:
        assert message in ran.stderr


def test_describe_regions(cli):
    names = cli("ec2", "describe-regions", "--query", "Regions[].RegionName").json
    assert world.HOME in names
    assert world.NOT_OPTED_IN not in names


def test_describe_instances(cli):
    ran = cli(
        "ec2", "describe-instances", "--filters", "Name=tag:Name,Values=web", "Name=instance-state-name,Values=running"
    )
    (reservation,) = ran.json["Reservations"]
    assert [instance["InstanceId"] for instance in reservation["Instances"]] == [world.WEB]


def test_describe_images(cli):
    ran = cli(*("ec2", "describe-images", "--owners", "self", "--filters", "Name=name,Values=ow*"))
    (image,) = ran.json["Images"]
    assert image["ImageId"] == world.OWN
    assert image["State"] == "available"


def test_describe_snapshots(cli):
    ran = cli("ec2", "describe-snapshots", "--owner-ids", "self", "--snapshot-ids", SNAPSHOT)
    (snapshot,) = ran.json["Snapshots"]
    assert snapshot["State"] == "completed"


def test_get_caller_identity(cli):
    assert cli("sts", "get-caller-identity").json["Account"] == world.OURS.id
    assert cli("sts", "get-caller-identity", account=world.OTHER).json["Account"] == world.OTHER.id


def test_assume_role(cli):
    ran = cli("sts", "assume-role", "--role-arn", world.OTHER_ROLE, "--role-session-name", "visit")
    assert ran.json["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{world.OTHER.id}:assumed-role/")
    assert ran.json["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_the_course_command_captures_an_instance(cli):
    """AWS's course command as it stands; then the waiter and the image."""
    ran = cli("ec2", "create-image", "--instance-id", world.WEB, "--name", "Our_Base_Image-2018-09-17")
    image = ran.json["ImageId"]
    waited = cli("ec2", "wait", "image-available", "--image-ids", image)
    assert (waited.code, waited.stdout) == (0, "")
    (shown,) = cli("ec2", "describe-images", "--image-ids", image).json["Images"]
    assert shown["Name"] == "Our_Base_Image-2018-09-17"
    assert shown["State"] == "available"


def test_the_course_command_copies_an_image_to_tokyo(cli):
    """AWS's course command as it stands: `--region` names the destination."""
    ran = cli(
        *("ec2", "copy-image", "--source-image-id", world.OWN, "--source-region", "us-east-1"),
        *("--region", "ap-northeast-1", "--name", "My server"),
    )
    image = ran.json["ImageId"]
    waited = cli("ec2", "wait", "image-available", "--image-ids", image, "--region", "ap-northeast-1")
    assert (waited.code, waited.stdout) == (0, "")
    (shown,) = cli("ec2", "describe-images", "--image-ids", image, "--region", "ap-northeast-1").json["Images"]
    assert shown["Name"] == "My server"
    refused_by(cli("ec2", "describe-images", "--image-ids", image), "DescribeImages", "InvalidAMIID.NotFound")


def test_the_course_command_registers_an_image(cli):
    """AWS's course command as it stands; EC2's defaults for what it leaves out are old."""
    mapping = f"DeviceName=/dev/sda1,Ebs={{SnapshotId={world.LOOSE_SNAPSHOT}}}"
    ran = cli(
        *("ec2", "register-image", "--block-device-mappings", mapping),
        *("--root-device-name", "/dev/sda1", "--name", "MyImage"),
    )
    image = ran.json["ImageId"]
    waited = cli("ec2", "wait", "image-available", "--image-ids", image)
    assert (waited.code, waited.stdout) == (0, "")
    (shown,) = cli("ec2", "describe-images", "--image-ids", image).json["Images"]
    assert shown["Name"] == "MyImage"
    assert shown["State"] == "available"
    assert shown["RootDeviceName"] == "/dev/sda1"
    assert [device["Ebs"]["SnapshotId"] for device in shown["BlockDeviceMappings"]] == [world.LOOSE_SNAPSHOT]
    assert (shown["Architecture"], shown["VirtualizationType"]) == ("i386", "paravirtual")


@pytest.mark.parametrize("name", ["My server", "web 1 (gold) [a]/b.c-d'e@f_g"])
def test_a_name_with_spaces_is_found_as_it_is(cli, name):
    mapping = json.dumps([{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": world.LOOSE_SNAPSHOT}}])
    ran = cli(
        *("ec2", "register-image", "--block-device-mappings", mapping),
        *("--root-device-name", "/dev/sda1", "--name", name),
    )
    image = ran.json["ImageId"]
    assert cli("ec2", "wait", "image-exists", "--image-ids", image).code == 0
    (shown,) = cli("ec2", "describe-images", "--image-ids", image).json["Images"]
    assert shown["Name"] == name


def test_describe_image_references(cli):
    """The user guide's own command (UG ec2-ami-references), of other images."""
    ran = cli(
        *("ec2", "describe-image-references", "--image-ids", world.OWN, world.PUBLIC, "--resource-types"),
        "ResourceType=ec2:Instance,ResourceTypeOptions=[{OptionName=state-name,OptionValues=[pending]}]",
        "ResourceType=ec2:LaunchTemplate,ResourceTypeOptions=[{OptionName=version-depth,OptionValues=[20]}]",
        *("ResourceType=ssm:Parameter", "ResourceType=imagebuilder:ImageRecipe"),
    )
    found = {(one["ImageId"], one["ResourceType"], one["Arn"].rpartition("/")[2]) for one in ran.json["ImageReferences"]}
    assert found == {
        (world.PUBLIC, "ec2:Instance", world.STARTING),
        (world.OWN, "ec2:LaunchTemplate", world.TEMPLATE),
        (world.OWN, "ssm:Parameter", "web"),
    }


def test_describe_tags(cli):
    ran = cli("ec2", "describe-tags", "--filters", f"Name=resource-id,Values={world.OWN}", "Name=key,Values=te*")
    assert ran.json["Tags"] == [{"Key": "team", "ResourceId": world.OWN, "ResourceType": "image", "Value": "base"}]


def test_launch_permissions_in_either_style(cli):
    def shared():
        ran = cli("ec2", "describe-image-attribute", "--image-id", world.OWN, "--attribute", "launchPermission")
        return [one["UserId"] for one in ran.json["LaunchPermissions"]]

    change = ("ec2", "modify-image-attribute", "--image-id", world.OWN)
    assert cli(*change, "--launch-permission", f"Add=[{{UserId={world.OTHER.id}}}]").json is None
    assert shared() == [world.OTHER.id]
    old = (*change, "--attribute", "launchPermission", "--operation-type", "remove", "--user-ids", world.OTHER.id)
    assert cli(*old).json is None
    assert shared() == []
    assert cli(*change, "--description", "by hand").json is None
    ran = cli("ec2", "describe-image-attribute", "--image-id", world.OWN, "--attribute", "description")
    assert ran.json["Description"] == {"Value": "by hand"}
    assert cli(*("ec2", "reset-image-attribute", "--image-id", world.OWN, "--attribute", "launchPermission")).code == 0


def test_get_parameter(cli):
    ran = cli("ssm", "get-parameter", "--name", world.PUBLIC_PARAMETER, "--query", "Parameter.Value")
    assert ran.json == world.PUBLIC
    ran = cli("ssm", "get-parameter", "--name", "/golden/none")
    refused_by(ran, "GetParameter", "ParameterNotFound")


def test_put_parameter(cli):
    put = ("ssm", "put-parameter", "--type", "String", "--name", "/web/name")
    ran = cli(*put, "--value", "web-1", "--tags", "Key=team,Value=web")
    assert ran.json == {"Version": 1, "Tier": "Standard"}
    refused_by(cli(*put, "--value", "web-2"), "PutParameter", "ParameterAlreadyExists")
    assert cli(*put, "--value", "web-2", "--overwrite").json["Version"] == 2
    ran = cli("ssm", "get-parameter", "--name", "/web/name", "--query", "Parameter.Value")
    assert ran.json == "web-2"
    tags = ("--resource-type", "Parameter", "--resource-id", "/web/name")
    assert cli("ssm", "list-tags-for-resource", *tags).json == {"TagList": [{"Key": "team", "Value": "web"}]}
    assert cli("ssm", "delete-parameter", "--name", "/web/name").code == 0


def test_deprecation_and_protection(cli):
    """The commands of the AWS CLI's own examples, of another image and another year."""
    image = ("--image-id", world.OWN)
    ran = cli("ec2", "enable-image-deprecation", *image, "--deprecate-at", "2031-10-15T13:17:12.000Z")
    assert ran.json == {"Return": True}
    ran = cli("ec2", "enable-image-deregistration-protection", *image)
    assert ran.json == {"Return": "enabled-without-cooldown"}
    (shown,) = cli("ec2", "describe-images", "--image-ids", world.OWN).json["Images"]
    assert shown["DeprecationTime"] == "2031-10-15T13:17:00.000Z"
    assert shown["DeregistrationProtection"] == "enabled-without-cooldown"
    ran = cli("ec2", "disable-image-deregistration-protection", *image)
    assert ran.json == {"Return": "disabled"}
    assert cli("ec2", "disable-image-deprecation", *image).json == {"Return": True}
    assert cli("ec2", "modify-image-attribute", *image, "--imds-support", "v2.0").json is None
    ran = cli("ec2", "describe-image-attribute", *image, "--attribute", "imdsSupport")
    assert ran.json["ImdsSupport"] == {"Value": "v2.0"}


@at_great_length
def test_a_waiter_that_gives_up_exits_with_255(cli):
    image = cli("ec2", "create-image", "--instance-id", world.WEB, "--name", "web-1").json["ImageId"]
    ran = cli("ec2", "wait", "image-available", "--image-ids", image, attempts=2)
    assert ran.code == 255
    assert "Waiter ImageAvailable failed: Max attempts exceeded" in ran.stderr


@pytest.mark.sim(knobs={"failedCopiesPerMille": 1000})
def test_a_waiter_for_an_image_that_fails_exits_with_255(cli):
    ran = cli("ec2", "copy-image", "--source-image-id", world.OWN, "--source-region", world.HOME, "--name", "late")
    ran = cli("ec2", "wait", "image-available", "--image-ids", ran.json["ImageId"])
    assert ran.code == 255
    assert "Waiter ImageAvailable failed: Waiter encountered a terminal failure state" in ran.stderr


def test_create_image_with_tags_and_without_reboot(cli):
    ran = cli(
        *("ec2", "create-image", "--instance-id", world.WEB, "--name", "web-1", "--no-reboot"),
        *("--description", "as it runs"),
        *("--tag-specifications", "ResourceType=image,Tags=[{Key=team,Value=web}]"),
        "ResourceType=snapshot,Tags=[{Key=team,Value=web}]",
    )
    image = ran.json["ImageId"]
    assert cli("ec2", "wait", "image-exists", "--image-ids", image).code == 0
    (shown,) = cli("ec2", "describe-images", "--image-ids", image).json["Images"]
    assert shown["Tags"] == [{"Key": "team", "Value": "web"}]
    assert shown["Description"] == "as it runs"
    tagged = cli("ec2", "describe-snapshots", "--filters", "Name=tag:team,Values=web").json["Snapshots"]
    assert len(tagged) == 2
    ids = [snapshot["SnapshotId"] for snapshot in tagged]
    assert cli("ec2", "wait", "snapshot-completed", "--snapshot-ids", *ids).code == 0


def test_copy_image_with_a_token_answers_the_same_image(cli):
    call = (
        *("ec2", "copy-image", "--source-image-id", world.OWN, "--source-region", world.HOME),
        *("--name", "own-copy", "--client-token", "t-1", "--copy-image-tags", "--region", world.EUROPE),
    )
    assert cli(*call).json == cli(*call).json
    other = cli(*call, "--description", "another")
    refused_by(other, "CopyImage", "IdempotentParameterMismatch")


def test_deregister_image_and_delete_snapshot(cli):
    in_use = cli("ec2", "delete-snapshot", "--snapshot-id", SNAPSHOT)
    refused_by(in_use, "DeleteSnapshot", "InvalidSnapshot.InUse", f"is currently in use by {world.OWN}")
    ran = cli("ec2", "deregister-image", "--image-id", world.OWN, "--delete-associated-snapshots")
    assert ran.json["Return"] is True
    assert {one["ReturnCode"] for one in ran.json["DeleteSnapshotResults"]} == {"success"}
    assert cli("ec2", "delete-snapshot", "--snapshot-id", world.LOOSE_SNAPSHOT).json is None


def test_create_tags_and_delete_tags(cli):
    def tags():
        (image,) = cli("ec2", "describe-images", "--image-ids", world.OWN).json["Images"]
        return {tag["Key"]: tag["Value"] for tag in image.get("Tags", [])}

    assert cli("ec2", "create-tags", "--resources", world.OWN, "--tags", "Key=new,Value=yes").json is None
    assert tags() == {**world.OWN_TAGS, "new": "yes"}
    assert cli("ec2", "delete-tags", "--resources", world.OWN, "--tags", "Key=new").json is None
    assert tags() == world.OWN_TAGS
    assert cli("ec2", "delete-tags", "--resources", world.OWN).json is None
    assert tags() == {}


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("DescribeRegions", ["describe-regions"]),
        ("DescribeInstances", ["describe-instances"]),
        ("DescribeImages", ["describe-images", "--owners", "self"]),
        ("DescribeSnapshots", ["describe-snapshots", "--owner-ids", "self"]),
        ("CreateImage", ["create-image", "--instance-id", world.WEB, "--name", "dry"]),
        (
            "CopyImage",
            ["copy-image", "--source-image-id", world.OWN, "--source-region", world.HOME, "--name", "dry"],
        ),
        ("DeregisterImage", ["deregister-image", "--image-id", world.OWN]),
        ("DeleteSnapshot", ["delete-snapshot", "--snapshot-id", world.LOOSE_SNAPSHOT]),
        ("CreateTags", ["create-tags", "--resources", world.OWN, "--tags", "Key=dry,Value=run"]),
        ("DeleteTags", ["delete-tags", "--resources", world.OWN]),
    ],
)
def test_a_dry_run_would_have_succeeded(cli, operation, arguments):
    refused_by(cli("ec2", *arguments, "--dry-run"), operation, "DryRunOperation", DRY_RUN)


@pytest.mark.parametrize(
    ("operation", "arguments", "code", "message"),
    [
        (
            "DescribeImages",
            ["describe-images", "--image-ids", "ami-0123456789abcdef0"],
            "InvalidAMIID.NotFound",
            "The image id '[ami-0123456789abcdef0]' does not exist",
        ),
        (
            "DescribeImages",
            ["describe-images", "--image-ids", "image-1"],
            "InvalidAMIID.Malformed",
            'Invalid id: "image-1" (expecting "ami-...")',
        ),
        (
            "CreateImage",
            ["create-image", "--instance-id", "i-0123456789abcdef0", "--name", "none"],
            "InvalidInstanceID.NotFound",
            "The instance ID 'i-0123456789abcdef0' does not exist",
        ),
        (
            "CopyImage",
            ["copy-image", "--source-image-id", world.CLOSED, "--source-region", world.HOME, "--name", "none"],
            "InvalidRequest",
            "You do not have permission to access the storage of this ami",
        ),
        ("DescribeAddresses", ["describe-addresses"], "InvalidAction", None),
    ],
)
def test_an_error_is_shown_as_ec2_words_it(cli, operation, arguments, code, message):
    refused_by(cli("ec2", *arguments), operation, code, message)


def test_a_region_that_is_not_enabled_is_an_auth_failure(cli):
    ran = cli("ec2", "describe-images", "--owners", "self", region=world.NOT_OPTED_IN)
    refused_by(ran, "DescribeImages", "AuthFailure", "AWS was not able to validate the provided access credentials")


@in_great_number
def test_small_pages_give_the_whole_list(cli, ec2):
    for number in range(12):
        ec2.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name=f"crowd-{number}")
    ran = cli(
        *("ec2", "describe-snapshots", "--owner-ids", "self", "--page-size", "5", "--query", "Snapshots[].SnapshotId")
    )
    everything = {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert sorted(ran.json) == sorted(everything)
    first = cli("ec2", "describe-images", "--owners", "self", "--max-items", "4", "--page-size", "5").json
    assert len(first["Images"]) == 4
    rest = cli("ec2", "describe-images", "--owners", "self", "--starting-token", first["NextToken"]).json
    assert len(first["Images"]) + len(rest["Images"]) == 15


def test_a_page_size_and_ids_exclude_each_other(cli):
    ran = cli("ec2", "describe-images", "--image-ids", world.OWN, "--max-results", "5")
    refused_by(ran, "DescribeImages", "InvalidParameterCombination")


def test_text_and_table_can_be_read_too(cli):
    ran = cli("ec2", "describe-images", "--owners", "self", "--output", "table")
    assert ran.code == 0
    assert world.OWN in ran.stdout
    ran = cli(
        "ec2", "describe-images", "--image-ids", world.OWN, "--query", "Images[0].[ImageId,State]", "--output", "text"
    )
    assert ran.stdout.split() == [world.OWN, "available"]


def test_input_from_a_file_is_the_same_call(cli, tmp_path):
    path = tmp_path / "copy.json"
    path.write_text(json.dumps({"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "from-file"}))
    ran = cli("ec2", "copy-image", "--cli-input-json", f"file://{path}")
    assert ran.json["ImageId"].startswith("ami-")
