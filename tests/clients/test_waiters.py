"""botocore's waiters for images and snapshots, which half the world relies on."""

import pytest
from botocore.exceptions import WaiterError

from support import world
from support.expect import INTERVAL, wait
from support.images import image_of, snapshots_of, specification
from support.marks import while_time_stands_still


def test_image_exists_waits_through_not_found(ec2):
    """Its acceptors retry on InvalidAMIID.NotFound."""
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    wait(ec2, "image_exists", ImageIds=[image])
    assert image_of(ec2, image)["ImageId"] == image


def test_image_available_waits_for_every_image(ec2):
    images = [ec2.create_image(InstanceId=world.WEB, Name=f"web-{number}")["ImageId"] for number in range(3)]
    wait(ec2, "image_exists", ImageIds=images)
    wait(ec2, "image_available", ImageIds=images)
    assert {image_of(ec2, image)["State"] for image in images} == {"available"}


def test_image_available_ends_at_an_image_that_is_not_there(ec2):
    """No acceptor names an error: the first one ends the waiter."""
    with pytest.raises(WaiterError, match="InvalidAMIID.NotFound"):
        wait(ec2, "image_available", ImageIds=["ami-0123456789abcdef0"])


@while_time_stands_still
def test_image_available_gives_up_on_an_image_that_stays_pending(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    wait(ec2, "image_exists", ImageIds=[image])
    with pytest.raises(WaiterError, match="Max attempts exceeded"):
        ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": INTERVAL, "MaxAttempts": 3})


def test_snapshot_completed_waits_for_the_snapshots_of_a_copy(aws):
    europe = aws(region=world.EUROPE)
    europe.copy_image(
        SourceImageId=world.OWN,
        SourceRegion=world.HOME,
        Name="own-copy",
        TagSpecifications=[specification("snapshot", of="copy")],
    )
    wait(europe, "snapshot_completed", OwnerIds=["self"], Filters=[{"Name": "tag:of", "Values": ["copy"]}])


def test_an_available_image_has_completed_snapshots(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    wait(ec2, "image_exists", ImageIds=[image])
    wait(ec2, "image_available", ImageIds=[image])
    snapshots = snapshots_of(image_of(ec2, image))
    assert len(snapshots) == 2
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=snapshots, WaiterConfig={"Delay": INTERVAL, "MaxAttempts": 1})
