"""What becomes of instances: they run, are checked, stop, and go; and what runs in them, as its console shows it.

Durations are the knobs' defaults: pending for 15 s, user data done 45 s after that, checked after two minutes.
"""

import base64

import pytest

from support import world
from support.expect import eventually, refused, wait

SHUTS_DOWN = "#!/bin/bash\necho BUILD DONE\nsudo systemctl poweroff\n"
SYSPREP = '& "$env:ProgramFiles\\amazon\\ec2launch\\ec2launch.exe" sysprep --shutdown=true'
OLD_SYSPREP = (
    "cd C:\\ProgramData\\Amazon\\EC2-Windows\\Launch\\Scripts\n.\\InitializeInstance.ps1 -Schedule\n.\\SysprepInstance.ps1"
)


def launch(ec2, image=world.LAUNCHED, **more):
    """One instance: its id."""
    arguments = {"InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **more}
    (instance,) = ec2.run_instances(ImageId=image, **arguments)["Instances"]
    return instance["InstanceId"]


def described(ec2, instance):
    (reservation,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    (one,) = reservation["Instances"]
    return one


def console(ec2, instance):
    output = ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")
    return output if isinstance(output, str) else output.decode()


def status(ec2, instance):
    answer = ec2.describe_instance_status(InstanceIds=[instance])["InstanceStatuses"]
    return answer[0]["InstanceStatus"]["Status"] if answer else None


def gone_down(ec2, instance, state="stopped"):
    return eventually(lambda: described(ec2, instance)["State"]["Name"] == state, state)


calm = pytest.mark.sim(knobs={"maxReadLagSeconds": 0, "requestBuckets": False})


@calm
def test_botocores_waiters_see_the_whole_life(ec2):
    instance = launch(ec2)
    wait(ec2, "instance_running", InstanceIds=[instance])
    wait(ec2, "instance_status_ok", InstanceIds=[instance])
    wait(ec2, "system_status_ok", InstanceIds=[instance])
    (change,) = ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    wait(ec2, "instance_stopped", InstanceIds=[instance])
    assert described(ec2, instance)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    (change,) = ec2.start_instances(InstanceIds=[instance])["StartingInstances"]
    assert change["CurrentState"]["Name"] == "pending"
    wait(ec2, "instance_running", InstanceIds=[instance])
    (change,) = ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"]
    assert change["CurrentState"]["Name"] == "shutting-down"
    wait(ec2, "instance_terminated", InstanceIds=[instance])


@calm
def test_a_terminated_instance_vanishes_after_an_hour(sim, ec2):
    instance = launch(ec2)
    ec2.terminate_instances(InstanceIds=[instance])
    gone_down(ec2, instance, "terminated")
    sim.advance(3600)
    with refused("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist"):
        ec2.describe_instances(InstanceIds=[instance])


@pytest.mark.sim(knobs={"maxReadLagSeconds": 10**7, "requestBuckets": False})
def test_a_new_instance_is_seen_late(ec2):
    instance = launch(ec2)
    with refused("InvalidInstanceID.NotFound"):
        ec2.describe_instances(InstanceIds=[instance])


@calm
def test_all_that_a_launch_asks_for_is_shown(ec2):
    tags = [{"Key": "owner", "Value": "us"}]
    instance = launch(
        ec2,
        SubnetId=world.SUBNET_A,
        SecurityGroupIds=[world.GROUP],
        KeyName=world.KEY_PAIR,
        IamInstanceProfile={"Name": world.MANAGED_PROFILE},
        UserData="#!/bin/sh\n",
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}},
        ],
        MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "disabled"},
        InstanceMarketOptions={"MarketType": "spot"},
        InstanceInitiatedShutdownBehavior="stop",
        Monitoring={"Enabled": True},
        ClientToken="token-1",
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")],
    )
    one = described(ec2, instance)
    assert (one["SubnetId"], one["VpcId"]) == (world.SUBNET_A, world.VPC)
    assert one["SecurityGroups"] == [{"GroupId": world.GROUP, "GroupName": "web"}]
    assert one["KeyName"] == world.KEY_PAIR
    assert one["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{world.MANAGED_PROFILE}")
    assert one["MetadataOptions"]["HttpTokens"] == "required"
    assert one["MetadataOptions"]["InstanceMetadataTags"] == "disabled"
    assert one["InstanceLifecycle"] == "spot"
    assert one["SpotInstanceRequestId"].startswith("sir-")
    assert one["ClientToken"] == "token-1"
    assert one["Placement"]["AvailabilityZone"] == f"{world.HOME}a"
    assert one["Tags"] == tags
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance]}])["Volumes"]
    assert (volume["Size"], volume["Encrypted"], volume["Tags"]) == (30, True, tags)
    attribute = ec2.describe_instance_attribute(InstanceId=instance, Attribute="instanceInitiatedShutdownBehavior")
    assert attribute["InstanceInitiatedShutdownBehavior"] == {"Value": "stop"}
    user_data = ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(user_data) == b"#!/bin/sh\n"
    for name, value in [
        ("client-token", "token-1"),
        ("key-name", world.KEY_PAIR),
        ("subnet-id", world.SUBNET_A),
        ("vpc-id", world.VPC),
        ("instance.group-id", world.GROUP),
        ("instance-lifecycle", "spot"),
    ]:
        found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
        assert [one["Instances"][0]["InstanceId"] for one in found] == [instance], name


