//! The actions that IAM is asked about, and what each of them touches: one line for each.
//!
//! Resource types are those of the Service Authorization Reference. An action without a line is
//! refused to who has policies.

use super::policy::fits_action;

/// What of a call IAM is asked about.
#[derive(Clone, Copy)]
pub(super) enum Touches {
    /// No resource: only a policy with `Resource: "*"` can allow it.
    Nothing,
    /// The resource, or the list of them, that this parameter names by id.
    Named(&'static str),
    /// The image that is copied. It has no tags here (reference: `CopyImage`).
    SourceImage,
    /// The snapshots of the block device mappings.
    MappedSnapshots,
    /// What is made, of this type.
    New(&'static str),
    /// `ec2:CreateTags` on what is made with tags.
    TagsAtBirth,
    /// The resources that get or lose tags.
    Tagged,
    /// What EC2 reads in the caller's name to find references.
    ReadsInTheCallersName,
}

use Touches::{
    MappedSnapshots, Named, New, Nothing, ReadsInTheCallersName, SourceImage, Tagged, TagsAtBirth,
};

/// The actions of EC2.
pub(super) const EC2: &[(&str, &[Touches])] = &[
    (
        "CopyImage",
        &[SourceImage, New("image"), New("snapshot"), TagsAtBirth],
    ),
    (
        "CreateImage",
        &[
            Named("InstanceId"),
            New("image"),
            New("snapshot"),
            TagsAtBirth,
        ],
    ),
    (
        "CreateImageUsageReport",
        &[Named("ImageId"), New("image-usage-report"), TagsAtBirth],
    ),
    ("CreateTags", &[Tagged]),
    ("DeleteImageUsageReport", &[Nothing]),
    ("DeleteSnapshot", &[Named("SnapshotId")]),
    ("DeleteTags", &[Tagged]),
    ("DeregisterImage", &[Named("ImageId")]),
    ("DescribeFastLaunchImages", &[Nothing]),
    ("DescribeImageAttribute", &[Named("ImageId")]),
    ("DescribeImageReferences", &[Nothing, ReadsInTheCallersName]),
    ("DescribeImageUsageReportEntries", &[Nothing]),
    ("DescribeImageUsageReports", &[Nothing]),
    ("DescribeImages", &[Nothing]),
    ("DescribeInstances", &[Nothing]),
    ("DescribeRegions", &[Nothing]),
    ("DescribeSnapshotAttribute", &[Named("SnapshotId")]),
    ("DescribeSnapshots", &[Nothing]),
    ("DescribeTags", &[Nothing]),
    ("DisableEbsEncryptionByDefault", &[Nothing]),
    ("DisableFastLaunch", &[Named("ImageId")]),
    ("DisableImageBlockPublicAccess", &[Nothing]),
    ("DisableImageDeprecation", &[Named("ImageId")]),
    ("DisableImageDeregistrationProtection", &[Named("ImageId")]),
    ("EnableEbsEncryptionByDefault", &[Nothing]),
    ("EnableFastLaunch", &[Named("ImageId")]),
    ("EnableImageBlockPublicAccess", &[Nothing]),
    ("EnableImageDeprecation", &[Named("ImageId")]),
    ("EnableImageDeregistrationProtection", &[Named("ImageId")]),
    ("GetAllowedImagesSettings", &[Nothing]),
    ("GetEbsDefaultKmsKeyId", &[Nothing]),
    ("GetEbsEncryptionByDefault", &[Nothing]),
    ("GetImageBlockPublicAccessState", &[Nothing]),
    ("ListImagesInRecycleBin", &[Nothing]),
    ("ListSnapshotsInRecycleBin", &[Nothing]),
    ("ModifyImageAttribute", &[Named("ImageId")]),
    ("ModifySnapshotAttribute", &[Named("SnapshotId")]),
    (
        "RegisterImage",
        &[New("image"), MappedSnapshots, TagsAtBirth],
    ),
    ("ResetImageAttribute", &[Named("ImageId")]),
    ("ResetSnapshotAttribute", &[Named("SnapshotId")]),
    ("RestoreImageFromRecycleBin", &[Named("ImageId")]),
    ("RestoreSnapshotFromRecycleBin", &[Named("SnapshotId")]),
    (
        "RunInstances",
        &[
            Named("ImageId"),
            New("instance"),
            New("network-interface"),
            New("security-group"),
            New("subnet"),
            New("volume"),
            TagsAtBirth,
        ],
    ),
    ("TerminateInstances", &[Named("InstanceId")]),
];

/// The actions of Systems Manager: where the name of the parameter is, or none.
pub(super) const SSM: [(&str, Option<&str>); 8] = [
    ("AddTagsToResource", Some("ResourceId")),
    ("DeleteParameter", Some("Name")),
    ("DescribeParameters", None),
    ("GetParameter", Some("Name")),
    ("GetParameters", Some("Names")),
    ("ListTagsForResource", Some("ResourceId")),
    ("PutParameter", Some("Name")),
    ("RemoveTagsFromResource", Some("ResourceId")),
];

/// What EC2 reads in the caller's name, by the type of what refers to an image (AWS's policy
/// `AmazonEC2ImageReferencesAccessPolicy`).
pub(super) const REFERENCES: [(&str, &[&str]); 5] = [
    ("ec2:Instance", &["ec2:DescribeInstances"]),
    (
        "ec2:LaunchTemplate",
        &[
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeLaunchTemplateVersions",
        ],
    ),
    (
        "ssm:Parameter",
        &["ssm:DescribeParameters", "ssm:GetParameters"],
    ),
    (
        "imagebuilder:ImageRecipe",
        &["imagebuilder:ListImageRecipes"],
    ),
    (
        "imagebuilder:ContainerRecipe",
        &[
            "imagebuilder:ListContainerRecipes",
            "imagebuilder:GetContainerRecipe",
        ],
    ),
];

/// Who reads them: `aws:CalledVia`.
pub(super) const READER: &str = "ec2-images.amazonaws.com";

/// Refuses an action of a policy that nothing here asks about: it is misspelt, or not evaluated.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    let of_ec2 = EC2.iter().map(|(action, _)| format!("ec2:{action}"));
    let of_ssm = SSM.iter().map(|(action, _)| format!("ssm:{action}"));
    let read = REFERENCES.iter().flat_map(|(_, actions)| *actions);
    let mut all = of_ec2
        .chain(of_ssm)
        .chain(read.map(|action| (*action).to_owned()))
        .chain(["sts:AssumeRole", "sts:TagSession"].map(str::to_owned));
    if all.any(|action| fits_action(pattern, &action)) {
        Ok(())
    } else {
        Err(format!("no call here asks for the action {pattern}"))
    }
}
