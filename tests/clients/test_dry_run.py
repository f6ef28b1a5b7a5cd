"""DryRun: every call says that it would have succeeded, and does nothing."""

import pytest

from support import world
from support.expect import DRY_RUN, refused

OWN_SNAPSHOT = world.snapshot(world.OWN)

CALLS = {
    "describe_regions": {},
    "describe_availability_zones": {},
    "describe_instance_status": {},
    "describe_instance_type_offerings": {},
    "describe_key_pairs": {},
    "describe_security_groups": {},
    "describe_subnets": {},
    "describe_volumes": {},
    "describe_vpcs": {},
    "get_console_output": {"InstanceId": world.WEB},
    "describe_instance_attribute": {"InstanceId": world.WEB, "Attribute": "userData"},
    "modify_instance_attribute": {"InstanceId": world.WEB, "DisableApiTermination": {"Value": True}},
    "start_instances": {"InstanceIds": [world.STOPPED]},
    "stop_instances": {"InstanceIds": [world.WEB]},
    "terminate_instances": {"InstanceIds": [world.WEB]},
    "describe_instances": {},
    "describe_images": {"Owners": ["self"]},
    "describe_image_attribute": {"ImageId": world.OWN, "Attribute": "description"},
    "describe_image_references": {"ImageIds": [world.OWN], "IncludeAllResourceTypes": True},
    "describe_snapshots": {"OwnerIds": ["self"]},
    "describe_tags": {},
    "create_image": {"InstanceId": world.WEB, "Name": "dry"},
    "copy_image": {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "dry"},
    "register_image": {
        "Name": "dry",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": world.LOOSE_SNAPSHOT}}],
    },
    "modify_image_attribute": {"ImageId": world.OWN, "Description": {"Value": "dry"}},
    "reset_image_attribute": {"ImageId": world.OWN, "Attribute": "launchPermission"},
    "enable_image_deprecation": {"ImageId": world.OWN, "DeprecateAt": "2031-01-01T00:00:00Z"},
    "disable_image_deprecation": {"ImageId": world.OWN},
    "enable_image_deregistration_protection": {"ImageId": world.OWN},
    "disable_image_deregistration_protection": {"ImageId": world.OWN},
    "deregister_image": {"ImageId": world.OWN},
    "delete_snapshot": {"SnapshotId": world.LOOSE_SNAPSHOT},
    "create_tags": {"Resources": [world.OWN], "Tags": [{"Key": "dry", "Value": "run"}]},
    "delete_tags": {"Resources": [world.OWN]},
}


def everything(ec2):
    """What an account can see of its own."""
    images = ec2.describe_images(Owners=["self"])["Images"]
    snapshots = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    instances = ec2.describe_instances()["Reservations"]
    return (
        sorted(images, key=lambda image: image["ImageId"]),
        sorted(snapshots, key=lambda snapshot: snapshot["SnapshotId"]),
        sorted(instances, key=lambda reservation: reservation["ReservationId"]),
    )


@pytest.mark.parametrize("call", CALLS)
def test_a_dry_run_says_so_and_changes_nothing(ec2, call):
    """412 is what moto answers; botocore does not care, and AWS's own status is not documented."""
    before = everything(ec2)
    with refused("DryRunOperation", DRY_RUN, status=412):
        getattr(ec2, call)(DryRun=True, **CALLS[call])
    assert everything(ec2) == before


def test_a_dry_run_does_not_use_up_a_token(ec2):
    call = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "ClientToken": "t-1"}
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.copy_image(DryRun=True, Name="dry", **call)
    assert ec2.copy_image(Name="wet", **call)["ImageId"].startswith("ami-")


def test_a_dry_run_does_not_take_a_name(ec2):
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.create_image(DryRun=True, InstanceId=world.WEB, Name="dry")
    assert ec2.create_image(InstanceId=world.WEB, Name="dry")["ImageId"].startswith("ami-")


def test_a_dry_run_of_a_stranger_is_an_auth_failure(aws):
    with refused("AuthFailure", status=401):
        aws(account=world.NOBODY).describe_images(DryRun=True)


def test_dry_run_false_is_no_dry_run(ec2):
    assert ec2.deregister_image(DryRun=False, ImageId=world.OWN)["Return"] is True