@calm
def test_user_data_stops_the_machine_and_its_console_tells(ec2):
    instance = launch(ec2, UserData=SHUTS_DOWN)
    gone_down(ec2, instance)
    assert described(ec2, instance)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    said = console(ec2, instance)
    assert "BUILD DONE" in said
    assert "Cloud-init v." in said
    image = ec2.create_image(InstanceId=instance, Name="built")["ImageId"]
    wait(ec2, "image_available", ImageIds=[image])


@calm
@pytest.mark.parametrize(
    ("more", "end"),
    [
        ({"InstanceInitiatedShutdownBehavior": "terminate"}, "terminated"),
        ({"InstanceMarketOptions": {"MarketType": "spot"}}, "terminated"),
        ({"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "persistent"}}}, "stopped"),
    ],
)
def test_what_a_shutdown_from_within_means(ec2, more, end):
    """For one-time spot instances nobody could say; `facts: oneTimeSpotsStopFromWithin` is the other answer."""
    gone_down(ec2, launch(ec2, UserData=SHUTS_DOWN, **more), end)


@calm
def test_the_console_is_posted_later_unless_it_is_asked_for_as_the_latest(ec2):
    instance = launch(ec2, InstanceType="t2.micro", Placement={"AvailabilityZone": f"{world.HOME}b"})
    with refused("UnsupportedOperation"):
        ec2.get_console_output(InstanceId=instance, Latest=True)
    eventually(lambda: "Cloud-init" in ec2.get_console_output(InstanceId=instance).get("Output", ""), "the output")


@calm
def test_scripted_machines_behave_as_their_script_says(aws):
    europe = aws(region=world.EUROPE)
    hanging = launch(europe, world.HANGING_IMAGE, UserData=SHUTS_DOWN)
    impaired = launch(europe, world.IMPAIRED_IMAGE, UserData=SHUTS_DOWN)
    well = launch(europe, world.LINUX_IMAGE)
    eventually(lambda: status(europe, impaired) == "impaired", "impaired")
    eventually(lambda: status(europe, hanging) == "ok", "ok")
    eventually(lambda: status(europe, well) == "ok", "ok")
    assert "ready to serve" in console(europe, well)
    assert "BUILD DONE" not in console(europe, hanging)
    assert described(europe, hanging)["State"]["Name"] == "running"


@calm
@pytest.mark.parametrize(
    ("image", "script", "generalised"),
    [
        (world.WINDOWS_IMAGE, SYSPREP, {"by": "ec2launch-v2", "initialises": True}),
        (world.OLD_WINDOWS_IMAGE, OLD_SYSPREP, {"by": "ec2launch", "initialises": True}),
        (world.OLD_WINDOWS_IMAGE, ".\\SysprepInstance.ps1", {"by": "ec2launch", "initialises": False}),
    ],
)
def test_sysprep_in_user_data_generalises_what_is_captured(aws, sim, image, script, generalised):
    europe = aws(region=world.EUROPE)
    instance = launch(europe, image, UserData=f"<powershell>\n{script}\n</powershell>")
    gone_down(europe, instance)
    made = europe.create_image(InstanceId=instance, Name="generalised")["ImageId"]
    place = sim.world()["accounts"][world.OURS.id]["regions"][world.EUROPE]
    assert place["images"][made]["generalised"] == generalised
    wait(europe, "image_available", ImageIds=[made])


@calm
@pytest.mark.parametrize(
    ("image", "script", "said"),
    [
        (world.CORRUPT_IMAGE, SYSPREP, "_FindLatestProfile failed (0x80070003)"),
        (world.WINDOWS_IMAGE, OLD_SYSPREP, "is not recognized as the name of a cmdlet"),
    ],
)
def test_sysprep_that_fails_leaves_the_machine_running(aws, image, script, said):
    europe = aws(region=world.EUROPE)
    instance = launch(europe, image, UserData=f"<powershell>\n{script}\n</powershell>")
    eventually(lambda: "Windows is Ready to use" in console(europe, instance), "it is up")
    assert said in console(europe, instance)
    assert described(europe, instance)["State"]["Name"] == "running"


@calm
def test_a_spot_machine_of_one_time_is_not_stopped(ec2):
    instance = launch(ec2, InstanceMarketOptions={"MarketType": "spot"})
    wait(ec2, "instance_running", InstanceIds=[instance])
    with refused(
        "UnsupportedOperation",
        f"You can't stop the Spot Instance '{instance}' because it is associated with a one-time Spot Instance request. "
        "You can only stop Spot Instances associated with persistent Spot Instance requests.",
    ):
        ec2.stop_instances(InstanceIds=[instance])


@calm
def test_a_stopped_state_is_needed_to_start_and_a_running_one_to_stop(ec2):
    with refused(
        "IncorrectInstanceState", f"This instance '{world.STOPPING}' is not in a state from which it can be started."
    ):
        ec2.start_instances(InstanceIds=[world.STOPPING])
    with refused("IncorrectInstanceState"):
        ec2.stop_instances(InstanceIds=[world.STARTING])
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=[world.WEB, "i-0123456789abcdef0"])
    assert described(ec2, world.WEB)["State"]["Name"] == "running", "one bad id, and none is terminated"


@calm
def test_a_protected_instance_is_terminated_once_its_protection_is_gone(ec2):
    instance = launch(ec2, DisableApiTermination=True)
    with refused(
        "OperationNotPermitted",
        f"The instance '{instance}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try "
        "again.",
    ):
        ec2.terminate_instances(InstanceIds=[instance])
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    assert ec2.describe_instance_attribute(InstanceId=instance, Attribute="disableApiTermination")[
        "DisableApiTermination"
    ] == {"Value": False}
    ec2.modify_instance_attribute(InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"})
    ec2.terminate_instances(InstanceIds=[instance])
    gone_down(ec2, instance, "terminated")


def test_the_status_of_all_instances_comes_in_pages(ec2):
    pages = ec2.get_paginator("describe_instance_status").paginate(
        IncludeAllInstances=True, PaginationConfig={"PageSize": 5}
    )
    found = {one["InstanceId"]: one for page in pages for one in page["InstanceStatuses"]}
    assert set(found) == set(world.INSTANCES)
    assert found[world.STOPPED]["InstanceStatus"]["Status"] == "not-applicable"
    running = ec2.describe_instance_status()["InstanceStatuses"]
    assert {one["InstanceId"] for one in running} == {world.WEB, world.ORPHAN}
    ok = ec2.describe_instance_status(Filters=[{"Name": "instance-status.status", "Values": ["ok"]}])
    assert len(ok["InstanceStatuses"]) == 2


@calm
def test_the_cli_builds_an_image_from_a_parent(cli, tmp_path):
    script = tmp_path / "build.sh"
    script.write_text(SHUTS_DOWN)
    launched = cli(
        *("ec2", "run-instances", "--image-id", world.LAUNCHED, "--instance-type", "t3.micro"),
        *("--user-data", f"file://{script}", "--metadata-options", "HttpTokens=required"),
        *("--block-device-mappings", '[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}]'),
    ).json
    instance = launched["Instances"][0]["InstanceId"]

    def stopped():
        state = cli("ec2", "describe-instances", "--instance-ids", instance).json
        return state["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"

    eventually(stopped, "stopped")
    text = cli("ec2", "get-console-output", "--instance-id", instance, "--latest", "--output", "text")
    assert "BUILD DONE" in text.stdout
    assert cli("ec2", "create-image", "--instance-id", instance, "--name", "built").json["ImageId"].startswith("ami-")
    ended = cli("ec2", "terminate-instances", "--instance-ids", instance).json
    assert ended["TerminatingInstances"][0]["PreviousState"]["Name"] == "stopped"
