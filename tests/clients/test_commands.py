"""Systems Manager's commands: an agent comes online, takes a script, and tells how it ended, unless the machine goes down."""

import pytest

from support import world
from support.expect import eventually, refused, wait
from test_machines import OLD_SYSPREP, SYSPREP, gone_down, launch

calm = pytest.mark.sim(knobs={"maxReadLagSeconds": 0, "requestBuckets": False})
MANAGED = {"IamInstanceProfile": {"Name": world.MANAGED_PROFILE}}
SHELL = "AWS-RunShellScript"
POWERSHELL = "AWS-RunPowerShellScript"


@pytest.fixture
def ssm(aws):
    return aws("ssm", region=world.EUROPE)


@pytest.fixture
def europe(aws):
    return aws(region=world.EUROPE)


def listed(ssm, instance):
    ask = [{"Key": "InstanceIds", "Values": [instance]}]
    return ssm.describe_instance_information(Filters=ask)["InstanceInformationList"]


def online(europe, ssm, image):
    """A machine of this image whose agent is there."""
    instance = launch(europe, image, **MANAGED)
    eventually(lambda: [one["PingStatus"] for one in listed(ssm, instance)] == ["Online"], "online")
    return instance


def send(ssm, instance, document, *commands):
    sent = ssm.send_command(InstanceIds=[instance], DocumentName=document, Parameters={"commands": list(commands)})
    return sent["Command"]["CommandId"]


def ended(ssm, command, instance):
    """The invocation once it is neither pending nor in progress."""

    def look():
        seen = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        return seen if seen["Status"] not in ("Pending", "InProgress") else None

    return eventually(look, "its end")


@calm
def test_an_agent_comes_online_where_the_profile_lets_it(europe, ssm):
    without = launch(europe, world.LINUX_IMAGE)
    plain = launch(europe, world.LINUX_IMAGE, IamInstanceProfile={"Name": world.PLAIN_PROFILE})
    impaired = launch(europe, world.IMPAIRED_IMAGE, **MANAGED)
    instance = online(europe, ssm, world.LINUX_IMAGE)
    (one,) = listed(ssm, instance)
    assert (one["PlatformType"], one["ResourceType"]) == ("Linux", "EC2Instance")
    for other in (without, plain, impaired):
        assert listed(ssm, other) == []
        with refused("InvalidInstanceId") as seen:
            send(ssm, other, SHELL, "true")
        assert seen.message == f"Instances [[{other}]] not in a valid state for account {world.OURS.id}"
    europe.stop_instances(InstanceIds=[instance])
    gone_down(europe, instance)
    assert [one["PingStatus"] for one in listed(ssm, instance)] == ["ConnectionLost"]
    with refused("InvalidInstanceId"):
        send(ssm, instance, SHELL, "true")


@calm
def test_a_command_tells_how_it_ended(europe, ssm):
    instance = online(europe, ssm, world.LINUX_IMAGE)
    command = send(ssm, instance, SHELL, "uname -a")
    seen = ended(ssm, command, instance)
    assert (seen["Status"], seen["ResponseCode"]) == ("Success", 0)
    assert seen["StandardOutputContent"] == "Linux scripted"
    seen = ended(ssm, send(ssm, instance, SHELL, "echo one", "echo two", "exit 3"), instance)
    assert (seen["Status"], seen["ResponseCode"]) == ("Failed", 3)
    assert seen["StandardOutputContent"] == "one\ntwo\n"
    assert "exit status 3" in seen["StandardErrorContent"]


@pytest.mark.sim(knobs={"maxReadLagSeconds": 0, "commandMilliseconds": 20 * 3_600_000, "requestBuckets": False})
def test_a_command_is_pending_and_then_in_progress(sim, europe, ssm):
    instance = online(europe, ssm, world.LINUX_IMAGE)
    command = send(ssm, instance, SHELL, "true")
    status = lambda: ssm.get_command_invocation(CommandId=command, InstanceId=instance)["Status"]  # noqa: E731
    assert status() == "Pending"


