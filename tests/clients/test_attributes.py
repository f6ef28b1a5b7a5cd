"""ModifyImageAttribute, DescribeImageAttribute, ResetImageAttribute."""

from support import world
from support.expect import refused
from support.images import image_of
from support.marks import while_time_stands_still

PARTNER = world.OTHER.id


def permissions(ec2, image=world.OWN):
    """Who may launch an image."""
    return ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")["LaunchPermissions"]


def share(ec2, image=world.OWN, **more):
    """Changes who may launch an image."""
    ec2.modify_image_attribute(ImageId=image, LaunchPermission=more)


def test_sharing_lets_the_other_account_see_the_image(aws, ec2):
    share(ec2, Add=[{"UserId": PARTNER}])
    assert permissions(ec2) == [{"UserId": PARTNER}]
    theirs = aws(account=world.OTHER)
    assert image_of(theirs, world.OWN)["OwnerId"] == world.OURS.id
    share(ec2, Remove=[{"UserId": PARTNER}])
    assert permissions(ec2) == []
    with refused("InvalidAMIID.NotFound"):
        theirs.describe_images(ImageIds=[world.OWN])


def test_add_and_remove_in_one_call(ec2):
    share(ec2, Add=[{"UserId": PARTNER}])
    share(ec2, Add=[{"UserId": world.NOBODY.id}], Remove=[{"UserId": PARTNER}])
    assert permissions(ec2) == [{"UserId": world.NOBODY.id}]


def test_the_old_style_is_the_same_call(ec2):
    old = {"ImageId": world.OWN, "Attribute": "launchPermission", "UserIds": [PARTNER]}
    ec2.modify_image_attribute(OperationType="add", **old)
    assert permissions(ec2) == [{"UserId": PARTNER}]
    ec2.modify_image_attribute(OperationType="remove", **old)
    assert permissions(ec2) == []
    ec2.modify_image_attribute(ImageId=world.OWN, Attribute="description", Value="old style")
    assert image_of(ec2, world.OWN)["Description"] == "old style"


def test_reset_takes_all_permissions_back(ec2):
    share(ec2, Add=[{"UserId": PARTNER}])
    ec2.reset_image_attribute(ImageId=world.OWN, Attribute="launchPermission")
    assert permissions(ec2) == []


def test_a_description(ec2):
    ec2.modify_image_attribute(ImageId=world.OWN, Description={"Value": "new"})
    answer = ec2.describe_image_attribute(ImageId=world.OWN, Attribute="description")
    assert (answer["ImageId"], answer["Description"]) == (world.OWN, {"Value": "new"})


def test_imds_support_is_set_for_good(ec2):
    def shown():
        answer = ec2.describe_image_attribute(ImageId=world.OWN, Attribute="imdsSupport")
        return answer["ImdsSupport"].get("Value"), image_of(ec2, world.OWN).get("ImdsSupport")

    assert shown() == (None, None)
    ec2.modify_image_attribute(ImageId=world.OWN, ImdsSupport={"Value": "v2.0"})
    ec2.modify_image_attribute(ImageId=world.OWN, Attribute="imdsSupport", Value="v2.0")
    assert shown() == ("v2.0", "v2.0")
    for back in ("", "v1.0"):
        with refused():
            ec2.modify_image_attribute(ImageId=world.OWN, ImdsSupport={"Value": back})


def test_making_an_image_public_is_blocked(ec2):
    """block-public-access-to-amis: on by default."""
    text = (
        "You can’t publicly share this image because block public access for AMIs is enabled for this account. "
        "To publicly share the image, you must call the DisableImageBlockPublicAccess API."
    )
    with refused("OperationNotPermitted", text):
        share(ec2, Add=[{"Group": "all"}])


def test_what_is_under_the_aws_managed_key_is_not_shared(ec2):
    text = "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot."
    with refused("InvalidParameter", text):
        share(ec2, world.ENCRYPTED, Add=[{"UserId": PARTNER}])


@while_time_stands_still
def test_a_pending_image_cannot_be_changed(ec2):
    image = ec2.create_image(InstanceId=world.STOPPED, Name="web-1")["ImageId"]
    text = f"The AMI ID '{image}' is currently pending and may not be used for this operation"
    with refused("InvalidAMIID.Unavailable", text):
        share(ec2, image, Add=[{"UserId": PARTNER}])


def test_anothers_image_cannot_be_changed(ec2):
    with refused("AuthFailure", status=None):
        share(ec2, world.PUBLIC, Add=[{"UserId": PARTNER}])


def test_the_mapping_is_no_attribute(ec2):
    """Model: "Using it returns Client.AuthFailure"."""
    with refused("AuthFailure", status=None):
        ec2.describe_image_attribute(ImageId=world.OWN, Attribute="blockDeviceMapping")
