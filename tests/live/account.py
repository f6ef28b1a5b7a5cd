"""Clients of an account, whose every answer is written down as it came, and what must be tagged when it is made."""

from __future__ import annotations

import datetime
import os
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

RUN_TAG = "amity-live-run"
FACT_TAG = "amity-live-fact"

TAGGED = {
    "CopyImage": ("image", "snapshot"),
    "RegisterImage": ("image",),
    "RunInstances": ("instance", "volume"),
    "CreateLaunchTemplate": ("launch-template",),
}
"""What is tagged in the call that makes it."""


@dataclass
class Answer:
    """What came back: a code where it was refused, and the answer where it was not."""

    call: str
    region: str
    parameters: dict[str, Any]
    at: str
    status: int | None = None
    request_id: str | None = None
    code: str | None = None
    message: str | None = None
    raw: str | None = None
    answer: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As it is written down; nothing that is not there."""
        return {name: value for name, value in vars(self).items() if value not in (None, {})}


@dataclass
class Account:
    """The account of the credentials."""

    run: str
    home: str
    other: str

    def __post_init__(self) -> None:
        # What is asked for is what is sent: names that are refused are asked on purpose, and a retry would hide an answer.
        config = Config(parameter_validation=False, retries={"mode": "standard", "total_max_attempts": 1})
        self._clients: dict[tuple[str, str], Any] = {}
        self._raw = ""
        core = botocore.session.Session()
        self._session = boto3.session.Session(botocore_session=core)
        self._session.events.register("before-parse", self._keep)
        self._config = config

    @property
    def is_aws(self) -> bool:
        """Whether nothing stands for AWS."""
        return not any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ)

    @property
    def owner(self) -> str:
        """Amity's owner id for this run."""
        return f"live-{self.run}"

    def _keep(self, response_dict: dict[str, Any], **_: Any) -> None:
        body = response_dict.get("body", b"")
        self._raw = body.decode(errors="replace") if isinstance(body, bytes) else ""

    def client(self, service: str, region: str) -> Any:
        """A client, made once."""
        key = (service, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(service, region_name=region, config=self._config)
        return self._clients[key]

    def ask(self, call: str, region: str, parameters: dict[str, Any], fact: str = "") -> Answer:
        """One call. What it makes is tagged."""
        service, _, action = call.rpartition(":")
        client = self.client(service or "ec2", region)
        sent = {**parameters, **self._tags(action, parameters, fact)}
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
        answer = Answer(call=action, region=region, parameters=sent, at=now)
        try:
            came = client._make_api_call(action, sent)
        except ClientError as error:
            came = error.response
            answer.code, answer.message = came["Error"].get("Code"), came["Error"].get("Message")
            answer.raw = self._raw
        except BotoCoreError as error:
            # No answer, such as a connection that broke.
            came = {}
            answer.code, answer.message = type(error).__name__, str(error)
        else:
            answer.answer = {name: plain(part) for name, part in came.items() if name != "ResponseMetadata"}
        metadata = came.get("ResponseMetadata", {})
        answer.status, answer.request_id = metadata.get("HTTPStatusCode"), metadata.get("RequestId")
        return answer

    def _tags(self, action: str, parameters: dict[str, Any], fact: str) -> dict[str, Any]:
        tags = [{"Key": RUN_TAG, "Value": self.run}]
        if fact:
            tags.append({"Key": FACT_TAG, "Value": fact})
        if action == "PutParameter" and not parameters.get("Overwrite"):
            return {"Tags": tags}
        kinds = TAGGED.get(action, ())
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in kinds]} if kinds else {}


def plain(part: Any) -> Any:
    """As JSON has it."""
    if isinstance(part, dict):
        return {name: plain(value) for name, value in part.items()}
    if isinstance(part, list):
        return [plain(value) for value in part]
    if isinstance(part, datetime.datetime):
        return part.isoformat()
    return part
