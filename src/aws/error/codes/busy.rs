//! Codes that say "not now": requests, and what is under way, beyond what AWS allows; and answers that say
//! nothing.

use super::{BY_ITSELF, codes};

const FEWER: &str = "it is tried again by itself; if it stays, see who else calls EC2 in account {account}, or ask AWS for a \
                     higher request rate in {region}";

codes! {
    // Too many requests: EC2's own code, and those that the SDK calls throttling.
    "RequestLimitExceeded" Throttled [ANY]
        "The bucket of requests of this account, region and action is empty, whoever emptied it. HTTP status 503.", FEWER;
    "Throttling" Throttled [ANY] "The same, in the words of other services, such as STS.", FEWER;
    "ThrottlingException" Throttled [ANY] "The same.", FEWER;
    "ThrottledException" Throttled [ANY] "The same.", FEWER;
    "RequestThrottled" Throttled [ANY] "The same.", FEWER;
    "RequestThrottledException" Throttled [ANY] "The same.", FEWER;
    "EC2ThrottledException" Throttled [ANY] "The same.", FEWER;
    "TooManyRequestsException" Throttled [ANY] "The same.", FEWER;
    "ProvisionedThroughputExceededException" Throttled [ANY] "The same.", FEWER;
    "BandwidthLimitExceeded" Throttled [ANY] "The same.", FEWER;
    "LimitExceededException" Throttled [ANY] "The same.", FEWER;
    "SlowDown" Throttled [ANY] "The same.", FEWER;
    "PriorRequestNotComplete" Throttled [ANY] "An earlier request is still being worked on.", FEWER;
    "TransactionInProgressException" Throttled [ANY] "The same.", FEWER;

    // Limits on what may be under way at once.
    "ResourceLimitExceeded" Busy [CopyImage CreateImage EnableFastLaunch]
        "Too much is under way, such as more than 20 snapshot copies or 300 image copies into the region, or 40 launches at a \
         time for fast launch.",
        "it is tried again by itself; if others copy into {region} too, leave them room with --copy-slots, or ask AWS for a \
         higher quota";
    "ConcurrentSnapshotLimitExceeded" Busy [CreateImage CopyImage]
        "Too many snapshots of the same volume are being made.", BY_ITSELF;
    "ConcurrentCreateImageNoRebootLimitExceeded" Busy [CreateImage]
        "Another image of the same instance is being made without a reboot.", BY_ITSELF;
    "ConcurrentTagAccess" Busy [CreateTags DeleteTags CreateImage CopyImage]
        "Somebody else is writing tags of the same thing.", BY_ITSELF;
    "TooManyUpdates" Busy [PutParameter AddTagsToResource]
        "Somebody else is writing the same parameter.", BY_ITSELF;
    "PendingSnapshotLimitExceeded" Busy [CreateImage CopyImage]
        "Too many snapshots of the account are pending.", BY_ITSELF;
    "SnapshotCreationPerVolumeRateExceeded" Busy [CreateImage]
        "The last snapshot of the same volume was less than 15 seconds ago.", BY_ITSELF;
    "InsufficientInstanceCapacity" Busy [RunInstances]
        "AWS has no machine of this type free in the zone at the moment.",
        "it is tried again by itself; if it stays, take another instance type or subnet";

    // Nothing said.
    "InternalError" NoAnswer [ANY] "Something broke inside AWS.", BY_ITSELF;
    "InternalServerError" NoAnswer [ANY] "The same.", BY_ITSELF;
    "InternalFailure" NoAnswer [ANY] "The same.", BY_ITSELF;
    "ServiceUnavailable" NoAnswer [ANY] "AWS cannot be reached at the moment.", BY_ITSELF;
    "Unavailable" NoAnswer [ANY] "The same.", BY_ITSELF;
    "RequestTimeout" NoAnswer [ANY] "AWS waited in vain for the rest of the request.", BY_ITSELF;
    "RequestTimeoutException" NoAnswer [ANY] "The same.", BY_ITSELF;
}
