"""The world of the tests: three accounts, five regions, and what stands in them at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Account:
    """An account and the one key its administrator uses."""

    id: str
    key: str
    secret: str = "secret"

    def credentials(self) -> dict[str, str]:
        """As boto3's client takes them."""
        return {"aws_access_key_id": self.key, "aws_secret_access_key": self.secret}


OURS = Account("111111111111", "AKIAOURS000000000001")
OTHER = Account("222222222222", "AKIAOTHER00000000002")
STRANGER = Account("333333333333", "AKIASTRANGER00000003")
NOBODY = Account("999999999999", "AKIANOBODY0000000009")

HOME = "us-east-1"
EUROPE = "eu-west-1"
TOKYO = "ap-northeast-1"
OPTED_IN = "eu-south-1"
NOT_OPTED_IN = "af-south-1"

# Instances of ours, at home.
WEB = "i-0a00000000000001a"  # running, root and data
STOPPED = "i-0a00000000000002a"  # stopped, root only
SECRET = "i-0a00000000000003a"  # stopped, encrypted root
STARTING = "i-0a00000000000004a"  # pending
ORPHAN = "i-0a00000000000005a"  # running from LAUNCHED, ours
STOPPING = "i-0a00000000000006a"  # between running and stopped
INSTANCES = (WEB, STOPPED, SECRET, STARTING, ORPHAN, STOPPING)

# Images at home.
PUBLIC = "ami-0b00000000000001b"  # OTHER's, public; most instances were launched from it
SHARED = "ami-0b00000000000002b"  # OTHER's, shared with us, its snapshot too
CLOSED = "ami-0b00000000000003b"  # OTHER's, shared with us, its snapshot not
PRIVATE = "ami-0b00000000000004b"  # OTHER's alone
OWN = "ami-0b00000000000005b"  # ours, of two snapshots, tagged
LAUNCHED = "ami-0b00000000000006b"  # ours; ORPHAN runs from it
ENCRYPTED = "ami-0b00000000000007b"  # ours, its snapshot encrypted

# Two images of OTHER in Europe, of one and the same snapshot.
TWINS = ("ami-0b00000000000008b", "ami-0b00000000000009b")
TWINS_SNAPSHOT = "snap-0c00000000000800c"

OWN_TAGS = {"team": "base", "stage": "gold"}

# What launches name, at home; everywhere else there is what a new account has.
VPC = "vpc-0e00000000000001e"  # the default one
OTHER_VPC = "vpc-0e00000000000002e"
SUBNET_A = "subnet-0e0000000000001ae"  # the default subnet of zone a
SUBNET_B = "subnet-0e0000000000001be"
SUBNET_C = "subnet-0e0000000000001ce"
OTHER_SUBNET = "subnet-0e0000000000002ae"  # of OTHER_VPC, in zone a
GROUP = "sg-0e00000000000001e"  # web, of the default VPC
OTHER_GROUP = "sg-0e00000000000002e"  # web, too, of OTHER_VPC
KEY_PAIR = "operator"
MANAGED_PROFILE = "managed"  # its role lets the agent register
PLAIN_PROFILE = "plain"  # its role does not

# Images in Europe: STRANGER's, shared with us. What runs in their machines is scripted.
LINUX_IMAGE = "ami-0b00000000000019b"
WINDOWS_IMAGE = "ami-0b0000000000001cb"  # EC2Launch v2 is in it
OLD_WINDOWS_IMAGE = "ami-0b0000000000001db"  # EC2Launch v1 is in it
CORRUPT_IMAGE = "ami-0b0000000000001eb"  # Windows; Sysprep fails in it
HANGING_IMAGE = "ami-0b0000000000001fb"  # user data never ends in it
IMPAIRED_IMAGE = "ami-0b0000000000001ab"  # it never comes up

LOOSE_SNAPSHOT = "snap-0c000000000000ffc"
"""Ours, of no image; Windows is on it."""

TEMPLATE = "lt-0d00000000000001d"
"""A launch template of ours: OWN in its oldest version, LAUNCHED in the ten after it."""

