//! Codes about images, snapshots, instances and templates: their ids, names, states and numbers.

use super::codes;

codes! {
    // Not there.
    "InvalidAMIID.NotFound" NotThere [CopyImage CreateTags DeleteTags DeregisterImage DescribeImages RunInstances]
        "There is no such image, or not yet, or it is not shown to the account, as where Allowed AMIs hides it.",
        "see whether {of} exists in its region and is allowed there (aws ec2 get-allowed-images-settings), and correct \
         spec.source if it names it";
    "InvalidAMIID.Unavailable" NotThere [CopyImage DeregisterImage DescribeImages RunInstances]
        "The image was deregistered, or is still pending.",
        "see whether {of} is available in its region, and correct spec.source if it names it";
    "InvalidSnapshot.NotFound" NotThere [DeleteSnapshot CreateTags DeleteTags CopyImage]
        "There is no such snapshot, or not yet.",
        "see whether {of} and its snapshots exist in {region}";
    "InvalidSnapshotID.NotFound" NotThere [DeleteSnapshot CreateTags DeleteTags CopyImage] "The same.",
        "see whether {of} and its snapshots exist in {region}";
    "InvalidInstanceID.NotFound" NotThere [CreateImage DescribeInstances]
        "There is no such instance in the region, or it is not shown to the account.",
        "correct region and id in spec.source";
    "InvalidID" NotThere [CreateTags DeleteTags]
        "There is nothing of this id, or not yet.",
        "see whether {of} exists in {region}";
    "InvalidLaunchTemplateId.NotFound" NotThere [CreateLaunchTemplateVersion]
        "There is no such launch template.", "name a launch template that exists in {region}";
    "InvalidLaunchTemplateName.NotFoundException" NotThere [CreateLaunchTemplateVersion]
        "The same, by its name.", "name a launch template that exists in {region}";
    "ParameterNotFound" NotThere [GetParameter DeleteParameter]
        "There is no such parameter in the region, or it is not shown to the account.",
        "correct region and ssmParameter in spec.source";
    "InvalidResourceId" NotThere [AddTagsToResource]
        "There is no such parameter in the region, or not yet.",
        "see whether {of} exists in {region}";

    // No ids.
    "InvalidAMIID.Malformed" NoId [CopyImage DescribeImages] "What should be an image's id is none.", "correct the id in spec.source";
    "InvalidInstanceID.Malformed" NoId [CreateImage DescribeInstances]
        "What should be an instance's id is none.", "correct the id in spec.source";
    "InvalidSnapshotID.Malformed" NoId [DeleteSnapshot] "What should be a snapshot's id is none.", "correct the id that the message names";
    "InvalidLaunchTemplateId.Malformed" NoId [CreateLaunchTemplateVersion]
        "What should be a launch template's id is none.", "correct the id that the message names";
    "ValidationException" NoId [GetParameter PutParameter]
        "What should be a parameter's name is none, or Systems Manager does not take it.",
        "correct ssmParameter in spec.source, or ssmParameterName in spec.publish";

    // States.
    "IncorrectInstanceState" WrongState [CreateImage]
        "The instance is neither running nor stopped.",
        "bring {of} into the state running or stopped, or use another source";
    "IncorrectState" WrongState [CreateImage DeregisterImage CreateTags]
        "It is in a state in which this cannot be done.",
        "bring {of} into the state that the message names, or use another source";
    "InvalidParameterValue" ("not in state 'running' or 'stopped'") WrongState [CreateImage]
        "The instance is neither running nor stopped: being stopped, say, or terminated.",
        "bring {of} into the state running or stopped, or use another source";
    "UnsupportedOperation" WrongState [CreateImage CopyImage DeregisterImage]
        "EC2 cannot do this with such a thing: an instance whose root is an instance store, say.",
        "mend what the message says of {of}, or use another source";

    // In use, taken, made.
    "InvalidSnapshot.InUse" InUse [DeleteSnapshot]
        "An image uses the snapshot: one that was just deregistered, a disabled one, or one of somebody else.",
        "deregister the image that the message names";
    "InvalidAMIName.Duplicate" NameTaken [CreateImage RegisterImage]
        "An image of the account has the name already.",
        "deregister the image that has the name, change spec.rebuild, or make a MachineImage with another nameTemplate";
    "ParameterAlreadyExists" NameTaken [PutParameter]
        "A parameter of the region has the name already.",
        "delete the parameter, or write another name in spec.publish.ssmParameterName";
    "IdempotentParameterMismatch" AlreadyMade [CopyImage RunInstances]
        "The token was used before, with something else in the request.",
        "change spec.rebuild if no image of {of} shows in {region} after the consistency window";
    "IdempotentInstanceTerminated" Refused [RunInstances]
        "The token belongs to an instance that is terminated.", "change spec.rebuild";

    // Quotas.
    "SnapshotLimitExceeded" Quota [CreateImage CopyImage]
        "The account has as many snapshots as it may have in the region.",
        "delete snapshots in {region}, or ask AWS to raise the snapshot quota of account {account}";
    "VolumeLimitExceeded" Quota [CreateImage RunInstances]
        "The account has as many volumes as it may have in the region.",
        "delete volumes in {region}, or ask AWS to raise the quota of account {account}";
    "InstanceLimitExceeded" Quota [RunInstances]
        "The account runs as many instances of this type as it may in the region.",
        "end instances in {region}, or ask AWS to raise the quota of account {account}";
    "VcpuLimitExceeded" Quota [RunInstances] "The same, counted in processors.",
        "end instances in {region}, or ask AWS to raise the quota of account {account}";
    "TagLimitExceeded" Quota [CreateTags CreateImage CopyImage]
        "A resource has 50 tags at most, and this would have more. Those that begin with aws: do not count.",
        "take some out of spec.tags, or off {of}";
    "ParameterLimitExceeded" Quota [PutParameter]
        "The account has as many parameters as it may have in the region.",
        "delete parameters in {region}, or ask AWS to raise the quota of account {account}";
    "TooManyTagsError" Quota [PutParameter AddTagsToResource]
        "A parameter has 50 tags at most, and this would have more.", "take tags off {of} in {region}";
    "MaxTemplateVersionLimitExceeded" Quota [CreateLaunchTemplateVersion]
        "The launch template has as many versions as it may have.",
        "delete versions of the launch template in {region} that nobody uses";

    // Names and mappings that a spec leads to.
    "HierarchyLevelLimitExceededException" Spec [PutParameter]
        "The name of the parameter has more than 15 levels.", "write a shorter path in spec.publish.ssmParameterName";
    "ParameterMaxVersionLimitExceeded" Refused [PutParameter]
        "The oldest of the hundred versions that are kept has a label, and cannot make room for a new one.",
        "move the label of {of} in {region} to a newer version";
    "ParameterPatternMismatchException" Refused [PutParameter]
        "Somebody gave the parameter a pattern that no image's id matches.",
        "delete {of} in {region}: it is made anew";
    "InvalidAMIName.Malformed" Spec [CreateImage CopyImage RegisterImage]
        "The image name is shorter than 3 or longer than 128 characters, or has one that EC2 does not take.",
        "change spec.nameTemplate in a new MachineImage";
    "InvalidBlockDeviceMapping" Spec [CreateImage RegisterImage RunInstances]
        "The volumes that the image should have cannot be: twice the same device, say, or smaller than the snapshot.",
        "correct the volumes in spec.source, or the block devices of {of}";

    // Keys.
    "CustomerKeyHasBeenRevoked" Refused [CreateImage CopyImage RunInstances]
        "The KMS key is disabled, is to be deleted, or its owner has withdrawn the grant.",
        "enable the KMS key of the volumes of {of}, or let its key policy name Amity's role (docs/iam.md)";
    "InvalidLaunchTemplateName.AlreadyExistsException" Refused [CreateLaunchTemplate]
        "There is a launch template of the name already.", "name another launch template, or remove that one from {region}";
    "InvalidLaunchTemplateId.VersionNotFound" Refused [CreateLaunchTemplateVersion]
        "The launch template has no such version.", "name a version that exists";
}
