"""`tests/live/run`, which is for a real account, over ec2sim."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.simulator import Simulator

RUN = Path(__file__).parent.parent / "live" / "run"
HOME, OTHER = "us-east-1", "us-west-2"
PUBLIC = "ami-0a2b3c4d5e6f70819"
PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"
KEY = "AKIALIVE000000000001"
LONGEST = 240

pytestmark = pytest.mark.unchecked


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Simulator]:
    """An EC2 as real as it gets in seconds: with a public image, and nothing of ours."""
    device = {"name": "/dev/xvda", "snapshot": PUBLIC.replace("ami", "snap"), "size": 2}
    image = {"name": "al2023-ami-minimal-2023.9", "architecture": "arm64", "public": True, "devices": [device]}
    world = {
        "knobs": {"baseMilliseconds": 2000, "millisecondsPerGib": 0, "maxReadLagSeconds": 0, "snapshotHoldSeconds": 0},
        "regions": {HOME: {}, OTHER: {}},
        "accounts": {
            "111122223333": {"accessKeys": [KEY], "places": {HOME: {"brokenKeys": ["alias/amity-live-missing"]}}},
            "137112412989": {
                "alias": "amazon",
                "places": {HOME: {"images": {PUBLIC: image}, "parameters": {PARAMETER: {"value": PUBLIC}}}},
            },
        },
    }
    path = tmp_path / "world.yaml"
    path.write_text(yaml.safe_dump(world))
    with Simulator(path, speed=1, seed=1, log=tmp_path / "ec2sim.log") as simulator:
        yield simulator


def command(simulator: Simulator, answers: Path, *arguments: str) -> dict[str, Any]:
    """How it is started."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "AMITY": os.environ["AMITY"],
        "AWS_ENDPOINT_URL": simulator.endpoint,
        "AWS_REGION": HOME,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": "not-checked",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    words = [str(RUN), "--poll", "0.2", "--minute", "0.5", "--answers", str(answers), *arguments]
    return {"args": words, "env": environment, "stdin": subprocess.DEVNULL, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


def left(simulator: Simulator) -> set[str]:
    """What is there of ours, as EC2 itself knows it."""
    gone = ("Deregister", "Delete", "Terminate")
    assert any(call["action"].startswith(gone) for call in simulator.calls())
    found: set[str] = set()

    def look(part: Any, name: str) -> None:
        if isinstance(part, dict):
            tags = json.dumps(part.get("tags", {}))
            is_ours = "amity-live-run" in tags or "amity.dev/owner" in tags
            is_gone = part.get("state") in ("deregistered", "shutting-down", "terminated") or part.get("deleted") or part.get("gone")
            if is_ours and not is_gone:
                found.add(f"{name}: {json.dumps(part)[:300]}")
            for key, value in part.items():
                look(value, key)
        elif isinstance(part, list):
            for value in part:
                look(value, name)

    look(simulator.world(), "world")
    return found


def test_every_question_is_answered_as_the_simulator_has_it_and_nothing_is_left(live: Simulator, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    done = subprocess.run(**command(live, answers, "--yes", "--only-facts"), timeout=LONGEST, check=False)
    assert done.returncode == 0, done.stdout
    facts = {fact["fact"]: fact for fact in json.loads(answers.read_text())["facts"]}
    other = {name: fact for name, fact in facts.items() if not fact["verdict"].startswith(("as ec2sim", "skipped"))}
    assert len(facts) > 15 and not other, other
    refused = facts["protected-image"]["answers"]
    assert any(one.get("code") == "OperationNotPermitted" and one["request_id"] and one["raw"] for one in refused)
    assert not left(live)


def test_amity_rolls_out_and_back_and_nothing_is_left(live: Simulator, tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    done = subprocess.run(**command(live, answers, "--yes", "--only-amity"), timeout=LONGEST, check=False)
    assert done.returncode == 0, done.stdout
    parts = json.loads(answers.read_text())["parts"]
    assert parts["new revision"]["published"] != parts["back"]["published"] == parts["region more"]["published"]
    assert not left(live)


def test_without_a_word_nothing_begins(live: Simulator, tmp_path: Path) -> None:
    done = subprocess.run(**command(live, tmp_path / "answers.json"), timeout=LONGEST, check=False)
    assert done.returncode == 1 and "nothing was done" in done.stdout, done.stdout
    assert "USD" in done.stdout
    assert [call["action"] for call in live.calls()] == ["GetCallerIdentity"]


def test_what_was_made_is_taken_away_when_it_is_stopped(live: Simulator, tmp_path: Path) -> None:
    process = subprocess.Popen(**command(live, tmp_path / "answers.json", "--yes", "--only-facts"))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("copy-of-pending-copy:"):
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 130, rest
    assert "nothing is left" in rest
    assert not left(live)
