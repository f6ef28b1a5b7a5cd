//! Codes that say "not you": credentials, rights, regions, accounts.

use super::codes;

const POLICY: &str = "allow {permission} in the policy of Amity's role (docs/iam.md)";

const TAG_SESSION: &str = "allow sts:TagSession in the trust policy of the role, and in the policy of whoever assumes it, beside \
                           sts:AssumeRole, or leave spec.assumeRole.sessionTags of the AwsAccount out (docs/iam.md)";

const NEW_CREDENTIALS: &str = "give the controller credentials that work, and let the role's trust policy name them (docs/iam.md)";

codes! {
    // Credentials.
    "NoCredentials" ("sts:TagSession") Credentials [AssumeRole]
        "The role lets Amity in, but not tag its session, as spec.assumeRole.sessionTags of the AwsAccount asks for.",
        TAG_SESSION;
    "NoCredentials" Credentials [ANY]
        "Amity's own code: there are no credentials, or AWS refused the role that they ask for.", NEW_CREDENTIALS;
    "RequestExpired" Credentials [ANY]
        "The credentials, or the signature, have expired.",
        "it is tried again with new credentials; if it stays, set the clock of the node and see what renews the credentials";
    "ExpiredToken" Credentials [ANY]
        "The session of the role has expired.",
        "it is tried again with new credentials; if it stays, see what renews the credentials of the controller";
    "ExpiredTokenException" Credentials [ANY]
        "The same.",
        "it is tried again with new credentials; if it stays, see what renews the credentials of the controller";
    "InvalidClientTokenId" Credentials [ANY] "AWS does not know the access key.", NEW_CREDENTIALS;
    "UnrecognizedClientException" Credentials [ANY] "The same.", NEW_CREDENTIALS;
    "InvalidSecurity" Credentials [ANY] "AWS does not take the security token.", NEW_CREDENTIALS;
    "InvalidSecurityToken" Credentials [ANY] "The same.", NEW_CREDENTIALS;
    "MissingAuthenticationToken" Credentials [ANY] "The request came without credentials.", NEW_CREDENTIALS;
    "SignatureDoesNotMatch" Credentials [ANY]
        "The secret key is not that of the access key, or something on the way changed the request.", NEW_CREDENTIALS;
    "IncompleteSignature" Credentials [ANY] "The same.", NEW_CREDENTIALS;

    // AuthFailure, which says three things.
    "AuthFailure" ("Not authorized for image") NotOurs [CopyImage CreateImage DeregisterImage CreateTags DeleteTags RunInstances]
        "The image is somebody else's and not shared with the account, or it may be used but not changed.",
        "let its owner share {of} with account {account}, or name another image";
    "AuthFailure" ("Unauthorized attempt to access restricted resource") Bug [DescribeImageAttribute]
        "The attribute is one that EC2 shows to nobody.",
        "please report this bug of Amity with the message";
    "AuthFailure" Region [ANY]
        "The region is not enabled for the account: good credentials are answered so there. Bad ones are answered so everywhere.",
        "enable {region} for account {account}, or leave it out of spec.regions of the AwsAccount";

    // Rights.
    "UnauthorizedOperation" ("service control policy") Denied [ANY]
        "A service control policy of the organization forbids the action.",
        "ask whoever keeps the organization's service control policies to allow {permission} for account {account} in {region}";
    "UnauthorizedOperation" ("permissions boundary") Denied [ANY]
        "The permissions boundary of the role does not include the action.",
        "allow {permission} in the permissions boundary of Amity's role too (docs/iam.md)";
    "UnauthorizedOperation" ("explicit deny") Denied [ANY]
        "A policy of the account forbids the action, whatever others allow.",
        "take the deny of {permission} out of the policy that the message names, or except Amity's role from it (docs/iam.md)";
    "UnauthorizedOperation" Denied [ANY] "No policy allows the action.", POLICY;
    "AccessDenied" Denied [ANY] "The same, in the words of STS and other services.", POLICY;
    "AccessDeniedException" Denied [ANY] "The same.", POLICY;

    // The account as a whole.
    "OptInRequired" Account [ANY]
        "The account has not signed up for EC2, or not for the Marketplace product behind the image.",
        "sign account {account} up for what the message names, then wait: it is tried again by itself";
    "PendingVerification" Account [ANY]
        "AWS is still verifying the account in this region, mostly for minutes, for four hours at most.",
        "wait: it is tried again by itself; after four hours ask AWS about account {account} in {region}";
    "Blocked" Account [ANY]
        "AWS has blocked the account.",
        "ask AWS to lift the block of account {account}";
    "AccountDisabled" Account [ANY]
        "AWS has closed or disabled this for the account.",
        "ask AWS about account {account}";
    "RegionDisabledException" Account [AssumeRole GetCallerIdentity]
        "STS is not active in the region for the account.",
        "activate STS in {region} for account {account}, or set AWS_REGION to another region";
}
