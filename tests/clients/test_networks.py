"""What a launch can name, looked up: VPCs, subnets, security groups, key pairs, zones, instance types."""

import pytest

from support import world
from support.expect import refused

ZONES = [f"{world.HOME}{letter}" for letter in "abc"]


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def ids(found, key):
    return {one[key] for one in found}


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        ({}, {world.VPC, world.OTHER_VPC}),
        (by("is-default", "true"), {world.VPC}),
        (by("isDefault", "false"), {world.OTHER_VPC}),
        (by("vpc-id", world.OTHER_VPC), {world.OTHER_VPC}),
        (by("tag:net", "main"), {world.VPC}),
        (by("tag-key", "net"), {world.VPC}),
        ({"VpcIds": [world.OTHER_VPC]}, {world.OTHER_VPC}),
    ],
)
def test_vpcs(ec2, ask, expected):
    assert ids(ec2.describe_vpcs(**ask)["Vpcs"], "VpcId") == expected


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (by("vpc-id", world.VPC), {world.SUBNET_A, world.SUBNET_B, world.SUBNET_C}),
        (by("default-for-az", "false"), {world.OTHER_SUBNET}),
        (by("availability-zone", ZONES[0]), {world.SUBNET_A, world.OTHER_SUBNET}),
        (by("availability-zone-id", "use1-az2"), {world.SUBNET_B}),
        (by("tag:tier", "build"), {world.OTHER_SUBNET}),
        ({"SubnetIds": [world.SUBNET_A]}, {world.SUBNET_A}),
    ],
)
def test_subnets(ec2, ask, expected):
    found = ec2.describe_subnets(**ask)["Subnets"]
    assert ids(found, "SubnetId") == expected
    assert all(one["AvailableIpAddressCount"] > 200 for one in found)


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (by("group-name", "web"), {world.GROUP, world.OTHER_GROUP}),
        ({"Filters": [*by("group-name", "web")["Filters"], *by("vpc-id", world.VPC)["Filters"]]}, {world.GROUP}),
        (by("group-id", world.OTHER_GROUP), {world.OTHER_GROUP}),
        (by("tag:crew", "base"), {world.GROUP}),
        ({"GroupIds": [world.GROUP]}, {world.GROUP}),
        ({"GroupNames": ["web"]}, {world.GROUP}),
    ],
)
def test_security_groups(ec2, ask, expected):
    assert ids(ec2.describe_security_groups(**ask)["SecurityGroups"], "GroupId") == expected


def test_every_vpc_has_a_group_named_default(ec2):
    found = ec2.describe_security_groups(**by("group-name", "default"))["SecurityGroups"]
    assert ids(found, "VpcId") == {world.VPC, world.OTHER_VPC}


def test_key_pairs(ec2):
    for ask in ({}, {"KeyNames": [world.KEY_PAIR]}, by("key-name", "oper*"), by("tag:crew", "base")):
        (pair,) = ec2.describe_key_pairs(**ask)["KeyPairs"]
        assert pair["KeyName"] == world.KEY_PAIR
        assert pair["KeyPairId"].startswith("key-")
    assert ec2.describe_key_pairs(**by("key-name", "none"))["KeyPairs"] == []


def test_zones(ec2):
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(one["ZoneName"], one["ZoneId"]) for one in zones] == [(zone, f"use1-az{n}") for n, zone in enumerate(ZONES, 1)]
    (zone,) = ec2.describe_availability_zones(ZoneNames=[ZONES[1]])["AvailabilityZones"]
    assert (zone["State"], zone["RegionName"]) == ("available", world.HOME)
    with refused("InvalidParameterValue", "Invalid availability zone: [us-east-1x]"):
        ec2.describe_availability_zones(ZoneNames=["us-east-1x"])


def test_instance_types_are_offered_by_region_and_by_zone(ec2):
    def offered(**ask):
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(PaginationConfig={"PageSize": 5}, **ask)
        return {(one["InstanceType"], one["Location"]) for page in pages for one in page["InstanceTypeOfferings"]}

    region = offered()
    assert ("t3.micro", world.HOME) in region and ("t4g.micro", world.HOME) in region
    by_zone = offered(LocationType="availability-zone", **by("instance-type", "t3.micro"))
    assert by_zone == {("t3.micro", ZONES[0]), ("t3.micro", ZONES[1])}
    in_c = offered(LocationType="availability-zone", **by("location", ZONES[2]))
    assert in_c and not any(kind.startswith("t3.") for kind, _ in in_c)


def test_a_new_account_has_a_default_network_everywhere(aws):
    ec2 = aws(region=world.EUROPE, account=world.OTHER)
    (vpc,) = ec2.describe_vpcs()["Vpcs"]
    assert vpc["IsDefault"] is True
    subnets = ec2.describe_subnets()["Subnets"]
    assert ids(subnets, "AvailabilityZone") == {f"{world.EUROPE}{letter}" for letter in "abc"}
    assert all(one["DefaultForAz"] and one["VpcId"] == vpc["VpcId"] for one in subnets)
    (group,) = ec2.describe_security_groups()["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    ours = aws(region=world.EUROPE).describe_vpcs()["Vpcs"]
    assert ids(ours, "VpcId").isdisjoint({vpc["VpcId"]})


@pytest.mark.parametrize(
    ("call", "ask", "code", "message"),
    [
        (
            "describe_vpcs",
            {"VpcIds": ["vpc-0123456789abcdef0"]},
            "InvalidVpcID.NotFound",
            "The vpc ID 'vpc-0123456789abcdef0' does not exist",
        ),
        (
            "describe_subnets",
            {"SubnetIds": ["subnet-0123456789abcdef0"]},
            "InvalidSubnetID.NotFound",
            "The subnet ID 'subnet-0123456789abcdef0' does not exist",
        ),
        (
            "describe_security_groups",
            {"GroupIds": ["sg-0123456789abcdef0"]},
            "InvalidGroup.NotFound",
            "The security group 'sg-0123456789abcdef0' does not exist",
        ),
        (
            "describe_key_pairs",
            {"KeyNames": ["nobodys"]},
            "InvalidKeyPair.NotFound",
            "The key pair 'nobodys' does not exist",
        ),
        (
            "describe_volumes",
            {"VolumeIds": ["vol-0123456789abcdef0"]},
            "InvalidVolume.NotFound",
            "The volume 'vol-0123456789abcdef0' does not exist.",
        ),
    ],
)
def test_what_is_not_there_is_not_found(ec2, call, ask, code, message):
    with refused(code, message):
        getattr(ec2, call)(**ask)


@pytest.mark.parametrize("call", ["describe_vpcs", "describe_subnets", "describe_security_groups", "describe_volumes"])
def test_they_come_in_pages(aws, ec2, call):
    (key,) = [name for name in getattr(ec2, call)() if name not in ("ResponseMetadata", "NextToken")]
    everything = getattr(ec2, call)()[key]
    pages = ec2.get_paginator(call).paginate(PaginationConfig={"PageSize": 5})
    assert len([one for page in pages for one in page[key]]) == len(everything)
    with refused("InvalidParameterValue"):
        getattr(aws(validate=False), call)(MaxResults=4)
