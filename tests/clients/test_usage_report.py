"""Image usage reports: which other accounts use an image, a day late."""

import pytest

from support import world
from support.expect import eventually, refused

INSTANCES = [{"ResourceType": "ec2:Instance"}]


@pytest.fixture
def used(aws, ec2, sim):
    """OWN, launched by OTHER more than a day ago."""
    ec2.modify_image_attribute(ImageId=world.OWN, LaunchPermission={"Add": [{"UserId": world.OTHER.id}]})
    aws(account=world.OTHER).run_instances(ImageId=world.OWN, MinCount=1, MaxCount=1)
    sim.advance(25 * 3600)
    return world.OWN


def _state(ec2, report):
    (found,) = ec2.describe_image_usage_reports(ReportIds=[report])["ImageUsageReports"]
    return found["State"]


def test_a_report_counts_what_other_accounts_have(ec2, used):
    report = ec2.create_image_usage_report(ImageId=used, ResourceTypes=INSTANCES)["ReportId"]
    eventually(lambda: _state(ec2, report) == "available", "the report is there")
    (entry,) = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    assert (entry["AccountId"], entry["ResourceType"], entry["UsageCount"]) == (world.OTHER.id, "ec2:Instance", 1)
    assert ec2.delete_image_usage_report(ReportId=report)["Return"] is True
    assert ec2.describe_image_usage_reports()["ImageUsageReports"] == []


def test_what_happened_within_a_day_is_missing(aws, ec2, used):
    aws(account=world.OTHER).run_instances(ImageId=world.OWN, MinCount=1, MaxCount=1)
    report = ec2.create_image_usage_report(ImageId=used, ResourceTypes=INSTANCES)["ReportId"]
    eventually(lambda: _state(ec2, report) == "available", "the report is there")
    (entry,) = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    assert entry["UsageCount"] == 1


def test_the_cli_makes_a_report(cli):
    types = "ResourceType=ec2:LaunchTemplate,ResourceTypeOptions=[{OptionName=version-depth,OptionValues=[100]}]"
    arguments = ["--image-id", world.OWN, "--resource-types", types, "--account-ids", world.OTHER.id]
    report = cli("ec2", "create-image-usage-report", *arguments).json["ReportId"]
    (found,) = cli("ec2", "describe-image-usage-reports").json["ImageUsageReports"]
    assert (found["ReportId"], found["ImageId"], found["AccountIds"]) == (report, world.OWN, [world.OTHER.id])
    assert found["ResourceTypes"][0]["ResourceTypeOptions"][0]["OptionValues"] == ["100"]


def test_a_report_is_the_owners(ec2):
    """The code is not known."""
    with refused(status=None):
        ec2.create_image_usage_report(ImageId=world.SHARED, ResourceTypes=INSTANCES)
