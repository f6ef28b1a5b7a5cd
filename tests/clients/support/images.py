"""Steps that many tests begin with: capture an instance, copy an image, look at the result."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from support.expect import eventually, refusal, wait


def capture(ec2: Any, instance: str, name: str, **more: Any) -> str:
    """CreateImage, waited for."""
    image = ec2.create_image(InstanceId=instance, Name=name, **more)["ImageId"]
    await_image(ec2, image)
    return image


def copy(ec2: Any, source: str, source_region: str, name: str, **more: Any) -> str:
    """CopyImage into the client's region, waited for."""
    image = ec2.copy_image(SourceImageId=source, SourceRegion=source_region, Name=name, **more)["ImageId"]
    await_image(ec2, image)
    return image


def await_image(ec2: Any, image: str) -> None:
    """`image_exists` first: `image_available` ends at the first NotFound of a read that lags."""
    wait(ec2, "image_exists", ImageIds=[image])
    wait(ec2, "image_available", ImageIds=[image])


def image_of(ec2: Any, image: str) -> dict[str, Any]:
    """The one image, as DescribeImages shows it; reads that lag are read again."""

    def look() -> dict[str, Any] | None:
        try:
            found = ec2.describe_images(ImageIds=[image])["Images"]
        except ClientError as error:
            if refusal(error).code != "InvalidAMIID.NotFound":
                raise
            return None
        return found[0] if found else None

    return eventually(look, f"{image} is shown")


def snapshots_of(image: dict[str, Any]) -> list[str]:
    """The snapshots an image is made of, in the order of its mapping."""
    return [mapping["Ebs"]["SnapshotId"] for mapping in image["BlockDeviceMappings"] if "Ebs" in mapping]


def snapshot_of(ec2: Any, snapshot: str) -> dict[str, Any]:
    """The one snapshot, as DescribeSnapshots shows it."""

    def look() -> dict[str, Any] | None:
        try:
            found = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        except ClientError as error:
            if refusal(error).code != "InvalidSnapshot.NotFound":
                raise
            return None
        return found[0] if found else None

    return eventually(look, f"{snapshot} is shown")


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    """Tags as a mapping; a key that is there twice would be an error."""
    tags = {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}
    assert len(tags) == len(resource.get("Tags", []))
    return tags


def specification(kind: str, **tags: str) -> dict[str, Any]:
    """One element of TagSpecifications."""
    return {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
