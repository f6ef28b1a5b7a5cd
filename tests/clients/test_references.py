"""DescribeImageReferences: what of ours names an image."""

import pytest

from support import world
from support.expect import refused


def references(ec2, image, **more):
    """(resource type, last part of the ARN) of what refers to an image."""
    more = more or {"IncludeAllResourceTypes": True}
    pages = ec2.get_paginator("describe_image_references").paginate(ImageIds=[image], **more)
    found = [one for page in pages for one in page["ImageReferences"]]
    assert {one["ImageId"] for one in found} <= {image}
    assert len(found) == len({one["Arn"] for one in found})
    return {(one["ResourceType"], one["Arn"].rpartition("/")[2]) for one in found}


def of_type(resource_type, *option):
    """ResourceTypes with one type and at most one option."""
    options = [{"OptionName": option[0], "OptionValues": list(option[1:])}] if option else []
    return [{"ResourceType": resource_type, **({"ResourceTypeOptions": options} if options else {})}]


def test_the_three_kinds(ec2):
    assert references(ec2, world.LAUNCHED) == {("ec2:Instance", world.ORPHAN), ("ec2:LaunchTemplate", world.TEMPLATE)}
    assert references(ec2, world.OWN) == {("ssm:Parameter", "web")}


def test_the_newest_ten_versions_are_looked_at_unless_told_otherwise(ec2):
    """OWN is in the eleventh."""
    assert references(ec2, world.OWN, ResourceTypes=of_type("ec2:LaunchTemplate")) == set()
    deep = of_type("ec2:LaunchTemplate", "version-depth", "10000")
    assert references(ec2, world.OWN, ResourceTypes=deep) == {("ec2:LaunchTemplate", world.TEMPLATE)}
    both = references(ec2, world.OWN, IncludeAllResourceTypes=True, ResourceTypes=deep)
    assert both == {("ec2:LaunchTemplate", world.TEMPLATE), ("ssm:Parameter", "web")}


def test_instances_by_state(ec2):
    states = of_type("ec2:Instance", "state-name", "running", "pending")
    assert references(ec2, world.PUBLIC, ResourceTypes=states) == {
        ("ec2:Instance", world.WEB),
        ("ec2:Instance", world.STARTING),
    }


def test_pages(ec2):
    page = ec2.describe_image_references(ImageIds=[world.PUBLIC], IncludeAllResourceTypes=True, MaxResults=5)
    assert len(page["ImageReferences"]) <= 5
    everything = references(ec2, world.PUBLIC)
    assert len(everything) == 5
    assert references(ec2, world.PUBLIC, IncludeAllResourceTypes=True, PaginationConfig={"PageSize": 5}) == everything


def test_another_account_sees_none_of_ours(aws):
    assert references(aws(account=world.OTHER), world.PUBLIC) == set()


@pytest.mark.parametrize(
    "call",
    [
        {"ImageIds": [world.OWN]},
        {"ImageIds": [], "IncludeAllResourceTypes": True},
        {"ImageIds": [world.OWN] * 11, "IncludeAllResourceTypes": True},
        {"ImageIds": [world.OWN], "ResourceTypes": of_type("ec2:Fleet")},
        {"ImageIds": [world.OWN], "ResourceTypes": of_type("ec2:LaunchTemplate", "version-depth", "10001")},
        {"ImageIds": [world.OWN], "ResourceTypes": of_type("ec2:Instance", "version-depth", "10")},
    ],
)
def test_what_cannot_be_asked(aws, call):
    with refused():
        aws(validate=False).describe_image_references(**call)
