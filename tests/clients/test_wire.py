"""What no client would send or look at: other actions, unknown parameters, headers, GET."""

import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import world
from support.expect import refused


@pytest.fixture
def with_parameter(aws):
    """A client whose next calls carry parameters that botocore does not know."""

    def make(**parameters):
        ec2 = aws()

        def add(params, **_):
            params["body"].update(parameters)

        ec2.meta.events.register("before-call.ec2", add)
        return ec2

    return make


@pytest.mark.parametrize("call", ["describe_addresses", "describe_hosts", "describe_snapshot_tier_status"])
def test_other_actions_are_invalid_never_silent(ec2, call):
    action = "Describe" + "".join(part.title() for part in call.split("_")[1:])
    with refused("InvalidAction") as seen:
        getattr(ec2, call)()
    assert action in seen.message


def test_an_action_that_ec2_does_not_have_is_invalid(with_parameter):
    with refused("InvalidAction") as seen:
        with_parameter(Action="MakeCoffee").describe_images()
    assert seen.message == "The action MakeCoffee is not valid for this web service."


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("create_image", {"InstanceId": world.WEB, "Name": "web-1"}),
        ("deregister_image", {"ImageId": world.OWN}),
        ("delete_snapshot", {"SnapshotId": world.snapshot(world.OWN)}),
    ],
)
def test_a_client_token_where_there_is_none_is_not_recognized(with_parameter, call, arguments):
    """aws/aws-sdk-js#653; the model has tokens for CopyImage and not for these."""
    with refused("UnknownParameter", "The parameter ClientToken is not recognized"):
        getattr(with_parameter(ClientToken="t-1"), call)(**arguments)


def test_an_unknown_parameter_of_a_describe_call_is_not_recognized(with_parameter):
    with refused("UnknownParameter", "The parameter Colour is not recognized"):
        with_parameter(Colour="red").describe_images(Owners=["self"])


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ("create_image", "InstanceId"),
        ("copy_image", "SourceImageId"),
        ("deregister_image", "ImageId"),
        ("delete_snapshot", "SnapshotId"),
        ("create_tags", "ResourceId"),
    ],
)
def test_a_required_parameter_that_is_missing_is_named(aws, call, missing):
    arguments = {
        "create_image": {"Name": "web-1"},
        "copy_image": {"SourceRegion": world.HOME, "Name": "copy"},
        "create_tags": {"Tags": [{"Key": "k", "Value": "v"}]},
    }
    with refused("MissingParameter") as seen:
        getattr(aws(validate=False), call)(**arguments.get(call, {}))
    assert missing.lower() in seen.message.lower()


def signed(sim, method, parameters):
    """A request signed as botocore signs it, sent by hand."""
    query = urllib.parse.urlencode(parameters)
    url, body = sim.endpoint + "/", query
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    if method == "GET":
        url, body, headers = f"{url}?{query}", None, {}
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    keys = Credentials(world.OURS.key, world.OURS.secret)
    SigV4Auth(keys, "ec2", world.HOME).add_auth(request)
    prepared = request.prepare()
    data = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    return urllib.request.Request(prepared.url, data=data, headers=dict(prepared.headers), method=method)


DESCRIBE = {"Action": "DescribeImages", "Version": "2016-11-15", "Owner.1": "self"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.unchecked
def test_get_and_post_are_the_same(sim, method):
    with urllib.request.urlopen(signed(sim, method, DESCRIBE)) as answer:
        root = ElementTree.fromstring(answer.read())
    assert root.tag == "{http://ec2.amazonaws.com/doc/2016-11-15/}DescribeImagesResponse"
    assert len(root.find("{*}imagesSet")) == 3


@pytest.mark.unchecked
def test_an_answer_has_the_headers_of_a_real_one(sim):
    """boto/boto3#3493 shows a whole answer."""
    with urllib.request.urlopen(signed(sim, "POST", DESCRIBE)) as answer:
        headers = answer.headers
        body = answer.read().decode()
    assert headers["x-amzn-requestid"] in body
    assert headers["cache-control"] == "no-cache, no-store"
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert headers["content-type"] == "text/xml;charset=UTF-8"
    assert headers["server"] == "AmazonEC2"


@pytest.mark.unchecked
def test_a_request_without_a_signature_is_refused(sim):
    """errors-overview: MissingAuthenticationToken, or AuthFailure; either way nothing is told."""
    data = urllib.parse.urlencode(DESCRIBE).encode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(sim.endpoint + "/", data=data, method="POST"))
    with caught.value as answer:
        body = answer.read().decode()
    assert 400 <= caught.value.code < 500
    assert "imagesSet" not in body
    assert ElementTree.fromstring(body).find("Errors/Error/Code") is not None


def test_every_call_is_in_the_log(sim, ec2):
    ec2.describe_images(Owners=["self"])
    with refused("InvalidAMIID.NotFound"):
        ec2.deregister_image(ImageId="ami-0123456789abcdef0")
    actions = [call["action"] for call in sim.calls()]
    assert actions == ["DescribeImages", "DeregisterImage"]
    assert {call["account"] for call in sim.calls()} == {world.OURS.id}
    assert {call["region"] for call in sim.calls()} == {world.HOME}
