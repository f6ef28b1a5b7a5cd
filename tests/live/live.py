"""Amity against a real account, and the questions about EC2 that only a real account answers.

Begins with the account, what will be made in it and what that costs; asks; does it; and takes everything away again, also
after Ctrl-C. What EC2 answers is written to a file.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import signal
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

import yaml

import cleaning
import facts
from account import Account

HERE = Path(__file__).parent
MANIFESTS = HERE / "manifests"
PUBLIC_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"
SETTLES_WITHIN = 900.0
"""How long EC2's reads may show something else than what was done, in seconds."""


class Failed(Exception):
    """Something is not as it should be; a sentence for whoever looks at it."""


def main() -> int:
    given = arguments()
    run = given.clean or f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M}-{secrets.token_hex(2)}"
    account = Account(run=run, home=given.region, other=given.other_region)
    who = account.client("sts", account.home).get_caller_identity()
    if given.clean:
        return cleaned(account, given.poll)
    print(announcement(account, who, given))
    if not agreed(who["Account"], given.yes):
        print("tests/live/run: nothing was done")
        return 1
    record: dict[str, Any] = {"run": run, "home": account.home, "other": account.other, "parts": {}, "facts": []}
    # A container stops what is in it by SIGTERM: that is an end like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    code = 1
    try:
        code = the_run(account, given, record)
    except KeyboardInterrupt:
        print("\ntests/live/run: stopped", flush=True)
        code = 130
    except Failed as error:
        print(f"tests/live/run: {error}", flush=True)
    finally:
        # From here on nothing is begun that is not ended.
        for stop in (signal.SIGINT, signal.SIGTERM):
            signal.signal(stop, lambda *_: print("tests/live/run: it is being cleaned up; please wait", flush=True))
        given.answers.parent.mkdir(parents=True, exist_ok=True)
        given.answers.write_text(json.dumps(record, indent=2) + "\n")
        print(f"what EC2 answered is in {given.answers}", flush=True)
        code = cleaned(account, given.poll) or code
    return code


