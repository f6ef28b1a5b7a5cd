"""Systems Manager: parameters that are read, written, listed and tagged."""

import pytest
from botocore.exceptions import ClientError

from support import world
from support.expect import eventually, refusal, refused
from support.images import tags_of
from support.marks import while_time_stands_still


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


NEW = "/web/current"
TAGS = [{"Key": "team", "Value": "web"}]


def put(ssm, value, *, name=NEW, image=True, **more):
    """PutParameter of an image id, or of a text."""
    if image:
        more["DataType"] = "aws:ec2:image"
    return ssm.put_parameter(Name=name, Value=value, Type="String", **more)


def value_of(ssm, name=NEW):
    """The value that is read back; none if there is no such parameter."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ClientError as error:
        assert refusal(error).code == "ParameterNotFound"
        return None


def tags(ssm, name=NEW):
    """The tags of a parameter."""
    answer = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)
    return tags_of({"Tags": answer["TagList"]})


def test_an_image_is_put_and_read_back(ssm):
    assert put(ssm, world.OWN, Tags=TAGS, Description="what web runs")["Version"] == 1
    eventually(lambda: value_of(ssm) == world.OWN, "the value is validated")
    assert ssm.get_parameter(Name=NEW)["Parameter"]["DataType"] == "aws:ec2:image"
    assert tags(ssm) == {"team": "web"}
    assert put(ssm, world.SHARED, Overwrite=True)["Version"] == 2
    eventually(lambda: value_of(ssm) == world.SHARED, "the next value is validated")
    assert value_of(ssm, f"{NEW}:1") == world.OWN
    assert tags(ssm) == {"team": "web"}


@while_time_stands_still
def test_an_image_is_not_the_value_before_it_is_validated(ssm):
    """Model: "the PutParameter call returns before the validation is complete"."""
    put(ssm, world.OWN)
    assert value_of(ssm) is None
    put(ssm, world.SHARED, name=world.PARAMETER, Overwrite=True)
    assert value_of(ssm, world.PARAMETER) == world.OWN


def test_an_invalid_image_never_becomes_the_value(sim, ssm):
    """Model: "the parameter will not be created or updated"."""
    for value in ("ami-0123456789abcdef0", world.PRIVATE, "web"):
        put(ssm, value)
        put(ssm, value, name=world.PARAMETER, Overwrite=True)
        sim.advance(3600)
        assert value_of(ssm) is None
        assert value_of(ssm, world.PARAMETER) == world.OWN


def test_a_parameter_that_is_there_needs_overwrite(ssm):
    text = (
        "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
    )
    with refused("ParameterAlreadyExists", text):
        put(ssm, world.SHARED, name=world.PARAMETER)


def test_tags_and_overwrite_exclude_each_other(ssm):
    """getmoto/moto#4283 for the text."""
    text = (
        "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove "
        "overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
        "RemoveTagsFromResource."
    )
    with refused("ValidationException", text):
        put(ssm, world.SHARED, name=world.PARAMETER, Overwrite=True, Tags=TAGS)


def test_tags_are_added_and_removed(ssm):
    parameter = {"ResourceType": "Parameter", "ResourceId": world.PARAMETER}
    ssm.add_tags_to_resource(Tags=TAGS, **parameter)
    ssm.add_tags_to_resource(Tags=[{"Key": "stage", "Value": "gold"}], **parameter)
    assert tags(ssm, world.PARAMETER) == {"team": "web", "stage": "gold"}
    ssm.remove_tags_from_resource(TagKeys=["stage", "none"], **parameter)
    assert tags(ssm, world.PARAMETER) == {"team": "web"}
    with refused("InvalidResourceId"):
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/golden/none", Tags=TAGS)


def test_a_parameter_is_deleted(ssm):
    ssm.delete_parameter(Name=world.PARAMETER)
    assert value_of(ssm, world.PARAMETER) is None
    with refused("ParameterNotFound"):
        ssm.delete_parameter(Name=world.PARAMETER)


def test_parameters_are_found_by_name_and_tag(ssm):
    put(ssm, "a", image=False, Tags=TAGS, Description="what web runs")
    for key, option, value in (("Name", "Equals", NEW), ("Name", "BeginsWith", "/web/"), ("tag:team", "Equals", "web")):
        filters = [{"Key": key, "Option": option, "Values": [value]}]
        (found,) = ssm.describe_parameters(ParameterFilters=filters)["Parameters"]
        assert (found["Name"], found["Version"], found["Description"]) == (NEW, 1, "what web runs")
    pages = ssm.get_paginator("describe_parameters").paginate(PaginationConfig={"PageSize": 1})
    assert {one["Name"] for page in pages for one in page["Parameters"]} == {NEW, world.PARAMETER}


def test_parameters_are_written_in_one_account_and_region(aws, ssm):
    put(ssm, "ours", image=False)
    for other in (aws("ssm", account=world.OTHER), aws("ssm", world.EUROPE)):
        assert value_of(other) is None
        assert put(other, "theirs", image=False)["Version"] == 1
    assert value_of(ssm) == "ours"
