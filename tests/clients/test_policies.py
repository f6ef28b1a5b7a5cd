"""IAM policies, and how EC2, Systems Manager and STS refuse what they do not allow."""

from pathlib import Path

import pytest

from support import world
from support.expect import DRY_RUN, refused

SHIPPED = Path(__file__).parents[2] / "deploy" / "iam"
USER = f"arn:aws:iam::{world.OURS.id}:user/ec2sim"
ON_EVERYTHING = {"Effect": "Allow", "Resource": "*"}


def ours(*statements):
    """A world where our key may do this and no more."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return pytest.mark.sim(iam={"policies": {world.OURS.key: [document]}})


def tags(*types):
    return [{"ResourceType": kind, "Tags": [{"Key": "owner", "Value": "us"}]} for kind in types]


BY_TEAM = {
    "Sid": "ByTeam",
    **ON_EVERYTHING,
    "Action": "ec2:DeregisterImage",
    "Condition": {"StringEquals": {"aws:ResourceTag/team": "base"}},
}


@ours(BY_TEAM)
def test_what_carries_another_tag_is_not_deregistered(sim, ec2):
    with refused("UnauthorizedOperation", status=403) as seen:
        ec2.deregister_image(ImageId=world.LAUNCHED)
    sentence, _, encoded = seen.message.partition(". Encoded authorization failure message: ")
    assert sentence == (
        f"You are not authorized to perform this operation. User: {USER} is not authorized to perform: "
        f"ec2:DeregisterImage on resource: arn:aws:ec2:{world.HOME}::image/{world.LAUNCHED} because no "
        "identity-based policy allows the ec2:DeregisterImage action"
    )
    assert encoded
    with refused("UnauthorizedOperation", status=403):
        ec2.deregister_image(ImageId=world.LAUNCHED, DryRun=True)
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.deregister_image(ImageId=world.OWN, DryRun=True)
    assert ec2.deregister_image(ImageId=world.OWN)["Return"] is True
    report = sim.policies()
    assert report["unused"] == []
    assert [denial["call"] for denial in report["denials"]] == ["DeregisterImage"] * 2


@ours(
    {**ON_EVERYTHING, "Action": "ec2:CopyImage"},
    {
        **ON_EVERYTHING,
        "Action": "ec2:CreateTags",
        "Condition": {"StringEquals": {"ec2:CreateAction": "CopyImage", "aws:RequestTag/owner": "us"}},
    },
)
def test_a_tag_is_given_by_the_copy_and_not_later(ec2):
    copy = {"SourceImageId": world.OWN, "SourceRegion": world.HOME, "Name": "copy"}
    image = ec2.copy_image(TagSpecifications=tags("image", "snapshot"), **copy)["ImageId"]
    with refused("UnauthorizedOperation", status=403) as seen:
        ec2.create_tags(Resources=[image], Tags=[{"Key": "owner", "Value": "us"}])
    assert "ec2:CreateTags" in seen.message
    with refused("UnauthorizedOperation", status=403) as seen:
        wrong = [{"ResourceType": "image", "Tags": [{"Key": "owner", "Value": "them"}]}]
        ec2.copy_image(TagSpecifications=wrong, **copy)
    assert f"arn:aws:ec2:{world.HOME}::image/*" in seen.message


@ours({**ON_EVERYTHING, "Action": "ec2:DescribeRegions"})
def test_the_other_services_deny_in_their_own_words(aws, cli):
    with refused("AccessDeniedException") as seen:
        aws("ssm").get_parameter(Name=world.PARAMETER)
    assert seen.message == (
        f"User: {USER} is not authorized to perform: ssm:GetParameter on resource: "
        f"arn:aws:ssm:{world.HOME}:{world.OURS.id}:parameter{world.PARAMETER} because no identity-based "
        "policy allows the ssm:GetParameter action"
    )
    with refused("AccessDenied", status=403):
        aws("sts").assume_role(RoleArn=world.OTHER_ROLE, RoleSessionName="visit")
    ran = cli("ec2", "describe-images", "--owners", "self")
    assert ran.code != 0
    assert "(UnauthorizedOperation)" in ran.stderr


def test_without_policies_everything_is_allowed(sim, ec2):
    assert ec2.describe_images(Owners=["self"])["Images"]
    assert sim.policies() == {"policies": [], "unused": [], "denials": []}


@pytest.mark.sim(policies={world.OURS.key: SHIPPED / "plan.json"})
def test_a_policy_comes_from_a_file(sim, ec2):
    assert ec2.describe_images(Owners=["self"])["Images"]
    assert ec2.describe_image_references(ImageIds=[world.OWN], IncludeAllResourceTypes=True)["ImageReferences"]
    with refused("UnauthorizedOperation", status=403):
        ec2.deregister_image(ImageId=world.OWN)
    assert [policy["policy"] for policy in sim.policies()["policies"]] == [str(SHIPPED / "plan.json")]
