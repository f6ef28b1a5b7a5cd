//! AWS Security Token Service: `GetCallerIdentity` and `AssumeRole` (STS API reference).
//!
//! `GetCallerIdentity` needs no permission, and credentials work in all regions that their
//! account has enabled. Session tags are those of the call: roles have none here, and none is
//! transitive.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::chance::after;
use crate::error::ApiError;
use crate::state::{Principal, Role, Tags};
use crate::wire::parameters::Parameters;
use crate::wire::request::{Caller, Request};
use crate::wire::response::Reply;
use crate::world::World;

/// Sessions that ended this long ago are forgotten: their keys are then unknown, not expired.
const EXPIRED_SESSIONS_KEPT_SECONDS: u64 = 24 * 3600;

/// How many tags a session may have, and how long their keys and values may be (STS API reference:
/// `AssumeRole`, `Tag`).
const MOST_SESSION_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

impl World {
    pub(crate) fn call_sts(
        &mut self,
        caller: &Caller,
        request: &Request,
    ) -> Result<Reply, ApiError> {
        if request.action.is_empty() {
            return Err(ApiError::new("MissingAction", "Missing Action"));
        }
        let principal = self.identify(caller)?;
        self.authorize(caller, &principal, request)?;
        let parameters = Parameters::new(&request.parameters);
        match request.action.as_str() {
            "AssumeRole" => self.assume_role(&principal, parameters),
            "GetCallerIdentity" => {
                parameters.finish()?;
                Ok(Reply::of(|xml| {
                    xml.text("Arn", &principal.arn);
                    xml.text("UserId", &principal.user_id);
                    xml.text("Account", &principal.account);
                }))
            }
            action => Err(ApiError::new(
                "InvalidAction",
                format!(
                    "Could not find operation {action} for version {}",
                    request.version
                ),
            )),
        }
    }

    /// As `authenticate`, in the words of STS.
    pub(crate) fn identify(&self, caller: &Caller) -> Result<Principal, ApiError> {
        let invalid = || {
            let message = "The security token included in the request is invalid.";
            ApiError::new("InvalidClientTokenId", message).with_status(403)
        };
        let Some(key) = &caller.access_key_id else {
            let message = "Request is missing Authentication Token";
            return Err(ApiError::new("MissingAuthenticationToken", message).with_status(403));
        };
        let principal = self.principals.get(key).ok_or_else(invalid)?;
        if let Some((token, ends)) = &principal.session {
            if caller.session_token.as_ref() != Some(token) {
                return Err(invalid());
            }
            if self.now >= *ends {
                let message = "The security token included in the request is expired";
                return Err(ApiError::new("ExpiredToken", message).with_status(403));
            }
        }
        if !self.enabled(&principal.account, &caller.region) {
            return Err(invalid());
        }
        Ok(principal.clone())
    }

