//! Every answer of AWS that is not the one hoped for, classified once, where the SDK ends.
//!
//! The sets of codes are from the EC2 Developer Guide, "Error codes for the Amazon EC2 API".

use std::error::Error;
use std::fmt;

use amity_core::api::conditions::{self, Reason};
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that AWS did not answer with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it means for what was asked.
    pub class: Class,
    /// AWS's code, where it gave one.
    pub code: Option<String>,
    /// AWS's sentence, or what happened on the way.
    pub words: String,
}

/// What a failure means for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Too much was asked, or too much is under way. Nothing was done; later it will be.
    Throttled,
    /// No answer, or one that says nothing: it may have been done.
    Unknown,
    /// It never left this process. Nothing was done.
    NotSent,
    /// AWS does not let us, or does not know us. Nothing was done.
    Denied,
    /// AWS will not do this. Nothing was done.
    Refused,
}

impl Class {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unknown => "unknown",
            Self::NotSent => "not_sent",
            Self::Denied => "denied",
            Self::Refused => "refused",
        }
    }
}

/// Limits on what may be under way at once: they pass by themselves.
const LIMITS: &[&str] = &[
    "ResourceLimitExceeded",
    "ConcurrentSnapshotLimitExceeded",
    "ConcurrentCreateImageNoRebootLimitExceeded",
    "ConcurrentTagAccess",
    "PendingSnapshotLimitExceeded",
    "SnapshotCreationPerVolumeRateExceeded",
];

/// Credentials that AWS does not take, or no longer.
const CREDENTIALS: &[&str] = &[
    "RequestExpired",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
    "InvalidSecurity",
    "InvalidSecurityToken",
];

/// Good credentials that may not do this.
const DENIED: &[&str] = &[
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "OptInRequired",
    "Blocked",
];

/// Credentials that a region does not take: an account's own are answered so where it is not enabled.
const AUTH_FAILURE: &str = "AuthFailure";

/// The image or snapshot is not there: gone, or (soon after it was made) not there yet.
const NOT_THERE: &[&str] = &[
    "InvalidAMIID.NotFound",
    "InvalidAMIID.Unavailable",
    "InvalidSnapshot.NotFound",
    "InvalidSnapshotID.NotFound",
    "InvalidID",
];

/// The instance or image of the spec is not there.
const SOURCE_NOT_THERE: &[&str] = &[
    "InvalidInstanceID.NotFound",
    "InvalidInstanceID.Malformed",
    "InvalidAMIID.NotFound",
    "InvalidAMIID.Malformed",
    "InvalidAMIID.Unavailable",
];

/// The instance cannot be captured as it is.
const SOURCE_NOT_FIT: &[&str] = &[
    "IncorrectInstanceState",
    "IncorrectState",
    "UnsupportedOperation",
];

