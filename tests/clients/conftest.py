"""An ec2sim for each test, clients of its accounts, and the check of every single answer.

`aws(service, region, account)` makes boto3 clients, `cli(...)` runs the AWS CLI. Both check the
shape of what they get; the fixture `every_answer_has_its_shape` (autouse) fails a test with an
answer that botocore's model does not describe, and also one with an answer that nobody checked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
import yaml
from botocore.config import Config

from support import shapes, world
from support.simulator import Simulator

HERE = Path(__file__).parent

FAST = 3600.0
"""An hour in a second: what EC2 takes minutes for is done before a client asks again."""


MODELS = botocore.loaders.create_loader()
"""Read once for all tests: the model of EC2 alone takes longer to read than most tests to run."""


@dataclass
class Checked:
    """What became of the answers of one test."""

    answers: int = 0
    violations: list[str] = field(default_factory=list)


@pytest.fixture
def sim(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Simulator]:
    """The test's own ec2sim, over `support/world.py`."""
    marker = request.node.get_closest_marker("sim")
    options: dict[str, Any] = {"speed": FAST, "seed": 1, **(marker.kwargs if marker else {})}
    path = tmp_path / "world.yaml"
    document = world.document(options.pop("knobs", {}), options.pop("facts", {}), options.pop("iam", {}))
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with Simulator(path, log=tmp_path / "ec2sim.log", **options) as simulator:
        yield simulator


@pytest.fixture
def checked() -> Checked:
    """Filled by the clients, judged by `every_answer_has_its_shape`."""
    return Checked()


@pytest.fixture(autouse=True)
def every_answer_has_its_shape(request: pytest.FixtureRequest, checked: Checked, tmp_path: Path) -> Iterator[None]:
    """No test passes with an answer that the model does not describe, or that was not checked."""
    simulator = request.getfixturevalue("sim") if "sim" in request.fixturenames else None
    yield
    report = tmp_path / "shapes.jsonl"
    if report.exists():
        for line in map(json.loads, report.read_text().splitlines()):
            checked.answers += 1
            checked.violations += line["violations"]
    assert not checked.violations, "\n".join(dict.fromkeys(checked.violations))
    if simulator is not None and not request.node.get_closest_marker("unchecked"):
        assert checked.answers == len(simulator.calls()), "some answers were not checked"


@pytest.fixture
def aws(sim: Simulator, checked: Checked) -> Callable[..., Any]:
    """A boto3 client: `aws("ec2", "eu-west-1", world.OTHER)`; one attempt unless told."""

    def check(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        checked.answers += 1
        checked.violations += shapes.violations(operation_model, response_dict)

    def make(
        service: str = "ec2",
        region: str = world.HOME,
        account: world.Account = world.OURS,
        *,
        credentials: dict[str, str] | None = None,
        validate: bool = True,
        attempts: int = 1,
    ) -> Any:
        core = botocore.session.Session()
        core.register_component("data_loader", MODELS)
        session = boto3.session.Session(botocore_session=core)
        session.events.register("before-parse", check)
        return session.client(
            service,
            region_name=region,
            endpoint_url=sim.endpoint,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                parameter_validation=validate,
            ),
            **(credentials or account.credentials()),
        )

    return make


@pytest.fixture
def ec2(aws: Callable[..., Any]) -> Any:
    """EC2 at home: our account, the region of the instances."""
    return aws()


@dataclass(frozen=True)
class Ran:
    """What the CLI said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The answer; the CLI must have succeeded."""
        assert self.code == 0, self.stderr
        return json.loads(self.stdout) if self.stdout.strip() else None


@pytest.fixture
def cli(sim: Simulator, tmp_path: Path) -> Callable[..., Ran]:
    """Runs `aws <arguments>` as a user would, with nothing but an endpoint in the environment."""
    config = tmp_path / "config"
    config.write_text("[default]\noutput = json\n[plugins]\nshapes = support.cli_plugin\n")

    def run(*arguments: str, account: world.Account = world.OURS, region: str = world.HOME, attempts: int = 40) -> Ran:
        keys = account.credentials()
        _turn_waiters_down(tmp_path / "data", attempts)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SHAPES_REPORT": str(tmp_path / "shapes.jsonl"),
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": sim.endpoint,
            "AWS_DEFAULT_REGION": region,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_DATA_PATH": str(tmp_path / "data"),
            "AWS_ACCESS_KEY_ID": keys["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": keys["aws_secret_access_key"],
        }
        done = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def _turn_waiters_down(data: Path, attempts: int) -> None:
    """The CLI's waiters have no options: botocore reads such a file beside its own models."""
    waiters = dict.fromkeys(
        ("ImageAvailable", "ImageExists", "SnapshotCompleted"), {"delay": 1, "maxAttempts": attempts}
    )
    path = data / "ec2" / "2016-11-15" / "waiters-2.sdk-extras.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": 1.0, "merge": {"waiters": waiters}}))
