"""The check of shapes itself: it must bite, or its silence over the whole suite means nothing.

`conftest.every_answer_has_its_shape` applies it to every answer of every test; here it gets
answers of which it is known what is wrong with them.
"""

import botocore.session
import pytest

from support import shapes, world

EC2 = "http://ec2.amazonaws.com/doc/2016-11-15/"
STS = "https://sts.amazonaws.com/doc/2011-06-15/"
ID = "<requestId>r-1</requestId>"
REGION = (
    "<regionName>us-east-1</regionName><regionEndpoint>ec2.us-east-1.amazonaws.com</regionEndpoint>"
    "<optInStatus>opt-in-not-required</optInStatus>"
)
SNAPSHOT = (
    "<snapshotId>snap-0123456789abcdef0</snapshotId><volumeId>vol-ffffffff</volumeId><status>completed</status>"
    "<startTime>2026-01-02T03:04:05.678Z</startTime><progress>100%</progress><ownerId>111111111111</ownerId>"
    "<volumeSize>8</volumeSize><encrypted>false</encrypted>"
)


@pytest.fixture(scope="module")
def operation():
    """botocore's model of a call."""
    session = botocore.session.Session()

    def find(name, service="ec2"):
        return session.get_service_model(service).operation_model(name)

    return find


def answer(body, status=200, request_id="r-1"):
    """botocore's `response_dict`."""
    headers = {"x-amzn-requestid": request_id, "content-type": "text/xml;charset=UTF-8"}
    return {"body": body.encode(), "status_code": status, "headers": headers}


def response(action, body):
    """An answer of EC2."""
    return answer(f'<{action}Response xmlns="{EC2}">{ID}{body}</{action}Response>')


RIGHT = [
    ("DescribeRegions", f"<regionInfo><item>{REGION}</item></regionInfo>"),
    ("DescribeRegions", "<regionInfo/>"),
    ("DescribeSnapshots", f"<snapshotSet><item>{SNAPSHOT}</item></snapshotSet>"),
    ("DescribeSnapshots", "<snapshotSet/><nextToken>abc</nextToken>"),
    ("CreateImage", "<imageId>ami-1</imageId>"),
    ("CreateTags", "<return>true</return>"),
]

WRONG = {
    "another element": ("DescribeRegions", f"<regionInfo><item>{REGION}<colour>red</colour></item></regionInfo>"),
    "another element at the top": ("DescribeRegions", "<regionInfo/><colour>red</colour>"),
    "no list": ("DescribeRegions", ""),
    "a list without items": ("DescribeRegions", f"<regionInfo>{REGION}</regionInfo>"),
    "a list of members": ("DescribeRegions", f"<regionInfo><member>{REGION}</member></regionInfo>"),
    "a list twice": ("DescribeRegions", "<regionInfo/><regionInfo/>"),
    "a name of the SDK": ("DescribeImages", "<Images/>"),
    "text in a list": ("DescribeRegions", "<regionInfo>none</regionInfo>"),
    "white space": ("DescribeRegions", "<regionInfo>\n</regionInfo>\n"),
    "a value missing": ("DescribeSnapshots", "<snapshotSet><item><status>completed</status></item></snapshotSet>"),
    "no boolean": (
        "DescribeSnapshots",
        f"<snapshotSet><item>{SNAPSHOT.replace('>false<', '>False<')}</item></snapshotSet>",
    ),
    "no number": ("DescribeSnapshots", f"<snapshotSet><item>{SNAPSHOT.replace('>8<', '>8 GiB<')}</item></snapshotSet>"),
    "no time": (
        "DescribeSnapshots",
        f"<snapshotSet><item>{SNAPSHOT.replace('2026-01-02T03:04:05.678Z', '1767323045')}</item></snapshotSet>",
    ),
    "no state": (
        "DescribeSnapshots",
        f"<snapshotSet><item>{SNAPSHOT.replace('>completed<', '>available<')}</item></snapshotSet>",
    ),
    "no image": ("CreateImage", ""),
    "a result where there is none": ("CreateTags", "<return>false</return>"),
}


@pytest.mark.parametrize(("action", "body"), RIGHT)
def test_a_right_answer_passes(operation, action, body):
    assert shapes.violations(operation(action), response(action, body)) == []


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_answer_does_not(operation, what):
    action, body = WRONG[what]
    assert shapes.violations(operation(action), response(action, body))


def test_the_root_has_the_name_of_the_call_and_the_namespace(operation):
    for body in (
        f'<DescribeImagesResponse xmlns="{EC2}">{ID}<regionInfo/></DescribeImagesResponse>',
        f"<DescribeRegionsResponse>{ID}<regionInfo/></DescribeRegionsResponse>",
    ):
        assert shapes.violations(operation("DescribeRegions"), answer(body))


def test_the_request_id_is_in_body_and_header(operation):
    body = f'<DescribeRegionsResponse xmlns="{EC2}">{ID}<regionInfo/></DescribeRegionsResponse>'
    assert shapes.violations(operation("DescribeRegions"), answer(body, request_id="r-2"))
    assert shapes.violations(operation("DescribeRegions"), answer(body.replace(ID, "")))


def test_an_error_has_a_shape_of_its_own(operation):
    errors = "<Errors><Error><Code>A</Code><Message>b</Message></Error></Errors>"
    right = f"<Response>{errors}<RequestID>r-1</RequestID></Response>"
    call = operation("DescribeRegions")
    assert shapes.violations(call, answer(right, 400)) == []
    assert shapes.violations(call, answer(right.replace("RequestID", "requestId"), 400))
    assert shapes.violations(call, answer(right.replace("<Response>", f'<Response xmlns="{EC2}">'), 400))
    assert shapes.violations(call, answer(right.replace("<Message>b</Message>", ""), 400))
    assert shapes.violations(call, answer("Bad Request", 400))


def test_sts_wraps_its_results(operation):
    result = "<Arn>arn:aws:iam::111111111111:root</Arn><UserId>u</UserId><Account>111111111111</Account>"
    metadata = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>"
    wrapped = f"<GetCallerIdentityResult>{result}</GetCallerIdentityResult>"
    call = operation("GetCallerIdentity", "sts")

    def root(inner):
        return answer(f'<GetCallerIdentityResponse xmlns="{STS}">{inner}</GetCallerIdentityResponse>')

    assert shapes.violations(call, root(wrapped + metadata)) == []
    assert shapes.violations(call, root(result + metadata))
    assert shapes.violations(call, root(wrapped))


def test_answers_to_boto3_are_checked(aws, checked):
    aws().describe_regions()
    aws("sts").get_caller_identity()
    assert checked.answers == 2


def test_answers_to_the_cli_are_checked(cli, tmp_path):
    assert cli("ec2", "describe-images", "--image-ids", world.OWN).code == 0
    assert (tmp_path / "shapes.jsonl").read_text().count('"DescribeImages"') == 1