PARAMETER = "/golden/web"
"""A parameter of ours that holds OWN."""

PUBLIC_PARAMETER = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
"""A parameter of everybody's that holds PUBLIC."""

OTHER_ROLE = f"arn:aws:iam::{OTHER.id}:role/visitor"
"""A role of OTHER that we may assume."""

GUARDED_ROLE = f"arn:aws:iam::{OTHER.id}:role/guarded"
"""The same, for those who know its external id."""

EXTERNAL_ID = "open sesame"

ORGANIZATION = f"arn:aws:organizations::{OURS.id}:organization/o-clients0001"
"""The organization that OTHER is in, in UNIT; we manage it."""

UNIT = f"arn:aws:organizations::{OURS.id}:ou/o-clients0001/ou-cl01-partners"

BROKEN_KEY = "00000000-dead-4000-8000-000000000000"
"""A key id that a copy accepts and then fails with."""


def snapshot(image: str, number: int = 0) -> str:
    """The snapshot of an image's device: 0 is its root."""
    return f"snap-0c00000000000{image[-2]}{number:02d}c"


def key(region: str, id: str = "11111111-2222-4333-8444-555555555555") -> str:
    """The ARN of a key of ours."""
    return f"arn:aws:kms:{region}:{OURS.id}:key/{id}"


def document(knobs: dict[str, Any], facts: dict[str, Any], iam: dict[str, Any]) -> dict[str, Any]:
    """The world file (`ec2sim/examples/world.yaml` explains its fields)."""
    return {
        "knobs": knobs,
        "facts": facts,
        "iam": iam,
        "regions": {
            HOME: {"zones": {f"{HOME}a": {}, f"{HOME}b": {"full": ["c5.*"]}, f"{HOME}c": {"without": ["t3.*"]}}},
            EUROPE: {},
            TOKYO: {},
            OPTED_IN: {"optIn": True},
            NOT_OPTED_IN: {"optIn": True},
        },
        "accounts": {
            OURS.id: {
                "accessKeys": [OURS.key],
                "optedIn": [OPTED_IN],
                "instanceProfiles": {MANAGED_PROFILE: {"role": "builder", "systemsManager": True}, PLAIN_PROFILE: {}},
                "places": {HOME: _ours(), EUROPE: {"brokenKeys": [BROKEN_KEY]}, TOKYO: {"encryptionByDefault": True, "recycleBinDays": 7, "snapshotRecycleBinDays": 7}},
            },
            OTHER.id: {
                "accessKeys": [OTHER.key],
                "roles": {
                    "visitor": {"trusts": [OURS.id]},
                    "guarded": {"trusts": [OURS.id], "externalId": EXTERNAL_ID},
                },
                "places": {HOME: _others(), EUROPE: _twins()},
            },
            STRANGER.id: {
                "accessKeys": [STRANGER.key],
                "places": {
                    HOME: {"instances": {"i-0a00000000000007a": _instance("running", image=LAUNCHED)}},
                    EUROPE: {"images": _scripted()},
                },
            },
        },
        "organizations": {
            "o-clients0001": {"management": OURS.id, "units": {"ou-cl01-partners": {"accounts": [OTHER.id]}}},
        },
    }


