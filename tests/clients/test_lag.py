"""Reads that lag behind writes ("Eventual consistency" in the EC2 Developer Guide)."""

import pytest
from botocore.exceptions import ClientError

from support import world
from support.expect import refusal, wait
from support.images import image_of, tags_of
from support.marks import STILL


@pytest.mark.sim(speed=STILL, knobs={"maxReadLagSeconds": 3600})
def test_an_image_may_not_be_found_right_after_its_creation(ec2):
    """ansible-collections/amazon.aws#1321, coreos/mantle#1092: reading and tagging alike."""
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    for call in (
        lambda: ec2.describe_images(ImageIds=[image]),
        lambda: ec2.create_tags(Resources=[image], Tags=[{"Key": "early", "Value": "yes"}]),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert refusal(caught.value).code == "InvalidAMIID.NotFound"
    listed = [one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]]
    assert image not in listed


@pytest.mark.sim(knobs={"maxReadLagSeconds": 3600})
def test_image_exists_bridges_the_lag(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    wait(ec2, "image_exists", ImageIds=[image])


@pytest.mark.sim(speed=STILL, knobs={"maxReadLagSeconds": 3600})
def test_old_tags_may_be_read_for_a_while(ec2):
    """Using_Tags: "might remain visible … for a short period"."""
    ec2.delete_tags(Resources=[world.OWN])
    assert tags_of(image_of(ec2, world.OWN)) == world.OWN_TAGS


@pytest.mark.sim(speed=STILL, knobs={"maxReadLagSeconds": 3600})
def test_writes_do_not_lag(ec2):
    """A name is taken at once, though no read shows the image yet."""
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    with pytest.raises(ClientError) as caught:
        ec2.create_image(InstanceId=world.STOPPED, Name="web-1")
    assert refusal(caught.value).message == f"AMI name web-1 is already in use by AMI {image}"