impl Failure {
    /// What the SDK's error means. The order matters: a code says more than a status.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match error {
            SdkError::ServiceError(service) => {
                let answer = service.err();
                let server_error = service.raw().status().is_server_error();
                Self::answered(answer.code(), answer.message(), server_error)
            }
            SdkError::TimeoutError(_) => Self::unknown("AWS did not answer in time"),
            SdkError::ResponseError(_) => {
                Self::unknown(format!("AWS's answer was cut off: {}", root_cause(error)))
            }
            SdkError::DispatchFailure(dispatch)
                if dispatch.is_io() || dispatch.is_timeout() || dispatch.as_other().is_some() =>
            {
                Self::unknown(format!(
                    "the connection to AWS failed: {}",
                    root_cause(error)
                ))
            }
            _ => Self::not_sent(error),
        }
    }

    /// What an answer with this code means.
    fn answered(code: Option<&str>, words: Option<&str>, server_error: bool) -> Self {
        let class = match code {
            Some(code) if THROTTLING_ERRORS.contains(&code) || LIMITS.contains(&code) => {
                Class::Throttled
            }
            Some(code) if TRANSIENT_ERRORS.contains(&code) => Class::Unknown,
            _ if server_error => Class::Unknown,
            Some(code)
                if DENIED.contains(&code)
                    || CREDENTIALS.contains(&code)
                    || code == AUTH_FAILURE =>
            {
                Class::Denied
            }
            Some(_) => Class::Refused,
            None => Class::Unknown,
        };
        let words = words.unwrap_or("AWS gave no reason");
        Self {
            class,
            code: code.map(str::to_owned),
            words: without_encoded_message(words).to_owned(),
        }
    }

    /// No answer that tells whether it was done.
    pub(super) fn unknown(words: impl Into<String>) -> Self {
        Self {
            class: Class::Unknown,
            code: None,
            words: words.into(),
        }
    }

    /// An error of ours, caught before the call.
    pub(super) fn ours(words: impl Into<String>) -> Self {
        Self {
            class: Class::NotSent,
            code: None,
            words: words.into(),
        }
    }

    /// There were no credentials: none configured, or the role's were refused.
    fn not_sent(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(current) = cause {
            if let Some(failure) = current.downcast_ref::<Self>() {
                return failure.as_cause_of_no_credentials();
            }
            if let Some(CredentialsError::ProviderTimedOut(_)) = current.downcast_ref() {
                return Self::ours("the credentials took too long to come");
            }
            cause = current.source();
        }
        Self {
            class: Class::NotSent,
            code: Some(NO_CREDENTIALS.to_owned()),
            words: root_cause(error),
        }
    }

    /// What a failure to get credentials means for the call that needed them.
    fn as_cause_of_no_credentials(&self) -> Self {
        match self.class {
            Class::Throttled => self.clone(),
            Class::Unknown | Class::NotSent => Self {
                class: Class::NotSent,
                ..self.clone()
            },
            Class::Denied | Class::Refused => Self {
                class: Class::NotSent,
                code: Some(NO_CREDENTIALS.to_owned()),
                words: format!("AWS refused the role: {self}"),
            },
        }
    }

    /// Whether AWS certainly did nothing.
    pub fn is_certain(&self) -> bool {
        self.class != Class::Unknown
    }

    /// Whether the credentials are to be got anew.
    pub(super) fn concerns_credentials(&self) -> bool {
        self.is(NO_CREDENTIALS) || self.is_one_of(CREDENTIALS)
    }

    /// What a region that is not enabled answers to good credentials, and any region to bad ones.
    pub(super) fn is_auth_failure(&self) -> bool {
        self.is(AUTH_FAILURE)
    }

    fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn is_one_of(&self, codes: &[&str]) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| codes.contains(&code))
    }

    /// `CreateImage` and `RegisterImage`: the name is taken, perhaps by our own lost answer.
    pub(super) fn is_name_taken(&self) -> bool {
        self.is("InvalidAMIName.Duplicate")
    }

    /// `CopyImage`: the token has been used already.
    pub(super) fn is_already_made(&self) -> bool {
        self.is("IdempotentParameterMismatch")
    }

    /// The image or snapshot to act on is gone, or not shown yet.
    pub(super) fn is_not_there(&self) -> bool {
        self.is_one_of(NOT_THERE)
    }

    /// The instance or image to read does not exist for this account.
    pub(super) fn is_source_not_there(&self) -> bool {
        self.is_one_of(SOURCE_NOT_THERE)
    }

    /// An image that was just deregistered still counts as using its snapshot.
    pub(super) fn is_in_use(&self) -> bool {
        self.is("InvalidSnapshot.InUse")
    }

    /// Why a place cannot be read, when this came of a read there with an account that works elsewhere.
    pub(super) fn unreadable(&self, action: &'static str, place: &Place) -> Unreadable {
        let reason = match self.class {
            _ if self.is_auth_failure() => conditions::REGION_NOT_IN_ACCOUNT,
            _ if self.concerns_credentials() => conditions::NO_CREDENTIALS,
            Class::Throttled => conditions::THROTTLED,
            Class::Denied => conditions::ACCESS_DENIED,
            Class::Refused => conditions::REFUSED,
            Class::Unknown | Class::NotSent => conditions::REGION_UNREADABLE,
        };
        Unreadable {
            reason,
            message: self.sentence(action, "", place, reason),
        }
    }

    /// The reason that an object shows while `action`, having failed `times` times so, is awaited.
    ///
    /// What passes by itself is progress, until it has lasted for minutes.
    pub(super) fn reason(&self, action: &str, times: u32) -> Reason {
        let patient = times <= PATIENCE;
        match self.class {
            Class::Throttled => conditions::THROTTLED,
            Class::Unknown => conditions::PROGRESSING,
            _ if self.concerns_credentials() => conditions::NO_CREDENTIALS,
            Class::Denied => conditions::ACCESS_DENIED,
            Class::NotSent => conditions::REGION_UNREADABLE,
            Class::Refused => match action {
                "CreateImage" if self.is_source_not_there() => conditions::SOURCE_NOT_FOUND,
                "CreateImage" if self.is_one_of(SOURCE_NOT_FIT) => conditions::SOURCE_NOT_SUPPORTED,
                _ if self.is("InvalidAMIName.Malformed") => conditions::INVALID_SPEC,
                _ if patient && (self.is_name_taken() || self.is_already_made()) => {
                    conditions::PROGRESSING
                }
                _ if patient && (self.is_not_there() || self.is_in_use()) => {
                    conditions::PROGRESSING
                }
                "DeregisterImage" | "DeleteSnapshot" => conditions::DEREGISTRATION_BLOCKED,
                _ => conditions::REFUSED,
            },
        }
    }

    /// What the user reads: where, what, AWS's words, and what to do.
    pub(super) fn sentence(&self, action: &str, of: &str, place: &Place, reason: Reason) -> String {
        let mut sentence = format!("{action} in {}", place.region);
        if !of.is_empty() {
            sentence = format!("{action} of {of} in {}", place.region);
        }
        let said = shortened(&self.to_string());
        let remedy = self.remedy(action, place, reason);
        format!("{sentence} (account {}): {said}; {remedy}", place.account)
    }

    fn remedy(&self, action: &str, place: &Place, reason: Reason) -> String {
        match reason {
            conditions::ACCESS_DENIED => {
                let missing = self.missing_permission().unwrap_or_else(|| format!("ec2:{action}"));
                format!("allow {missing} in the policy of Amity's role (docs/iam.md)")
            }
            conditions::REGION_NOT_IN_ACCOUNT => format!(
                "enable {} for account {}, or leave it out of spec.regions of the AwsAccount",
                place.region, place.account
            ),
            conditions::NO_CREDENTIALS => {
                "give the controller credentials that work, and let the role's trust policy name them (docs/iam.md)".to_owned()
            }
            conditions::THROTTLED | conditions::PROGRESSING | conditions::REGION_UNREADABLE => {
                "it is tried again by itself".to_owned()
            }
            conditions::INVALID_SPEC => "change spec.nameTemplate in a new MachineImage".to_owned(),
            conditions::SOURCE_NOT_FOUND => "correct region and id in spec.source".to_owned(),
            conditions::SOURCE_NOT_SUPPORTED => {
                "bring the instance into the state running or stopped, or use another source".to_owned()
            }
            conditions::DEREGISTRATION_BLOCKED => {
                "end what protects or uses it, or set spec.deletionPolicy to Retain".to_owned()
            }
            _ => "mend that; it is tried again now and then by itself".to_owned(),
        }
    }

    /// The IAM action that AWS's own words name as missing: `CopyImage` with tags, say, may lack
    /// `ec2:CreateTags`. Only for the message; nothing is decided by it.
    fn missing_permission(&self) -> Option<String> {
        let (_, rest) = self.words.split_once("not authorized to perform: ")?;
        let action: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == ':')
            .collect();
        action.contains(':').then_some(action)
    }
}

