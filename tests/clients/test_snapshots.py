"""DescribeSnapshots and DeleteSnapshot."""

import pytest

from support import world
from support.expect import accepted, eventually, refused, wait
from support.images import capture, image_of, snapshot_of, snapshots_of, specification
from support.marks import while_time_stands_still


def ids(answer):
    """The ids of an answer."""
    return {snapshot["SnapshotId"] for snapshot in answer["Snapshots"]}


def test_self_is_the_own_account(ec2):
    found = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert {snapshot["OwnerId"] for snapshot in found} == {world.OURS.id}
    assert world.snapshot(world.OWN) in ids({"Snapshots": found})


def test_a_snapshot_shared_with_us_is_visible(ec2):
    assert world.snapshot(world.SHARED) in ids(ec2.describe_snapshots())
    assert world.snapshot(world.CLOSED) not in ids(ec2.describe_snapshots())


def test_an_id_we_may_not_see_is_left_out_without_an_error(ec2):
    """Model, DescribeSnapshots: "it is not included in the returned results"."""
    asked = [world.snapshot(world.OWN), world.snapshot(world.PRIVATE)]
    assert ids(ec2.describe_snapshots(SnapshotIds=asked)) == {world.snapshot(world.OWN)}


def test_an_id_that_was_never_there_is_not_found(ec2):
    with refused("InvalidSnapshot.NotFound"):
        ec2.describe_snapshots(SnapshotIds=["snap-0123456789abcdef0"])


def test_a_page_size_and_ids_exclude_each_other(ec2):
    with refused("InvalidParameterCombination"):
        ec2.describe_snapshots(SnapshotIds=[world.snapshot(world.OWN)], MaxResults=5)


@while_time_stands_still
def test_a_snapshot_of_a_pending_image_is_pending(ec2):
    ec2.create_image(InstanceId=world.STOPPED, Name="web-1", TagSpecifications=[specification("snapshot", new="yes")])
    filters = [{"Name": "tag:new", "Values": ["yes"]}]
    (snapshot,) = eventually(
        lambda: ec2.describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"], "the snapshot is shown"
    )
    assert snapshot["State"] == "pending"
    assert snapshot["Progress"] != "100%"


def test_the_waiter_sees_a_snapshot_completed(ec2):
    ec2.create_image(InstanceId=world.STOPPED, Name="web-1", TagSpecifications=[specification("snapshot", new="yes")])
    filters = [{"Name": "tag:new", "Values": ["yes"]}]
    wait(ec2, "snapshot_completed", OwnerIds=["self"], Filters=filters)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("snapshot-id", [world.snapshot(world.OWN)], {world.snapshot(world.OWN)}),
        ("encrypted", ["true"], {world.snapshot(world.ENCRYPTED)}),
        ("status", ["pending", "error"], set()),
        ("tag:part", ["root"], {world.snapshot(world.OWN)}),
        ("tag-key", ["part"], {world.snapshot(world.OWN)}),
        ("owner-id", [world.OTHER.id], set()),
        ("description", ["root of o*"], {world.snapshot(world.OWN)}),
    ],
)
def test_filters_choose_snapshots(ec2, name, values, expected):
    answer = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": name, "Values": values}])
    assert ids(answer) == expected


def test_a_snapshot_of_an_image_is_in_use(ec2):
    for snapshot in snapshots_of(image_of(ec2, world.OWN)):
        with refused("InvalidSnapshot.InUse", f"The snapshot {snapshot} is currently in use by {world.OWN}"):
            ec2.delete_snapshot(SnapshotId=snapshot)
        assert snapshot_of(ec2, snapshot)["State"] == "completed"


def test_a_snapshot_can_be_deleted_once_its_image_is_gone(ec2):
    """boto/boto#3019: for a while after DeregisterImage it is still in use by the image just gone."""
    image = capture(ec2, world.STOPPED, "stopped-1")
    (snapshot,) = snapshots_of(image_of(ec2, image))
    ec2.deregister_image(ImageId=image)
    accepted(lambda: ec2.delete_snapshot(SnapshotId=snapshot), "InvalidSnapshot.InUse")

    def gone():
        return snapshot not in ids(ec2.describe_snapshots(OwnerIds=["self"]))

    eventually(gone, "the snapshot is gone")
    with refused("InvalidSnapshot.NotFound"):
        ec2.delete_snapshot(SnapshotId=snapshot)


def test_a_snapshot_that_was_never_there_is_not_found(ec2):
    with refused("InvalidSnapshot.NotFound"):
        ec2.delete_snapshot(SnapshotId="snap-0123456789abcdef0")


def test_another_accounts_snapshot_cannot_be_deleted(aws, ec2):
    """The code is not known; that the snapshot stays is what counts."""
    with refused(status=None):
        ec2.delete_snapshot(SnapshotId=world.snapshot(world.SHARED))
    other = aws(account=world.OTHER)
    assert snapshot_of(other, world.snapshot(world.SHARED))["State"] == "completed"


def test_a_snapshot_tells_how_much_was_written(ec2):
    assert snapshot_of(ec2, world.LOOSE_SNAPSHOT)["FullSnapshotSizeInBytes"] == 2**30
