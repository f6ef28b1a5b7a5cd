"""Encryption by default, and its key."""

from support import world
from support.images import copy, image_of, snapshot_of, snapshots_of


def test_it_is_turned_on_and_off(ec2):
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False


def test_the_cli_reads_the_default_key(cli):
    assert cli("ec2", "get-ebs-default-kms-key-id").json == {"KmsKeyId": "alias/aws/ebs"}
    assert cli("ec2", "get-ebs-encryption-by-default", region=world.TOKYO).json["EbsEncryptionByDefault"] is True


def test_copies_are_encrypted_while_it_is_on(aws):
    europe = aws(region=world.EUROPE)
    europe.enable_ebs_encryption_by_default()
    image = image_of(europe, copy(europe, world.OWN, world.HOME, "own-copy"))
    for snapshot in snapshots_of(image):
        assert snapshot_of(europe, snapshot)["Encrypted"] is True
