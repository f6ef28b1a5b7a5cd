"""DescribeImages: by id, by owner, by permission, by filter."""

import pytest

from support import world
from support.expect import eventually, refused
from support.images import capture, copy, image_of, snapshots_of
from support.marks import while_time_stands_still


def ids(answer):
    """The ids of an answer; an id that is there twice would be an error."""
    found = [image["ImageId"] for image in answer["Images"]]
    assert len(found) == len(set(found))
    return set(found)


def test_everything_visible_is_listed_without_owners(ec2):
    """Model: "all images for which you have launch permissions, regardless of ownership"."""
    found = ids(ec2.describe_images())
    assert {world.OWN, world.PUBLIC, world.SHARED, world.CLOSED} <= found
    assert world.PRIVATE not in found


def test_empty_lists_describe_everything(ec2):
    """ec2-api-pagination, "Common issues": nothing on the wire tells an empty list from none."""
    assert ids(ec2.describe_images(ImageIds=[], Owners=[])) == ids(ec2.describe_images())


@pytest.mark.parametrize("owner", ["self", world.OURS.id])
def test_self_is_the_own_account(ec2, owner):
    assert ids(ec2.describe_images(Owners=[owner])) == {world.OWN, world.LAUNCHED, world.ENCRYPTED}


def test_another_owners_images_are_those_it_lets_us_see(ec2):
    assert ids(ec2.describe_images(Owners=[world.OTHER.id])) == {world.PUBLIC, world.SHARED, world.CLOSED}


def test_several_owners_add_up(ec2):
    found = ids(ec2.describe_images(Owners=["self", world.OTHER.id]))
    assert {world.OWN, world.PUBLIC} <= found


def test_executable_by_self_lists_what_was_shared_with_us(ec2):
    assert ids(ec2.describe_images(ExecutableUsers=["self"])) == {world.SHARED, world.CLOSED}


def test_executable_by_all_lists_public_images(ec2):
    assert ids(ec2.describe_images(ExecutableUsers=["all"])) == {world.PUBLIC}
    assert image_of(ec2, world.PUBLIC)["Public"] is True


def test_the_other_accounts_see_their_own_only(aws):
    found = ids(aws(account=world.OTHER).describe_images(Owners=["self"]))
    assert found == {world.PUBLIC, world.SHARED, world.CLOSED, world.PRIVATE}
    assert not ids(aws(account=world.OTHER).describe_images()) & {world.OWN, world.LAUNCHED, world.ENCRYPTED}


def test_images_are_found_by_id(ec2):
    assert ids(ec2.describe_images(ImageIds=[world.OWN, world.PUBLIC])) == {world.OWN, world.PUBLIC}


def test_an_id_that_was_never_there_is_not_found(ec2):
    missing = "ami-0123456789abcdef0"
    with refused("InvalidAMIID.NotFound", f"The image id '[{missing}]' does not exist"):
        ec2.describe_images(ImageIds=[missing])


def test_one_missing_id_spoils_the_call(ec2):
    with refused("InvalidAMIID.NotFound"):
        ec2.describe_images(ImageIds=[world.OWN, "ami-0123456789abcdef0"])


def test_another_accounts_private_image_is_not_found(ec2):
    with refused("InvalidAMIID.NotFound", f"The image id '[{world.PRIVATE}]' does not exist"):
        ec2.describe_images(ImageIds=[world.PRIVATE])