    fn assume_role(
        &mut self,
        principal: &Principal,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let arn = parameters.required("RoleArn")?;
        let session_name = parameters.required("RoleSessionName")?;
        let external_id = parameters.text("ExternalId");
        let seconds = parameters.number("DurationSeconds")?.unwrap_or(3600);
        let tags = session_tags(&mut parameters)?;
        parameters.not_modelled(&[
            "Policy",
            "PolicyArns",
            "ProvidedContexts",
            "SerialNumber",
            "SourceIdentity",
            "Tags",
            "TokenCode",
            "TransitiveTagKeys",
        ])?;
        parameters.finish()?;
        check_session(&session_name, seconds)?;
        // Role chaining is limited to an hour, whatever the role allows.
        if principal.session.is_some() && seconds > 3600 {
            return Err(validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let denied = |action: &str| {
            let message = format!(
                "User: {} is not authorized to perform: {action} on resource: {arn}",
                principal.arn
            );
            ApiError::new("AccessDenied", message).with_status(403)
        };
        let (account, name) =
            split_role_arn(&arn).ok_or_else(|| validation(&format!("{arn} is invalid")))?;
        let role = self
            .accounts
            .get(account)
            .and_then(|account| account.roles.get(name));
        let trusted = |role: &&Role| {
            let external_id_fits = role.external_id.is_none() || role.external_id == external_id;
            role.trusts.contains(&principal.account) && external_id_fits
        };
        let role = role
            .filter(trusted)
            .ok_or_else(|| denied("sts:AssumeRole"))?;
        if !tags.is_empty() && !role.allows_session_tags {
            return Err(denied("sts:TagSession"));
        }

        let session = format!("arn:aws:sts::{account}:assumed-role/{name}/{session_name}");
        let user_id = format!("{}:{session_name}", role_id(&arn));
        let key = format!("ASIA{}", self.chance.letters(16));
        let (secret, token) = (self.chance.letters(40), self.chance.letters(200));
        let expires = after(self.now, u64::from(seconds) * 1000);
        self.forget_old_sessions();
        let principal = Principal {
            account: account.to_owned(),
            arn: session.clone(),
            user_id: user_id.clone(),
            session: Some((token.clone(), expires)),
            tags,
        };
        self.principals.insert(key.clone(), principal);
        Ok(Reply::of(|xml| {
            xml.element("AssumedRoleUser", |xml| {
                xml.text("AssumedRoleId", user_id);
                xml.text("Arn", session);
            });
            xml.element("Credentials", |xml| {
                xml.text("AccessKeyId", key);
                xml.text("SecretAccessKey", secret);
                xml.text("SessionToken", token);
                xml.text("Expiration", whole_seconds(expires));
            });
        }))
    }

    fn forget_old_sessions(&mut self) {
        let now = self.now;
        let kept = |ends: Timestamp| after(ends, EXPIRED_SESSIONS_KEPT_SECONDS * 1000) > now;
        self.principals.retain(|_, principal| {
            principal
                .session
                .as_ref()
                .is_none_or(|(_, ends)| kept(*ends))
        });
    }
}

fn validation(message: &str) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// The session tags of a request. Keys that differ in case only are the same key (IAM user guide,
/// `id_session-tags`).
fn session_tags(parameters: &mut Parameters) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    let mut keys = BTreeSet::new();
    for mut tag in parameters.structures("Tags.member") {
        let key = tag.required("Key")?;
        let value = tag.text("Value").unwrap_or_default();
        tag.finish()?;
        check_tag("key", &key, LONGEST_KEY)?;
        check_tag("value", &value, LONGEST_VALUE)?;
        if key.to_lowercase().starts_with("aws:") {
            return Err(validation(&format!(
                "The tag key {key} begins with aws:, which is reserved"
            )));
        }
        if !keys.insert(key.to_lowercase()) {
            return Err(validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        tags.insert(key, value);
    }
    if tags.len() > MOST_SESSION_TAGS {
        return Err(validation(&format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less \
             than or equal to {MOST_SESSION_TAGS}"
        )));
    }
    Ok(tags)
}

/// The pattern is that of the reference: letters, digits, separators and `_.:/=+-@`.
fn check_tag(part: &str, text: &str, longest: usize) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    if text.chars().count() > longest || !text.chars().all(allowed) {
        return Err(validation(&format!(
            "1 validation error detected: Value '{text}' at 'tags.member.{part}' failed to satisfy constraint: Member \
             must have length less than or equal to {longest} and satisfy regular expression pattern: \
             [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]*"
        )));
    }
    Ok(())
}

fn check_session(name: &str, seconds: u32) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(validation(&format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    if !(900..=43_200).contains(&seconds) {
        return Err(validation(&format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value between 900 and 43200"
        )));
    }
    Ok(())
}

/// Account and name of `arn:aws:iam::ACCOUNT:role/NAME`, where a path may precede the name.
fn split_role_arn(arn: &str) -> Option<(&str, &str)> {
    let (account, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    Some((account, role.rsplit('/').next()?))
}

fn role_id(arn: &str) -> String {
    let number = crate::chance::digest(arn);
    format!("AROA{number:016X}0")
}

fn whole_seconds(value: Timestamp) -> String {
    value.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
