"""Systems Manager: GetParameter and GetParameters."""

import pytest

from support import world
from support.expect import refused


@pytest.fixture
def ssm(aws):
    """Systems Manager at home."""
    return aws("ssm")


def test_a_parameter_of_ours(ssm):
    parameter = ssm.get_parameter(Name=world.PARAMETER)["Parameter"]
    assert (parameter["Value"], parameter["DataType"], parameter["Version"]) == (world.OWN, "aws:ec2:image", 3)
    assert parameter["ARN"] == f"arn:aws:ssm:{world.HOME}:{world.OURS.id}:parameter{world.PARAMETER}"


def test_a_public_parameter_is_everybodys_in_its_region(aws, ssm):
    parameter = ssm.get_parameter(Name=world.PUBLIC_PARAMETER)["Parameter"]
    assert (parameter["Value"], parameter["DataType"]) == (world.PUBLIC, "text")
    assert parameter["ARN"] == f"arn:aws:ssm:{world.HOME}::parameter{world.PUBLIC_PARAMETER}"
    with refused("ParameterNotFound"):
        aws("ssm", world.EUROPE).get_parameter(Name=world.PUBLIC_PARAMETER)


def test_a_parameter_of_ours_is_not_anothers(aws):
    with refused("ParameterNotFound"):
        aws("ssm", account=world.OTHER).get_parameter(Name=world.PARAMETER)


def test_several_at_once(ssm):
    answer = ssm.get_parameters(Names=[world.PARAMETER, world.PUBLIC_PARAMETER, "/golden/none"])
    assert {parameter["Value"] for parameter in answer["Parameters"]} == {world.OWN, world.PUBLIC}
    assert answer["InvalidParameters"] == ["/golden/none"]


def test_a_version(ssm):
    parameter = ssm.get_parameter(Name=f"{world.PARAMETER}:3")["Parameter"]
    assert (parameter["Name"], parameter["Selector"]) == (world.PARAMETER, ":3")
    with refused("ParameterVersionNotFound"):
        ssm.get_parameter(Name=f"{world.PARAMETER}:2")


def test_a_stranger_is_refused(aws):
    with refused("UnrecognizedClientException"):
        aws("ssm", account=world.NOBODY).get_parameter(Name=world.PARAMETER)