@pytest.mark.parametrize("image", ["image-1", "snap-0123456789abcdef0", "AMI-0123456789abcdef0"])
def test_an_id_of_the_wrong_form_is_malformed(ec2, image):
    with refused("InvalidAMIID.Malformed", f'Invalid id: "{image}" (expecting "ami-...")'):
        ec2.describe_images(ImageIds=[image])


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("name", ["own"], {world.OWN}),
        ("name", ["own", "launched"], {world.OWN, world.LAUNCHED}),
        ("name", ["*n*"], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
        ("name", ["ow?"], {world.OWN}),
        ("name", ["Own"], set()),
        ("name", ["ow"], set()),
        ("tag:team", ["base"], {world.OWN}),
        ("tag:team", ["b*"], {world.OWN}),
        ("tag:team", ["Base"], set()),
        ("tag:Team", ["base"], set()),
        ("tag-key", ["team"], {world.OWN}),
        ("tag-key", ["t*", "nothing"], {world.OWN}),
        ("state", ["available"], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
        ("state", ["pending", "failed"], set()),
        ("image-id", [world.OWN], {world.OWN}),
        ("owner-id", [world.OURS.id], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
        ("owner-id", [world.OTHER.id], set()),
        ("is-public", ["true"], set()),
        ("is-public", ["false"], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
        ("block-device-mapping.snapshot-id", [world.snapshot(world.OWN)], {world.OWN}),
        ("block-device-mapping.encrypted", ["true"], {world.ENCRYPTED}),
        ("architecture", ["x86_64"], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
        ("root-device-type", ["ebs"], {world.OWN, world.LAUNCHED, world.ENCRYPTED}),
    ],
)
def test_filters_choose_images(ec2, name, values, expected):
    """Model, DescribeImages: values are joined with OR; names and values are case-sensitive."""
    assert ids(ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": values}])) == expected


def test_filters_are_joined_with_and(ec2):
    both = [{"Name": "tag:team", "Values": ["base"]}, {"Name": "name", "Values": ["launched"]}]
    assert ids(ec2.describe_images(Owners=["self"], Filters=both)) == set()


def test_a_filter_and_ids_are_joined_with_and(ec2):
    filters = [{"Name": "name", "Values": ["own"]}]
    assert ids(ec2.describe_images(ImageIds=[world.OWN, world.LAUNCHED], Filters=filters)) == {world.OWN}


def test_images_are_found_by_what_they_were_made_of(ec2):
    captured = capture(ec2, world.WEB, "web-1")
    copied = copy(ec2, captured, world.HOME, "web-2")

    def found(name, value):
        return ids(ec2.describe_images(Owners=["self"], Filters=[{"Name": name, "Values": [value]}]))

    eventually(lambda: found("source-instance-id", world.WEB) == {captured}, "found by instance")
    eventually(lambda: found("source-image-id", captured) == {copied}, "found by source image")
    assert found("source-image-id", world.PUBLIC) == {captured}
    assert found("source-image-region", world.HOME) >= {captured, copied}
    (snapshot, _) = snapshots_of(image_of(ec2, copied))
    assert found("block-device-mapping.snapshot-id", snapshot) == {copied}


@while_time_stands_still
def test_pending_images_are_found_by_state(ec2):
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]

    def found(state):
        return ids(ec2.describe_images(Owners=["self"], Filters=[{"Name": "state", "Values": [state]}]))

    eventually(lambda: found("pending") == {image}, "found as pending")
    assert image not in found("available")


def test_a_filter_of_a_name_that_does_not_exist_is_refused(ec2):
    with refused("InvalidParameterValue"):
        ec2.describe_images(Owners=["self"], Filters=[{"Name": "colour", "Values": ["red"]}])


def test_two_hundred_values_of_filters_are_the_most(ec2):
    def filters(number):
        return [{"Name": "name", "Values": [f"n-{value}" for value in range(number)]}]

    assert ids(ec2.describe_images(Filters=filters(200))) == set()
    with refused("FilterLimitExceeded"):
        ec2.describe_images(Filters=filters(201))


def test_our_tags_can_sit_on_anothers_public_image_for_us_alone(aws, ec2):
    """Using_Tags: such tags are visible to the account that made them."""
    ec2.create_tags(Resources=[world.PUBLIC], Tags=[{"Key": "mine", "Value": "yes"}])
    filters = [{"Name": "tag:mine", "Values": ["yes"]}]
    eventually(lambda: ids(ec2.describe_images(Filters=filters)) == {world.PUBLIC}, "the tag is seen")
    assert ids(ec2.describe_images(Owners=["self"], Filters=filters)) == set()
    assert ids(aws(account=world.OTHER).describe_images(Filters=filters)) == set()
