//! Over every entry of the table, and the notable ones by name.

use std::collections::BTreeSet;
use std::path::Path;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};

use super::codes::Code;
use super::*;

const DENIAL: &str = "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/a/b is \
                      not authorized to perform: ec2:CreateTags on resource: x because no identity-based policy allows the \
                      ec2:CreateTags action. Encoded authorization failure message: abcdef";

fn place() -> Place {
    Place::new("111122223333", "eu-west-1")
}

fn answered(code: &str, status_is_5xx: bool) -> Failure {
    Failure::answered(Some(code), Some("words"), status_is_5xx)
}

fn said(code: &str, words: &str) -> Failure {
    Failure::answered(Some(code), Some(words), false)
}

/// The failure that an entry stands for, with the status that AWS gives it.
fn of(entry: &Code) -> Failure {
    let words = entry
        .text
        .map_or("words".to_owned(), |text| format!("EC2 says: {text}."));
    let server_error = matches!(entry.kind, Kind::NoAnswer | Kind::Throttled);
    Failure::answered(Some(entry.name), Some(&words), server_error)
}

/// What the user reads once patience is over.
fn sentence(failure: &Failure, action: &str) -> (Reason, String) {
    let reason = failure.reason(action, PATIENCE + 1);
    (
        reason,
        failure.sentence(action, "ami-0feedfacefeedface", &place(), reason),
    )
}

#[test]
fn every_code_has_the_class_of_its_kind() {
    for entry in codes::all() {
        let failure = of(entry);
        assert_eq!(failure.kind, entry.kind, "{} {:?}", entry.name, entry.text);
        assert_eq!(failure.class, entry.kind.class(), "{}", entry.name);
        assert_eq!(
            failure.is_certain(),
            entry.kind != Kind::NoAnswer,
            "{}",
            entry.name
        );
    }
}

#[test]
fn a_code_that_does_not_say_that_nothing_was_done_is_doubted_when_the_server_broke() {
    for entry in codes::all() {
        let broke = Failure::answered(Some(entry.name), Some(entry.text.unwrap_or("words")), true);
        let says_so = matches!(entry.kind, Kind::Throttled | Kind::Busy);
        assert_eq!(broke.is_certain(), says_so, "{}", entry.name);
    }
}

#[test]
fn every_code_has_a_reason_and_a_remedy_for_every_call_that_meets_it() {
    for entry in codes::all() {
        let failure = of(entry);
        assert!(!entry.calls.is_empty(), "{}", entry.name);
        for action in entry.calls {
            let (reason, sentence) = sentence(&failure, action);
            assert_eq!(
                reason,
                entry.kind.reason(action),
                "{} by {action}",
                entry.name
            );
            let remedy = sentence
                .rsplit_once("; ")
                .map(|(_, remedy)| remedy)
                .unwrap_or_default();
            assert!(remedy.len() > 10, "{sentence}");
            assert!(
                !sentence.contains(['{', '}']),
                "a name was not filled in: {sentence}"
            );
            let beginning = format!(
                "{action} of ami-0feedfacefeedface in eu-west-1 (account 111122223333): {}: ",
                entry.name
            );
            assert!(sentence.starts_with(&beginning), "{sentence}");
        }
    }
}

#[test]
fn what_stalls_names_the_account_or_region_or_id_or_field_to_mend() {
    let mendable = [
        "eu-west-1",
        "111122223333",
        "ami-0feedfacefeedface",
        "spec",
        "credentials",
        "ec2:",
        "sts:",
        "message",
        "template",
        "version",
    ];
    for entry in codes::all() {
        for action in entry.calls {
            let failure = of(entry);
            let reason = failure.reason(action, PATIENCE + 1);
            let remedy = failure.remedy(action, "ami-0feedfacefeedface", &place(), reason);
            assert!(
                !reason.stalls() || mendable.iter().any(|name| remedy.contains(name)),
                "{}: {remedy}",
                entry.name
            );
        }
    }
}

#[test]
fn no_entry_hides_another() {
    let mut seen = BTreeSet::new();
    for entry in codes::all() {
        assert!(
            seen.insert((entry.name, entry.text)),
            "{} is there twice",
            entry.name
        );
        assert_eq!(
            codes::lookup(entry.name, entry.text.unwrap_or("words")),
            Some(entry)
        );
    }
}

#[test]
fn what_means_the_same_has_the_same_calls_and_remedy() {
    let entries: Vec<&Code> = codes::all().collect();
    for pair in entries.windows(2) {
        if pair[1].meaning == page::THE_SAME {
            let of = |entry: &Code| (entry.kind, entry.calls, entry.remedy);
            assert_eq!(of(pair[0]), of(pair[1]), "{}", pair[1].name);
        }
    }
}

