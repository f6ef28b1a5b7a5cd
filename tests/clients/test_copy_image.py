"""CopyImage: tokens, names, ancestry, encryption, and whose images may be copied."""

import pytest
from botocore.exceptions import WaiterError

from support import world
from support.expect import refused, wait
from support.images import await_image, capture, copy, image_of, snapshot_of, snapshots_of, specification, tags_of
from support.marks import at_great_length, while_time_stands_still


@pytest.fixture
def europe(aws):
    """EC2 in the region that the copies go to."""
    return aws(region=world.EUROPE)


def test_a_copy_becomes_available_with_snapshots_of_its_own(ec2, europe):
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "own-copy", Description="copied"))
    assert image["State"] == "available"
    assert image["Name"] == "own-copy"
    assert image["Description"] == "copied"
    assert image["OwnerId"] == world.OURS.id
    source = image_of(ec2, world.OWN)
    assert len(snapshots_of(image)) == len(snapshots_of(source)) == 2
    assert not set(snapshots_of(image)) & set(snapshots_of(source))
    for field in ("Architecture", "RootDeviceName", "RootDeviceType", "VirtualizationType"):
        assert image[field] == source[field]


@while_time_stands_still
def test_a_new_copy_is_pending(europe):
    image = europe.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="own-copy")["ImageId"]
    assert image_of(europe, image)["State"] == "pending"


def test_a_copy_remembers_its_source_and_no_instance(ec2, europe):
    """ami-ancestry and model: SourceInstanceId "only appears if the AMI was created using CreateImage"."""
    captured = capture(ec2, world.WEB, "web-1")
    image = image_of(europe, copy(europe, captured, world.HOME, "web-1"))
    assert image["SourceImageId"] == captured
    assert image["SourceImageRegion"] == world.HOME
    assert "SourceInstanceId" not in image


def test_a_copy_of_a_copy_names_the_copy(europe, aws):
    first = copy(europe, world.OWN, world.HOME, "first")
    tokyo = aws(region=world.TOKYO)
    second = image_of(tokyo, copy(tokyo, first, world.EUROPE, "second"))
    assert (second["SourceImageId"], second["SourceImageRegion"]) == (first, world.EUROPE)


def test_a_copy_within_the_region_is_an_image_of_its_own(ec2):
    image = image_of(ec2, copy(ec2, world.OWN, world.HOME, "own-again"))
    assert image["ImageId"] != world.OWN
    assert image["SourceImageRegion"] == world.HOME


def test_the_snapshots_of_a_copy_say_where_they_come_from(ec2, europe):
    image = image_of(europe, copy(europe, world.ENCRYPTED, world.HOME, "own-copy"))
    (source,) = snapshots_of(image_of(ec2, world.ENCRYPTED))
    (snapshot,) = snapshots_of(image)
    described = snapshot_of(europe, snapshot)["Description"]
    assert described.startswith(
        f"Copied for DestinationAmi {image['ImageId']} from SourceAmi {world.ENCRYPTED} for SourceSnapshot {source}."
    )


def test_the_volume_of_a_copied_snapshot_means_nothing(ec2, europe):
    """The reference, section 1.8: `vol-ffff…`."""
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "own-copy"))
    for snapshot in snapshots_of(image):
        assert snapshot_of(europe, snapshot)["VolumeId"].startswith("vol-ffff")


def test_names_need_not_be_unique_for_a_copy(europe):
    first = copy(europe, world.OWN, world.HOME, "twice")
    second = copy(europe, world.OWN, world.HOME, "twice")
    assert first != second
    found = europe.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": ["twice"]}])["Images"]
    assert {image["ImageId"] for image in found} == {first, second}


@pytest.mark.parametrize("name", ["no*star", "no#hash"])
def test_a_name_with_other_characters_is_malformed(europe, name):
    with refused("InvalidAMIName.Malformed"):
        europe.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name=name)


def test_the_same_token_answers_the_same_image(europe):
    """ec2-api-idempotency."""
    call = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "own-copy", "ClientToken": "t-1"}
    first = europe.copy_image(**call)["ImageId"]
    assert europe.copy_image(**call)["ImageId"] == first
    wait(europe, "image_exists", ImageIds=[first])
    wait(europe, "image_available", ImageIds=[first])
    assert europe.copy_image(**call)["ImageId"] == first
    assert len(europe.describe_images(Owners=["self"])["Images"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"Name": "another"},
        {"Description": "another"},
        {"SourceImageId": world.LAUNCHED},
        {"Encrypted": True},
        {"TagSpecifications": [specification("image", a="b")]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_token_with_other_parameters_is_a_mismatch(europe, change):
    call = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "own-copy", "ClientToken": "t-1"}
    europe.copy_image(**call)
    with refused(
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    ):
        europe.copy_image(**{**call, **change})


def test_without_a_token_every_call_copies(europe):
    """botocore makes a token for each call of its own."""
    call = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "own-copy"}
    assert europe.copy_image(**call)["ImageId"] != europe.copy_image(**call)["ImageId"]


