"""EnableFastLaunch, DisableFastLaunch, DescribeFastLaunchImages."""

from support import world
from support.expect import eventually, refused
from support.images import await_image


def _windows(ec2):
    """An image of ours that is Windows."""
    mapping = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": world.LOOSE_SNAPSHOT}}
    image = ec2.register_image(
        Name="windows",
        RootDeviceName="/dev/sda1",
        Architecture="x86_64",
        VirtualizationType="hvm",
        BlockDeviceMappings=[mapping],
    )["ImageId"]
    await_image(ec2, image)
    return image


def _state(ec2, image):
    found = ec2.describe_fast_launch_images(ImageIds=[image])["FastLaunchImages"]
    return found[0]["State"] if found else None


def _made(ec2):
    filters = [{"Name": "tag:CreatedBy", "Values": ["EC2 Fast Launch"]}]
    return ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]


def test_it_is_enabled_and_disabled(ec2):
    image = _windows(ec2)
    settings = {"SnapshotConfiguration": {"TargetResourceCount": 2}, "MaxParallelLaunches": 6}
    answer = ec2.enable_fast_launch(ImageId=image, ResourceType="snapshot", **settings)
    assert (answer["State"], answer["OwnerId"]) == ("enabling", world.OURS.id)
    assert answer["SnapshotConfiguration"] == {"TargetResourceCount": 2}
    eventually(lambda: _state(ec2, image) == "enabled", "it is enabled")
    eventually(lambda: len(_made(ec2)) == 2, "its snapshots are there")
    assert ec2.disable_fast_launch(ImageId=image)["State"] == "disabling"
    eventually(lambda: _state(ec2, image) is None, "it is disabled")
    eventually(lambda: not _made(ec2), "its snapshots are removed")


def test_the_cli_lists_it(cli, ec2):
    image = _windows(ec2)
    enabled = cli("ec2", "enable-fast-launch", "--image-id", image, "--max-parallel-launches", "6")
    assert enabled.json["StateTransitionReason"] == "Client.UserInitiated"
    (found,) = cli("ec2", "describe-fast-launch-images").json["FastLaunchImages"]
    assert found["ImageId"] == image


def test_it_is_for_windows_with_six_parallel_launches_at_least(ec2):
    """The codes are not known."""
    with refused():
        ec2.enable_fast_launch(ImageId=world.OWN, MaxParallelLaunches=6)
    image = _windows(ec2)
    with refused():
        ec2.enable_fast_launch(ImageId=image, MaxParallelLaunches=5)
