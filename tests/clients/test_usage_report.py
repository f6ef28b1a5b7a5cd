"""Image usage reports: which other accounts use an image, a day late."""

from support import world
from support.expect import eventually, refused

INSTANCES = [{"ResourceType": "ec2:Instance"}]


def _state(ec2, report):
    (found,) = ec2.describe_image_usage_reports(ReportIds=[report])["ImageUsageReports"]
    return found["State"]


def test_a_report_counts_what_other_accounts_have(ec2):
    report = ec2.create_image_usage_report(ImageId=world.LAUNCHED, ResourceTypes=INSTANCES)["ReportId"]
    eventually(lambda: _state(ec2, report) == "available", "the report is there")
    (entry,) = ec2.describe_image_usage_report_entries(ReportIds=[report])["ImageUsageReportEntries"]
    assert (entry["AccountId"], entry["ResourceType"], entry["UsageCount"]) == (world.STRANGER.id, "ec2:Instance", 1)
    assert ec2.delete_image_usage_report(ReportId=report)["Return"] is True
    assert ec2.describe_image_usage_reports()["ImageUsageReports"] == []


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
