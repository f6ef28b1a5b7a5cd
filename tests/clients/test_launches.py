"""RunInstances: what a launch names must be there, and a token launches once."""

import pytest

from support import world
from support.expect import DRY_RUN, eventually, refused
from test_machines import described, gone_down, launch

calm = pytest.mark.sim(knobs={"maxReadLagSeconds": 0, "requestBuckets": False})


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound", None),
        (
            {"SecurityGroupIds": ["sg-0123456789abcdef0"]},
            "InvalidGroup.NotFound",
            "The security group 'sg-0123456789abcdef0' does not exist",
        ),
        ({"SecurityGroups": ["nobodys"]}, "InvalidGroup.NotFound", None),
        (
            {"SubnetId": "subnet-0123456789abcdef0"},
            "InvalidSubnetID.NotFound",
            "The subnet ID 'subnet-0123456789abcdef0' does not exist",
        ),
        ({"KeyName": "nobodys"}, "InvalidKeyPair.NotFound", "The key pair 'nobodys' does not exist"),
        (
            {"IamInstanceProfile": {"Name": "nobodys"}},
            "InvalidParameterValue",
            "Value (nobodys) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
        ),
        (
            {"SubnetId": world.OTHER_SUBNET, "SecurityGroupIds": [world.GROUP]},
            "InvalidParameter",
            f"Security group {world.GROUP} and subnet {world.OTHER_SUBNET} belong to different networks.",
        ),
        (
            {
                "NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": world.SUBNET_A}],
                "SecurityGroupIds": [world.GROUP],
            },
            "InvalidParameterCombination",
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        ),
        ({"SubnetId": world.SUBNET_C}, "Unsupported", None),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue", None),
        ({"InstanceType": "z9.huge"}, "InvalidParameterValue", None),
        (
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 4}}]},
            "InvalidBlockDeviceMapping",
            f"Volume of size 4GB is smaller than snapshot '{world.snapshot(world.LAUNCHED)}', expect size >= 8GB",
        ),
        (
            {
                "MetadataOptions": {"InstanceMetadataTags": "enabled"},
                "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a/b", "Value": "c"}]}],
            },
            "InvalidParameterValue",
            None,
        ),
        (
            {
                "InstanceMarketOptions": {
                    "MarketType": "spot",
                    "SpotOptions": {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "stop"},
                }
            },
            "InvalidParameterCombination",
            "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to 'stop'.",
        ),
    ],
)
def test_what_is_not_there_or_does_not_fit_launches_nothing(ec2, more, code, message):
    """A dry run says the same."""
    arguments = {"ImageId": world.LAUNCHED, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **more}
    with refused(code, message):
        ec2.run_instances(**arguments)
    with refused(code, message):
        ec2.run_instances(DryRun=True, **arguments)


def test_a_dry_run_launches_nothing(ec2):
    before = len(ec2.describe_instances()["Reservations"])
    with refused("DryRunOperation", DRY_RUN, status=412):
        launch(ec2, DryRun=True, SubnetId=world.SUBNET_A)
    assert len(ec2.describe_instances()["Reservations"]) == before


@calm
def test_without_a_network_it_is_the_default_one(ec2):
    one = described(ec2, launch(ec2))
    assert one["VpcId"] == world.VPC
    assert [group["GroupName"] for group in one["SecurityGroups"]] == ["default"]
    assert one["Placement"]["AvailabilityZone"] in (f"{world.HOME}a", f"{world.HOME}b")
    zoned = described(ec2, launch(ec2, Placement={"AvailabilityZone": f"{world.HOME}b"}))
    assert zoned["SubnetId"] == world.SUBNET_B
    with refused("InvalidParameterValue"):
        launch(ec2, Placement={"AvailabilityZone": "eu-west-1a"})


@calm
def test_a_full_zone_is_left_out_unless_it_is_named(ec2):
    one = described(ec2, launch(ec2, InstanceType="c5.large"))
    assert one["Placement"]["AvailabilityZone"] == f"{world.HOME}a"
    with refused("InsufficientInstanceCapacity", status=500) as seen:
        launch(ec2, InstanceType="c5.large", SubnetId=world.SUBNET_B)
    assert f"choosing {world.HOME}a, {world.HOME}c." in seen.message


@calm
def test_a_token_launches_once_in_its_zone(ec2):
    first = launch(ec2, ClientToken="one")
    assert launch(ec2, ClientToken="one") == first
    with refused("IdempotentParameterMismatch"):
        launch(ec2, ClientToken="one", InstanceType="t3.small")
    in_a = launch(ec2, ClientToken="one", SubnetId=world.SUBNET_A)
    in_b = launch(ec2, ClientToken="one", SubnetId=world.SUBNET_B)
    assert len({first, in_a, in_b}) == 3


