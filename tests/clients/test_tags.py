"""CreateTags and DeleteTags (model; Using_Tags)."""

import pytest

from support import world
from support.expect import eventually, refused
from support.images import image_of, snapshot_of, tags_of
from support.marks import while_time_stands_still


def tag(**tags):
    """The wire's way to write tags."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def image_tags_become(ec2, expected, image=world.OWN):
    """Reads may lag behind a write: asks until the tags are these."""
    eventually(lambda: tags_of(image_of(ec2, image)) == expected, f"tags {expected}")


def test_tags_are_added_and_replaced(ec2):
    ec2.create_tags(Resources=[world.OWN], Tags=tag(team="other", extra=""))
    image_tags_become(ec2, {**world.OWN_TAGS, "team": "other", "extra": ""})


def test_several_resources_are_tagged_at_once(ec2):
    snapshot = world.snapshot(world.OWN)
    ec2.create_tags(Resources=[world.OWN, snapshot], Tags=tag(both="yes"))
    image_tags_become(ec2, {**world.OWN_TAGS, "both": "yes"})
    eventually(lambda: tags_of(snapshot_of(ec2, snapshot)).get("both") == "yes", "the snapshot is tagged")


def test_a_key_deletes_whatever_the_value(ec2):
    ec2.delete_tags(Resources=[world.OWN], Tags=[{"Key": "team"}])
    image_tags_become(ec2, {key: value for key, value in world.OWN_TAGS.items() if key != "team"})


def test_a_key_and_value_delete_only_that_value(ec2):
    ec2.create_tags(Resources=[world.OWN], Tags=tag(empty="", full="x"))
    ec2.delete_tags(Resources=[world.OWN], Tags=tag(team="not this", full="x"))
    image_tags_become(ec2, {**world.OWN_TAGS, "empty": ""})


def test_an_empty_value_deletes_only_an_empty_value(ec2):
    ec2.create_tags(Resources=[world.OWN], Tags=tag(empty="", full="x"))
    ec2.delete_tags(Resources=[world.OWN], Tags=tag(empty="", full="", team=""))
    image_tags_become(ec2, {**world.OWN_TAGS, "full": "x"})


def test_no_tags_at_all_delete_every_tag(ec2):
    """Model, DeleteTags: "If you omit this parameter, we delete all user-defined tags"."""
    ec2.delete_tags(Resources=[world.OWN])
    image_tags_become(ec2, {})


def test_an_empty_list_of_tags_deletes_every_tag(ec2):
    """Empty lists are not sent: nothing on the wire tells this from no tags at all."""
    ec2.delete_tags(Resources=[world.OWN], Tags=[])
    image_tags_become(ec2, {})


def test_deleting_a_tag_that_is_not_there_is_no_error(ec2):
    ec2.delete_tags(Resources=[world.OWN], Tags=[{"Key": "never"}])
    image_tags_become(ec2, world.OWN_TAGS)


def test_keys_of_aws_are_reserved(ec2):
    with refused("InvalidParameterValue"):
        ec2.create_tags(Resources=[world.OWN], Tags=tag(**{"aws:mine": "no"}))
    assert tags_of(image_of(ec2, world.OWN)) == world.OWN_TAGS


def test_a_resource_has_at_most_fifty_tags(ec2):
    tags = {f"k{number}": "v" for number in range(51 - len(world.OWN_TAGS))}
    with refused("TagLimitExceeded"):
        ec2.create_tags(Resources=[world.OWN], Tags=tag(**tags))
    assert tags_of(image_of(ec2, world.OWN)) == world.OWN_TAGS


@pytest.mark.parametrize("tags", [{"k" * 129: "v"}, {"k": "v" * 257}], ids=["key", "value"])
def test_a_key_or_value_that_is_too_long_is_refused(ec2, tags):
    with refused():
        ec2.create_tags(Resources=[world.OWN], Tags=tag(**tags))


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ("ami-0123456789abcdef0", "InvalidAMIID.NotFound"),
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound"),
        ("i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
        ("nonsense", "InvalidID"),
    ],
)
def test_one_missing_resource_leaves_all_as_they_are(ec2, resource, code):
    with refused(code):
        ec2.create_tags(Resources=[world.OWN, resource], Tags=tag(new="yes"))
    assert tags_of(image_of(ec2, world.OWN)) == world.OWN_TAGS


def test_another_accounts_private_image_is_not_found(ec2):
    with refused("InvalidAMIID.NotFound"):
        ec2.create_tags(Resources=[world.PRIVATE], Tags=tag(new="yes"))


@while_time_stands_still
def test_a_pending_image_can_be_tagged(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    image_of(ec2, image)
    ec2.create_tags(Resources=[image], Tags=tag(early="yes"))
    image_tags_become(ec2, {"early": "yes"}, image)


def test_tags_are_described_in_rows(ec2):
    def rows(**filters):
        asked = [{"Name": name, "Values": values} for name, values in filters.items()]
        pages = ec2.get_paginator("describe_tags").paginate(Filters=asked, PaginationConfig={"PageSize": 5})
        return {(row["ResourceId"], row["Key"], row["Value"]) for page in pages for row in page["Tags"]}

    own = {(world.OWN, key, value) for key, value in world.OWN_TAGS.items()}
    assert rows(**{"resource-id": [world.OWN]}) == own
    assert rows(**{"resource-type": ["image"]}) == own
    assert rows(**{"tag:team": ["b*"]}) == {(world.OWN, "team", "base")}
    assert rows(key=["part"], value=["root"]) == {(world.snapshot(world.OWN), "part", "root")}
    assert rows(**{"resource-type": ["volume"]}) == set()