def test_a_token_belongs_to_one_region_and_one_account(aws, europe):
    call = {"SourceImageId": world.PUBLIC, "SourceRegion": world.HOME, "Name": "public", "ClientToken": "t-1"}
    answers = {
        client.copy_image(**call)["ImageId"]
        for client in (europe, aws(region=world.TOKYO), aws(region=world.EUROPE, account=world.OTHER))
    }
    assert len(answers) == 3


def test_tags_in_the_call_are_on_image_and_snapshots(europe):
    tags = [specification("image", team="web"), specification("snapshot", part="yes")]
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "own-copy", TagSpecifications=tags))
    assert tags_of(image) == {"team": "web"}
    assert [tags_of(snapshot_of(europe, snapshot)) for snapshot in snapshots_of(image)] == [{"part": "yes"}] * 2


def test_the_sources_tags_are_copied_only_on_request(europe):
    """Model, CopyImage: "Default: Your user-defined AMI tags are not copied"."""
    plain = copy(europe, world.OWN, world.HOME, "plain")
    assert tags_of(image_of(europe, plain)) == {}
    tagged = copy(europe, world.OWN, world.HOME, "tagged", CopyImageTags=True)
    assert tags_of(image_of(europe, tagged)) == world.OWN_TAGS


@pytest.mark.parametrize("kind", ["instance", "volume"])
def test_other_things_cannot_be_tagged_by_the_call(europe, kind):
    with refused("InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."):
        copy(europe, world.OWN, world.HOME, "own-copy", TagSpecifications=[specification(kind, a="b")])
    assert europe.describe_images(Owners=["self"])["Images"] == []


def test_an_unencrypted_source_stays_so_unless_asked(europe):
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "plain"))
    assert [snapshot_of(europe, snapshot)["Encrypted"] for snapshot in snapshots_of(image)] == [False, False]


def test_a_copy_can_be_encrypted(europe):
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "secret", Encrypted=True))
    for snapshot in snapshots_of(image):
        described = snapshot_of(europe, snapshot)
        assert described["Encrypted"] is True
        assert described["KmsKeyId"].startswith(f"arn:aws:kms:{world.EUROPE}:{world.OURS.id}:key/")


def test_encryption_by_default_encrypts_in_silence(aws):
    """AMIEncryption: the destination's setting decides where the call says nothing."""
    tokyo = aws(region=world.TOKYO)
    image = image_of(tokyo, copy(tokyo, world.OWN, world.HOME, "plain"))
    assert [snapshot_of(tokyo, snapshot)["Encrypted"] for snapshot in snapshots_of(image)] == [True, True]


def test_an_encrypted_source_gives_an_encrypted_copy(europe):
    image = image_of(europe, copy(europe, world.ENCRYPTED, world.HOME, "secret"))
    (snapshot,) = snapshots_of(image)
    assert snapshot_of(europe, snapshot)["Encrypted"] is True


def test_an_encrypted_source_cannot_become_unencrypted(ec2, europe):
    (source,) = snapshots_of(image_of(ec2, world.ENCRYPTED))
    with refused(
        "InvalidRequest",
        f"Snapshot {source} is encrypted. Creating an unencrypted copy from an encrypted snapshot is not supported.",
    ):
        europe.copy_image(SourceImageId=world.ENCRYPTED, SourceRegion=world.HOME, Name="open", Encrypted=False)


def test_a_key_without_encryption_is_refused(europe):
    """Model, CopyImage: "If you specify a KMS key, you must also set the encrypted state to true"."""
    with refused():
        europe.copy_image(
            SourceImageId=world.OWN, SourceRegion=world.HOME, Name="half", KmsKeyId=world.key(world.EUROPE)
        )


def test_a_key_that_is_not_there_fails_the_copy_later(europe):
    """Model, CopyImage: keys are checked asynchronously, "the action can appear to complete"."""
    image = europe.copy_image(
        SourceImageId=world.OWN,
        SourceRegion=world.HOME,
        Name="late",
        Encrypted=True,
        KmsKeyId=world.key(world.EUROPE, world.BROKEN_KEY),
    )["ImageId"]
    wait(europe, "image_exists", ImageIds=[image])
    with pytest.raises(WaiterError, match="terminal failure state"):
        wait(europe, "image_available", ImageIds=[image])
    failed = image_of(europe, image)
    assert failed["State"] == "failed"
    assert failed["StateReason"]["Message"] == "Copy image failed with an internal error"
    # ebs-copy-snapshot: the snapshot says more than the image.
    for snapshot in snapshots_of(failed):
        described = snapshot_of(europe, snapshot)
        assert described["State"] == "error"
        assert described["StateMessage"] == "Given key ID is not accessible"


@pytest.mark.sim(knobs={"failedCopiesPerMille": 1000})
def test_a_copy_may_fail_for_no_reason_of_the_caller(europe):
    """packer#6737: the id is answered, and the failure comes late."""
    image = europe.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="late")["ImageId"]
    wait(europe, "image_exists", ImageIds=[image])
    with pytest.raises(WaiterError, match="terminal failure state"):
        wait(europe, "image_available", ImageIds=[image])
    assert image_of(europe, image)["State"] == "failed"