/// The code of ours for credentials that are not there at all.
const NO_CREDENTIALS: &str = "NoCredentials";

/// How often something that should pass by itself may fail before the user is told that it does not: with
/// the back-off of [`super::budget`], some two minutes.
const PATIENCE: u32 = 7;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.words),
            None => f.write_str(&self.words),
        }
    }
}

impl Error for Failure {}

/// The innermost cause, which is the one that says something.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// EC2 appends some kilobytes of base64 to a denial, which only `sts:DecodeAuthorizationMessage` can read.
fn without_encoded_message(words: &str) -> &str {
    words
        .split("Encoded authorization failure message")
        .next()
        .unwrap_or(words)
        .trim_end_matches([' ', '.'])
}

/// Conditions hold 32 KiB and events 1 KiB; a sentence of AWS is worth a few lines.
fn shortened(text: &str) -> String {
    const MOST: usize = 400;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: &str, status_is_5xx: bool) -> Failure {
        Failure::answered(Some(code), Some("words"), status_is_5xx)
    }

    #[test]
    fn only_an_answer_that_says_no_is_certain() {
        for (code, server_error, class) in [
            ("RequestLimitExceeded", true, Class::Throttled),
            ("ResourceLimitExceeded", false, Class::Throttled),
            ("InternalError", true, Class::Unknown),
            ("Unavailable", true, Class::Unknown),
            ("RequestTimeout", false, Class::Unknown),
            ("UnauthorizedOperation", false, Class::Denied),
            ("RequestExpired", false, Class::Denied),
            ("AuthFailure", false, Class::Denied),
            ("InvalidParameterValue", false, Class::Refused),
        ] {
            let failure = answered(code, server_error);
            assert_eq!(failure.class, class, "{code}");
            assert_eq!(failure.is_certain(), class != Class::Unknown, "{code}");
        }
        assert_eq!(Failure::answered(None, None, false).class, Class::Unknown);
    }

    #[test]
    fn a_region_that_is_not_enabled_says_so_and_what_to_do() {
        let place = Place::new("111122223333", "af-south-1");
        let failure = Failure::answered(
            Some("AuthFailure"),
            Some("AWS was not able to validate the provided access credentials"),
            false,
        );
        let unreadable = failure.unreadable("DescribeImages", &place);
        assert_eq!(unreadable.reason, conditions::REGION_NOT_IN_ACCOUNT);
        assert_eq!(
            unreadable.message,
            "DescribeImages in af-south-1 (account 111122223333): AuthFailure: AWS was not able to validate the \
             provided access credentials; enable af-south-1 for account 111122223333, or leave it out of \
             spec.regions of the AwsAccount"
        );
    }

    #[test]
    fn a_denial_names_the_permission_that_aws_names() {
        let place = Place::new("111122223333", "eu-west-1");
        let words = "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/a/b \
                     is not authorized to perform: ec2:CreateTags on resource: x because no identity-based policy allows \
                     the ec2:CreateTags action. Encoded authorization failure message: abcdef";
        let failure = Failure::answered(Some("UnauthorizedOperation"), Some(words), false);
        let reason = failure.reason("CopyImage", 1);
        assert_eq!(reason, conditions::ACCESS_DENIED);
        let sentence = failure.sentence("CopyImage", "us-east-1/ami-1", &place, reason);
        assert!(
            sentence
                .starts_with("CopyImage of us-east-1/ami-1 in eu-west-1 (account 111122223333): "),
            "{sentence}"
        );
        assert!(
            sentence
                .ends_with("; allow ec2:CreateTags in the policy of Amity's role (docs/iam.md)"),
            "{sentence}"
        );
        assert!(!sentence.contains("abcdef"), "{sentence}");
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
}
