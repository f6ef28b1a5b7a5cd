"""DeregisterImage, and how a deregistered id goes (model, DescribeImages and DeregisterImage)."""

import pytest
from botocore.exceptions import ClientError

from support import world
from support.expect import accepted, eventually, refusal, refused
from support.images import capture, image_of, snapshot_of, snapshots_of
from support.marks import at_great_length, while_time_stands_still


def fate(ec2, image):
    """How EC2 shows the id now: a state, `empty`, or the code of an error."""
    try:
        found = ec2.describe_images(ImageIds=[image])["Images"]
    except ClientError as error:
        return refusal(error).code
    return found[0]["State"] if found else "empty"


def test_the_answer_is_true_and_the_image_goes(ec2):
    assert ec2.deregister_image(ImageId=world.OWN)["Return"] is True
    eventually(lambda: world.OWN not in [i["ImageId"] for i in ec2.describe_images(Owners=["self"])["Images"]], "gone")


@while_time_stands_still
def test_the_image_is_listed_for_a_short_interval(ec2):
    """ "Recently deregistered images appear in the returned results for a short interval"."""
    ec2.deregister_image(ImageId=world.OWN)
    assert fate(ec2, world.OWN) in ("available", "deregistered")


def test_an_image_without_instances_is_not_found_in_the_end(ec2):
    ec2.deregister_image(ImageId=world.OWN)
    eventually(lambda: fate(ec2, world.OWN) == "InvalidAMIID.NotFound", "not found")
    with refused("InvalidAMIID.NotFound", f"The image id '[{world.OWN}]' does not exist"):
        ec2.describe_images(ImageIds=[world.OWN])


def test_the_id_of_an_image_with_instances_is_empty_without_an_error(ec2):
    """ "… and then return empty results", as long as an instance refers to the image."""
    ec2.deregister_image(ImageId=world.LAUNCHED)
    eventually(lambda: fate(ec2, world.LAUNCHED) == "empty", "empty")
    seen = {fate(ec2, world.LAUNCHED) for _ in range(20)}
    assert seen == {"empty"}


def test_an_image_cannot_be_deregistered_twice(ec2):
    """Gone, whatever the code: `.Unavailable` ("is no longer available") or `.NotFound`."""
    ec2.deregister_image(ImageId=world.OWN)
    with refused() as seen:
        ec2.deregister_image(ImageId=world.OWN)
    assert seen.code in ("InvalidAMIID.Unavailable", "InvalidAMIID.NotFound")
    if seen.code == "InvalidAMIID.Unavailable":
        assert seen.message == f"The image ID '{world.OWN}' is no longer available"


def test_a_deregistered_image_cannot_be_copied(aws, ec2):
    ec2.deregister_image(ImageId=world.OWN)
    with refused() as seen:
        aws(region=world.EUROPE).copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="late")
    assert seen.code in ("InvalidAMIID.Unavailable", "InvalidAMIID.NotFound")


def test_the_snapshots_stay(ec2):
    snapshots = snapshots_of(image_of(ec2, world.OWN))
    ec2.deregister_image(ImageId=world.OWN)
    eventually(lambda: fate(ec2, world.OWN) == "InvalidAMIID.NotFound", "not found")
    for snapshot in snapshots:
        assert snapshot_of(ec2, snapshot)["State"] == "completed"


def test_the_snapshots_can_go_with_the_image(ec2):
    snapshots = snapshots_of(image_of(ec2, world.OWN))
    answer = ec2.deregister_image(ImageId=world.OWN, DeleteAssociatedSnapshots=True)
    assert {result["SnapshotId"]: result["ReturnCode"] for result in answer["DeleteSnapshotResults"]} == {
        snapshot: "success" for snapshot in snapshots
    }
    left = [{"Name": "snapshot-id", "Values": snapshots}]
    eventually(lambda: not ec2.describe_snapshots(Filters=left)["Snapshots"], "the snapshots are gone")


def test_a_snapshot_of_several_images_stays(aws):
    """Model, DeregisterImage: "it won't be deleted even if specified for deletion"."""
    europe = aws(region=world.EUROPE, account=world.OTHER)
    first, second = world.TWINS
    answer = europe.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)
    shared = {"SnapshotId": world.TWINS_SNAPSHOT, "ReturnCode": "skipped"}
    assert answer["DeleteSnapshotResults"] == [shared]
    eventually(lambda: fate(europe, first) == "InvalidAMIID.NotFound", "not found")
    assert snapshot_of(europe, world.TWINS_SNAPSHOT)["State"] == "completed"
    answer = europe.deregister_image(ImageId=second, DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{**shared, "ReturnCode": "success"}]


@while_time_stands_still
def test_a_pending_image_can_be_deregistered(ec2):
    """CopyingAMIs: stopping a pending copy is deregistering its image."""
    image = ec2.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="stopped")["ImageId"]
    assert image_of(ec2, image)["State"] == "pending"
    assert ec2.deregister_image(ImageId=image)["Return"] is True


@at_great_length
def test_a_stopped_copy_never_becomes_available(ec2):
    image = ec2.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="stopped")["ImageId"]
    assert image_of(ec2, image)["State"] == "pending"
    accepted(lambda: ec2.deregister_image(ImageId=image), "InvalidAMIID.NotFound")
    eventually(lambda: fate(ec2, image) == "InvalidAMIID.NotFound", "not found")


def test_a_copy_outlives_its_source(aws, ec2):
    europe = aws(region=world.EUROPE)
    source = capture(ec2, world.STOPPED, "stopped-1")
    image = europe.copy_image(SourceImageId=source, SourceRegion=world.HOME, Name="stopped-1")["ImageId"]
    eventually(lambda: fate(europe, image) == "available", "available")
    ec2.deregister_image(ImageId=source, DeleteAssociatedSnapshots=True)
    eventually(lambda: fate(ec2, source) == "InvalidAMIID.NotFound", "not found")
    assert fate(europe, image) == "available"
    assert image_of(europe, image)["SourceImageId"] == source


def test_an_image_that_was_never_there_is_not_found(ec2):
    missing = "ami-0123456789abcdef0"
    with refused("InvalidAMIID.NotFound", f"The image id '[{missing}]' does not exist"):
        ec2.deregister_image(ImageId=missing)


def test_an_id_of_the_wrong_form_is_malformed(ec2):
    with refused("InvalidAMIID.Malformed", 'Invalid id: "image-1" (expecting "ami-...")'):
        ec2.deregister_image(ImageId="image-1")


@pytest.mark.parametrize("image", [world.PUBLIC, world.SHARED])
def test_another_accounts_image_cannot_be_deregistered(aws, ec2, image):
    """The code is not known; that the image stays is what counts."""
    with refused(status=None):
        ec2.deregister_image(ImageId=image)
    assert image_of(aws(account=world.OTHER), image)["State"] == "available"


def test_another_accounts_private_image_is_not_found(ec2):
    with refused("InvalidAMIID.NotFound"):
        ec2.deregister_image(ImageId=world.PRIVATE)
