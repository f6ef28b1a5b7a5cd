"""Takes away what a run made: by its tags, and until two looks in a row show nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from account import RUN_TAG, Account

GONE = ("deregistered", "terminated", "shutting-down")
LONGEST = 3600.0
"""How long it is tried, in seconds: a pending copy may keep its snapshot for a while."""


class Unreadable(Exception):
    """A list that cannot be read."""


def clean(account: Account, poll: float) -> list[str]:
    """Takes everything away. What is left is what could not be, and why."""
    deadline = time.monotonic() + LONGEST
    looks = 0
    while True:
        left = [what for region in (account.home, account.other) for what in swept(account, region)]
        looks = 0 if left else looks + 1
        if looks == 2 or left and time.monotonic() > deadline:
            return left
        if left and all("cooldown" in what for what in left):
            return left
        time.sleep(poll)


def swept(account: Account, region: str) -> list[str]:
    """What was there. What cannot be read may be there."""
    left: list[str] = []
    try:
        left.extend(sweep(account, region))
    except Unreadable as unreadable:
        left.append(str(unreadable))
    return left


def sweep(account: Account, region: str) -> Iterator[str]:
    """Once over a region: takes away what can be taken, and names what was there."""
    yield from instances(account, region)
    yield from images(account, region)
    yield from snapshots(account, region)
    yield from parameters(account, region)
    if account.is_aws:
        yield from templates(account, region)


def mine(account: Account) -> list[list[dict[str, Any]]]:
    """The filters of what the run made, and of what Amity made in it."""
    return [
        [{"Name": f"tag:{RUN_TAG}", "Values": [account.run]}],
        [{"Name": "tag:amity.dev/owner", "Values": [account.owner]}],
    ]


def pages(account: Account, call: str, region: str, parameters: dict[str, Any], items: str) -> Iterator[dict[str, Any]]:
    """All of a list. One that cannot be read is told, and is not an empty one."""
    token: dict[str, Any] = {}
    while True:
        answer = account.ask(call, region, {**parameters, **token})
        if answer.code:
            raise Unreadable(f"{answer.call} in {region}: {answer.code}: {answer.message}")
        yield from answer.answer.get(items, [])
        if not answer.answer.get("NextToken"):
            return
        token = {"NextToken": answer.answer["NextToken"]}


def instances(account: Account, region: str) -> Iterator[str]:
    for filters in mine(account)[:1]:
        for reservation in pages(account, "DescribeInstances", region, {"Filters": filters}, "Reservations"):
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in GONE:
                    yield from away(account, region, "TerminateInstances", {"InstanceIds": [instance["InstanceId"]]})


def images(account: Account, region: str) -> Iterator[str]:
    for filters in mine(account):
        asked = {"Owners": ["self"], "Filters": filters, "IncludeDisabled": True, "IncludeDeprecated": True}
        for image in list(pages(account, "DescribeImages", region, asked, "Images")):
            if image["State"] in GONE:
                continue
            protection = image.get("DeregistrationProtection", "disabled")
            if protection.startswith("disabled after"):
                yield f"{image['ImageId']} in {region}: a cooldown, {protection}"
                continue
            if protection != "disabled":
                account.ask("DisableImageDeregistrationProtection", region, {"ImageId": image["ImageId"]})
            yield from away(account, region, "DeregisterImage", {"ImageId": image["ImageId"]})


def snapshots(account: Account, region: str) -> Iterator[str]:
    for filters in mine(account):
        asked = {"OwnerIds": ["self"], "Filters": filters}
        for snapshot in list(pages(account, "DescribeSnapshots", region, asked, "Snapshots")):
            yield from away(account, region, "DeleteSnapshot", {"SnapshotId": snapshot["SnapshotId"]})


def parameters(account: Account, region: str) -> Iterator[str]:
    below = [{"Key": "Name", "Option": "BeginsWith", "Values": [f"/amity-live/{account.run}/"]}]
    found = list(pages(account, "ssm:DescribeParameters", region, {"ParameterFilters": below}, "Parameters"))
    for parameter in found:
        yield from away(account, region, "ssm:DeleteParameter", {"Name": parameter["Name"]})


def templates(account: Account, region: str) -> Iterator[str]:
    for filters in mine(account)[:1]:
        for template in pages(account, "DescribeLaunchTemplates", region, {"Filters": filters}, "LaunchTemplates"):
            yield from away(account, region, "DeleteLaunchTemplate", {"LaunchTemplateId": template["LaunchTemplateId"]})


def away(account: Account, region: str, call: str, parameters: dict[str, Any]) -> Iterator[str]:
    """Takes one thing away, and says what it was: it counts as there until a list no longer shows it."""
    answer = account.ask(call, region, parameters)
    what = ", ".join(str(value) for value in parameters.values())
    yield f"{what} in {region}: {answer.code}: {answer.message}" if answer.code else f"{what} in {region}"