#[test]
fn a_text_that_is_not_known_has_the_meaning_of_its_code() {
    for entry in codes::all().filter(|entry| entry.text.is_some()) {
        let other = said(entry.name, "something that EC2 never said before");
        let kind = codes::lookup(entry.name, "").map_or(Kind::Unlisted, |plain| plain.kind);
        assert_eq!(other.kind, kind, "{}", entry.name);
    }
}

#[test]
fn every_code_that_the_sdk_calls_throttling_or_transient_is_in_the_table() {
    for code in THROTTLING_ERRORS {
        assert_eq!(answered(code, false).class, Class::Throttled, "{code}");
    }
    for code in TRANSIENT_ERRORS {
        assert_eq!(answered(code, false).class, Class::Unknown, "{code}");
    }
}

#[test]
fn an_unknown_code_is_a_refusal_unless_the_server_broke() {
    let refused = answered("SomethingNew", false);
    assert_eq!(
        (refused.class, refused.is_certain()),
        (Class::Refused, true)
    );
    assert_eq!(refused.reason("CopyImage", 1), conditions::REFUSED);
    assert_eq!(
        refused.reason("DeleteSnapshot", 1),
        conditions::DEREGISTRATION_BLOCKED
    );
    assert!(
        sentence(&refused, "CopyImage")
            .1
            .ends_with("; mend that; it is tried again now and then by itself")
    );
    assert!(!answered("SomethingNew", true).is_certain());
    assert!(!Failure::answered(None, None, false).is_certain());
}

#[test]
fn the_page_of_errors_is_that_of_the_source() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page::page()).expect("docs can be written");
    }
    assert!(
        std::fs::read_to_string(path).is_ok_and(|kept| kept == page::page()),
        "docs/errors.md is out of date; UPDATE_DOCS=1 writes it anew"
    );
}

// The notable ones.

#[test]
fn throttling_is_certain_and_passes_although_its_status_is_503() {
    let throttled = answered("RequestLimitExceeded", true);
    assert_eq!(
        (throttled.class, throttled.is_certain()),
        (Class::Throttled, true)
    );
    assert_eq!(throttled.reason("CopyImage", 100), conditions::THROTTLED);
}

#[test]
fn an_internal_error_is_retried_and_may_have_been_done() {
    for (code, server_error) in [
        ("InternalError", true),
        ("Unavailable", true),
        ("ServiceUnavailable", true),
        ("InternalError", false),
    ] {
        let failure = answered(code, server_error);
        assert_eq!(
            (failure.class, failure.is_certain()),
            (Class::Unknown, false),
            "{code}"
        );
        assert_eq!(failure.reason("CopyImage", 100), conditions::PROGRESSING);
    }
}

#[test]
fn a_denial_names_the_permission_that_aws_names() {
    let failure = said("UnauthorizedOperation", DENIAL);
    let (reason, sentence) = sentence(&failure, "CopyImage");
    assert_eq!(reason, conditions::ACCESS_DENIED);
    assert!(
        sentence.ends_with("; allow ec2:CreateTags in the policy of Amity's role (docs/iam.md)"),
        "{sentence}"
    );
    assert!(!sentence.contains("abcdef"), "{sentence}");
}

#[test]
fn a_denial_that_names_no_permission_names_that_of_the_call() {
    let (_, of_ec2) = sentence(&answered("UnauthorizedOperation", false), "CopyImage");
    assert!(of_ec2.contains("allow ec2:CopyImage in"), "{of_ec2}");
    let (_, of_sts) = sentence(
        &answered("AccessDenied", false),
        "GetCallerIdentity with role r",
    );
    assert!(
        of_sts.contains("allow sts:GetCallerIdentity in"),
        "{of_sts}"
    );
}

#[test]
fn a_denial_by_an_organization_names_who_can_allow_it() {
    let words = DENIAL.replace(
        "because no identity-based policy allows the ec2:CreateTags action",
        "with an explicit deny in a service control policy",
    );
    let (reason, sentence) = sentence(&said("UnauthorizedOperation", &words), "CopyImage");
    assert_eq!(reason, conditions::ACCESS_DENIED);
    assert!(
        sentence
            .contains("service control policies to allow ec2:CreateTags for account 111122223333"),
        "{sentence}"
    );
}

#[test]
fn a_terminal_refusal_stalls_at_once_with_the_remedy_of_its_text() {
    for (words, remedy) in [
        (
            "You do not have permission to access the storage of this ami",
            "share its snapshots with account 111122223333",
        ),
        (
            "Images from AWS Marketplace cannot be copied to another AWS account",
            "launch an instance of ami-",
        ),
        (
            "Images with EC2 BillingProduct codes cannot be copied to another AWS account",
            "launch an instance of ami-",
        ),
        (
            "Snapshot snap-1 is encrypted. Creating an unencrypted copy from an encrypted snapshot is not supported.",
            "the copy is encrypted as its source is",
        ),
    ] {
        let failure = said("InvalidRequest", words);
        assert_eq!(failure.reason("CopyImage", 1), conditions::REFUSED);
        let (_, sentence) = sentence(&failure, "CopyImage");
        assert!(sentence.contains(remedy), "{sentence}");
    }
}

