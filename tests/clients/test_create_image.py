"""CreateImage: what an image is made of, whom it remembers, and what it refuses."""

import pytest

from support import world
from support.expect import accepted, refused, wait
from support.images import capture, image_of, snapshot_of, snapshots_of, specification, tags_of
from support.marks import while_time_stands_still


def test_an_image_of_a_running_instance_becomes_available(ec2):
    image = image_of(ec2, capture(ec2, world.WEB, "web-1", Description="the first"))
    assert image["State"] == "available"
    assert image["Name"] == "web-1"
    assert image["Description"] == "the first"
    assert image["OwnerId"] == world.OURS.id
    assert image["ImageLocation"] == f"{world.OURS.id}/web-1"
    assert image["Public"] is False
    assert image["RootDeviceType"] == "ebs"
    assert image["VirtualizationType"] == "hvm"
    assert "StateReason" not in image


def test_an_image_of_a_stopped_instance_becomes_available(ec2):
    assert image_of(ec2, capture(ec2, world.STOPPED, "stopped-1"))["State"] == "available"


@while_time_stands_still
def test_a_new_image_is_pending(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    assert image_of(ec2, image)["State"] == "pending"


def test_every_volume_has_a_snapshot_of_its_own(ec2):
    image = image_of(ec2, capture(ec2, world.WEB, "web-1"))
    snapshots = [snapshot_of(ec2, snapshot) for snapshot in snapshots_of(image)]
    assert len({snapshot["SnapshotId"] for snapshot in snapshots}) == 2
    (instance,) = ec2.describe_instances(InstanceIds=[world.WEB])["Reservations"][0]["Instances"]
    volumes = {mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"]}
    assert {snapshot["VolumeId"] for snapshot in snapshots} == volumes
    for snapshot in snapshots:
        assert snapshot["OwnerId"] == world.OURS.id
        assert snapshot["State"] == "completed"
        assert snapshot["Progress"] == "100%"
    sizes = {mapping["Ebs"]["SnapshotId"]: mapping["Ebs"]["VolumeSize"] for mapping in image["BlockDeviceMappings"]}
    assert sizes == {snapshot["SnapshotId"]: snapshot["VolumeSize"] for snapshot in snapshots}


def test_the_snapshot_says_what_made_it(ec2):
    """deregister-ami: `Created by CreateImage(i-…) for ami-…`."""
    image = image_of(ec2, capture(ec2, world.STOPPED, "stopped-1"))
    (snapshot,) = snapshots_of(image)
    described = snapshot_of(ec2, snapshot)["Description"]
    assert described == f"Created by CreateImage({world.STOPPED}) for {image['ImageId']}"


def test_a_capture_remembers_the_instance_and_the_image_it_was_launched_from(ec2):
    """ec2-ancestry: CreateImage sets SourceInstanceId and SourceImageId, so neither means a copy."""
    image = image_of(ec2, capture(ec2, world.WEB, "web-1"))
    assert image["SourceInstanceId"] == world.WEB
    assert image["SourceImageId"] == world.PUBLIC
    assert image["SourceImageRegion"] == world.HOME


def test_the_snapshot_of_an_encrypted_volume_is_encrypted(ec2):
    image = image_of(ec2, capture(ec2, world.SECRET, "secret-1"))
    (snapshot,) = snapshots_of(image)
    described = snapshot_of(ec2, snapshot)
    assert described["Encrypted"] is True
    assert described["KmsKeyId"].startswith(f"arn:aws:kms:{world.HOME}:{world.OURS.id}:key/")
    assert image["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_tags_in_the_call_are_on_image_and_snapshots(ec2):
    tags = [specification("image", team="web", empty=""), specification("snapshot", part="yes")]
    image = image_of(ec2, ec2.create_image(InstanceId=world.WEB, Name="web-1", TagSpecifications=tags)["ImageId"])
    assert tags_of(image) == {"team": "web", "empty": ""}
    wait(ec2, "image_available", ImageIds=[image["ImageId"]])
    image = image_of(ec2, image["ImageId"])
    assert [tags_of(snapshot_of(ec2, snapshot)) for snapshot in snapshots_of(image)] == [{"part": "yes"}] * 2


def test_the_instances_tags_are_not_on_the_image(ec2):
    assert tags_of(image_of(ec2, capture(ec2, world.WEB, "web-1"))) == {}


@pytest.mark.parametrize("kind", ["instance", "volume"])
def test_other_things_cannot_be_tagged_by_the_call(ec2, kind):
    """Model, CreateImage: "If you specify other values for ResourceType, the request fails"."""
    with refused("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."):
        ec2.create_image(InstanceId=world.WEB, Name="web-1", TagSpecifications=[specification(kind, a="b")])
    assert ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["web-1"]}])["Images"] == []


def test_a_name_in_use_is_a_duplicate_that_names_the_image(ec2):
    image = capture(ec2, world.WEB, "web-1")
    with refused("InvalidAMIName.Duplicate", f"AMI name web-1 is already in use by AMI {image}"):
        ec2.create_image(InstanceId=world.STOPPED, Name="web-1")


