//! Every answer of AWS that is not the one hoped for, classified once, where the SDK ends.
//!
//! | file | what it has |
//! | --- | --- |
//! | [`codes`] | the table: each code, what it means, and what the user does |
//! | [`kind`] | what sorts of failure there are, and what Amity does about each |
//! | [`late`] | what EC2 says of images and snapshots that fail after the call |
//! | [`page`] | `docs/errors.md`, written from these |

pub mod codes;
pub mod kind;
pub mod late;
pub mod page;

use std::error::Error;
use std::fmt;

use amity_core::api::conditions::{self, Reason};
use amity_core::image::identity::Place;
use amity_core::image::observed::Unreadable;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use kind::Kind;

/// A call that AWS did not answer with success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it means for what was asked.
    pub class: Class,
    /// What sort of failure it is.
    pub kind: Kind,
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

    /// What an answer with this code means. A code that says clearly that nothing was done is believed with
    /// any status; any other answer of a server that broke says nothing.
    fn answered(code: Option<&str>, words: Option<&str>, server_error: bool) -> Self {
        let words = words.unwrap_or("AWS gave no reason");
        let kind = match code {
            Some(code) => codes::lookup(code, words).map_or(Kind::Unlisted, |entry| entry.kind),
            None => Kind::NoAnswer,
        };
        let kind = match kind.class() {
            Class::Throttled | Class::Unknown => kind,
            _ if server_error => Kind::NoAnswer,
            _ => kind,
        };
        Self {
            class: kind.class(),
            kind,
            code: code.map(str::to_owned),
            words: without_encoded_message(words).to_owned(),
        }
    }

    /// No answer that tells whether it was done.
    pub(super) fn unknown(words: impl Into<String>) -> Self {
        Self::without_code(Kind::NoAnswer, words)
    }

    /// An error of ours, caught before the call.
    pub(super) fn ours(words: impl Into<String>) -> Self {
        Self::without_code(Kind::NotSent, words)
    }

    fn without_code(kind: Kind, words: impl Into<String>) -> Self {
        Self {
            class: kind.class(),
            kind,
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
        Self::no_credentials(root_cause(error))
    }

    fn no_credentials(words: String) -> Self {
        Self {
            class: Class::NotSent,
            kind: Kind::Credentials,
            code: Some(NO_CREDENTIALS.to_owned()),
            words,
        }
    }

    /// What a failure to get credentials means for the call that needed them.
    fn as_cause_of_no_credentials(&self) -> Self {
        match self.class {
            Class::Throttled => self.clone(),
            Class::Unknown | Class::NotSent => Self {
                class: Class::NotSent,
                kind: Kind::NotSent,
                ..self.clone()
            },
            Class::Denied | Class::Refused => {
                Self::no_credentials(format!("AWS refused the role: {self}"))
            }
        }
    }

    /// Whether AWS certainly did nothing.
    pub fn is_certain(&self) -> bool {
        self.class != Class::Unknown
    }

    /// Whether the credentials are to be got anew.
    pub(super) fn concerns_credentials(&self) -> bool {
        self.kind == Kind::Credentials
    }

    /// Whether a region does not take the credentials. One that is not enabled answers good ones as any region
    /// answers bad ones: only a new proof of the account, with a new list of regions, tells them apart.
    pub(super) fn concerns_region(&self) -> bool {
        self.kind == Kind::Region
    }

    /// `CreateImage` and `RegisterImage`: the name is taken, perhaps by our own lost answer.
    pub(super) fn is_name_taken(&self) -> bool {
        self.kind == Kind::NameTaken
    }

    /// EC2 would have done it, and was asked not to.
    pub(super) fn is_dry_run(&self) -> bool {
        self.code.as_deref() == Some("DryRunOperation")
    }

    /// `CopyImage`: the token has been used already.
    pub(super) fn is_already_made(&self) -> bool {
        self.kind == Kind::AlreadyMade
    }

    /// The image or snapshot to act on is gone, or not shown yet.
    pub(super) fn is_not_there(&self) -> bool {
        self.kind == Kind::NotThere
    }

    /// The instance or image to read does not exist for this account.
    pub(super) fn is_source_not_there(&self) -> bool {
        self.kind.is_source_not_there()
    }

    /// Whether it is worth asking again within seconds, as for a lag of EC2's reads.
    pub(super) fn passes_soon(&self) -> bool {
        matches!(self.kind, Kind::NotThere | Kind::InUse | Kind::NameTaken)
    }

    /// Why a place cannot be read, when this came of a read there with an account that works elsewhere.
    pub(super) fn unreadable(&self, action: &'static str, place: &Place) -> Unreadable {
        let reason = self.kind.unreadable();
        Unreadable {
            reason,
            message: self.sentence(action, "", place, reason),
        }
    }

    /// The reason that an object shows while `action`, having failed `times` times so, is awaited.
    ///
    /// What passes by itself is progress, until it has lasted for minutes.
    pub(super) fn reason(&self, action: &str, times: u32) -> Reason {
        if times <= PATIENCE && self.kind.passes(action) {
            conditions::PROGRESSING
        } else {
            self.kind.reason(action)
        }
    }

    /// What the user reads: where, what, AWS's words, and what to do.
    pub(super) fn sentence(&self, action: &str, of: &str, place: &Place, reason: Reason) -> String {
        let mut sentence = format!("{action} in {}", place.region);
        if !of.is_empty() {
            sentence = format!("{action} of {of} in {}", place.region);
        }
        let said = shortened(&self.to_string());
        let remedy = self.remedy(action, of, place, reason);
        format!("{sentence} (account {}): {said}; {remedy}", place.account)
    }

    fn remedy(&self, action: &str, of: &str, place: &Place, reason: Reason) -> String {
        match reason {
            conditions::PROGRESSING | conditions::REGION_UNREADABLE => return BY_ITSELF.to_owned(),
            // Somebody else's region in a message about credentials would mislead.
            conditions::NO_CREDENTIALS if self.kind == Kind::Region => {
                return self.new_credentials();
            }
            _ => {}
        }
        let code = self.code.as_deref().unwrap_or_default();
        let remedy = codes::lookup(code, &self.words).map_or(NOW_AND_THEN, |entry| entry.remedy);
        let subject = if of.is_empty() { "it" } else { of };
        let permission = || {
            self.missing_permission()
                .unwrap_or_else(|| permission_for(action))
        };
        let mut remedy = remedy
            .replace("{region}", &place.region)
            .replace("{account}", &place.account)
            .replace("{of}", subject)
            .replace("{permission}", &permission());
        if reason == conditions::DEREGISTRATION_BLOCKED {
            remedy.push_str(", or set spec.deletionPolicy to Retain");
        }
        remedy
    }

    fn new_credentials(&self) -> String {
        codes::lookup(NO_CREDENTIALS, &self.words)
            .map_or_else(String::new, |entry| entry.remedy.to_owned())
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

/// What the user does where nothing is to be done.
const BY_ITSELF: &str = "it is tried again by itself";

/// What the user does about a code that nobody has described yet.
const NOW_AND_THEN: &str = "mend that; it is tried again now and then by itself";

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

/// The permission for a call, where AWS names none. What follows the call's name says how it was made.
fn permission_for(action: &str) -> String {
    let call = action.split(' ').next().unwrap_or(action);
    let service = match call {
        "GetCallerIdentity" | "AssumeRole" => "sts",
        "GetParameter"
        | "GetParameters"
        | "DescribeParameters"
        | "PutParameter"
        | "DeleteParameter"
        | "AddTagsToResource"
        | "ListTagsForResource" => "ssm",
        _ => "ec2",
    };
    format!("{service}:{call}")
}

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
mod tests;
