"""Asks what nobody could say: `facts.yaml`, step by step."""

from __future__ import annotations

import datetime
import string
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jmespath
import jmespath.exceptions
import yaml

from account import Account, Answer

FILE = Path(__file__).parent / "facts.yaml"


class NotSettled(Exception):
    """A step before the question was refused, or what it waited for did not come."""


@dataclass
class Asked:
    """What became of a fact."""

    fact: str
    asks: str
    verdict: str = "not settled"
    why: str = ""
    answers: list[dict[str, Any]] = field(default_factory=list)


def load() -> list[dict[str, Any]]:
    """The entries."""
    return yaml.safe_load(FILE.read_text())


def filled(part: Any, names: dict[str, Any]) -> Any:
    """With the names filled in. A name alone keeps what it stands for."""
    if isinstance(part, dict):
        return {key: filled(value, names) for key, value in part.items()}
    if isinstance(part, list):
        return [filled(value, names) for value in part]
    if isinstance(part, str):
        if part.startswith("$") and part[1:] in names:
            return names[part[1:]]
        return string.Template(part).substitute(names)
    return part


def settle(account: Account, entry: dict[str, Any], base: dict[str, str], poll: float, minute: float) -> Asked:
    """Asks one fact."""
    name = entry["fact"]
    asked = Asked(fact=name, asks=entry["asks"])
    in_30_days = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    names: dict[str, Any] = {
        **base,
        "run": account.run,
        "fact": name,
        "home": account.home,
        "other": account.other,
        "parameter": f"/amity-live/{account.run}/{name}",
        "in_30_days": in_30_days.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    question: Answer | None = None
    failed: Exception | None = None
    for step in entry["steps"]:
        if failed and not step.get("always"):
            continue
        try:
            answer = take(account, step, names, asked, poll, minute)
        except Exception as error:  # noqa: BLE001 - what went wrong is told, and the next fact is asked
            failed = failed or error
            continue
        if step.get("asked"):
            question = answer
    if question is None:
        asked.why = str(failed) or type(failed).__name__
        return asked
    differences = differ(entry["expects"], question, names)
    asked.verdict = "other than ec2sim has it" if differences else "as ec2sim has it"
    asked.why = "; ".join(differences)
    return asked


def take(account: Account, step: dict[str, Any], names: dict[str, Any], asked: Asked, poll: float, minute: float) -> Answer:
    """One step: a call, or a call that is repeated until something is so."""
    region = {"home": account.home, "other": account.other}[step.get("in", "home")]
    wanted = filled(step.get("is", []), names)
    deadline = time.monotonic() + minute * step.get("within", 0)
    last: dict[str, Any] | None = None
    while True:
        answer = account.ask(step["call"], region, filled(step.get("with", {}), names), asked.fact)
        record = answer.record()
        # Of many answers that say the same the first one is written down.
        told = {key: value for key, value in record.items() if key not in ("at", "request_id", "raw")}
        if told != last:
            asked.answers.append(record)
            last = told
        is_so = "until" not in step or jmespath.search(step["until"], answer.answer) in wanted
        if is_so or time.monotonic() > deadline:
            break
        time.sleep(poll)
    if answer.code and not (step.get("asked") or step.get("may_fail")):
        raise NotSettled(f"{answer.call}: {answer.code}: {answer.message}")
    if not is_so and not step.get("asked"):
        raise NotSettled(f"{answer.call}: {step['until']} was not one of {wanted} within {step['within']} min")
    for saved, path in step.get("save", {}).items():
        names[saved] = jmespath.search(path, answer.answer)
    return answer


def differ(expects: dict[str, Any], answer: Answer, names: dict[str, Any]) -> list[str]:
    """In what the answer is another one."""
    differences = []
    for what, seen in (("code", answer.code), ("status", answer.status)):
        if what in expects and seen not in listed(expects[what]):
            differences.append(f"{what} is {seen}, not {expects[what]}")
    for path, value in filled(expects.get("answer", {}), names).items():
        try:
            seen = jmespath.search(path, answer.answer)
        except jmespath.exceptions.JMESPathError as error:
            seen = f"({error})"
        # `length` of what is not there.
        if seen not in listed(value):
            differences.append(f"{path} is {seen}, not {value}")
    return differences


def listed(value: Any) -> list[Any]:
    """Any of them."""
    return value if isinstance(value, list) else [value]
