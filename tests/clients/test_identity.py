"""GetCallerIdentity and AssumeRole, and keys that are no keys (STS API reference)."""

from botocore.exceptions import ClientError

from support import world
from support.expect import eventually, refusal, refused


def test_the_key_tells_the_account(aws):
    for account in (world.OURS, world.OTHER):
        identity = aws("sts", account=account).get_caller_identity()
        assert identity["Account"] == account.id
        assert identity["Arn"].startswith("arn:aws:iam::" + account.id + ":")
        assert identity["UserId"]


def test_an_assumed_role_acts_in_its_own_account(aws):
    """An assumed role's ARN names the role and the session; its key id begins with ASIA."""
    answer = aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit")
    credentials = answer["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    role = world.OTHER_ROLE.rpartition("/")[2]
    arn = f"arn:aws:sts::{world.OTHER.id}:assumed-role/{role}/visit"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":visit")
    keys = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }
    identity = aws("sts", credentials=keys).get_caller_identity()
    assert identity["Account"] == world.OTHER.id
    assert identity["Arn"] == arn
    owned = aws(credentials=keys).describe_images(Owners=["self"])["Images"]
    assert {image["OwnerId"] for image in owned} == {world.OTHER.id}


def test_a_session_outlives_the_call_by_an_hour(aws):
    answer = aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit")
    longer = aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit", DurationSeconds=43200)
    assert longer["Credentials"]["Expiration"] > answer["Credentials"]["Expiration"]


def test_a_role_that_is_not_there_is_denied(aws):
    """STS does not tell a missing role from one that may not be assumed."""
    with refused("AccessDenied", status=403) as seen:
        aws("sts").assume_role(RoleArn=f"arn:aws:iam::{world.OTHER.id}:role/none", RoleSessionName="visit")
    assert seen.message.endswith(
        f"is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{world.OTHER.id}:role/none"
    )


def test_an_unknown_key_is_an_auth_failure_for_ec2(aws):
    """The reference, section 2: AuthFailure is the one error of EC2 with status 401."""
    with refused("AuthFailure", "AWS was not able to validate the provided access credentials", status=401):
        aws(account=world.NOBODY).describe_images(Owners=["self"])


def test_an_unknown_key_is_an_invalid_token_for_sts(aws):
    with refused("InvalidClientTokenId", "The security token included in the request is invalid.", status=403):
        aws("sts", account=world.NOBODY).get_caller_identity()


def test_an_external_id_must_be_given_where_the_role_asks_for_it(aws):
    sts = aws("sts")
    for wrong in ({}, {"ExternalId": "guess"}):
        with refused("AccessDenied", status=403):
            sts.assume_role(RoleArn=world.GUARDED_ROLE, RoleSessionName="visit", **wrong)
    right = sts.assume_role(RoleArn=world.GUARDED_ROLE, RoleSessionName="visit", ExternalId=world.EXTERNAL_ID)
    assert right["Credentials"]["SessionToken"]


def test_a_temporary_key_without_its_token_is_an_auth_failure(aws):
    credentials = aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit")["Credentials"]
    keys = {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
    }
    with refused("AuthFailure", status=401):
        aws(credentials=keys).describe_images(Owners=["self"])


def test_a_session_ends(aws):
    """A quarter of an hour is the shortest session, and a quarter of a second here."""
    answer = aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit", DurationSeconds=900)
    credentials = answer["Credentials"]
    visitor = aws(
        credentials={
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }
    )

    def ended():
        try:
            visitor.describe_regions()
        except ClientError as error:
            return refusal(error)
        return None

    seen = eventually(ended, "the session has ended")
    assert seen.code in ("RequestExpired", "AuthFailure", "ExpiredToken")
    assert 400 <= seen.status < 500
