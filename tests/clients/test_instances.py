"""DescribeInstances: what a capture reads before it begins."""

import pytest

from support import world
from support.expect import refused


def instances(answer):
    """The instances of all reservations, by id."""
    return {one["InstanceId"]: one for reservation in answer["Reservations"] for one in reservation["Instances"]}


def test_instances_are_shown_with_state_image_and_volumes(ec2):
    web = instances(ec2.describe_instances(InstanceIds=[world.WEB]))[world.WEB]
    assert web["State"] == {"Code": 16, "Name": "running"}
    assert web["ImageId"] == world.PUBLIC
    assert web["RootDeviceType"] == "ebs"
    devices = [mapping["DeviceName"] for mapping in web["BlockDeviceMappings"]]
    assert web["RootDeviceName"] in devices
    assert len(devices) == 2
    assert all(mapping["Ebs"]["VolumeId"].startswith("vol-") for mapping in web["BlockDeviceMappings"])
    stopped = instances(ec2.describe_instances(InstanceIds=[world.STOPPED]))[world.STOPPED]
    assert stopped["State"] == {"Code": 80, "Name": "stopped"}


def test_a_reservation_names_its_owner(ec2):
    (reservation,) = ec2.describe_instances(InstanceIds=[world.WEB])["Reservations"]
    assert reservation["OwnerId"] == world.OURS.id
    assert reservation["ReservationId"].startswith("r-")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("instance-state-name", ["stopped"], {world.STOPPED, world.SECRET}),
        ("instance-state-name", ["running", "pending"], {world.WEB, world.ORPHAN, world.STARTING}),
        ("instance-id", [world.WEB], {world.WEB}),
        ("image-id", [world.LAUNCHED], {world.ORPHAN}),
        ("tag:Name", ["web"], {world.WEB}),
        ("tag:Name", ["w*"], {world.WEB}),
        ("tag-key", ["Name"], {world.WEB}),
        ("tag:name", ["web"], set()),
    ],
)
def test_filters_choose_instances(ec2, name, values, expected):
    answer = ec2.describe_instances(Filters=[{"Name": name, "Values": values}])
    assert set(instances(answer)) == expected


def test_another_accounts_instances_are_not_there(aws):
    other = aws(account=world.OTHER)
    assert instances(other.describe_instances()) == {}
    with refused("InvalidInstanceID.NotFound", f"The instance ID '{world.WEB}' does not exist"):
        other.describe_instances(InstanceIds=[world.WEB])


def test_an_id_of_the_wrong_form_is_malformed(ec2):
    with refused("InvalidInstanceID.Malformed"):
        ec2.describe_instances(InstanceIds=["instance-1"])


def test_fewer_than_five_a_page_are_refused(ec2):
    """The reference, section 1.8: the lower bound that the model does not have."""
    with refused(
        "InvalidParameterValue",
        "Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5.",
    ):
        ec2.describe_instances(MaxResults=3)


def test_a_page_size_and_ids_exclude_each_other(ec2):
    """Model, DescribeInstances: "You cannot specify this parameter and the instance IDs"."""
    with refused("InvalidParameterCombination"):
        ec2.describe_instances(InstanceIds=[world.WEB], MaxResults=5)
