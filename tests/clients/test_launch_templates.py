"""What is launched by resolve:ssm: and by launch templates: the image that a parameter names at that moment."""

import pytest

from support import world
from support.expect import eventually, refused

BY_PARAMETER = f"resolve:ssm:{world.PARAMETER}"


def launch(ec2, **by):
    """Launches one instance and gives the id of its image."""
    (instance,) = ec2.run_instances(MinCount=1, MaxCount=1, **by)["Instances"]
    return instance["ImageId"]


def test_a_launch_by_a_parameter_uses_the_image_that_it_names(ec2):
    assert launch(ec2, ImageId=BY_PARAMETER) == world.OWN


def test_a_launch_by_a_parameter_follows_it_and_by_its_version_does_not(aws, ec2):
    ssm, name = aws("ssm"), "/launched/web"
    ssm.put_parameter(Name=name, Value=world.OWN, Type="String", DataType="aws:ec2:image")
    eventually(lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"] == world.OWN, "the value")
    assert launch(ec2, ImageId=f"resolve:ssm:{name}") == world.OWN
    ssm.put_parameter(Name=name, Value=world.PUBLIC, DataType="aws:ec2:image", Overwrite=True)
    eventually(lambda: ssm.get_parameter(Name=name)["Parameter"]["Value"] == world.PUBLIC, "the new value")
    assert launch(ec2, ImageId=f"resolve:ssm:{name}") == world.PUBLIC
    assert launch(ec2, ImageId=f"resolve:ssm:{name}:1") == world.OWN


def test_a_template_that_names_a_parameter_is_resolved_when_it_is_used(ec2):
    name = "by-parameter"
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": BY_PARAMETER})
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=name)["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["ImageId"] == BY_PARAMETER
    resolved = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, ResolveAlias=True)
    assert resolved["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"] == world.OWN
    for by in [
        {"LaunchTemplateName": name},
        {"LaunchTemplateId": template_id, "Version": "$Latest"},
        {"LaunchTemplateId": template_id, "Version": "1"},
    ]:
        assert launch(ec2, LaunchTemplate=by) == world.OWN


def test_the_cli_launches_by_a_parameter(cli):
    answer = cli("ec2", "run-instances", "--image-id", BY_PARAMETER, "--count", "1").json
    assert answer["Instances"][0]["ImageId"] == world.OWN


@pytest.mark.parametrize("image", ["resolve:ssm:/golden/none", f"{BY_PARAMETER}:99"])
def test_a_parameter_that_is_not_there_launches_nothing(ec2, image):
    with refused("InvalidParameterValue"):
        launch(ec2, ImageId=image)


def test_a_template_that_is_not_there_launches_nothing(ec2):
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        launch(ec2, LaunchTemplate={"LaunchTemplateName": "nobodys"})