#[test]
fn a_region_that_is_not_enabled_says_so_and_what_to_do() {
    let place = Place::new("111122223333", "af-south-1");
    let failure = said(
        "AuthFailure",
        "AWS was not able to validate the provided access credentials",
    );
    let unreadable = failure.unreadable("DescribeImages", &place);
    assert_eq!(unreadable.reason, conditions::REGION_NOT_IN_ACCOUNT);
    assert_eq!(
        unreadable.message,
        "DescribeImages in af-south-1 (account 111122223333): AuthFailure: AWS was not able to validate the \
         provided access credentials; enable af-south-1 for account 111122223333, or leave it out of \
         spec.regions of the AwsAccount"
    );
    assert!(
        failure.concerns_region(),
        "bad credentials are answered alike"
    );
}

#[test]
fn an_image_of_somebody_else_is_no_region_that_is_not_enabled() {
    let failure = said(
        "AuthFailure",
        "Not authorized for image:ami-0feedfacefeedface",
    );
    assert_eq!(failure.reason("CopyImage", 1), conditions::SOURCE_NOT_FOUND);
    assert_eq!(
        failure.reason("DeregisterImage", 1),
        conditions::DEREGISTRATION_BLOCKED
    );
    assert!(failure.is_source_not_there() && !failure.concerns_region());
}

#[test]
fn an_account_that_aws_has_yet_to_verify_says_to_wait() {
    let (reason, sentence) = sentence(&answered("PendingVerification", false), "CopyImage");
    assert_eq!(reason, conditions::ACCESS_DENIED);
    assert!(
        sentence.contains("wait: it is tried again by itself"),
        "{sentence}"
    );
}

#[test]
fn credentials_that_expired_are_got_anew() {
    for code in ["RequestExpired", "ExpiredToken", "ExpiredTokenException"] {
        let failure = answered(code, false);
        assert!(
            failure.concerns_credentials() && failure.is_certain(),
            "{code}"
        );
        assert_eq!(
            failure.reason("CopyImage", 1),
            conditions::NO_CREDENTIALS,
            "{code}"
        );
    }
}

#[test]
fn what_passes_by_itself_is_progress_until_it_lasts() {
    let in_use = answered("InvalidSnapshot.InUse", false);
    assert_eq!(in_use.reason("DeleteSnapshot", 1), conditions::PROGRESSING);
    assert_eq!(
        in_use.reason("DeleteSnapshot", PATIENCE + 1),
        conditions::DEREGISTRATION_BLOCKED
    );
    let mismatch = answered("IdempotentParameterMismatch", false);
    assert_eq!(mismatch.reason("CopyImage", 1), conditions::PROGRESSING);
    assert_eq!(
        mismatch.reason("CopyImage", PATIENCE + 1),
        conditions::REFUSED
    );
}

#[test]
fn a_source_that_is_not_there_or_not_fit_is_told_at_once() {
    for code in [
        "InvalidInstanceID.NotFound",
        "InvalidInstanceID.Malformed",
        "InvalidAMIID.NotFound",
    ] {
        assert_eq!(
            answered(code, false).reason("CreateImage", 1),
            conditions::SOURCE_NOT_FOUND,
            "{code}"
        );
    }
    let words =
        "Invalid value 'i-1' for instanceId. Instance is not in state 'running' or 'stopped'";
    let failure = said("InvalidParameterValue", words);
    assert_eq!(
        failure.reason("CreateImage", 1),
        conditions::SOURCE_NOT_SUPPORTED
    );
    let (_, sentence) = sentence(&failure, "CreateImage");
    assert!(
        sentence.ends_with(
            "bring ami-0feedfacefeedface into the state running or stopped, or use another source"
        ),
        "{sentence}"
    );
}

#[test]
fn what_cannot_be_removed_names_the_way_out() {
    let (reason, sentence) = sentence(&answered("OperationNotPermitted", false), "DeregisterImage");
    assert_eq!(reason, conditions::DEREGISTRATION_BLOCKED);
    assert!(
        sentence.ends_with(", or set spec.deletionPolicy to Retain"),
        "{sentence}"
    );
}

#[test]
fn a_role_that_was_refused_is_no_credentials_and_was_never_sent() {
    let failure = said(
        "AccessDenied",
        "not authorized to perform: sts:AssumeRole on resource: r",
    )
    .as_cause_of_no_credentials();
    assert_eq!(
        (failure.class, failure.kind),
        (Class::NotSent, Kind::Credentials)
    );
    let (reason, sentence) = sentence(&failure, "CopyImage");
    assert_eq!(reason, conditions::NO_CREDENTIALS);
    assert!(
        sentence.contains("let the role's trust policy name them"),
        "{sentence}"
    );
}
