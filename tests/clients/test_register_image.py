"""RegisterImage: over a snapshot that is there already."""

import pytest

from support import world
from support.expect import eventually, refused
from support.images import await_image, image_of, snapshots_of, specification, tags_of
from support.marks import while_time_stands_still

ROOT = "/dev/sda1"


def over(snapshot, **more):
    """The mapping of a root device."""
    return [{"DeviceName": ROOT, "Ebs": {"SnapshotId": snapshot, **more}}]


def register(ec2, name="registered", snapshot=world.LOOSE_SNAPSHOT, **more):
    """RegisterImage with the least that it takes."""
    more = {"RootDeviceName": ROOT, "BlockDeviceMappings": over(snapshot), **more}
    return ec2.register_image(Name=name, **more)["ImageId"]


def test_an_image_of_today_is_described_as_it_was_registered(ec2):
    image = register(
        ec2,
        Architecture="x86_64",
        VirtualizationType="hvm",
        BootMode="uefi-preferred",
        EnaSupport=True,
        ImdsSupport="v2.0",
        Description="by hand",
        BlockDeviceMappings=over(world.LOOSE_SNAPSHOT, DeleteOnTermination=True, VolumeType="gp3", VolumeSize=30),
        TagSpecifications=[specification("image", team="web")],
    )
    await_image(ec2, image)
    shown = image_of(ec2, image)
    assert {name: shown[name] for name in ("Architecture", "VirtualizationType", "BootMode", "EnaSupport")} == {
        "Architecture": "x86_64",
        "VirtualizationType": "hvm",
        "BootMode": "uefi-preferred",
        "EnaSupport": True,
    }
    assert shown["ImdsSupport"] == "v2.0"
    assert (shown["Description"], shown["RootDeviceName"], shown["RootDeviceType"]) == ("by hand", ROOT, "ebs")
    (device,) = shown["BlockDeviceMappings"]
    assert device["Ebs"] == {
        "DeleteOnTermination": True,
        "SnapshotId": world.LOOSE_SNAPSHOT,
        "VolumeSize": 30,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    assert tags_of(shown) == {"team": "web"}
    assert not {"SourceImageId", "SourceImageRegion", "SourceInstanceId"} & set(shown)


def test_billing_comes_from_the_snapshot(ec2):
    windows = image_of(ec2, register(ec2, "windows"))
    assert (windows["PlatformDetails"], windows["UsageOperation"]) == ("Windows", "RunInstances:0002")
    assert windows["Platform"] == "windows"
    linux = image_of(ec2, register(ec2, "linux", world.snapshot(world.OWN)))
    assert (linux["PlatformDetails"], linux["UsageOperation"]) == ("Linux/UNIX", "RunInstances")
    assert "Platform" not in linux


def test_a_name_is_unique(ec2):
    image = register(ec2)
    duplicate = f"AMI name registered is already in use by AMI {image}"
    with refused("InvalidAMIName.Duplicate", duplicate):
        register(ec2)
    with refused("InvalidAMIName.Duplicate", duplicate):
        ec2.create_image(InstanceId=world.STOPPED, Name="registered")


def test_several_images_share_a_snapshot(ec2):
    images = {register(ec2, f"image-{number}") for number in range(3)}
    filters = [{"Name": "block-device-mapping.snapshot-id", "Values": [world.LOOSE_SNAPSHOT]}]

    def found():
        return {image["ImageId"] for image in ec2.describe_images(Owners=["self"], Filters=filters)["Images"]}

    eventually(lambda: found() == images, "all three are listed")


def test_only_the_image_is_tagged(ec2):
    text = "'snapshot' is not a valid taggable resource type for this operation."
    with refused("InvalidParameterValue", text):
        register(ec2, TagSpecifications=[specification("image", a="1"), specification("snapshot", a="1")])


def test_encryption_is_not_for_a_snapshot(ec2):
    with refused():
        register(ec2, BlockDeviceMappings=over(world.LOOSE_SNAPSHOT, Encrypted=True))


@pytest.mark.parametrize("snapshot", ["snap-0123456789abcdef0", world.snapshot(world.PRIVATE)])
def test_a_snapshot_that_we_do_not_see_is_not_found(ec2, snapshot):
    with refused("InvalidSnapshot.NotFound"):
        register(ec2, snapshot=snapshot)


@while_time_stands_still
def test_an_unfinished_snapshot_is_refused(ec2):
    image = ec2.create_image(InstanceId=world.STOPPED, Name="web-1")["ImageId"]
    (snapshot,) = snapshots_of(image_of(ec2, image))
    with refused():
        register(ec2, snapshot=snapshot)
