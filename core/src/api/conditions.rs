//! Every condition type and every reason that a status may show, in one place: what it means, and
//! what the user can do. [`page`] makes `docs/conditions.md` of it.

#![expect(
    clippy::doc_markdown,
    reason = "what is said here is for users first; the documentation of the constants is made of it"
)]

use std::fmt::Write as _;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// EC2 matches the spec (`MachineImage`); the account was reached and is the right one
/// (`AwsAccount`). Always there.
pub const READY: &str = "Ready";
/// Some revision is published in every region. A roll-out leaves it true. Always there.
pub const AVAILABLE: &str = "Available";
/// The source was found and may be used. Always there.
pub const SOURCE_RESOLVED: &str = "SourceResolved";
/// Work goes on by itself. There only while true.
pub const RECONCILING: &str = "Reconciling";
/// Nothing goes on before somebody did something, at the object or in AWS. There only while true.
pub const STALLED: &str = "Stalled";

/// Every condition type, and what it says while it is true.
pub const TYPES: &[(&str, &str)] = &[
    (
        READY,
        "EC2 matches the spec (MachineImage); the account was reached and is the right one (AwsAccount). Always there.",
    ),
    (
        AVAILABLE,
        "Some revision is published in every region. A roll-out leaves it true. Always there.",
    ),
    (
        SOURCE_RESOLVED,
        "The source was found and may be used. Always there.",
    ),
    (
        RECONCILING,
        "Work goes on by itself. There only while true.",
    ),
    (
        STALLED,
        "Nothing goes on before somebody did something, at the object or in AWS. There only while true.",
    ),
];

/// Why a condition is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The value of `reason`: stable, for scripts and alerts.
    pub name: &'static str,
    /// The conditions that it may stand at.
    pub conditions: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
    /// What the user can do.
    pub remedy: &'static str,
}

impl Reason {
    /// Whether it waits for somebody, so that the object is `Stalled` and not `Reconciling`.
    pub fn stalls(&self) -> bool {
        self.conditions.contains(&STALLED)
    }

    /// The reason called `name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        REASONS.iter().find(|reason| reason.name == name)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The condition `type_` of the object's `generation`. The time of its last transition is that of
/// the one `before`, if there is one of the same status, and else `now`.
pub fn condition(
    before: &[Condition],
    type_: &str,
    status: &str,
    reason: Reason,
    message: String,
    generation: i64,
    now: Timestamp,
) -> Condition {
    let unchanged = before
        .iter()
        .find(|old| old.type_ == type_ && old.status == status);
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.name.to_owned(),
        message,
        last_transition_time: unchanged.map_or_else(
            || whole_seconds(now),
            |old| old.last_transition_time.clone(),
        ),
        observed_generation: Some(generation),
    }
}

/// `Time` is written in whole seconds, and what is compared with it must be, too.
pub fn whole_seconds(time: Timestamp) -> Time {
    Time(Timestamp::from_second(time.as_second()).unwrap_or(time))
}

/// `docs/conditions.md`: every condition and every reason, for a person to look up.
pub fn page() -> String {
    let mut page = String::from(
        "<!-- Written from core/src/api/conditions.rs. -->\n# Conditions and reasons\n\n\
         | condition | while it is true |\n| --- | --- |\n",
    );
    for (name, meaning) in TYPES {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page.push_str("\n| reason | at | what it means | what to do |\n| --- | --- | --- | --- |\n");
    for Reason {
        name,
        conditions,
        meaning,
        remedy,
    } in REASONS
    {
        let at = conditions.join(", ");
        let _ = writeln!(page, "| `{name}` | {at} | {meaning} | {remedy} |");
    }
    page
}

const NOTHING: &str = "Nothing to do.";

/// Declares each reason as a constant and all of them as [`REASONS`], so that none can be missing
/// there.
macro_rules! reasons {
    ($($constant:ident $name:literal [$($condition:ident),+] $meaning:expr, $remedy:expr;)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: Reason = Reason {
                name: $name,
                conditions: &[$($condition),+],
                meaning: $meaning,
                remedy: $remedy,
            };
        )+
        /// Every reason.
        pub const REASONS: &[Reason] = &[$($constant),+];
    };
}

