//! Codes about the request itself: what is in it, and what EC2 will not do whatever is in it.

use super::codes;

const REPORT: &str = "please report this bug of Amity with the message";

codes! {
    // InvalidRequest, which says something else with each text.
    "InvalidRequest" ("permission to access the storage of this ami") Refused [CopyImage]
        "The image is shared with the account, but its snapshots are not; only whoever may read them may copy it.",
        "let the owner of {of} share its snapshots with account {account} too, and the KMS key if they are encrypted";
    "InvalidRequest" ("Images from AWS Marketplace") Refused [CopyImage]
        "The image carries the product code of a Marketplace seller, and such images stay in the account.",
        "launch an instance of {of}, and capture that instead; spec.source can name the instance";
    "InvalidRequest" ("BillingProduct codes") Refused [CopyImage]
        "The image carries a billing code, as those with Windows or Red Hat do, and is of another account.",
        "launch an instance of {of}, and capture that instead; spec.source can name the instance";
    "InvalidRequest" ("unencrypted copy from an encrypted snapshot") Refused [CopyImage]
        "What is encrypted stays encrypted.",
        "ask for encryption in {region}, or leave it open: the copy is encrypted as its source is";
    "InvalidRequest" Refused [ANY]
        "EC2 will not do this, for the reason in its message.",
        "mend what the message says; it is tried again now and then by itself";

    // Sharing and protection.
    "InvalidParameter" ("AWS Managed CMK can't be shared") Refused [ModifyImageAttribute]
        "The snapshots are encrypted with the AWS managed key, under which nothing can be shared.",
        "have the image encrypted with a KMS key of your own in {region}; the default key for encryption by default may be the cause";
    "OperationNotPermitted" ("block public access") Refused [ModifyImageAttribute]
        "The account blocks making images public, as new accounts do.",
        "lift the block for account {account} in {region} (aws ec2 disable-image-block-public-access), or do not make it public";
    "OperationNotPermitted" ("default key cannot be shared") Refused [ModifySnapshotAttribute]
        "The snapshot is encrypted with the AWS managed key, under which nothing can be shared.",
        "have the image encrypted with a KMS key of your own in {region}";
    "OperationNotPermitted" Refused [DeregisterImage DeleteSnapshot ModifyImageAttribute]
        "It is protected: against deregistration, by a lock, by AWS Backup, or by a setting of the account.",
        "end what protects {of}, as the message says";
    "InvalidAMIAttributeItemValue" Spec [ModifyImageAttribute]
        "An account, organization or group with which to share is none.",
        "correct spec.sharing as the message says";
    "InvalidUserID.Malformed" Spec [ModifyImageAttribute]
        "What should be an account's id is none.", "write the twelve digits of the account in spec.sharing";

    // Tags.
    "TagPolicyViolation" Spec [CreateTags CreateImage CopyImage]
        "A tag policy of the organization forbids the value of a tag, or how its key is written.",
        "change the tag in spec.tags as the tag policy of account {account} wants it";
    "InvalidTagKey.Malformed" Spec [CreateTags CreateImage CopyImage DeleteTags]
        "A key of a tag is empty, too long, or begins with aws:.", "correct the key in spec.tags";

    // Parameters.
    "InvalidParameterValue" Refused [ANY]
        "A value in the request is not one that EC2 takes.",
        "correct what the message names, if it is from the spec; it is tried again now and then by itself";
    "InvalidParameter" Refused [ANY] "The same.",
        "correct what the message names, if it is from the spec; it is tried again now and then by itself";
    "InvalidParameterCombination" Bug [ANY] "Two things in the request do not go together.", REPORT;
    "InvalidParameterDependency" Bug [ANY] "The same.", REPORT;
    "MissingParameter" Bug [ANY] "Something is missing in the request.", REPORT;
    "UnknownParameter" Bug [ANY] "EC2 does not know something in the request.", REPORT;
    "MissingAction" Bug [ANY] "The request says not what to do.", REPORT;
    "InvalidAction" Bug [ANY] "There is no such action.", REPORT;
    "MalformedQueryString" Bug [ANY] "The request cannot be read.", REPORT;
    "ValidationError" Spec [AssumeRole GetCallerIdentity]
        "STS does not understand the request: a role's ARN or external id that is none, say.",
        "correct spec.assumeRole of the AwsAccount";
    "InvalidClientToken" Bug [CopyImage RunInstances] "The token is longer than EC2 takes.", REPORT;
    "InvalidNextToken" Bug [DescribeImages DescribeSnapshots DescribeInstances]
        "A list was to go on from where it does not.", REPORT;
    "InvalidPaginationToken" Bug [DescribeImages DescribeSnapshots DescribeInstances] "The same.", REPORT;
    "InvalidMaxResults" Bug [DescribeImages DescribeSnapshots DescribeInstances] "A list was to have pages of a size that is none.", REPORT;
    "InvalidFilter" Bug [DescribeImages DescribeSnapshots DescribeInstances] "A list was to be filtered by what there is not.", REPORT;
    "FilterLimitExceeded" Bug [DescribeImages DescribeSnapshots DescribeInstances] "A list was to be filtered by more than 200 values.", REPORT;
    "InvalidRegion" Spec [CopyImage AssumeRole] "There is no such region in the partition.", "correct the region in the spec";
}