@calm
def test_the_token_of_a_terminated_instance_launches_nothing(ec2):
    """boto/boto3#4406."""
    instance = launch(ec2, ClientToken="one")
    ec2.terminate_instances(InstanceIds=[instance])
    gone_down(ec2, instance, "terminated")
    with refused("IdempotentInstanceTerminated"):
        launch(ec2, ClientToken="one")
    assert launch(ec2, ClientToken="two") != instance


@pytest.mark.sim(knobs={"vcpuLimit": 10, "requestBuckets": False, "maxReadLagSeconds": 0})
def test_processors_run_out(ec2):
    """Three of ours run from the start; each has two."""
    launch(ec2)
    launch(ec2)
    with refused("VcpuLimitExceeded") as seen:
        launch(ec2)
    assert "vCPU limit of 10" in seen.message
    launch(ec2, InstanceMarketOptions={"MarketType": "spot"})


@pytest.mark.sim(knobs={"insufficientCapacityPerMille": 1000})
def test_capacity_runs_out_by_chance(ec2):
    with refused("InsufficientInstanceCapacity", status=500):
        launch(ec2)
    with refused("DryRunOperation", DRY_RUN, status=412):
        launch(ec2, DryRun=True)


@pytest.mark.sim(knobs={"spotInterruptionsPerMille": 1000, "maxReadLagSeconds": 0})
def test_spot_instances_are_taken_back(ec2):
    instance = launch(ec2, InstanceMarketOptions={"MarketType": "spot"})
    gone_down(ec2, instance, "terminated")
    assert described(ec2, instance)["StateReason"]["Code"] == "Server.SpotInstanceTermination"


@calm
def test_volumes_that_stay_are_found_afterwards(ec2):
    keep = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 5, "DeleteOnTermination": False}}
    instance = launch(ec2, BlockDeviceMappings=[keep])
    ec2.terminate_instances(InstanceIds=[instance])
    left = [{"Name": "status", "Values": ["available"]}]
    eventually(lambda: ec2.describe_volumes(Filters=left)["Volumes"], "a volume is left")
    (volume,) = ec2.describe_volumes(Filters=left)["Volumes"]
    assert volume["Size"] == 5


def allowed(*statements):
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return pytest.mark.sim(
        iam={"policies": {world.OURS.key: [document]}}, knobs={"maxReadLagSeconds": 0, "requestBuckets": False}
    )


RUN = {
    "Effect": "Allow",
    "Action": "ec2:RunInstances",
    "Resource": [
        f"arn:aws:ec2:{world.HOME}::image/*",
        *(f"arn:aws:ec2:{world.HOME}:{world.OURS.id}:{kind}/*" for kind in ("network-interface", "subnet", "volume")),
        *(f"arn:aws:ec2:{world.HOME}:{world.OURS.id}:{kind}/*" for kind in ("security-group", "key-pair")),
    ],
}
SMALL = {
    "Effect": "Allow",
    "Action": "ec2:RunInstances",
    "Resource": f"arn:aws:ec2:{world.HOME}:{world.OURS.id}:instance/*",
    "Condition": {
        "StringEquals": {
            "ec2:InstanceType": "t3.micro",
            "ec2:MetadataHttpTokens": "required",
            "aws:RequestTag/owner": "us",
        }
    },
}
TAG = {
    "Effect": "Allow",
    "Action": "ec2:CreateTags",
    "Resource": "*",
    "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
}
PASS = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": f"arn:aws:iam::{world.OURS.id}:role/builder",
    "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
}
OURS = [{"ResourceType": "instance", "Tags": [{"Key": "owner", "Value": "us"}]}]
TOKENS = {"HttpTokens": "required"}


@allowed(RUN, SMALL, TAG, PASS)
def test_a_policy_decides_what_is_launched_and_with_which_role(sim, ec2):
    right = {"TagSpecifications": OURS, "MetadataOptions": TOKENS, "KeyName": world.KEY_PAIR}
    launch(ec2, **right)
    launch(ec2, **right, IamInstanceProfile={"Name": world.MANAGED_PROFILE})
    assert sim.policies()["unused"] == []
    for wrong in (
        {"MetadataOptions": {"HttpTokens": "optional"}},
        {"InstanceType": "t3.small"},
        {"TagSpecifications": []},
    ):
        with refused("UnauthorizedOperation", status=403) as seen:
            launch(ec2, **{**right, **wrong})
        assert ":instance/*" in seen.message
    with refused("UnauthorizedOperation", status=403) as seen:
        launch(ec2, **right, IamInstanceProfile={"Name": world.PLAIN_PROFILE})
    assert f"iam:PassRole on resource: arn:aws:iam::{world.OURS.id}:role/{world.PLAIN_PROFILE}" in seen.message
    assert "Encoded authorization failure message" in seen.message
