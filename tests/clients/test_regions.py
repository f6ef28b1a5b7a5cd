"""DescribeRegions, regions apart from each other, and regions that are not enabled."""

from support import world
from support.expect import refused
from support.images import capture


def test_only_enabled_regions_are_listed(ec2):
    regions = {region["RegionName"]: region for region in ec2.describe_regions()["Regions"]}
    assert {world.HOME, world.EUROPE, world.TOKYO, world.OPTED_IN} <= set(regions)
    assert world.NOT_OPTED_IN not in regions
    assert regions[world.HOME]["OptInStatus"] == "opt-in-not-required"
    assert regions[world.OPTED_IN]["OptInStatus"] == "opted-in"
    assert regions[world.EUROPE]["Endpoint"] == "ec2.eu-west-1.amazonaws.com"


def test_all_regions_include_those_that_are_not_enabled(ec2):
    regions = {region["RegionName"]: region for region in ec2.describe_regions(AllRegions=True)["Regions"]}
    assert regions[world.NOT_OPTED_IN]["OptInStatus"] == "not-opted-in"


def test_regions_are_found_by_name_and_by_filter(ec2):
    named = ec2.describe_regions(RegionNames=[world.TOKYO])["Regions"]
    assert [region["RegionName"] for region in named] == [world.TOKYO]
    filters = [{"Name": "opt-in-status", "Values": ["opted-in"]}]
    found = ec2.describe_regions(Filters=filters)["Regions"]
    assert [region["RegionName"] for region in found] == [world.OPTED_IN]
    found = ec2.describe_regions(Filters=[{"Name": "region-name", "Values": ["eu-w*"]}])["Regions"]
    assert [region["RegionName"] for region in found] == [world.EUROPE]


def test_a_region_that_is_not_enabled_answers_auth_failure(aws):
    """The reference, section 2: good credentials, and yet this answer."""
    with refused("AuthFailure", "AWS was not able to validate the provided access credentials", status=401):
        aws(region=world.NOT_OPTED_IN).describe_images(Owners=["self"])


def test_a_region_may_be_enabled_for_one_account_and_not_for_another(aws):
    assert aws(region=world.OPTED_IN).describe_images(Owners=["self"])["Images"] == []
    with refused("AuthFailure", status=401):
        aws(region=world.OPTED_IN, account=world.OTHER).describe_images(Owners=["self"])


def test_an_image_is_unknown_outside_its_region(aws, ec2):
    image = capture(ec2, world.WEB, "here-only")
    europe = aws(region=world.EUROPE)
    with refused("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist"):
        europe.describe_images(ImageIds=[image])
    assert europe.describe_images(Owners=["self"])["Images"] == []
    with refused("InvalidAMIID.NotFound"):
        europe.deregister_image(ImageId=image)


def test_an_instance_is_unknown_outside_its_region(aws):
    with refused("InvalidInstanceID.NotFound", f"The instance ID '{world.WEB}' does not exist"):
        aws(region=world.EUROPE).create_image(InstanceId=world.WEB, Name="elsewhere")
