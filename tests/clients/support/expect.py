"""What a test expects of EC2, in few words: a refusal, a state reached in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

DEADLINE = 20.0
INTERVAL = 0.02

T = TypeVar("T")

DRY_RUN = "Request would have succeeded, but DryRun flag is set."


class Refusal:
    """What EC2 answered; filled in when the block ends."""

    code: str = ""
    message: str = ""
    status: int = 0


def refusal(error: ClientError) -> Refusal:
    """The parts of an error answer."""
    it = Refusal()
    it.code = error.response["Error"]["Code"]
    it.message = error.response["Error"].get("Message", "")
    it.status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return it


@contextmanager
def refused(code: str | None = None, message: str | None = None, *, status: int | None = 400) -> Iterator[Refusal]:
    """The block's call is refused with this code, this text and this HTTP status.

    None stands for: nobody knows what EC2 answers here, only that it is an error of the client's.
    """
    seen = Refusal()
    with pytest.raises(ClientError) as caught:
        yield seen
    it = refusal(caught.value)
    seen.code, seen.message, seen.status = it.code, it.message, it.status
    if code is not None:
        assert it.code == code, it.message
    if message is not None:
        assert it.message == message
    if status is not None:
        assert it.status == status
    else:
        assert 400 <= it.status < 500


def eventually(probe: Callable[[], T | None], what: str, deadline: float = DEADLINE) -> T:
    """Asks until the answer is true, or fails naming `what` once the deadline has passed."""
    end = time.monotonic() + deadline
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {deadline} s: {what}"
        time.sleep(INTERVAL)


def wait(client: Any, waiter: str, **arguments: Any) -> None:
    """One of botocore's own waiters with its delay turned down and a deadline of its own."""
    config = {"Delay": INTERVAL, "MaxAttempts": int(DEADLINE / INTERVAL)}
    client.get_waiter(waiter).wait(WaiterConfig=config, **arguments)


def accepted(call: Callable[[], T], *retried: str, deadline: float = DEADLINE) -> T:
    """Repeats a call while EC2 refuses it with one of these codes, which pass by themselves."""

    def attempt() -> tuple[T] | None:
        try:
            return (call(),)
        except ClientError as error:
            if refusal(error).code not in retried:
                raise
            return None

    return eventually(attempt, f"accepted without {retried}", deadline)[0]
