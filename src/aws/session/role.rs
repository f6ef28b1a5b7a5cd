//! Credentials of a role, by `AssumeRole`. The SDK has a provider of its own, whose calls could not be
//! counted and whose errors could not be told apart.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::error::BuildError;
use aws_sdk_sts::types::Tag;

use super::Role;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

/// The session name, which `CloudTrail` shows. Fixed, so that the policies of an account may name it.
const SESSION_NAME: &str = "amity";

/// The tag of a session in which something is done for one object: its namespace.
pub(super) const NAMESPACE_TAG: &str = "amity.dev/namespace";

/// Assumes one role with the controller's own credentials.
#[derive(Debug)]
pub(super) struct RoleCredentials {
    sts: Client,
    role: Role,
    namespace: Option<String>,
    calls: EC2Calls,
}

impl RoleCredentials {
    /// Those of a session that is tagged with a namespace, if there is one.
    pub(super) fn new(sts: Client, role: &Role, namespace: Option<&str>, calls: EC2Calls) -> Self {
        Self {
            sts,
            role: role.clone(),
            namespace: namespace.map(str::to_owned),
            calls,
        }
    }

    async fn assume(&self) -> provider::Result {
        let tags = self.tags().map_err(CredentialsError::unhandled)?;
        let request = || {
            self.sts
                .assume_role()
                .role_arn(&self.role.arn)
                .role_session_name(SESSION_NAME)
                .set_external_id(self.role.external_id.clone())
                .set_tags(tags.clone())
                .send()
        };
        let answer = calls::read(&self.calls, "AssumeRole", request)
            .await
            .map_err(CredentialsError::provider_error)?;
        let Some(credentials) = answer.credentials() else {
            return Err(CredentialsError::provider_error(Failure::unknown(
                "AssumeRole gave no credentials",
            )));
        };
        let expires = credentials
            .expiration()
            .to_owned()
            .try_into()
            .map_err(CredentialsError::unhandled)?;
        Ok(Credentials::new(
            credentials.access_key_id(),
            credentials.secret_access_key(),
            Some(credentials.session_token().to_owned()),
            Some(expires),
            "AssumeRole",
        ))
    }

    /// The tags of the session; none at all, if it has none.
    fn tags(&self) -> Result<Option<Vec<Tag>>, BuildError> {
        let tag = |namespace| Tag::builder().key(NAMESPACE_TAG).value(namespace).build();
        let tag = self.namespace.as_ref().map(tag).transpose()?;
        Ok(tag.map(|tag| vec![tag]))
    }
}

impl ProvideCredentials for RoleCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.assume())
    }
}
