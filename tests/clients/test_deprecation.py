"""EnableImageDeprecation and DisableImageDeprecation."""

from datetime import datetime, timedelta, timezone

import pytest

from support import world
from support.expect import refused
from support.images import image_of


def from_now(**more):
    """A whole minute, which EC2 does not round."""
    return (datetime.now(timezone.utc) + timedelta(**more)).replace(second=0, microsecond=0)


def written(moment):
    """As EC2 writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def deprecation(ec2, image=world.OWN):
    """What DescribeImages shows."""
    return image_of(ec2, image).get("DeprecationTime")


def test_it_is_enabled_and_cancelled(ec2):
    moment = from_now(days=90)
    for _ in range(2):
        assert ec2.enable_image_deprecation(ImageId=world.OWN, DeprecateAt=moment)["Return"] is True
        assert deprecation(ec2) == written(moment)
    for _ in range(2):
        assert ec2.disable_image_deprecation(ImageId=world.OWN)["Return"] is True
        assert deprecation(ec2) is None


def test_seconds_are_rounded_to_the_nearest_minute(ec2):
    moment = from_now(days=90)
    for seconds, minutes in ((29, 0), (31, 1)):
        ec2.enable_image_deprecation(ImageId=world.OWN, DeprecateAt=moment + timedelta(seconds=seconds))
        assert deprecation(ec2) == written(moment + timedelta(minutes=minutes))


@pytest.mark.parametrize("days", [-1, 3700])
def test_the_past_and_more_than_ten_years_are_refused(ec2, days):
    """The code and the text are not documented."""
    with refused():
        ec2.enable_image_deprecation(ImageId=world.OWN, DeprecateAt=from_now(days=days))
    assert deprecation(ec2) is None


def test_others_find_a_deprecated_image_by_its_id_only(aws, ec2, sim):
    theirs = aws(account=world.OTHER)
    theirs.enable_image_deprecation(ImageId=world.SHARED, DeprecateAt=from_now(days=2))

    def listed(**more):
        found = ec2.describe_images(ExecutableUsers=["self"], **more)["Images"]
        return world.SHARED in {image["ImageId"] for image in found}

    assert listed()
    sim.advance(3 * 24 * 3600)
    assert not listed()
    assert listed(IncludeDeprecated=True)
    assert image_of(ec2, world.SHARED)["ImageId"] == world.SHARED


def test_anothers_image_cannot_be_deprecated(ec2):
    with refused("AuthFailure", status=None):
        ec2.enable_image_deprecation(ImageId=world.SHARED, DeprecateAt=from_now(days=90))
