"""Walks the XML (or JSON) of an answer against botocore's model of the call.

botocore itself is lenient: an element that its model does not know is dropped, a list that is
not there is an empty list, and `<isPublic>maybe</isPublic>` is `False`. Here each of these is a
violation, with the path of the element.

Nothing in this file imports botocore: the AWS CLI carries a copy of its own, and the operation
model that is passed in may come from either.

Sources: the model (`service-2.json`, protocols `ec2`, `query` and `json`); "Query requests" in the EC2
Developer Guide for the root, the namespace and the missing white space; boto/boto3#3493 for the
headers of a real answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

XMLNS = {
    "ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
    "query": "https://sts.amazonaws.com/doc/2011-06-15/",
}

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
_INTEGER = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")

# The model says `String` for these; what EC2 writes into them is fixed nevertheless.
_TEXTS = {
    ("Image", "CreationDate"): re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    ("Image", "OwnerId"): re.compile(r"\d{12}"),
    ("Image", "ImageId"): re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})"),
    ("Snapshot", "OwnerId"): re.compile(r"\d{12}"),
    ("Snapshot", "Progress"): re.compile(r"(\d{1,2}|100)%"),
    ("Snapshot", "SnapshotId"): re.compile(r"snap-([0-9a-f]{8}|[0-9a-f]{17})"),
    ("Snapshot", "VolumeId"): re.compile(r"vol-([0-9a-f]{8}|[0-9a-f]{17})"),
    ("Instance", "InstanceId"): re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})"),
}

# What EC2 writes although the enumeration does not have it: "the value is `windows` for Windows
# AMIs" (model, Image.Platform), where the enumeration has `Windows`.
_ALSO = {"PlatformValues": {"windows"}}

# Members without which the answer says nothing; the model marks none of them as required.
_ALWAYS = {
    "Image": {"ImageId", "State", "OwnerId", "CreationDate", "Public", "ImageLocation"},
    "Snapshot": {"SnapshotId", "State", "OwnerId", "VolumeId", "VolumeSize", "StartTime", "Encrypted"},
    "Instance": {"InstanceId", "State", "ImageId", "RootDeviceName", "LaunchTime"},
    "InstanceStatus": {"InstanceId", "InstanceState", "InstanceStatus", "SystemStatus", "AvailabilityZone"},
    "InstanceStateChange": {"InstanceId", "CurrentState", "PreviousState"},
    "GetConsoleOutputResult": {"InstanceId", "Timestamp"},
    "Volume": {"VolumeId", "State", "Size", "AvailabilityZone", "CreateTime", "Encrypted", "VolumeType"},
    "Vpc": {"VpcId", "State", "CidrBlock", "IsDefault", "OwnerId"},
    "Subnet": {"SubnetId", "VpcId", "State", "CidrBlock", "AvailabilityZone", "DefaultForAz", "OwnerId"},
    "SecurityGroup": {"GroupId", "GroupName", "Description", "VpcId", "OwnerId"},
    "KeyPairInfo": {"KeyPairId", "KeyName", "KeyType", "KeyFingerprint"},
    "AvailabilityZone": {"ZoneName", "ZoneId", "State", "RegionName", "OptInStatus", "ZoneType"},
    "InstanceTypeOffering": {"InstanceType", "LocationType", "Location"},
    "LaunchTemplate": {"LaunchTemplateId", "LaunchTemplateName", "DefaultVersionNumber", "LatestVersionNumber"},
    "LaunchTemplateVersion": {"LaunchTemplateId", "VersionNumber", "DefaultVersion", "LaunchTemplateData"},
    "Command": {"CommandId", "DocumentName", "InstanceIds", "Status", "RequestedDateTime", "ExpiresAfter"},
    "GetCommandInvocationResult": {"CommandId", "InstanceId", "Status", "StatusDetails", "ResponseCode"},
    "InstanceInformation": {"InstanceId", "PingStatus", "PlatformType", "ResourceType"},
    "Reservation": {"ReservationId", "OwnerId", "Instances"},
    "Region": {"RegionName", "Endpoint", "OptInStatus"},
    "CreateImageResult": {"ImageId"},
    "CopyImageResult": {"ImageId"},
    "RegisterImageResult": {"ImageId"},
    "ImageAttribute": {"ImageId"},
    "ImageReference": {"ImageId", "ResourceType", "Arn"},
    "TagDescription": {"ResourceId", "ResourceType", "Key", "Value"},
    "Parameter": {"ARN", "DataType", "LastModifiedDate", "Name", "Type", "Value", "Version"},
    "ParameterMetadata": {"ARN", "DataType", "LastModifiedDate", "Name", "Tier", "Type", "Version"},
    "PutParameterResult": {"Tier", "Version"},
    "ListTagsForResourceResult": {"TagList"},
    "DescribeParametersResult": {"Parameters"},
    "DeregisterImageResult": {"Return"},
    "EnableImageDeprecationResult": {"Return"},
    "DisableImageDeprecationResult": {"Return"},
    "EnableImageDeregistrationProtectionResult": {"Return"},
    "DisableImageDeregistrationProtectionResult": {"Return"},
    "GetCallerIdentityResponse": {"UserId", "Account", "Arn"},
    "AssumeRoleResponse": {"Credentials", "AssumedRoleUser"},
}


def violations(operation: Any, answer: Mapping[str, Any]) -> list[str]:
    """Everything in `answer` (botocore's `response_dict`) that is not as `operation` says."""
    protocol = operation.service_model.metadata["protocol"]
    if protocol == "json":
        return [f"{operation.name}: {violation}" for violation in _json_answer(operation, answer)]
    try:
        root = ElementTree.fromstring(answer["body"])
    except ElementTree.ParseError as error:
        return [f"{operation.name}: not XML ({error}): {answer['body'][:200]!r}"]
    if protocol not in XMLNS:
        return [f"{operation.name}: protocol {protocol} is not one of {sorted(XMLNS)}"]
    found = [*_headers(root, answer), *_white_space(root, root.tag)]
    if answer["status_code"] >= 300:
        found += _error(protocol, root, answer["status_code"])
    elif protocol == "ec2":
        found += _ec2(operation, root)
    else:
        found += _query(operation, root)
    return [f"{operation.name}: {violation}" for violation in found]


def _json_answer(operation: Any, answer: Mapping[str, Any]) -> Iterator[str]:
    """JSON 1.1, which Systems Manager speaks."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    if headers.get("content-type") != "application/x-amz-json-1.1":
        yield f"content-type is {headers.get('content-type')!r}"
    if not headers.get("x-amzn-requestid"):
        yield "no request id in the header"
    try:
        value = json.loads(answer["body"])
    except ValueError as error:
        yield f"not JSON ({error}): {answer['body'][:200]!r}"
        return
    if answer["status_code"] < 300:
        yield from _json(operation.output_shape, value, operation.name)
        return
    if not isinstance(value, dict) or not isinstance(value.get("__type"), str):
        yield f"an error without __type: {value!r}"


def _json(shape: Any, value: Any, path: str) -> Iterator[str]:
    kinds = {"string": str, "boolean": bool, "integer": int, "long": int, "timestamp": (int, float)}
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in value.items():
            if name in shape.members:
                yield from _json(shape.members[name], member, f"{path}/{name}")
            else:
                yield f"{path}/{name}: the model does not know it (in {shape.name})"
        for missing in sorted((_ALWAYS.get(shape.name, set()) | set(shape.required_members)) - set(value)):
            yield f"{path}: no {missing} (in {shape.name})"
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from _json(shape.member, item, f"{path}[{number}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for name, item in value.items():
            yield from _json(shape.value, item, f"{path}/{name}")
    elif not isinstance(value, kinds.get(shape.type_name, ())):
        yield f"{path}: {value!r} is no {shape.type_name}"
    elif shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        yield f"{path}: {value!r} is none of {shape.metadata['enum']}"


def _headers(root: ElementTree.Element, answer: Mapping[str, Any]) -> Iterator[str]:
    """The Rust SDK takes the request id from the header, botocore from the body."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    content_type = headers.get("content-type", "").replace(" ", "").lower()
    if content_type not in ("text/xml;charset=utf-8", "text/xml"):
        yield f"content-type is {content_type!r}"
    in_header = headers.get("x-amzn-requestid")
    in_body = next((e.text for e in root.iter() if _name(e).lower() == "requestid"), None)
    if not in_header or in_header != in_body:
        yield f"request id {in_header!r} in the header, {in_body!r} in the body"


def _white_space(element: ElementTree.Element, path: str) -> Iterator[str]:
    """Since 2025-07-31 EC2 writes neither newlines nor indentation."""
    for child in element:
        if child.tail:
            yield f"{path}: text {child.tail!r} behind {_name(child)}"
        yield from _white_space(child, f"{path}/{_name(child)}")
    if len(element) and element.text:
        yield f"{path}: text {element.text!r} before its first element"


def _error(protocol: str, root: ElementTree.Element, status: int) -> Iterator[str]:
    if not 400 <= status < 600:
        yield f"status {status} is no error"
    if protocol == "ec2":
        # Neither a namespace nor `requestId`: the one place where EC2 writes `RequestID`.
        if root.tag != "Response":
            yield f"the root of an error is {root.tag}, not Response"
        yield from _children(root, "Response", ["Errors", "RequestID"])
        errors = root.findall("Errors/Error")
        if len(errors) != 1:
            yield f"{len(errors)} Error elements"
        for error in errors:
            yield from _children(error, "Response/Errors/Error", ["Code", "Message"])
    else:
        namespace = f"{{{XMLNS['query']}}}"
        if root.tag != namespace + "ErrorResponse":
            yield f"the root of an error is {root.tag}, not {namespace}ErrorResponse"
        yield from _children(root, "ErrorResponse", ["Error", "RequestId"])
        for error in root.findall(namespace + "Error"):
            yield from _children(error, "ErrorResponse/Error", ["Type", "Code", "Message"])


def _ec2(operation: Any, root: ElementTree.Element) -> Iterator[str]:
    expected = f"{{{XMLNS['ec2']}}}{operation.name}Response"
    if root.tag != expected:
        yield f"the root is {root.tag}, not {expected}"
    ids = [child for child in root if _name(child) == "requestId"]
    if len(ids) != 1:
        yield f"{len(ids)} requestId elements"
    members = [child for child in root if _name(child) != "requestId"]
    if operation.output_shape is None:
        # Documented samples of such calls hold `<return>true</return>`.
        for child in members:
            if _name(child) != "return" or child.text != "true":
                yield f"{_name(child)} in an answer without an output shape"
        return
    yield from _structure(operation.output_shape, members, operation.name)
    # botocore takes a missing list for an empty one; EC2 writes `<imagesSet/>`. Of an image's or a
    # snapshot's attributes only the one that was asked for is there.
    if operation.name.startswith("Describe") and not operation.name.endswith("Attribute"):
        present = {_name(child) for child in members}
        for name, member in operation.output_shape.members.items():
            if member.type_name == "list" and _wire_name(name, member) not in present:
                yield f"no {_wire_name(name, member)}, not even an empty one"


def _query(operation: Any, root: ElementTree.Element) -> Iterator[str]:
    namespace = f"{{{XMLNS['query']}}}"
    expected = f"{namespace}{operation.name}Response"
    if root.tag != expected:
        yield f"the root is {root.tag}, not {expected}"
    wrapper = operation.output_shape.serialization.get("resultWrapper")
    yield from _children(root, operation.name, [wrapper, "ResponseMetadata"])
    for metadata in root.findall(namespace + "ResponseMetadata"):
        yield from _children(metadata, "ResponseMetadata", ["RequestId"])
    for result in root.findall(namespace + wrapper):
        yield from _structure(operation.output_shape, list(result), wrapper)


def _structure(shape: Any, children: list[ElementTree.Element], path: str) -> Iterator[str]:
    known = {_wire_name(name, member): (name, member) for name, member in shape.members.items()}
    seen: set[str] = set()
    for child in children:
        name = _name(child)
        if name not in known:
            yield f"{path}/{name}: the model does not know it (in {shape.name})"
            continue
        member_name, member = known[name]
        if member_name in seen and not member.serialization.get("flattened"):
            yield f"{path}/{name}: there twice"
        seen.add(member_name)
        yield from _value(member, child, f"{path}/{name}")
        text = _TEXTS.get((shape.name, member_name))
        if text and not text.fullmatch(child.text or ""):
            yield f"{path}/{name}: {child.text!r} is not {text.pattern}"
    for missing in sorted((_ALWAYS.get(shape.name, set()) | set(shape.required_members)) - seen):
        yield f"{path}: no {_wire_name(missing, shape.members[missing])} (in {shape.name})"


def _value(shape: Any, element: ElementTree.Element, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        if element.text:
            yield f"{path}: text {element.text!r} in a structure"
        yield from _structure(shape, list(element), path)
        return
    if shape.type_name == "list":
        if element.text:
            yield f"{path}: text {element.text!r} in a list"
        item = shape.member.serialization.get("name", "member")
        for number, child in enumerate(element):
            if _name(child) != item:
                yield f"{path}/{_name(child)}: an element of a list is {item}"
            yield from _value(shape.member, child, f"{path}[{number}]")
        return
    if len(element):
        yield f"{path}: elements in a {shape.type_name}"
        return
    text = element.text or ""
    enum = shape.metadata.get("enum")
    if shape.type_name == "boolean":
        right = text in ("true", "false")
    elif shape.type_name in ("integer", "long"):
        right = bool(_INTEGER.fullmatch(text))
    elif shape.type_name in ("float", "double"):
        right = bool(_NUMBER.fullmatch(text))
    elif shape.type_name == "timestamp":
        right = bool(_TIMESTAMP.fullmatch(text))
    elif shape.type_name == "string":
        right = not enum or text in enum or text in _ALSO.get(shape.name, set())
    else:
        yield f"{path}: a {shape.type_name} cannot be in such an answer"
        return
    if not right:
        yield f"{path}: {text!r} is no {shape.type_name}" + (f" of {sorted(enum)}" if enum else "")


def _children(element: ElementTree.Element, path: str, expected: list[str]) -> Iterator[str]:
    names = sorted(_name(child) for child in element)
    if names != sorted(expected):
        yield f"{path} has {names}, not {sorted(expected)}"
    for child in element:
        if not len(child) and not child.text:
            yield f"{path}/{_name(child)} is empty"


def _wire_name(name: str, shape: Any) -> str:
    return shape.serialization.get("name", name)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
