//! What a denial is answered, in the words of each service.
//!
//! Texts: IAM user guide, `troubleshoot_access-denied`, and as users pasted them in public issues.
//! A denial of EC2 that names a resource goes on with some kilobytes that only
//! `sts:DecodeAuthorizationMessage` can read; here they say nothing.

use crate::chance::{digest, mix};
use crate::error::ApiError;
use crate::wire::request::Service;

/// Why a call is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NoIdentityPolicy,
    ExplicitDeny,
    ServiceControlPolicy,
}

impl Why {
    /// As AWS words it, at the end of its sentence.
    pub(super) fn words(self, action: &str) -> String {
        match self {
            Self::NoIdentityPolicy => {
                format!("because no identity-based policy allows the {action} action")
            }
            Self::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
            Self::ServiceControlPolicy => {
                "with an explicit deny in a service control policy".to_owned()
            }
        }
    }
}

/// The error. `resource` is `*` for an action that is about none.
pub(super) fn error(
    service: Service,
    user: &str,
    action: &str,
    resource: &str,
    why: Why,
) -> ApiError {
    let resource = (resource != "*").then_some(resource);
    let on = resource.map_or_else(String::new, |arn| format!(" on resource: {arn}"));
    let reason = why.words(action);
    let sentence = format!("User: {user} is not authorized to perform: {action}{on} {reason}");
    match service {
        Service::Ec2 => {
            let mut message =
                format!("You are not authorized to perform this operation. {sentence}");
            if resource.is_some() {
                message.push_str(". Encoded authorization failure message: ");
                message.push_str(&encoded(&sentence));
            }
            ApiError::with_its_status("UnauthorizedOperation", &message)
        }
        Service::Ssm => ApiError::new("AccessDeniedException", sentence),
        Service::Sts => ApiError::with_its_status("AccessDenied", &sentence),
    }
}

/// Letters of base64url, as many as EC2 sends, the same for the same denial.
fn encoded(sentence: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = digest(sentence);
    let letters = (0..700).map(|_| {
        state = mix(state);
        let at = usize::try_from(state % 64).unwrap_or_default();
        char::from(ALPHABET[at])
    });
    letters.collect()
}
