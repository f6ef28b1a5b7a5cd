"""Pages: fewer items than asked for, none at all with a token, and what cannot be combined."""

from collections import Counter

import pytest

from support import world
from support.expect import eventually, refused
from support.marks import in_great_number

MANY = 43


def crowd(ec2):
    """So many images of one account that a list has many pages."""
    for number in range(MANY):
        ec2.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name=f"crowd-{number}")
    eventually(lambda: len(ec2.describe_images(Owners=["self"], Filters=CROWD)["Images"]) == MANY, "all are listed")


CROWD = [{"Name": "name", "Values": ["crowd-*"]}]


def pages_of_images(ec2, size):
    """All pages of the crowd, by botocore's paginator, which fails on a token given twice."""
    paginator = ec2.get_paginator("describe_images")
    return list(paginator.paginate(Owners=["self"], Filters=CROWD, PaginationConfig={"PageSize": size}))


@in_great_number
@pytest.mark.parametrize("size", [5, 10, 1000])
def test_the_paginator_finds_every_image_once(ec2, size):
    crowd(ec2)
    pages = pages_of_images(ec2, size)
    assert all(len(page["Images"]) <= size for page in pages)
    found = Counter(image["Name"] for page in pages for image in page["Images"])
    assert found == Counter(f"crowd-{number}" for number in range(MANY))
    assert "NextToken" not in pages[-1]
    if size < MANY:
        assert len(pages) >= MANY // size


@in_great_number
def test_the_paginator_finds_every_snapshot_once(ec2):
    crowd(ec2)
    everything = {snapshot["SnapshotId"] for snapshot in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    paginator = ec2.get_paginator("describe_snapshots")
    pages = list(paginator.paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 10}))
    found = [snapshot["SnapshotId"] for page in pages for snapshot in page["Snapshots"]]
    assert len(found) == len(set(found))
    assert set(found) == everything
    assert len(pages) > 3


def test_the_paginator_finds_every_instance_once(ec2):
    paginator = ec2.get_paginator("describe_instances")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 5}))
    found = [
        instance["InstanceId"]
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    assert sorted(found) == sorted(world.INSTANCES)
    assert len(pages) > 1


@in_great_number
def test_a_page_may_be_empty_and_still_have_a_token(ec2):
    """ec2-api-pagination: "even zero"; the list goes on until there is no token."""
    crowd(ec2)

    def empty_page():
        return [page for page in pages_of_images(ec2, 5)[:-1] if not page["Images"]]

    empty = eventually(empty_page, "an empty page with a token")
    assert all(page["NextToken"] for page in empty)


def test_a_page_size_and_ids_exclude_each_other(ec2):
    """Query-Requests; the text is not known."""
    with refused("InvalidParameterCombination"):
        ec2.describe_images(ImageIds=[world.OWN], MaxResults=5)


def test_a_token_that_was_never_given_is_refused(ec2):
    """errors-overview has two codes for it."""
    with refused() as seen:
        ec2.describe_images(Owners=["self"], MaxResults=5, NextToken="nonsense")
    assert seen.code in ("InvalidNextToken", "InvalidPaginationToken", "InvalidParameterValue")


def test_a_list_that_fits_has_no_token(ec2):
    assert "NextToken" not in ec2.describe_images(Owners=["self"])