def _ours() -> dict[str, Any]:
    return {
        "vpcs": {
            VPC: {
                "cidr": "172.31.0.0/16",
                "default": True,
                "tags": {"net": "main"},
                "subnets": {
                    SUBNET_A: {"zone": f"{HOME}a", "cidr": "172.31.0.0/20", "defaultForZone": True, "publicIps": True},
                    SUBNET_B: {"zone": f"{HOME}b", "cidr": "172.31.16.0/20", "defaultForZone": True, "publicIps": True},
                    SUBNET_C: {"zone": f"{HOME}c", "cidr": "172.31.32.0/20", "defaultForZone": True, "publicIps": True},
                },
                "securityGroups": {GROUP: {"name": "web", "description": "web servers", "tags": {"crew": "base"}}},
            },
            OTHER_VPC: {
                "subnets": {OTHER_SUBNET: {"zone": f"{HOME}a", "tags": {"tier": "build"}}},
                "securityGroups": {OTHER_GROUP: {"name": "web"}},
            },
        },
        "keyPairs": {KEY_PAIR: {"tags": {"crew": "base"}}},
        "launchTemplates": {
            TEMPLATE: {"name": "web", "versions": [{"imageId": OWN}, *([{"imageId": LAUNCHED}] * 10)]},
        },
        "parameters": {PARAMETER: {"value": OWN, "dataType": "aws:ec2:image", "version": 3}},
        "snapshots": {
            snapshot(OWN): {"size": 8, "description": "root of own", "tags": {"part": "root"}},
            snapshot(OWN, 1): {"size": 20, "description": "data of own"},
            LOOSE_SNAPSHOT: {"size": 1, "description": "of no image", "platform": "windows"},
        },
        "images": {
            OWN: {"name": "own", "devices": [_device(OWN), _device(OWN, 1)], "tags": OWN_TAGS},
            LAUNCHED: {"name": "launched", "devices": [_device(LAUNCHED)]},
            ENCRYPTED: {"name": "encrypted", "devices": [{**_device(ENCRYPTED), "encrypted": True}]},
        },
        "instances": {
            WEB: {
                "image": PUBLIC,
                "volumes": [{"device": "/dev/xvda", "size": 8}, {"device": "/dev/sdf", "size": 20}],
                "tags": {"Name": "web"},
            },
            STOPPED: _instance("stopped"),
            SECRET: _instance("stopped", encrypted=True),
            STARTING: _instance("pending"),
            ORPHAN: _instance("running", image=LAUNCHED),
            STOPPING: _instance("stopping"),
        },
    }


def _others() -> dict[str, Any]:
    return {
        "parameters": {PUBLIC_PARAMETER: {"value": PUBLIC}},
        "images": {
            PUBLIC: {"name": "public", "public": True, "devices": [_device(PUBLIC)]},
            SHARED: {"name": "shared", "sharedWith": [OURS.id], "devices": [_device(SHARED)]},
            CLOSED: {
                "name": "closed",
                "sharedWith": [OURS.id],
                "storageShared": False,
                "devices": [_device(CLOSED)],
            },
            PRIVATE: {"name": "private", "devices": [_device(PRIVATE)]},
        }
    }


def _twins() -> dict[str, Any]:
    device = {"name": "/dev/xvda", "snapshot": TWINS_SNAPSHOT, "size": 8}
    return {"images": {image: {"name": f"twin {image}", "devices": [device]} for image in TWINS}}


def _device(image: str, number: int = 0) -> dict[str, Any]:
    return {"name": ("/dev/xvda", "/dev/sdf")[number], "snapshot": snapshot(image, number), "size": (8, 20)[number]}


def _scripted() -> dict[str, Any]:
    uname = {"contains": "uname -a", "output": "Linux scripted"}
    scripts = {
        LINUX_IMAGE: ("linux", {"console": ["ready to serve"], "commands": [uname]}),
        WINDOWS_IMAGE: ("windows", {}),
        OLD_WINDOWS_IMAGE: ("windows", {"launchAgent": "ec2launch"}),
        CORRUPT_IMAGE: ("windows", {"fault": "corruptProfile"}),
        HANGING_IMAGE: ("linux", {"fault": "hangs"}),
        IMPAIRED_IMAGE: ("linux", {"fault": "impaired"}),
    }
    return {
        image: {
            "name": f"scripted {image}",
            "platform": platform,
            "sharedWith": [OURS.id],
            "devices": [_device(image)],
            "guest": guest,
        }
        for image, (platform, guest) in scripts.items()
    }


def _instance(state: str, *, image: str = PUBLIC, encrypted: bool = False) -> dict[str, Any]:
    return {
        "state": state,
        "image": image,
        "volumes": [{"device": "/dev/xvda", "size": 8, "encrypted": encrypted}],
    }