def test_a_name_may_be_used_again_in_another_account_or_another_case(ec2):
    capture(ec2, world.WEB, "web-1")
    capture(ec2, world.WEB, "Web-1")


@while_time_stands_still
def test_the_name_of_a_pending_image_is_in_use(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    with refused("InvalidAMIName.Duplicate", f"AMI name web-1 is already in use by AMI {image}"):
        ec2.create_image(InstanceId=world.WEB, Name="web-1")


@while_time_stands_still
def test_the_name_of_a_deregistered_image_is_held_for_a_while(ec2):
    """errors-overview: "allow enough time for the change to propagate"."""
    ec2.deregister_image(ImageId=world.OWN)
    with refused("InvalidAMIName.Duplicate"):
        ec2.create_image(InstanceId=world.STOPPED, Name="own")


def test_the_name_of_a_deregistered_image_is_free_in_the_end(ec2):
    ec2.deregister_image(ImageId=world.OWN)
    answer = accepted(lambda: ec2.create_image(InstanceId=world.STOPPED, Name="own"), "InvalidAMIName.Duplicate")
    assert answer["ImageId"] != world.OWN


@pytest.mark.parametrize("name", ["no*star", "no#hash", "naïve"])
def test_a_name_with_other_characters_is_malformed(ec2, name):
    with refused("InvalidAMIName.Malformed"):
        ec2.create_image(InstanceId=world.WEB, Name=name)


@pytest.mark.parametrize("name", ["ab", "n" * 129])
def test_a_name_too_short_or_too_long_is_malformed(aws, name):
    """botocore would not send it: its own check of the length is off here."""
    with refused("InvalidAMIName.Malformed"):
        aws(validate=False).create_image(InstanceId=world.WEB, Name=name)


@pytest.mark.parametrize("name", ["abc", "n" * 128, "My server", "a(b)[c] d./-'@_9"])
def test_every_documented_character_may_be_in_a_name(ec2, name):
    """Model, CreateImage: parentheses, square brackets, spaces, `.` `/` `-` `'` `@` `_`."""
    assert image_of(ec2, ec2.create_image(InstanceId=world.WEB, Name=name)["ImageId"])["Name"] == name


def test_an_instance_that_is_neither_running_nor_stopped_is_refused(ec2):
    with refused(
        "InvalidParameterValue",
        f"Invalid value '{world.STARTING}' for instanceId. Instance is not in state 'running' or 'stopped'",
    ):
        ec2.create_image(InstanceId=world.STARTING, Name="too-early")


def test_an_instance_that_is_not_there_is_not_found(ec2):
    with refused("InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"):
        ec2.create_image(InstanceId="i-0123456789abcdef0", Name="nothing")


def test_another_accounts_instance_is_not_found(aws):
    with refused("InvalidInstanceID.NotFound", f"The instance ID '{world.WEB}' does not exist"):
        aws(account=world.OTHER).create_image(InstanceId=world.WEB, Name="theirs")


def test_an_instance_id_of_the_wrong_form_is_malformed(ec2):
    with refused("InvalidInstanceID.Malformed"):
        ec2.create_image(InstanceId="web", Name="nothing")


def test_a_device_can_be_left_out(ec2):
    """Model, CreateImage: `NoDevice` with an empty string drops the device."""
    (instance,) = ec2.describe_instances(InstanceIds=[world.WEB])["Reservations"][0]["Instances"]
    (data,) = {mapping["DeviceName"] for mapping in instance["BlockDeviceMappings"]} - {instance["RootDeviceName"]}
    mapping = [{"DeviceName": data, "NoDevice": ""}]
    image = image_of(ec2, capture(ec2, world.WEB, "root-only", BlockDeviceMappings=mapping))
    assert [one["DeviceName"] for one in image["BlockDeviceMappings"]] == [instance["RootDeviceName"]]
    assert len(snapshots_of(image)) == 1


@pytest.mark.parametrize("change", [{"Encrypted": True}, {"VolumeSize": 99}], ids=lambda change: next(iter(change)))
def test_a_volume_that_is_there_cannot_be_changed(ec2, change):
    """Model, CreateImage: "The only option that can be changed … is DeleteOnTermination"."""
    with refused():
        ec2.create_image(
            InstanceId=world.STOPPED,
            Name="changed",
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": change}],
        )


def test_deletion_on_termination_can_be_changed(ec2):
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}]
    image = image_of(ec2, capture(ec2, world.STOPPED, "kept", BlockDeviceMappings=mapping))
    assert image["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"] is False


@while_time_stands_still
def test_a_running_instance_is_captured_once_at_a_time_without_reboot(ec2):
    """errors-overview."""
    ec2.create_image(InstanceId=world.WEB, Name="web-1", NoReboot=True)
    with refused("ConcurrentCreateImageNoRebootLimitExceeded"):
        ec2.create_image(InstanceId=world.WEB, Name="web-2", NoReboot=True)


def test_a_description_is_at_most_255_characters_long(aws):
    ec2 = aws(validate=False)
    with refused():
        ec2.create_image(InstanceId=world.WEB, Name="web-1", Description="d" * 256)
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1", Description="d" * 255)["ImageId"]
    assert image_of(ec2, image)["Description"] == "d" * 255
