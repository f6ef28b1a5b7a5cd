"""EnableImageDeregistrationProtection and DisableImageDeregistrationProtection.

The values are those of the AWS CLI's own examples; the words of a cooldown are those that
ekristen/aws-nuke looks for. What DeregisterImage answers for a protected image is not known.
"""

from support import world
from support.expect import refused
from support.images import image_of

DAY = 24 * 3600


def protection(ec2):
    """What DescribeImages and DescribeImageAttribute show, which is the same."""
    answer = ec2.describe_image_attribute(ImageId=world.OWN, Attribute="deregistrationProtection")
    shown = image_of(ec2, world.OWN)["DeregistrationProtection"]
    assert answer["DeregistrationProtection"] == {"Value": shown}
    return shown


def enable(ec2, **more):
    """Answers with what it becomes."""
    return ec2.enable_image_deregistration_protection(ImageId=world.OWN, **more)["Return"]


def disable(ec2):
    """The same."""
    return ec2.disable_image_deregistration_protection(ImageId=world.OWN)["Return"]


def test_no_image_is_protected_at_first(ec2):
    assert protection(ec2) == "disabled"
    assert disable(ec2) == "disabled"


def test_a_protected_image_goes_once_its_protection_is_disabled(ec2):
    for _ in range(2):
        assert enable(ec2) == protection(ec2) == "enabled-without-cooldown"
    with refused(status=None):
        ec2.deregister_image(ImageId=world.OWN)
    assert image_of(ec2, world.OWN)["State"] == "available"
    assert disable(ec2) == protection(ec2) == "disabled"
    assert ec2.deregister_image(ImageId=world.OWN)["Return"] is True


def test_with_a_cooldown_it_holds_a_day_longer(ec2, sim):
    assert enable(ec2, WithCooldown=True) == protection(ec2) == "enabled-with-cooldown"
    assert disable(ec2).startswith("disabled after ")
    assert protection(ec2).startswith("disabled after ")
    with refused(status=None):
        ec2.deregister_image(ImageId=world.OWN)
    sim.advance(DAY)
    assert protection(ec2) == "disabled"
    assert ec2.deregister_image(ImageId=world.OWN)["Return"] is True


def test_anothers_image_cannot_be_protected(ec2):
    with refused("AuthFailure", status=None):
        ec2.enable_image_deregistration_protection(ImageId=world.SHARED)
