"""The Recycle Bin, in a region where retention rules keep images and snapshots."""

import pytest

from support import world
from support.expect import eventually, refused
from support.images import copy, image_of, snapshot_of, snapshots_of, specification, tags_of


@pytest.fixture
def tokyo(aws):
    """EC2 where the rules are."""
    return aws(region=world.TOKYO)


@pytest.fixture
def binned(tokyo):
    """An image that was deregistered, and its snapshots, which were deleted."""
    image = copy(
        tokyo, world.LAUNCHED, world.HOME, "binned", Description="back soon",
        TagSpecifications=[specification("image", team="base")],
    )
    snapshots = snapshots_of(image_of(tokyo, image))
    tokyo.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    return image, snapshots


def test_a_deregistered_image_is_listed(tokyo, binned):
    image, snapshots = binned
    (found,) = tokyo.list_images_in_recycle_bin()["Images"]
    assert (found["ImageId"], found["Name"], found["Description"]) == (image, "binned", "back soon")
    assert (found["RecycleBinExitTime"] - found["RecycleBinEnterTime"]).days == 7
    listed = tokyo.list_snapshots_in_recycle_bin(SnapshotIds=snapshots)["Snapshots"]
    assert [snapshot["SnapshotId"] for snapshot in listed] == snapshots


def test_an_image_is_restored_after_its_snapshots(tokyo, binned):
    image, snapshots = binned
    with refused():
        tokyo.restore_image_from_recycle_bin(ImageId=image)
    for snapshot in snapshots:
        answer = tokyo.restore_snapshot_from_recycle_bin(SnapshotId=snapshot)
        assert (answer["SnapshotId"], answer["State"]) == (snapshot, "recovering")
        assert snapshot_of(tokyo, snapshot)["State"] == "completed"
    assert tokyo.restore_image_from_recycle_bin(ImageId=image)["Return"] is True

    def available():
        return image_of(tokyo, image)["State"] == "available"

    eventually(available, "it is there again")
    assert tags_of(image_of(tokyo, image)) == {"team": "base"}
    assert tokyo.list_images_in_recycle_bin()["Images"] == []


def test_the_cli_lists_the_bin(cli, binned):
    listed = cli("ec2", "list-images-in-recycle-bin", region=world.TOKYO).json
    assert [image["ImageId"] for image in listed["Images"]] == [binned[0]]


def test_where_no_rule_is_nothing_is_kept(ec2):
    ec2.deregister_image(ImageId=world.OWN, DeleteAssociatedSnapshots=True)
    assert ec2.list_images_in_recycle_bin()["Images"] == []
    with refused():
        ec2.restore_image_from_recycle_bin(ImageId=world.OWN)