def arguments() -> argparse.Namespace:
    home = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    parser = argparse.ArgumentParser(prog="tests/live/run", description=__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask before it begins")
    parser.add_argument("--region", default=home, help="where most of it happens (default: %(default)s)")
    parser.add_argument("--other-region", default="us-west-2", help="where copies go (default: %(default)s)")
    parser.add_argument("--subnet", help="where the instance is launched, if the account has no default VPC")
    parser.add_argument("--parameter", default=PUBLIC_IMAGE, help="the public parameter with the image that all is made of")
    parser.add_argument("--fact", action="append", help="ask only this one; may be given more than once")
    parser.add_argument("--only-facts", action="store_true", help="leave Amity out")
    parser.add_argument("--only-amity", action="store_true", help="leave the questions out")
    parser.add_argument("--for-a-day", action="store_true", help="ask also what leaves an image for 24 hours")
    parser.add_argument("--answers", type=Path, help="where EC2's answers are written (default: target/live/RUN.json)")
    parser.add_argument("--poll", type=float, default=10.0, help="how often EC2 is looked at, in seconds")
    parser.add_argument("--minute", type=float, default=60.0, help="how long a minute is, where another EC2 is faster")
    parser.add_argument("--clean", metavar="RUN", help="only take away what that run left")
    given = parser.parse_args()
    if given.answers is None:
        given.answers = HERE.parent.parent / "target" / "live" / "answers.json"
    return given


def announcement(account: Account, who: dict[str, Any], given: argparse.Namespace) -> str:
    """What will be done, where, and for how much."""
    prices = yaml.safe_load((HERE / "prices.yaml").read_text())
    items = prices["items"] + (prices["day"] if given.for_a_day else [])
    rows = [(item["what"], f"{item['many']} × {item['unit']}".rstrip(" ×"), item["many"] * item["price"]) for item in items]
    total = sum(price for _, _, price in rows)
    table = "\n".join(f"  {what:<42} {many:<22} {price:>7.2f} USD" for what, many, price in rows)
    assumed = "\n".join(f"  - {one}" for one in prices["assumptions"])
    where = "AWS" if account.is_aws else f"what AWS_ENDPOINT_URL names ({os.environ.get('AWS_ENDPOINT_URL')}), and not AWS"
    return f"""Account {who['Account']}, as {who['Arn']}, of {where}.
In {account.home} and {account.other}: an instance is launched and captured, images are registered and copied, some of
them encrypted with the account's default key, parameters are written below /amity-live/{account.run}/. It takes one to
three hours. Everything carries the tag amity-live-run={account.run}, or amity.dev/owner={account.owner}, and is taken
away at the end, also after Ctrl-C. If this machine dies: tests/live/run --clean {account.run}

At most this costs about:
{table}
  {'together':<42} {'':<22} {total:>7.2f} USD
assuming that
{assumed}
"""


def agreed(account_id: str, yes: bool) -> bool:
    """Nothing begins by accident."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print("tests/live/run: there is nobody to ask; --yes begins without")
        return False
    return input("Type the account id to begin: ").strip() == account_id


def the_run(account: Account, given: argparse.Namespace, record: dict[str, Any]) -> int:
    """All of it. Whether everything went as it should."""
    is_well = True
    if not given.only_facts:
        roll_out(account, given, record["parts"])
    if not given.only_amity:
        base = make_base(account, given)
        for entry in facts.load():
            if given.fact and entry["fact"] not in given.fact:
                continue
            skipped = why_not(account, given, entry)
            if skipped:
                record["facts"].append({"fact": entry["fact"], "asks": entry["asks"], "verdict": f"skipped: {skipped}"})
                print(f"{entry['fact']}: skipped: {skipped}", flush=True)
                continue
            asked = facts.settle(account, entry, base, given.poll, given.minute)
            record["facts"].append(vars(asked))
            is_well = is_well and asked.verdict != "not settled"
            why = f": {asked.why}" if asked.why else ""
            print(f"{asked.fact}: {asked.verdict}{why}", flush=True)
    return 0 if is_well else 1


def why_not(account: Account, given: argparse.Namespace, entry: dict[str, Any]) -> str:
    if entry.get("only") == "aws" and not account.is_aws:
        return "only AWS itself can be asked"
    if entry.get("takes") and not given.for_a_day:
        return f"it takes {entry['takes']}; ask with --for-a-day"
    return ""


def make_base(account: Account, given: argparse.Namespace) -> dict[str, str]:
    """An image of the account's own, of which everything else is made."""
    public = good(account, "ssm:GetParameter", {"Name": given.parameter})["Parameter"]["Value"]
    asked = {"SourceImageId": public, "SourceRegion": account.home, "Name": f"{account.run}-base"}
    base = good(account, "CopyImage", asked)["ImageId"]
    print(f"{base} is being copied from {public}", flush=True)
    image = wait_for_image(account, base, given.poll)
    device = image["RootDeviceName"]
    mappings = {mapping["DeviceName"]: mapping for mapping in image["BlockDeviceMappings"]}
    return {
        "base": base,
        "device": device,
        "snapshot": mappings[device]["Ebs"]["SnapshotId"],
        "architecture": image["Architecture"],
    }


def wait_for_image(account: Account, image: str, poll: float) -> dict[str, Any]:
    while True:
        answer = account.ask("DescribeImages", account.home, {"ImageIds": [image]})
        found = answer.answer.get("Images", [])
        if found and found[0]["State"] == "available":
            return found[0]
        if found and found[0]["State"] == "failed":
            raise Failed(f"{image} failed: {found[0].get('StateReason')}")
        time.sleep(poll)


def roll_out(account: Account, given: argparse.Namespace, parts: dict[str, Any]) -> None:
    """Amity as a person uses it: plan, apply, a region more, a new revision, and back."""
    instance = launch(account, given)
    names = {"run": account.run, "home": account.home, "other": account.other, "instance": instance, "parameter": given.parameter}
    with tempfile.TemporaryDirectory() as folder:
        for template in MANIFESTS.glob("*.yaml"):
            (Path(folder) / template.name).write_text(string.Template(template.read_text()).substitute(names))
        seen = {}
        for part, file in (("first", "first"), ("region more", "second"), ("new revision", "third"), ("back", "second")):
            path = str(Path(folder) / f"{file}.yaml")
            print(f"\n==> {part}", flush=True)
            begun = time.monotonic()
            amity(account, "plan", "-f", path)
            amity(account, "apply", "-f", path)
            at_rest(account, path, given.poll)
            amity(account, "status", "-f", path)
            seen[part] = published(account)
            parts[part] = {"seconds": round(time.monotonic() - begun, 1), "published": seen[part]}
    if seen["back"] != seen["region more"]:
        raise Failed(f"going back published {seen['back']}, and not {seen['region more']}")
    told = good(account, "ssm:GetParameter", {"Name": f"/amity-live/{account.run}/captured"})["Parameter"]["Value"]
    if told not in seen["back"].values():
        raise Failed(f"the parameter holds {told}, and published is {seen['back']}")


def launch(account: Account, given: argparse.Namespace) -> str:
    asked: dict[str, Any] = {
        "ImageId": f"resolve:ssm:{given.parameter}",
        "InstanceType": "t4g.nano",
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": account.run,
        **({"SubnetId": given.subnet} if given.subnet else {}),
    }
    instance = good(account, "RunInstances", asked)["Instances"][0]["InstanceId"]
    print(f"{instance} is launched", flush=True)
    while True:
        answer = account.ask("DescribeInstances", account.home, {"InstanceIds": [instance]})
        reservations = answer.answer.get("Reservations", [])
        if reservations and reservations[0]["Instances"][0]["State"]["Name"] == "running":
            return instance
        time.sleep(given.poll)


def published(account: Account) -> dict[str, str]:
    """What is published, by region and object."""
    filters = [{"Name": "tag:amity.dev/owner", "Values": [account.owner]}, {"Name": "tag-key", "Values": ["amity.dev/published"]}]
    seen = {}
    for region in (account.home, account.other):
        asked = {"Owners": ["self"], "Filters": filters}
        for image in cleaning.pages(account, "DescribeImages", region, asked, "Images"):
            tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
            seen[f"{region} {tags['amity.dev/object']}"] = image["ImageId"]
    return seen


def at_rest(account: Account, path: str, poll: float) -> None:
    """After an apply nothing is left to do, once EC2 shows what was done."""
    deadline = time.monotonic() + SETTLES_WITHIN
    while True:
        done = ask_amity(account, "plan", "-f", path, "--detailed-exitcode", capture=True)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise Failed(f"after the apply there is still something to do:\n{done.stdout}{done.stderr}")
        time.sleep(poll)


def amity(account: Account, *words: str) -> None:
    done = ask_amity(account, *words)
    if done.returncode != 0:
        raise Failed(f"amity {' '.join(words)} ended with {done.returncode}")


def ask_amity(account: Account, *words: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "AMITY_OWNER_ID": account.owner, "AWS_REGION": account.home}
    return subprocess.run([os.environ["AMITY"], *words], env=environment, text=True, capture_output=capture, check=False)


def good(account: Account, call: str, parameters: dict[str, Any]) -> dict[str, Any]:
    answer = account.ask(call, account.home, parameters)
    if answer.code:
        raise Failed(f"{answer.call}: {answer.code}: {answer.message}")
    return answer.answer


def cleaned(account: Account, poll: float) -> int:
    print("taking away what was made", flush=True)
    left = cleaning.clean(account, poll)
    for what in left:
        print(f"  LEFT: {what}", flush=True)
    if left:
        print(f"later: tests/live/run --clean {account.run} --region {account.home} --other-region {account.other}", flush=True)
        return 1
    print("nothing is left", flush=True)
    return 0


def run() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    run()