@calm
def test_a_command_that_never_ends_times_out(sim, europe, ssm):
    instance = online(europe, ssm, world.HANGING_IMAGE)
    command = send(ssm, instance, SHELL, "true")
    eventually(
        lambda: ssm.get_command_invocation(CommandId=command, InstanceId=instance)["Status"] == "InProgress", "begun"
    )
    sim.advance(3600)
    seen = ended(ssm, command, instance)
    assert (seen["Status"], seen["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")


@pytest.mark.sim(knobs={"maxReadLagSeconds": 10**7, "requestBuckets": False})
def test_an_invocation_is_seen_late(aws, ssm):
    europe = aws(region=world.EUROPE)
    instance = launch(europe, world.LINUX_IMAGE, **MANAGED)
    eventually(lambda: listed(ssm, instance), "online")
    command = send(ssm, instance, SHELL, "true")
    with refused("InvocationDoesNotExist"):
        ssm.get_command_invocation(CommandId=command, InstanceId=instance)


@calm
@pytest.mark.parametrize(
    ("image", "script"), [(world.WINDOWS_IMAGE, SYSPREP), (world.OLD_WINDOWS_IMAGE, OLD_SYSPREP)]
)
def test_sysprep_takes_the_machine_down_and_its_status_proves_nothing(sim, europe, ssm, image, script):
    instance = online(europe, ssm, image)
    command = send(ssm, instance, POWERSHELL, *script.splitlines())
    gone_down(europe, instance)
    seen = ssm.get_command_invocation(CommandId=command, InstanceId=instance)["Status"]
    assert seen in ("InProgress", "Success")
    made = europe.create_image(InstanceId=instance, Name="generalised")["ImageId"]
    place = sim.world()["accounts"][world.OURS.id]["regions"][world.EUROPE]
    assert place["images"][made]["generalised"]["initialises"] is True
    wait(europe, "image_available", ImageIds=[made])


@calm
@pytest.mark.parametrize(
    ("image", "script", "said"),
    [
        (world.CORRUPT_IMAGE, SYSPREP, "_FindLatestProfile failed (0x80070003)"),
        (world.WINDOWS_IMAGE, OLD_SYSPREP, "is not recognized as the name of a cmdlet"),
        (world.OLD_WINDOWS_IMAGE, SYSPREP, "is not recognized as the name of a cmdlet"),
    ],
)
def test_sysprep_that_cannot_run_fails_the_command(europe, ssm, image, script, said):
    instance = online(europe, ssm, image)
    seen = ended(ssm, send(ssm, instance, POWERSHELL, *script.splitlines()), instance)
    assert seen["Status"] == "Failed"
    assert said in seen["StandardErrorContent"]


@calm
def test_what_is_wrong_with_a_command(europe, ssm):
    windows = online(europe, ssm, world.WINDOWS_IMAGE)
    with refused("UnsupportedPlatformType"):
        send(ssm, windows, SHELL, "true")
    with refused("InvalidDocument"):
        send(ssm, windows, "Nobodys-Document", "true")
    with refused("InvocationDoesNotExist"):
        ssm.get_command_invocation(CommandId="0" * 36, InstanceId=windows)
    with refused("InvalidInstanceId"):
        send(ssm, "i-0123456789abcdef0", SHELL, "true")


@calm
def test_the_cli_sends_a_command(cli, europe, ssm):
    instance = online(europe, ssm, world.LINUX_IMAGE)
    sent = cli(
        *("ssm", "send-command", "--instance-ids", instance, "--document-name", SHELL),
        *("--parameters", 'commands=["uname -a"]'),
        region=world.EUROPE,
    ).json
    command = sent["Command"]["CommandId"]
    ended(ssm, command, instance)
    got = cli(
        *("ssm", "get-command-invocation", "--command-id", command, "--instance-id", instance), region=world.EUROPE
    )
    assert got.json["StandardOutputContent"] == "Linux scripted"


RUN = {"Effect": "Allow", "Action": ["ec2:*", "iam:PassRole", "ssm:DescribeInstanceInformation"], "Resource": "*"}
SEND = [
    {"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": f"arn:aws:ssm:*:*:document/{SHELL}"},
    {
        "Effect": "Allow",
        "Action": "ssm:SendCommand",
        "Resource": "arn:aws:ec2:*:*:instance/*",
        "Condition": {"StringEquals": {"ssm:resourceTag/owner": "us"}},
    },
]


@pytest.mark.sim(
    iam={"policies": {world.OURS.key: [{"Version": "2012-10-17", "Statement": [RUN, *SEND]}]}},
    knobs={"maxReadLagSeconds": 0, "requestBuckets": False},
)
def test_a_policy_is_about_the_document_and_the_instance(europe, ssm):
    instance = online(europe, ssm, world.LINUX_IMAGE)
    with refused("AccessDeniedException"):
        send(ssm, instance, SHELL, "true")
    europe.create_tags(Resources=[instance], Tags=[{"Key": "owner", "Value": "us"}])
    command = send(ssm, instance, SHELL, "true")
    with refused("AccessDeniedException"):
        ssm.get_command_invocation(CommandId=command, InstanceId=instance)
    with refused("AccessDeniedException"):
        send(ssm, instance, POWERSHELL, "true")