def test_an_image_that_is_not_there_is_not_found(europe):
    missing = "ami-0123456789abcdef0"
    with refused("InvalidAMIID.NotFound", f"The image id '[{missing}]' does not exist"):
        europe.copy_image(SourceImageId=missing, SourceRegion=world.HOME, Name="nothing")


def test_an_image_of_the_wrong_region_is_not_found(europe):
    with refused("InvalidAMIID.NotFound"):
        europe.copy_image(SourceImageId=world.OWN, SourceRegion=world.TOKYO, Name="nothing")


def test_an_id_of_the_wrong_form_is_malformed(europe):
    with refused("InvalidAMIID.Malformed", 'Invalid id: "image-1" (expecting "ami-...")'):
        europe.copy_image(SourceImageId="image-1", SourceRegion=world.HOME, Name="nothing")


@while_time_stands_still
def test_a_pending_source_cannot_be_copied(ec2, europe):
    """The code is errors-overview's; the text for CopyImage is not known."""
    image = ec2.create_image(InstanceId=world.WEB, Name="web-1")["ImageId"]
    image_of(ec2, image)
    with refused("InvalidAMIID.Unavailable"):
        europe.copy_image(SourceImageId=image, SourceRegion=world.HOME, Name="too-early")


def test_a_public_image_can_be_copied(europe):
    image = image_of(europe, copy(europe, world.PUBLIC, world.HOME, "ours-now"))
    assert image["OwnerId"] == world.OURS.id
    assert image["Public"] is False
    assert image["SourceImageId"] == world.PUBLIC


def test_a_shared_image_can_be_copied_with_its_storage(europe):
    assert image_of(europe, copy(europe, world.SHARED, world.HOME, "ours-now"))["OwnerId"] == world.OURS.id


def test_a_shared_image_without_its_storage_cannot_be_copied(europe):
    """Sharing an image does not share its snapshots, and copying needs them."""
    with refused("InvalidRequest", "You do not have permission to access the storage of this ami"):
        europe.copy_image(SourceImageId=world.CLOSED, SourceRegion=world.HOME, Name="not-ours")


def test_a_private_image_of_another_account_is_not_found(europe):
    with refused("InvalidAMIID.NotFound", f"The image id '[{world.PRIVATE}]' does not exist"):
        europe.copy_image(SourceImageId=world.PRIVATE, SourceRegion=world.HOME, Name="not-ours")


def test_a_copy_is_not_shared_as_its_source_is(aws):
    """CopyingAMIs: launch permissions are not copied."""
    other = aws(region=world.EUROPE, account=world.OTHER)
    image = copy(other, world.SHARED, world.HOME, "private-now")
    with refused("InvalidAMIID.NotFound"):
        aws(region=world.EUROPE).describe_images(ImageIds=[image])


def _shared_with_other(ec2, image):
    """Shares an image of ours with OTHER, its snapshots not."""
    ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": world.OTHER.id}]})


def _share_snapshots(ec2, image, operation="add"):
    """Lets OTHER use every snapshot of an image of ours, or no longer."""
    for snapshot in snapshots_of(image_of(ec2, image)):
        ec2.modify_snapshot_attribute(SnapshotId=snapshot, OperationType=operation, UserIds=[world.OTHER.id])


def test_another_account_copies_what_is_shared_with_its_snapshots(aws, ec2):
    theirs = aws(region=world.EUROPE, account=world.OTHER)
    arguments = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "theirs"}
    _shared_with_other(ec2, world.OWN)
    with refused("InvalidRequest", "You do not have permission to access the storage of this ami"):
        theirs.copy_image(**arguments)
    _share_snapshots(ec2, world.OWN)
    copied = theirs.copy_image(**arguments)["ImageId"]
    await_image(theirs, copied)
    assert image_of(theirs, copied)["OwnerId"] == world.OTHER.id


@at_great_length
def test_a_grant_that_is_taken_away_lets_the_copy_fail_late(aws, ec2, sim):
    """Nobody could say; the harder answer."""
    theirs = aws(region=world.EUROPE, account=world.OTHER)
    _shared_with_other(ec2, world.OWN)
    _share_snapshots(ec2, world.OWN)
    copied = theirs.copy_image(SourceImageId=world.OWN, SourceRegion=world.HOME, Name="theirs")["ImageId"]
    _share_snapshots(ec2, world.OWN, "remove")
    assert image_of(theirs, copied)["State"] == "pending"
    sim.advance(1_100_000)
    assert image_of(theirs, copied)["State"] == "failed"


def test_a_completion_duration_has_steps_of_15_minutes(europe):
    """Time-based copies; the code of a wrong one is not known."""
    arguments = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "timed"}
    for minutes in (0, 10, 20, 2895):
        with refused():
            europe.copy_image(SnapshotCopyCompletionDurationMinutes=minutes, **arguments)
    image = europe.copy_image(SnapshotCopyCompletionDurationMinutes=15, **arguments)["ImageId"]
    await_image(europe, image)
