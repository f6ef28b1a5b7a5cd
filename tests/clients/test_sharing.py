"""Sharing with organizations, snapshot permissions, and block public access."""

from support import world
from support.expect import eventually, refused
from support.images import image_of, snapshot_of

PARTNER = world.OTHER.id


def launchers(ec2, image=world.OWN):
    """Who may launch an image."""
    return ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]


def users(ec2, snapshot):
    """Who may use a snapshot."""
    asked = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    return ec2.describe_snapshot_attribute(**asked)["CreateVolumePermissions"]


def test_one_call_grants_and_takes_back_organizations_and_units(ec2):
    organization, unit = {"OrganizationArn": world.ORGANIZATION}, {"OrganizationalUnitArn": world.UNIT}
    ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission={"Add": [organization, {"UserId": PARTNER}]})
    assert launchers(ec2) == [{"UserId": PARTNER}, organization]
    change = {"Add": [unit], "Remove": [organization, {"UserId": PARTNER}]}
    ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission=change)
    assert launchers(ec2) == [unit]
    ec2.reset_image_attribute(ImageId=world.OWN, Attribute="launchPermission")
    assert launchers(ec2) == []


def test_the_cli_shares_with_an_organization_in_the_old_style(cli):
    named = ["--image-id", world.OWN, "--attribute", "launchPermission", "--organization-arns", world.ORGANIZATION]
    assert cli("ec2", "modify-image-attribute", *named, "--operation-type", "add").code == 0
    answer = cli("ec2", "describe-image-attribute", "--image-id", world.OWN, "--attribute", "launchPermission")
    assert answer.json["LaunchPermissions"] == [{"OrganizationArn": world.ORGANIZATION}]


def test_an_organization_is_named_by_its_whole_arn(ec2):
    """hashicorp/packer-plugin-amazon#156."""
    id = world.ORGANIZATION.rpartition("/")[2]
    text = f'Invalid attribute item value "{id}" for OrganizationArn item type.'
    with refused("InvalidAMIAttributeItemValue", text):
        ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission={"Add": [{"OrganizationArn": id}]})


def test_a_member_sees_what_is_shared_with_its_unit(aws, ec2):
    ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission={"Add": [{"OrganizationalUnitArn": world.UNIT}]})
    assert image_of(aws(account=world.OTHER), world.OWN)["OwnerId"] == world.OURS.id
    with refused("InvalidAMIID.NotFound"):
        aws(account=world.STRANGER).describe_images(ImageIds=[world.OWN])
    theirs = aws(account=world.OTHER).describe_images(ExecutableUsers=["self"])["Images"]
    assert world.OWN in {image["ImageId"] for image in theirs}
    ours = ec2.describe_images(ExecutableUsers=[PARTNER])["Images"]
    assert world.OWN not in {image["ImageId"] for image in ours}


def test_a_snapshot_is_shared_and_no_longer(aws, ec2):
    snapshot = world.snapshot(world.OWN)
    permission = [{"UserId": PARTNER}]
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Add": permission})
    assert users(ec2, snapshot) == permission
    assert snapshot_of(aws(account=world.OTHER), snapshot)["OwnerId"] == world.OURS.id
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="remove", UserIds=[PARTNER])
    assert users(ec2, snapshot) == []
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", GroupNames=["all"])
    assert users(ec2, snapshot) == [{"Group": "all"}]
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    assert users(ec2, snapshot) == []


def test_the_cli_shares_a_snapshot(cli):
    named = ["--snapshot-id", world.LOOSE_SNAPSHOT, "--attribute", "createVolumePermission"]
    added = cli("ec2", "modify-snapshot-attribute", *named, "--operation-type", "add", "--user-ids", PARTNER)
    assert added.code == 0, added.stderr
    answer = cli("ec2", "describe-snapshot-attribute", *named).json
    assert answer["CreateVolumePermissions"] == [{"UserId": PARTNER}]


def test_a_snapshot_under_the_aws_managed_key_is_not_shared(ec2):
    text = "Encrypted snapshots with EBS default key cannot be shared"
    snapshot = world.snapshot(world.ENCRYPTED)
    with refused("OperationNotPermitted", text):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType="add", UserIds=[PARTNER])


def test_a_call_adds_or_removes_users_of_a_snapshot(ec2):
    """Model: "you cannot do both in a single operation". The code is not known."""
    both = {"Add": [{"UserId": PARTNER}], "Remove": [{"Group": "all"}]}
    with refused():
        ec2.modify_snapshot_attribute(SnapshotId=world.snapshot(world.OWN), CreateVolumePermission=both)


def test_block_public_access_is_turned_off_and_on(ec2):
    def state():
        answer = ec2.get_image_block_public_access_state()
        assert answer["ManagedBy"] == "account"
        return answer["ImageBlockPublicAccessState"]

    assert state() == "block-new-sharing"
    off = ec2.disable_image_block_public_access()
    assert off["ImageBlockPublicAccessState"] == "unblocked"
    eventually(lambda: state() == "unblocked", "it is off")
    ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission={"Add": [{"Group": "all"}]})
    assert image_of(ec2, world.OWN)["Public"] is True
    on = ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    assert on["ImageBlockPublicAccessState"] == "block-new-sharing"
    eventually(lambda: state() == "block-new-sharing", "it is on")
    assert launchers(ec2) == [{"Group": "all"}]
