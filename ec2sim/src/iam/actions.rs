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
    /// The launch template that is named by its id or its name.
    Template,
    /// All that a launch uses and makes, what its template says included.
    Launch,
}

use Touches::{
    Launch, MappedSnapshots, Named, New, Nothing, ReadsInTheCallersName, SourceImage, Tagged,
    TagsAtBirth, Template,
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
    (
        "CreateLaunchTemplate",
        &[New("launch-template"), TagsAtBirth],
    ),
    ("CreateLaunchTemplateVersion", &[Template]),
    ("CreateTags", &[Tagged]),
    ("DeleteImageUsageReport", &[Nothing]),
    ("DeleteLaunchTemplate", &[Template]),
    ("DeleteLaunchTemplateVersions", &[Template]),
    ("DeleteSnapshot", &[Named("SnapshotId")]),
    ("DeleteTags", &[Tagged]),
    ("DeregisterImage", &[Named("ImageId")]),
    ("DescribeAvailabilityZones", &[Nothing]),
    ("DescribeFastLaunchImages", &[Nothing]),
    ("DescribeImageAttribute", &[Named("ImageId")]),
    ("DescribeImageReferences", &[Nothing, ReadsInTheCallersName]),
    ("DescribeImageUsageReportEntries", &[Nothing]),
    ("DescribeImageUsageReports", &[Nothing]),
    ("DescribeImages", &[Nothing]),
    ("DescribeInstanceAttribute", &[Named("InstanceId")]),
    ("DescribeInstanceStatus", &[Nothing]),
    ("DescribeInstanceTypeOfferings", &[Nothing]),
    ("DescribeInstances", &[Nothing]),
    ("DescribeKeyPairs", &[Nothing]),
    ("DescribeLaunchTemplateVersions", &[Nothing]),
    ("DescribeLaunchTemplates", &[Nothing]),
    ("DescribeRegions", &[Nothing]),
    ("DescribeSecurityGroups", &[Nothing]),
    ("DescribeSnapshotAttribute", &[Named("SnapshotId")]),
    ("DescribeSnapshots", &[Nothing]),
    ("DescribeSubnets", &[Nothing]),
    ("DescribeTags", &[Nothing]),
    ("DescribeVolumes", &[Nothing]),
    ("DescribeVpcs", &[Nothing]),
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
    ("GetConsoleOutput", &[Named("InstanceId")]),
    ("GetEbsDefaultKmsKeyId", &[Nothing]),
    ("GetEbsEncryptionByDefault", &[Nothing]),
    ("GetImageBlockPublicAccessState", &[Nothing]),
    ("ListImagesInRecycleBin", &[Nothing]),
    ("ListSnapshotsInRecycleBin", &[Nothing]),
    ("ModifyImageAttribute", &[Named("ImageId")]),
    ("ModifyInstanceAttribute", &[Named("InstanceId")]),
    ("ModifyLaunchTemplate", &[Template]),
    ("ModifySnapshotAttribute", &[Named("SnapshotId")]),
    (
        "RegisterImage",
        &[New("image"), MappedSnapshots, TagsAtBirth],
    ),
    ("ResetImageAttribute", &[Named("ImageId")]),
    ("ResetSnapshotAttribute", &[Named("SnapshotId")]),
    ("RestoreImageFromRecycleBin", &[Named("ImageId")]),
    ("RestoreSnapshotFromRecycleBin", &[Named("SnapshotId")]),
    ("RunInstances", &[Launch]),
    ("StartInstances", &[Named("InstanceId")]),
    ("StopInstances", &[Named("InstanceId")]),
    ("TerminateInstances", &[Named("InstanceId")]),
];

/// The actions of Systems Manager that are about machines, of which only the first has resources: the
/// document and the instances.
pub(super) const MACHINES: [&str; 3] = [
    SEND_COMMAND,
    "DescribeInstanceInformation",
    "GetCommandInvocation",
];
pub(super) const SEND_COMMAND: &str = "SendCommand";

/// Who gives an instance its role asks for this (docs: IAM `id_roles_use_passrole`).
pub(super) const PASS_ROLE: &str = "iam:PassRole";

/// The actions of Systems Manager that are about parameters: where the name of the parameter is, or none.
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
    let of_ssm = SSM.iter().map(|(action, _)| *action).chain(MACHINES);
    let of_ssm = of_ssm.map(|action| format!("ssm:{action}"));
    let read = REFERENCES.iter().flat_map(|(_, actions)| *actions);
    let mut all = of_ec2
        .chain(of_ssm)
        .chain(read.map(|action| (*action).to_owned()))
        .chain(["sts:AssumeRole", "sts:TagSession", PASS_ROLE].map(str::to_owned));
    if all.any(|action| fits_action(pattern, &action)) {
        Ok(())
    } else {
        Err(format!("no call here asks for the action {pattern}"))
    }
}
