"""Request buckets for each account, region and action, and the limits on concurrent copies.

Sizes are those of ec2-api-throttling.
"""

import pytest
from botocore.exceptions import ClientError

from support import world
from support.expect import eventually, refusal, refused
from support.images import copy
from support.marks import STILL, while_time_stands_still

SIZES = {
    "create_image": (50, {"InstanceId": "i-0123456789abcdef0", "Name": "none"}),
    "copy_image": (100, {"SourceImageId": "ami-0123456789abcdef0", "SourceRegion": world.HOME, "Name": "none"}),
    "disable_image_deprecation": (50, {"ImageId": world.OWN}),
    "enable_image_deregistration_protection": (50, {"ImageId": world.OWN}),
    "deregister_image": (100, {"ImageId": "ami-0123456789abcdef0"}),
    "delete_snapshot": (100, {"SnapshotId": "snap-0123456789abcdef0"}),
    "describe_images": (100, {"ImageIds": [world.OWN]}),
    "describe_instances": (50, {}),
    "run_instances": (5, {"ImageId": "ami-0123456789abcdef0", "MinCount": 1, "MaxCount": 1}),
    "start_instances": (5, {"InstanceIds": ["i-0123456789abcdef0"]}),
    "stop_instances": (50, {"InstanceIds": ["i-0123456789abcdef0"]}),
    "terminate_instances": (100, {"InstanceIds": ["i-0123456789abcdef0"]}),
    "describe_instance_status": (50, {}),
    "describe_subnets": (100, {}),
    "create_launch_template_version": (
        100,
        {"LaunchTemplateName": "none", "LaunchTemplateData": {"ImageId": world.OWN}},
    ),
    "create_tags": (100, {"Resources": [world.OWN], "Tags": [{"Key": "k", "Value": "v"}]}),
    "delete_tags": (100, {"Resources": [world.OWN], "Tags": [{"Key": "k"}]}),
}


def attempt(ec2, call, arguments):
    """True where the bucket had a token, whatever became of the call."""
    try:
        getattr(ec2, call)(**arguments)
    except ClientError as error:
        seen = refusal(error)
        if seen.code == "RequestLimitExceeded":
            assert seen.message == "Request limit exceeded."
            assert seen.status == 503
            return False
    return True


def exhaust(ec2, call, arguments, most):
    """How many calls the bucket allowed until it refused one."""
    for number in range(most):
        if not attempt(ec2, call, arguments):
            return number
    raise AssertionError(f"{most} calls of {call} and no limit")


@while_time_stands_still
@pytest.mark.parametrize("call", SIZES)
def test_a_bucket_has_its_size(ec2, call):
    size, arguments = SIZES[call]
    assert exhaust(ec2, call, arguments, 2 * size) == size


@pytest.mark.sim(speed=30)
def test_a_bucket_fills_again(ec2):
    """One token a second: a minute is two seconds here."""
    size, arguments = SIZES["copy_image"]
    exhaust(ec2, "copy_image", arguments, 40 * size)
    eventually(lambda: attempt(ec2, "copy_image", arguments), "a token")


@while_time_stands_still
def test_buckets_are_apart_by_action_region_and_account(aws, ec2):
    size, arguments = SIZES["copy_image"]
    exhaust(ec2, "copy_image", arguments, 4 * size)
    assert attempt(ec2, "deregister_image", SIZES["deregister_image"][1])
    assert attempt(aws(region=world.EUROPE), "copy_image", arguments)
    assert attempt(aws(account=world.OTHER), "copy_image", arguments)
    assert not attempt(ec2, "copy_image", arguments)


@pytest.mark.sim(speed=1)
def test_botocores_own_retries_get_through(aws, ec2):
    """A client with retries sees no error; the bucket fills while it waits."""
    size, arguments = SIZES["create_image"]
    patient = aws(attempts=8)
    exhaust(ec2, "create_image", arguments, 8 * size)
    for _ in range(10):
        with refused("InvalidInstanceID.NotFound"):
            patient.create_image(**arguments)


def copies_accepted(ec2, most):
    """How many copies were accepted, and what the first one was refused with."""
    for number in range(most):
        try:
            ec2.copy_image(SourceImageId=world.LAUNCHED, SourceRegion=world.HOME, Name=f"copy-{number}")
        except ClientError as error:
            return number, refusal(error)
    raise AssertionError(f"{most} copies at a time and no limit")


@while_time_stands_still
def test_twenty_snapshots_are_copied_at_a_time_into_one_region(aws):
    """ebs-resource-quotas for the number, aws-samples/copy-encrypted-ami#3 for the text."""
    accepted, refusal_seen = copies_accepted(aws(region=world.TOKYO), 30)
    assert accepted == 20
    assert refusal_seen.code == "ResourceLimitExceeded"
    assert refusal_seen.status == 400
    expected = "Too many snapshot copies in progress. The limit is 20 for this destination region."
    assert refusal_seen.message == expected
    # Another region has a limit of its own.
    aws(region=world.EUROPE).copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="elsewhere")


@pytest.mark.sim(speed=STILL, knobs={"concurrentSnapshotCopies": None, "requestBuckets": False})
def test_three_hundred_images_are_copied_at_a_time_into_one_region(aws):
    """how-ami-copy-works; the text is not known."""
    accepted, refusal_seen = copies_accepted(aws(region=world.TOKYO), 310)
    assert accepted == 300
    assert refusal_seen.code == "ResourceLimitExceeded"
    assert refusal_seen.status == 400


@pytest.mark.sim(knobs={"concurrentImageCopies": 1, "maxReadLagSeconds": 0})
def test_a_copy_that_is_done_makes_room_for_the_next(ec2):
    for number in range(3):
        copy(ec2, world.LAUNCHED, world.HOME, f"copy-{number}")