reasons! {
    // As it should be.
    IN_SYNC "InSync" [READY]
        "EC2 matches the spec.",
        NOTHING;
    PUBLISHED "Published" [AVAILABLE]
        "A revision is published in every region; status.regions has its images.",
        NOTHING;
    RESOLVED "Resolved" [SOURCE_RESOLVED]
        "The source was found, or is no longer needed since the revision has been made from it.",
        NOTHING;
    VERIFIED "Verified" [READY]
        "AWS confirmed that the credentials lead into the account in accountId.",
        NOTHING;

    // Work that goes on by itself.
    PROGRESSING "Progressing" [READY, AVAILABLE, RECONCILING]
        "A revision is being built, copied or retired; status.nextSteps says what is awaited.",
        "Wait. Captures and copies take minutes to hours, by the size of the volumes.";
    WAITING_FOR_INVENTORY "WaitingForInventory" [READY, AVAILABLE, SOURCE_RESOLVED, RECONCILING]
        "Amity has not yet read what EC2 has, as after its own start.",
        "Wait; it takes seconds to a few minutes.";
    REGION_UNREADABLE "RegionUnreadable" [READY, AVAILABLE, SOURCE_RESOLVED, RECONCILING]
        "A region cannot be read at the moment. Nothing is changed there, and nothing is retired elsewhere that it may still need.",
        "Wait. If it stays, the message says what AWS answered.";
    THROTTLED "Throttled" [READY, AVAILABLE, SOURCE_RESOLVED, RECONCILING]
        "EC2 answers that too much was asked of this account and region; Amity asks less often for a while.",
        "Wait. If it stays, see who else calls EC2 in that account, or ask AWS for a higher request rate.";
    DELETING "Deleting" [READY, RECONCILING]
        "The object is being deleted, and its images and snapshots with it.",
        "Wait. If the account cannot be reached any more, set spec.deletionPolicy to Retain: the images then stay in EC2 and the object goes.";
    SUSPENDED "Suspended" [READY]
        "spec.suspend is true: nothing is made, copied, tagged or retired.",
        "Set spec.suspend to false to go on.";
    RETAINED "Retained" [READY]
        "Images or snapshots that are no longer wanted were left in EC2, since spec.deletionPolicy is Retain; the message says which.",
        "Nothing to do, or deregister them by hand.";

    // What the spec or the account does not allow.
    INVALID_SPEC "InvalidSpec" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "The spec asks for something that no region can have, and that only shows when it is all put together, for example a name too long for EC2.",
        "Change the spec as the message says.";
    NOT_GRANTED "NotGranted" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "The AwsAccount does not let this namespace use this source, share with whom spec.sharing names, take over what spec.adopt lists, or write the parameter of spec.publish.ssmParameterName.",
        "Ask whoever keeps the AwsAccount for the grant that the message names, or use another source or parameter.";
    ACCOUNT_NOT_FOUND "AccountNotFound" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "There is no AwsAccount of the name in spec.accountName.",
        "Create the AwsAccount, or make another MachineImage that names one that exists (kubectl get awsaccounts).";
    ACCOUNT_NOT_READY "AccountNotReady" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "The AwsAccount is not Ready, so that nothing in it can be trusted.",
        "See the AwsAccount's own Ready condition (kubectl get awsaccounts -o wide) and mend that.";
    REGION_NOT_IN_ACCOUNT "RegionNotInAccount" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "A region of the spec is not among the AwsAccount's regions, or not enabled for the account.",
        "Take the region out of the spec, add it to the AwsAccount's spec.regions, or enable it for the account in AWS.";

    // The source.
    SOURCE_NOT_FOUND "SourceNotFound" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "The instance, snapshot, image or parameter in spec.source does not exist in that region, or is not shown to this account. Where Allowed AMIs is enabled for the account and region, EC2 shows no image of another owner that its criteria do not allow; the message says so.",
        "Correct the region and the id, name or parameter in spec.source. An image or snapshot of another account must be shared with this one, and an image be allowed by Allowed AMIs (aws ec2 get-allowed-images-settings).";
    SOURCE_NOT_PUBLISHED "SourceNotPublished" [READY, AVAILABLE, SOURCE_RESOLVED, RECONCILING]
        "The MachineImage in spec.source.image.machineImageName is not there, or has published no image in that region yet.",
        "Wait, and see that MachineImage's own conditions; or correct the name or the region in spec.source.";
    SOURCE_NOT_SUPPORTED "SourceNotSupported" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "The source exists but no image can be made of it as it is: an instance that is terminated or has no EBS root volume, a snapshot that is not completed, an image that is not available, a parameter whose value is no image's id.",
        "Bring it into the state that the message names, or use another source.";
    SOURCE_GONE "SourceGone" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "A region still lacks the image, and neither the source nor any image of the revision is left to copy from, or shown: Allowed AMIs may hide the source, and the message says so.",
        "Change spec.rebuild to make a new revision, from a source that exists.";

    // What EC2 refused.
    ACCESS_DENIED "AccessDenied" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "AWS does not allow the call that the message names.",
        "Allow it in the policy of Amity's role, or in the account's service control policies. It is tried again by itself.";
    WRONG_ACCOUNT "WrongAccount" [READY, STALLED]
        "The credentials lead into another account than the one in accountId.",
        "Correct assumeRole.roleArn, or the credentials of the controller.";
    NO_CREDENTIALS "NoCredentials" [READY, STALLED]
        "Amity has no credentials, or AWS does not accept them or the role they ask for.",
        "Give the controller credentials, and let the role's trust policy name them and the external id.";
    DUPLICATE_ACCOUNT "DuplicateAccount" [READY, STALLED]
        "Another AwsAccount has the same accountId, and grants must be in one place.",
        "Keep one of them; the message names the other.";
    CAPTURE_FAILED "CaptureFailed" [READY, AVAILABLE, STALLED]
        "EC2 could not make the image of the instance or snapshot, or the answer about a capture was lost for good. It is not tried again by itself: a capture might restart the instance again.",
        "Mend what the message says and change spec.rebuild.";
    BUILD_FAILED "BuildFailed" [READY, AVAILABLE, STALLED]
        "Three machines were launched to build the image, and none came to its end: each was terminated, or took longer than spec.source.build.timeout.",
        "See why the user data does not come to its end, mend that or the timeout, and change spec.rebuild.";
    PLATFORM_MISMATCH "PlatformMismatch" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "RegisterImage made an image whose platform details are not those of spec.source.snapshot.platformDetails, so that its billing code is missing or wrong (EC2 API, RegisterImage). It is discarded.",
        "Capture an instance instead (spec.source.instance), which keeps the billing code, or write the platform details that the message names.";
    COPY_FAILED "CopyFailed" [READY, AVAILABLE, STALLED]
        "Copies of the image into a region failed again and again; the message has what EC2 says of the last.",
        "Mend what the message says (often a KMS key) and change spec.rebuild.";
    NOT_SHAREABLE "NotShareable" [READY, AVAILABLE, STALLED]
        "A copy would be encrypted in a way in which spec.sharing cannot be fulfilled: nothing that is encrypted can be public, and what is encrypted with the key that AWS manages (aws/ebs) can be given to nobody. It is not made.",
        "Write encryption.kmsKeyId with a key of your own for the region, let the account encrypt by default with one, or change spec.sharing. It is looked again by itself.";
    FAST_LAUNCH_NOT_SUPPORTED "FastLaunchNotSupported" [READY, STALLED]
        "spec.fastLaunch is for Windows images, and EC2 shows that a published image is none.",
        "Take spec.fastLaunch out.";
    FAST_LAUNCH_FAILED "FastLaunchFailed" [READY, STALLED]
        "EC2 could not make the snapshots for the fast launch of a published image, or not remove them (enabling-failed, enabled-failed, disabling-failed); the message has the reason that EC2 gives. Instances are launched as without it.",
        "Mend what the message says: often the quota of instances, or an image that does not come from Sysprep with shutdown. Then set spec.fastLaunch to {} until it is off, and back.";
    REFUSED "Refused" [READY, AVAILABLE, SOURCE_RESOLVED, STALLED]
        "EC2 refused a call for good; the message has its code and words.",
        "Mend what the message says. It is tried again after a change of the spec, and now and then by itself.";

    // What others made and shall be Amity's.
    ADOPTING "Adopting" [READY, AVAILABLE, STALLED]
        "spec.adopt lists images that would be taken over; the message says what would change. Nothing is changed, made or copied before somebody says that it is meant.",
        "If it is, annotate the MachineImage with amity.dev/adopt and the word that the message names; else take the images out of spec.adopt.";
    ADOPTION_IMPOSSIBLE "AdoptionImpossible" [READY, AVAILABLE, STALLED]
        "An image that spec.adopt lists is not there, cannot be launched, or is another MachineImage's.",
        "Correct or remove what the message names in spec.adopt.";

    // What is not Amity's to touch.
    NAME_TAKEN "NameTaken" [READY, AVAILABLE, STALLED]
        "An image that is not this object's has the name that this revision must have, a ConfigMap that of spec.publish.configMapName, or a parameter that of spec.publish.ssmParameterName. A parameter that lost the tags by which Amity knows it is nobody's, too.",
        "Rename is not possible in EC2: deregister that image, change spec.rebuild, or make a MachineImage with another nameTemplate. Delete the ConfigMap or parameter, or write another name.";
    FOREIGN_IMAGE "ForeignImage" [READY]
        "An image or snapshot carries this object's tags, but EC2 shows that Amity did not make it. It is never touched, and stands in nothing's way: the message of Ready, and status.regions, name it.",
        "Remove the tags amity.dev/… from what the message names; a copy with copied tags is the usual cause.";
    PUBLIC_IMAGE_AGES "PublicImageAges" [READY]
        "A public image that is published will soon be two years old, or is: EC2 deprecates it then, which cannot be put off, and shows it to nobody but its owner any more who does not ask for deprecated images (EC2 User Guide, Deprecate an AMI). It can still be launched by its id.",
        "Change spec.rebuild for a fresh revision.";
    IMAGE_DISABLED "ImageDisabled" [READY, AVAILABLE, STALLED]
        "Somebody disabled an image of this object: it can be neither launched nor copied.",
        "Enable it (aws ec2 enable-image), or deregister it, so that another is made.";
    HELD_BY_OTHER_CLUSTER "HeldByOtherCluster" [READY, AVAILABLE, STALLED]
        "The images are managed from another cluster with the same owner id.",
        "Give each installation its own --owner-id, or delete the object in the other cluster; the message has the uid of its namespace kube-system. If that cluster is gone and this one was built in its place, start Amity once with --take-over-from and that uid.";
    DEREGISTRATION_BLOCKED "DeregistrationBlocked" [READY, STALLED]
        "An image or snapshot that is no longer wanted cannot go: EC2 refuses it, for example because it is protected or locked, or somebody holds the image with the tag amity.dev/hold.",
        "End what the message names, or set spec.deletionPolicy to Retain.";
    DEREGISTRATION_LIMIT "DeregistrationLimit" [READY, STALLED]
        "More than 20 published images, and more than a fifth of all that are published in the account, would be deregistered at once. None of them is.",
        "Check that it is meant. If it is, annotate the AwsAccount with amity.dev/deregistration-limit-lifted-until and the time until when they may go (RFC 3339), for example kubectl annotate awsaccount default amity.dev/deregistration-limit-lifted-until=2026-03-01T12:00:00Z; else put back what was deleted or changed.";
    IN_USE "InUse" [READY]
        "An image that is no longer wanted is still used by instances, launch templates or parameters, and is not deregistered before; status.regions[].inUseBy says by what.",
        "Nothing to do: it goes by itself when nothing uses it any more. To deregister it all the same, annotate the MachineImage with amity.dev/deregister-in-use and the revision that the message names.";
    INVARIANT_BROKEN "InvariantBroken" [READY, AVAILABLE, STALLED]
        "Amity planned something that no plan may do, and did not do it. This is a bug of Amity, not a mistake of yours.",
        "Please report it with the message and kubectl get machineimage -o yaml.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_condition_stays_while_its_status_does() {
        let at = |second: i64| Timestamp::from_millisecond(second * 1000 + 999).unwrap();
        let ready = |before: &[Condition], status, reason, second| {
            condition(before, READY, status, reason, "…".into(), 7, at(second))
        };
        let first = ready(&[], "False", PROGRESSING, 100);
        assert_eq!(first.last_transition_time, whole_seconds(at(100)));
        let before = [first.clone()];
        let other_reason = ready(&before, "False", SUSPENDED, 200);
        assert_eq!(
            other_reason.last_transition_time,
            first.last_transition_time
        );
        let other_status = ready(&before, "True", IN_SYNC, 300);
        assert_eq!(other_status.last_transition_time, whole_seconds(at(300)));
        let other_type = condition(
            &before,
            STALLED,
            "False",
            REFUSED,
            String::new(),
            7,
            at(400),
        );
        assert_eq!(other_type.last_transition_time, whole_seconds(at(400)));
    }

    #[test]
    fn every_reason_has_its_own_name() {
        for (i, reason) in REASONS.iter().enumerate() {
            let named = Reason::named(reason.name);
            assert_eq!(named, Some(&REASONS[i]), "{reason} is there twice");
        }
    }

    #[test]
    fn a_reason_waits_for_itself_or_for_somebody_but_not_both() {
        for reason in REASONS {
            assert!(
                !(reason.conditions.contains(&RECONCILING) && reason.stalls()),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_reason_is_a_word_that_kubernetes_takes() {
        for reason in REASONS {
            assert!(
                reason.name.len() <= 64 && reason.name.bytes().all(|b| b.is_ascii_alphabetic()),
                "{reason}"
            );
        }
    }

    #[test]
    fn whoever_reads_a_reason_reads_what_to_do() {
        for reason in REASONS {
            assert!(
                reason.meaning.ends_with('.') && reason.remedy.ends_with('.'),
                "{reason}"
            );
        }
    }
}
